/* fma and sqrt by integers, for cores without the instruction: exact, rounded once to the nearest (ties to even), so that such a core
 * has everybody's bits. A C library is no help there: newlib's fma rounds twice. Include lzd_f32.h or lzd_f64.h first. */
#include "lzd_math.h"

#define TOO_LARGE ((int32_t)(2u * BIAS + 1u)) /* the exponent's bits of infinities and NaNs */

/* Unsigned numbers of WIDE bits: a product of two fractions with room for a sum and a few bits behind it. */
#if LZD_T_IS_F64

enum { WIDE = 128 };
typedef struct wide {
    uint64_t high, low;
} wide;

static inline wide wide_of(uint64_t a) { return (wide){0u, a}; }
static inline uint64_t low_of(wide a) { return a.low; }
static inline bool is_zero(wide a) { return (a.high | a.low) == 0u; }
static inline bool is_less(wide a, wide b) { return a.high != b.high ? a.high < b.high : a.low < b.low; }
static inline uint32_t zeros_before(wide a) { return (uint32_t)(a.high != 0u ? __builtin_clzll(a.high) : 64 + __builtin_clzll(a.low)); }
static inline wide plus(wide a, wide b)
{
    const uint64_t low = a.low + b.low;
    return (wide){a.high + b.high + (low < a.low), low};
}
static inline wide minus(wide a, wide b) { return (wide){a.high - b.high - (a.low < b.low), a.low - b.low}; }
static inline wide up(wide a, uint32_t n)
{
    return n == 0u ? a : n < 64u ? (wide){a.high << n | a.low >> (64u - n), a.low << n} : (wide){a.low << (n - 64u), 0u};
}
static inline wide down(wide a, uint32_t n)
{
    return n == 0u ? a : n < 64u ? (wide){a.high >> n, a.low >> n | a.high << (64u - n)} : (wide){0u, a.high >> (n - 64u)};
}
static inline wide product(uint64_t a, uint64_t b)
{
    const uint64_t a1 = a >> 32, a0 = (uint32_t)a, b1 = b >> 32, b0 = (uint32_t)b;
    const wide outer = {a1 * b1, a0 * b0};
    return plus(outer, plus(up(wide_of(a1 * b0), 32u), up(wide_of(a0 * b1), 32u)));
}

#else

enum { WIDE = 64 };
typedef uint64_t wide;

static inline wide wide_of(uint32_t a) { return a; }
static inline uint32_t low_of(wide a) { return (uint32_t)a; }
static inline bool is_zero(wide a) { return a == 0u; }
static inline bool is_less(wide a, wide b) { return a < b; }
static inline uint32_t zeros_before(wide a) { return (uint32_t)__builtin_clzll(a); }
static inline wide plus(wide a, wide b) { return a + b; }
static inline wide minus(wide a, wide b) { return a - b; }
static inline wide up(wide a, uint32_t n) { return a << n; }
static inline wide down(wide a, uint32_t n) { return a >> n; }
static inline wide product(uint32_t a, uint32_t b) { return (uint64_t)a * b; }

#endif

/* Shifted down; the last bit is also 1 if anything was lost, which is all that rounding has to know of it. */
static LZD_APART wide down_jammed(wide a, uint32_t n)
{
    if (n >= WIDE) {
        return wide_of(!is_zero(a));
    }
    const wide kept = down(a, n);
    const wide back = up(kept, n);
    return is_less(back, a) ? plus(kept, wide_of((low_of(kept) & 1u) ^ 1u)) : kept;
}

static int32_t field_of(U bits) { return (int32_t)(bits >> MANTISSA_BITS & (U)TOO_LARGE); }

/* A finite number that is not 0: its fraction, whose bit MANTISSA_BITS is 1, and the power of two of the fraction's last bit. */
static U parts(U bits, int32_t *exponent)
{
    const int32_t field = field_of(bits);
    U fraction = bits & (((U)1 << MANTISSA_BITS) - 1u);
    *exponent = field - (int32_t)BIAS - MANTISSA_BITS;
    if (field != 0) {
        return fraction | (U)1 << MANTISSA_BITS;
    }
    for (++*exponent; fraction >> MANTISSA_BITS == 0u; fraction <<= 1) {
        --*exponent;
    }
    return fraction;
}

