/* exp2, expm1, log1p, log2, log10, the hyperbolic functions and their inverses, for the T of lzd_f32.h or lzd_f64.h: lzd_math.h
 * says how such functions are written and how far they are from the truth. All vectorise. */
#ifndef LZD_MATH_EXP_H
#define LZD_MATH_EXP_H

/* y, which is not negative, with the sign of x. */
LZD_INLINE T with_sign(T y, T x) { return from_bits(bits_of(y) | (bits_of(x) & SIGN_BIT)); }

LZD_INLINE T poly_sinh(T x)
{
    SINH_TERMS(FIRST, NEXT)
    return sum;
}

LZD_INLINE T lzd_exp2(T x)
{
    T p = x < EXP2_LOW ? EXP2_LOW : x;
    p = p > EXP2_HIGH ? EXP2_HIGH : p;
    const T rounded = p + ROUNDER;
    const T fraction = p - (rounded - ROUNDER);
    const T r = fraction * LN2;
    return scale(exp_small(r, FMA(fraction, LN2, -r)), rounded);
}

/* 2^n (1 + r + tail) - 1 as (2^n - 1) + 2^n r + 2^n tail, all halved, so that 2^n stays finite. */
LZD_INLINE T lzd_expm1(T x)
{
    T rounded, low;
    const T cut = x < EXPM1_LOW ? EXPM1_LOW : x > EXPM1_HIGH ? EXPM1_HIGH : x;
    const T r = reduce_exp(cut, &rounded, &low);
    const T power = from_bits((bits_of(rounded) - bits_of(ROUNDER) + BIAS - 1u) << MANTISSA_BITS);
    const T most = power - (T)0.5;
    const T part = power * r;
    const T sum = most + part;
    const T back = sum - most;
    const T lost = (most - (sum - back)) + (part - back);
    const T y = (T)2 * (sum + FMA(power, FMA(r * r, poly_exp(r), low), lost));
    return ABS(x) < TINY ? x : y;
}

/* log(1 + x + low), low being at most x's rounding error: the logarithm of u = 1 + x as in lzd_log, and what u lost over u. */
LZD_INLINE T log1p_pair(T x, T low)
{
    const T u = (T)1 + x;
    const T lost = (ABS(x) < (T)1 ? x - (u - (T)1) : (T)1 - (u - x)) + low;
    T e;
    const T near = split_log(u, &e);
    const bool exact = e == (T)0; /* then x itself is u - 1, unrounded */
    const T f = exact ? x : near;
    const T s = f / ((T)2 + f);
    const T z = s * s;
    const T half = (T)0.5 * f * f;
    const T tail = FMA(s, FMA(z, poly_log(z), half), FMA(e, LN2_LO, (exact ? low : lost) / u));
    T y = FMA(e, LN2_HI, f - (half - tail));
    y = x == from_bits(INFINITY_BITS) ? x : y;
    y = x == (T)-1 ? -from_bits(INFINITY_BITS) : y;
    y = ABS(x) < TINY ? x : y;
    return x >= (T)-1 ? y : from_bits(NAN_BITS);
}

LZD_INLINE T lzd_log1p(T x) { return log1p_pair(x, (T)0); }

/* What a logarithm y of x becomes where x is 0, infinite, negative or a NaN. */
LZD_INLINE T log_edges(T x, T y)
{
    y = x == from_bits(INFINITY_BITS) ? x : y;
    y = x == (T)0 ? -from_bits(INFINITY_BITS) : y;
    return x >= (T)0 ? y : from_bits(NAN_BITS);
}

LZD_INLINE T lzd_log2(T x)
{
    T low;
    const T high = log2_pair(x, &low);
    return log_edges(x, high + low);
}

LZD_INLINE T lzd_log10(T x)
{
    T low;
    const T high = log2_pair(x, &low);
    const T y = high * LOG10_2;
    return log_edges(x, y + (FMA(high, LOG10_2, -y) + FMA(high, LOG10_2_LO, low * LOG10_2)));
}

/* exp(x) / 2, which is finite for a little longer than exp(x). */
LZD_INLINE T exp_half(T x)
{
    T rounded, low;
    const T r = reduce_exp(x, &rounded, &low);
    return scale(exp_small(r, low), rounded - (T)1);
}

LZD_INLINE T lzd_cosh(T x)
{
    const T half = exp_half(ABS(x));
    return half + (T)0.25 / half;
}

LZD_INLINE T lzd_sinh(T x)
{
    const T z = x * x;
    const T half = exp_half(ABS(x));
    return ABS(x) <= (T)1 ? FMA(x * z, poly_sinh(z), x) : with_sign(half - (T)0.25 / half, x);
}

/* log(1 + (a + a^2 / (1 + sqrt(1 + a^2)))) for a = |x|; of large a, log(2a). */
LZD_INLINE T lzd_asinh(T x)
{
    const T a = ABS(x);
    const bool large = a > (T)32 * INTEGERS;
    const T square = large ? (T)0 : a * a;
    const T more = square / ((T)1 + SQRT((T)1 + square));
    const T sum = a + more;
    const T y = log1p_pair(sum, large ? (T)0 : (a - sum) + more);
    return with_sign(large ? y + LN2 : y, x);
}

/* log(1 + (t + sqrt(t (t + 2)))) for t = x - 1; of large x, log(2x). */
LZD_INLINE T lzd_acosh(T x)
{
    const bool large = x > (T)32 * INTEGERS;
    const T t = large ? x : x - (T)1;
    const T root = large ? (T)0 : SQRT(t * (t + (T)2));
    const T sum = root + t;
    const T y = log1p_pair(sum, large ? (T)0 : ((root - sum) + t) + ((x - t) - (T)1));
    return x >= (T)1 ? (large ? y + LN2 : y) : from_bits(NAN_BITS);
}

/* log(1 + 2a / (1 - a)) / 2 for a = |x|. */
LZD_INLINE T lzd_atanh(T x)
{
    const T a = ABS(x);
    const T d = (T)1 - a;
    const T z = (T)2 * a / d;
    const T rest = FMA(-z, d, (T)2 * a) - z * (((T)1 - d) - a);
    const T y = (T)0.5 * log1p_pair(z, rest / d);
    return with_sign(a == (T)1 ? from_bits(INFINITY_BITS) : y, x);
}

#define EXP2(a) lzd_exp2(a)
#define EXPM1(a) lzd_expm1(a)
#define LOG1P(a) lzd_log1p(a)
#define LOG2(a) lzd_log2(a)
#define LOG10(a) lzd_log10(a)
#define SINH(a) lzd_sinh(a)
#define COSH(a) lzd_cosh(a)
#define ASINH(a) lzd_asinh(a)
#define ACOSH(a) lzd_acosh(a)
#define ATANH(a) lzd_atanh(a)

#endif
