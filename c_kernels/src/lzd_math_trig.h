/* sin, cos, tan and their inverses, and hypot, for the T of lzd_f32.h or lzd_f64.h: lzd_math.h says how such functions are written
 * and how far they are from the truth. sin, cos and tan of |x| > ANGLE_LIMIT call a function of integer arithmetic. */
#ifndef LZD_MATH_TRIG_H
#define LZD_MATH_TRIG_H

#if defined(__GNUC__)
#define OUTLINED static __attribute__((noinline, unused))
#else
#define OUTLINED static inline
#endif

LZD_INLINE T poly_sin(T x)
{
    SIN_TERMS(FIRST, NEXT)
    return sum;
}

LZD_INLINE T poly_cos(T x)
{
    COS_TERMS(FIRST, NEXT)
    return sum;
}

LZD_INLINE T poly_asin(T x)
{
    ASIN_TERMS(FIRST, NEXT)
    return sum;
}

LZD_INLINE T poly_atan(T x)
{
    ATAN_TERMS(FIRST, NEXT)
    return sum;
}

/* a + b = the sum returned + *lost, exactly. */
LZD_INLINE T two_sum(T a, T b, T *lost)
{
    const T sum = a + b;
    const T back = sum - a;
    *lost = (a - (sum - back)) + (b - back);
    return sum;
}

/* x = quadrant * pi/2 + high + low, |high| <= pi/4 and a little; quadrant modulo 4. */
typedef struct {
    T high, low;
    U quadrant;
} angle;

LZD_INLINE void shift_left(uint32_t *words, uint32_t bits) /* 0 < bits < 32 */
{
    for (uint32_t j = 0; j + 1u < ANGLE_WORDS; j++) {
        words[j] = words[j] << bits | words[j + 1u] >> (32u - bits);
    }
    words[ANGLE_WORDS - 1u] <<= bits;
}

/* The first MANTISSA_BITS + 1 bits of a number of ANGLE_WORDS words, taken away from it, as an integer. */
LZD_INLINE T take_bits(uint32_t *words)
{
    const uint64_t top = (uint64_t)words[0] << 32 | words[1];
    shift_left(words, (MANTISSA_BITS + 1u) / 2u);
    shift_left(words, MANTISSA_BITS + 1u - (MANTISSA_BITS + 1u) / 2u);
    return (T)(int64_t)(top >> (63u - MANTISSA_BITS));
}

/* Payne's and Hanek's reduction: x = m 2^k, and x 2/pi modulo 4 needs only those bits of 2/pi from 2^(2-k) on, as many as
 * there are in ANGLE_WORDS words: their product with m is an integer of as many words, and its first two bits are the quadrant. */
OUTLINED angle reduce_large(T x)
{
    static const uint32_t two_over_pi[] = {TWO_OVER_PI_WORDS}; /* a word of 0, then the bits after the point */
    angle result = {x - x, (T)0, 0}; /* a NaN, of an infinite x or of a NaN */
    if (ABS(x) < from_bits(INFINITY_BITS)) {
        const U bits = bits_of(ABS(x));
        const U one = (U)1 << MANTISSA_BITS;
        const uint64_t m = (bits & (one - 1u)) | one;
        const uint32_t first = (uint32_t)(bits >> MANTISSA_BITS) + 30u - BIAS - MANTISSA_BITS;
        uint32_t words[ANGLE_WORDS] = {0};
        for (uint32_t limb = 0; limb < sizeof(T) / 4u; limb++) {
            uint64_t carry = 0;
            for (uint32_t j = ANGLE_WORDS; j-- > limb;) {
                const uint32_t *at = two_over_pi + (first >> 5) + j;
                const uint64_t two = (uint64_t)at[0] << 32 | at[1];
                const uint64_t factor = (two << (first & 31u)) >> 32;
                carry += factor * (uint32_t)(m >> (32u * limb)) + words[j - limb];
                words[j - limb] = (uint32_t)carry;
                carry >>= 32;
            }
        }
        const uint32_t up = words[0] >> 29 & 1u; /* the nearest quadrant is the next one */
        const uint32_t quadrant = (words[0] >> 30) + up;
        shift_left(words, 2u);
        for (uint32_t j = 0; j < ANGLE_WORDS; j++) {
            words[j] ^= 0u - up;
        }
        uint32_t zeros = 0;
        while (words[0] >> 31 == 0u && zeros < 16u * ANGLE_WORDS) {
            shift_left(words, 1u);
            zeros++;
        }
        const bool negative = (up != 0u) != (x < (T)0);
        const T unit = from_bits((U)(BIAS - 1u - MANTISSA_BITS - zeros) << MANTISSA_BITS);
        const T high = take_bits(words) * (negative ? -unit : unit);
        const T low = take_bits(words) * (negative ? -unit : unit) * from_bits((U)(BIAS - 1u - MANTISSA_BITS) << MANTISSA_BITS);
        result.quadrant = x < (T)0 ? 0u - quadrant : quadrant;
        result.high = high * PIO2_HI;
        result.low = FMA(high, PIO2_HI, -result.high) + FMA(high, PIO2_LO, low * PIO2_HI);
    }
    return result;
}

