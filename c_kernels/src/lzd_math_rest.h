/* erf and erfc, roundings, fmod and join, for the T of lzd_f32.h or lzd_f64.h: lzd_math.h says how such functions are written and
 * how far they are from the truth. All but fmod vectorise. */
#ifndef LZD_MATH_REST_H
#define LZD_MATH_REST_H

LZD_INLINE T poly_erf(T x)
{
    ERF_TERMS(FIRST, NEXT)
    return sum;
}

LZD_INLINE T poly_erfc(T x)
{
    ERFC_TERMS(FIRST, NEXT)
    return sum;
}

/* erfc(x) = exp(-x^2) poly((x - 3) / (x + 3)) / (1 + 2x) for x >= 1/2: no difference of like numbers, so the relative error stays
 * small to the end. x^2 is a pair: exp(r) times its low part is subtracted from exp(r). */
LZD_INLINE T erfc_tail(T x)
{
    const T a = x > ERFC_END ? ERFC_END : x;
    const T square = a * a;
    T rounded, low;
    const T r = reduce_exp(-square, &rounded, &low);
    const T about = (T)1 + FMA(r * r, poly_exp(r), r);
    const T y = exp_small(r, FMA(-about, FMA(a, a, -square), low));
    return scale(y * (poly_erfc((a - (T)3) / (a + (T)3)) / ((T)1 + (T)2 * a)), rounded);
}

LZD_INLINE T lzd_erf(T x)
{
    const T a = ABS(x);
    return a <= (T)0.9 ? FMA(x, poly_erf(x * x), x) : with_sign((T)1 - erfc_tail(a), x);
}

LZD_INLINE T lzd_erfc(T x)
{
    const T a = ABS(x);
    const T tail = erfc_tail(a);
    return a <= (T)0.5 ? (T)1 - FMA(x, poly_erf(x * x), x) : x < (T)0 ? (T)2 - tail : tail;
}

/* The nearest integer, of two the even one: beyond INTEGERS there is nothing to round, below it the sum does it. */
LZD_INLINE T lzd_round(T x)
{
    const T a = ABS(x);
    return a < INTEGERS ? with_sign((a + INTEGERS) - INTEGERS, x) : x;
}

LZD_INLINE T lzd_floor(T x)
{
    const T y = lzd_round(x);
    return y > x ? y - (T)1 : y;
}

LZD_INLINE T lzd_ceil(T x)
{
    const T y = lzd_round(x);
    return y < x ? with_sign(y + (T)1, x) : y; /* -0 for -1 < x < 0 */
}

LZD_INLINE T lzd_trunc(T x)
{
    const T y = lzd_floor(ABS(x));
    return ABS(x) < INTEGERS ? with_sign(y, x) : x;
}

/* 2^(*exponent) times the integer returned = x; x is positive and finite. */
LZD_INLINE U split_integer(T x, uint32_t *exponent)
{
    const U bits = bits_of(x);
    const U one = (U)1 << MANTISSA_BITS;
    *exponent = (uint32_t)(bits >> MANTISSA_BITS);
    const U m = (bits & (one - 1u)) | (*exponent != 0u ? one : 0u);
    *exponent = *exponent != 0u ? *exponent : 1u;
    return m;
}

/* x - n y with n = x / y cut to an integer, exactly, in integers: 8 (or 11) bits of the quotient a round. The sign is x's. */
LZD_INLINE T lzd_fmod(T x, T y)
{
    const T infinity = from_bits(INFINITY_BITS);
    const T a = ABS(x);
    const T b = ABS(y);
    if (!(a < infinity) || !(b > (T)0)) {
        return from_bits(NAN_BITS);
    }
    if (a < b) {
        return x;
    }
    uint32_t from, to;
    U rest = split_integer(a, &from);
    const U m = split_integer(b, &to);
    rest %= m;
    while (from > to) {
        const uint32_t free = sizeof(T) * 8u - 1u - MANTISSA_BITS;
        const uint32_t bits = from - to < free ? from - to : free;
        rest = (rest << bits) % m;
        from -= bits;
    }
    /* rest < 2^(MANTISSA_BITS + 1) in units of the bit `to`: an exact float, then two exact factors */
    const T unit = from_bits((U)(to > MANTISSA_BITS + 1u ? to - MANTISSA_BITS : 1u) << MANTISSA_BITS);
    const uint32_t short_of = to > MANTISSA_BITS + 1u ? 0u : MANTISSA_BITS + 1u - to;
    const T value = sizeof(T) == 4u ? (T)(int32_t)rest : (T)(int64_t)rest;
    return with_sign(value * unit * from_bits((U)(BIAS - short_of) << MANTISSA_BITS), x);
}

/* The bits of either: a copy of the one, bit for bit, where the other is +0. */
LZD_INLINE T lzd_join(T a, T b) { return from_bits(bits_of(a) | bits_of(b)); }

#define ERF(a) lzd_erf(a)
#define ERFC(a) lzd_erfc(a)
#define ROUND(a) lzd_round(a)
#define FLOOR(a) lzd_floor(a)
#define CEIL(a) lzd_ceil(a)
#define TRUNC(a) lzd_trunc(a)
#define FMOD(a, b) lzd_fmod(a, b)
#define JOIN(a, b) lzd_join(a, b)

#endif