/* sum * 2^exponent, rounded; the sum is not 0. */
static T rounded(wide sum, int32_t exponent, U sign)
{
    const uint32_t zeros = zeros_before(sum) - 1u; /* the first 1 is moved to the bit below the top */
    int32_t field = exponent - (int32_t)zeros + WIDE - 2 + (int32_t)BIAS;
    sum = up(sum, zeros);
    if (field >= TOO_LARGE) {
        return from_bits(sign | INFINITY_BITS);
    }
    if (field < 1) { /* subnormal: fewer bits */
        sum = down_jammed(sum, (uint32_t)(1 - field));
        field = 1;
    }
    const U kept = low_of(down_jammed(sum, WIDE - 4u - MANTISSA_BITS)); /* with two bits more, the last for all behind it */
    const U fraction = (kept >> 2) + ((kept & 3u) == 3u || (kept & 7u) == 6u);
    return from_bits(sign | (((U)(field - 1) << MANTISSA_BITS) + fraction)); /* a carry goes on into the exponent, up to infinity */
}

T SUFFIX(lzd_soft_fma)(T x, T y, T z)
{
    const U a = bits_of(x), b = bits_of(y), c = bits_of(z);
    const bool product_is_finite = field_of(a) != TOO_LARGE && field_of(b) != TOO_LARGE;
    if (product_is_finite && field_of(c) == TOO_LARGE) {
        return z + z; /* though x y, rounded, might be infinite too */
    }
    if (!product_is_finite || (a & ~SIGN_BIT) == 0u || (b & ~SIGN_BIT) == 0u) {
        return x * y + z; /* the product is exact */
    }
    if ((c & ~SIGN_BIT) == 0u) {
        return x * y;
    }
    int32_t ea, eb, ec;
    const U fa = parts(a, &ea), fb = parts(b, &eb), fc = parts(c, &ec);
    const uint32_t product_up = WIDE - 4u - 2u * MANTISSA_BITS, other_up = WIDE - 3u - MANTISSA_BITS;
    wide p = up(product(fa, fb), product_up), q = up(wide_of(fc), other_up);
    const int32_t ep = ea + eb - (int32_t)product_up, eq = ec - (int32_t)other_up;
    const U sign = (a ^ b) & SIGN_BIT;
    /* What is shifted far enough to lose bits is so much smaller that a difference keeps all bits that rounding needs. */
    if (ep > eq) {
        q = down_jammed(q, (uint32_t)(ep - eq));
    } else {
        p = down_jammed(p, (uint32_t)(eq - ep));
    }
    const int32_t exponent = ep > eq ? ep : eq;
    if (sign == (c & SIGN_BIT)) {
        return rounded(plus(p, q), exponent, sign);
    }
    if (is_less(p, q)) {
        return rounded(minus(q, p), exponent, sign ^ SIGN_BIT);
    }
    p = minus(p, q);
    return is_zero(p) ? (T)0 : rounded(p, exponent, sign);
}

T SUFFIX(lzd_soft_sqrt)(T x)
{
    const U bits = bits_of(x);
    if ((bits & ~SIGN_BIT) == 0u || bits == INFINITY_BITS) {
        return x;
    }
    if ((bits & ~SIGN_BIT) > INFINITY_BITS) {
        return x + x; /* a NaN */
    }
    if (bits > SIGN_BIT) {
        return from_bits(NAN_BITS);
    }
    int32_t exponent;
    U rest = parts(bits, &exponent) << 1, root = 0u, twice = 0u;
    if (((exponent ^ MANTISSA_BITS) & 1) != 0) { /* the root's exponent is to be whole */
        rest <<= 1;
        exponent--;
    }
    for (U bit = (U)1 << (MANTISSA_BITS + 1); bit != 0u; bit >>= 1) { /* one more than there will be: it says where to round */
        if (rest >= twice + bit) {
            rest -= twice + bit;
            twice += bit << 1;
            root += bit;
        }
        rest <<= 1;
    }
    const U field = (U)((exponent - MANTISSA_BITS) / 2 + MANTISSA_BITS + (int32_t)BIAS);
    return from_bits(((field - 1u) << MANTISSA_BITS) + ((root + 1u) >> 1)); /* a root is never halfway */
}