/* x - n pi/2 for the nearest n, |x| <= ANGLE_LIMIT: x - n PIO2_HI is exact, the next part is subtracted in pairs. */
LZD_INLINE angle reduce_near(T x)
{
    const T rounded = x * TWO_OVER_PI + ROUNDER;
    const T n = rounded - ROUNDER;
    const T first = FMA(n, -PIO2_HI, x);
    const T product = n * -PIO2_LO;
    T lost;
    const T sum = two_sum(first, product, &lost);
    const T rest = lost + FMA(n, -PIO2_LOWEST, FMA(n, -PIO2_LO, -product));
    angle result;
    result.high = sum + rest;
    result.low = rest - (result.high - sum);
    result.quadrant = bits_of(rounded);
    return result;
}

LZD_INLINE angle reduce_any(T x) { return ABS(x) <= ANGLE_LIMIT ? reduce_near(x) : reduce_large(x); }

LZD_INLINE T sin_of(angle r)
{
    const T z = r.high * r.high;
    return r.high + FMA(r.high * z, poly_sin(z), r.low);
}

LZD_INLINE T cos_of(angle r)
{
    const T z = r.high * r.high;
    const T half = (T)0.5 * z;
    const T w = (T)1 - half;
    return w + ((((T)1 - w) - half) + FMA(z * z, poly_cos(z), -r.high * r.low));
}

/* The sine of an angle + turns pi/2. */
LZD_INLINE T sin_turned(angle r, U turns)
{
    const U quadrant = r.quadrant + turns;
    const T y = pick((quadrant & 1u) != 0u, cos_of(r), sin_of(r));
    return from_bits(bits_of(y) ^ (quadrant >> 1) << (sizeof(T) * 8u - 1u));
}

/* Where they are 0, x: -0 too. Of x and its angle. */
LZD_INLINE T sin_from(T x, angle r) { return pick(x == (T)0, x, sin_turned(r, 0u)); }

/* The quotient of sine and cosine, or minus the inverse of it. */
LZD_INLINE T tan_from(T x, angle r)
{
    const T s = sin_of(r);
    const T c = cos_of(r);
    const bool odd = (r.quadrant & 1u) != 0u;
    return pick(x == (T)0, x, pick(odd, -c, s) / pick(odd, s, c));
}

/* Of 0 <= a: asin is a + a^3 poly(a^2) up to 1/2, then pi/2 - 2 asin(sqrt((1 - a) / 2)). Returns the s of asin(s) = s + *tail. */
LZD_INLINE T asin_pair(T a, T *tail)
{
    const bool small = a <= (T)0.5;
    const T z = small ? a * a : (T)0.5 * ((T)1 - a);
    const T s = small ? a : SQRT(z);
    const T lost = small || s == (T)0 ? (T)0 : FMA(-s, s, z) / ((T)2 * s);
    *tail = FMA(s * z, poly_asin(z), lost);
    return s;
}

/* whole - x - (more - rest), where |x| <= whole. */
LZD_INLINE T below(T whole, T rest, T x, T more)
{
    const T w = whole - x;
    return w + (((whole - w) - x) + (rest - more));
}

LZD_INLINE T lzd_asin(T x)
{
    T tail;
    const T a = ABS(x);
    const T s = asin_pair(a, &tail);
    const T y = a <= (T)0.5 ? s + tail : below(PIO2_HI, PIO2_LO, (T)2 * s, (T)2 * tail);
    return with_sign(y, x);
}

LZD_INLINE T lzd_acos(T x)
{
    T tail;
    const T a = ABS(x);
    const T s = asin_pair(a, &tail);
    const bool negative = x < (T)0;
    const T near = below(PIO2_HI, PIO2_LO, x, negative ? -tail : tail);
    const T far = negative ? below((T)2 * PIO2_HI, (T)2 * PIO2_LO, (T)2 * s, (T)2 * tail) : (T)2 * (s + tail);
    return a <= (T)0.5 ? near : far;
}

/* The angle of the point (x, y), or with `left` of (-x, y); x and y are not negative. One of three quotients, all within
 * tan(pi/8), gives it as a part of base = 0, pi/4 or pi/2 (seen from the left pi, 3 pi/4, pi/2). */
LZD_INLINE T arc(T y, T x, bool left)
{
    const bool steep = y > TAN_3PIO8 * x;
    const bool flat = y <= TAN_PIO8 * x;
    T lost_n, lost_d;
    const T difference = two_sum(y, -x, &lost_n);
    const T sum = two_sum(y, x, &lost_d);
    const T n = pick(flat, y, pick(steep, -x, difference));
    T d = pick(flat, x, pick(steep, y, sum));
    d = d == (T)0 ? (T)1 : d;
    lost_n = pick(flat || steep, (T)0, lost_n);
    lost_d = pick(flat || steep, (T)0, lost_d);
    const T inverse = (T)1 / d;
    const T q = n * inverse;
    const T rest = (FMA(-q, d, n) + FMA(-q, lost_d, lost_n)) * inverse;
    const T z = q * q;
    const T more = FMA(q * z, poly_atan(z), rest);
    const T eighths = pick(flat, (T)0, pick(steep, (T)2, (T)1));
    const T count = left ? (T)4 - eighths : eighths;
    const T base = count * PIO4_HI;
    const T part = left ? -q : q;
    const T turned = base + part;
    return turned + ((part - (turned - base)) + FMA(count, PIO4_LO, left ? -more : more));
}

LZD_INLINE T lzd_atan(T x)
{
    const T a = ABS(x);
    return with_sign(arc(a > LARGE ? LARGE : a, (T)1, false), x);
}

/* C99's and NumPy's atan2: infinite arguments count as 1 beside finite ones, -0 as negative. */
LZD_INLINE T lzd_atan2(T y, T x)
{
    const T infinity = from_bits(INFINITY_BITS);
    T a = ABS(y);
    T b = ABS(x);
    const bool infinite = a == infinity || b == infinity;
    a = infinite ? (a == infinity ? (T)1 : (T)0) : a;
    b = infinite ? (b == infinity ? (T)1 : (T)0) : b;
    const T most = a > b ? a : b;
    const T factor = most > HUGE_ENOUGH ? (T)0.0625 : most < (T)1 / LARGE ? LARGE : (T)1;
    const T angle_up = arc(a * factor, b * factor, (bits_of(x) & SIGN_BIT) != 0u);
    return x != x || y != y ? from_bits(NAN_BITS) : with_sign(angle_up, y);
}

/* sqrt(x^2 + y^2), the squares in pairs, scaled away from overflow and underflow. */
LZD_INLINE T lzd_hypot(T x, T y)
{
    const T infinity = from_bits(INFINITY_BITS);
    const T a = ABS(x);
    const T b = ABS(y);
    T most = a > b ? a : b;
    T least = a > b ? b : a;
    const T factor = most > LARGE ? (T)1 / HYPOT_SCALE : most < (T)1 / LARGE ? HYPOT_SCALE : (T)1;
    most *= factor;
    least *= factor;
    const T high = most * most;
    const T low = FMA(most, most, -high);
    T lost;
    const T sum = two_sum(high, least * least, &lost);
    const T root = SQRT(sum + (low + lost)) / factor;
    return a == infinity || b == infinity ? infinity : root;
}

#define SIN(a) sin_from(a, reduce_any(a))
#define COS(a) sin_turned(reduce_any(a), 1u)
#define TAN(a) tan_from(a, reduce_any(a))
#define SIN_NEAR(a) sin_from(a, reduce_near(a)) /* |a| <= ANGLE_LIMIT: without a branch */
#define COS_NEAR(a) sin_turned(reduce_near(a), 1u)
#define TAN_NEAR(a) tan_from(a, reduce_near(a))
#define ASIN(a) lzd_asin(a)
#define ACOS(a) lzd_acos(a)
#define ATAN(a) lzd_atan(a)
#define ATAN2(a, b) lzd_atan2(a, b)
#define HYPOT(a, b) lzd_hypot(a, b)

#endif
