/* The runtime's own exp, log, tanh, sigmoid and power, for the type T that lzd_f32.h or lzd_f64.h binds; lzd_math_exp.h,
 * lzd_math_trig.h and lzd_math_rest.h go on with the others.
 *
 * Every operation is written in the order in which it happens, fma included; so every machine gives the same bits (a NaN
 * is a NaN, whatever its sign and payload). No tables, no branches, no other float type: loops over them vectorise
 * (but fmod, and sin, cos and tan of large angles, which branch). The worst errors, in units of the last place: of float32 over every argument, of
 * float64 over a sample (tools/accuracy.py); of power, atan2 and hypot over what tests/kernels tries:
 *     exp 1.1, exp2 0.9, expm1 1.2; log, log1p 0.9; log2, log10 0.51; power 1; tanh 1.5, sigmoid 1.6
 *     sin, cos 1.2 for every finite argument, tan 2.7; asin, acos 0.7; atan 1, atan2 0.9; hypot 1.01
 *     sinh 1.7, cosh 1.3, asinh 1.5, acosh 2.2, atanh 1; erf 1.2; erfc 3.8, in its tail too
 *     sqrt 0.5; floor, ceil, round, trunc, fmod: exact
 */
#ifndef LZD_MATH_H
#define LZD_MATH_H

#include <string.h>

/* With -ffreestanding a memcpy of four bytes is a call, unless it is said to be the compiler's own. */
#if defined(__GNUC__)
#define COPY __builtin_memcpy
#else
#define COPY memcpy
#endif

#define SIGN_BIT ((U)1 << (sizeof(T) * 8u - 1u))

LZD_INLINE U bits_of(T x)
{
    U u;
    COPY(&u, &x, sizeof u);
    return u;
}

LZD_INLINE T from_bits(U u)
{
    T x;
    COPY(&x, &u, sizeof x);
    return x;
}

/* first if `yes`, else second. Where compilers would thread jumps through a chain of `?:` and then not vectorise the loop. */
#if LZD_FAST_STRIDES
LZD_INLINE T pick(bool yes, T first, T second)
{
    const U mask = (U)0 - (U)yes;
    return from_bits((bits_of(first) & mask) | (bits_of(second) & ~mask));
}
#else
LZD_INLINE T pick(bool yes, T first, T second) { return yes ? first : second; }
#endif

#define FIRST(c) T sum = c;
#define NEXT(c) sum = FMA(sum, x, c);
LZD_INLINE T poly_exp(T x)
{
    EXP_TERMS(FIRST, NEXT)
    return sum;
}

LZD_INLINE T poly_log(T x)
{
    LOG_TERMS(FIRST, NEXT)
    return sum;
}

LZD_INLINE T poly_log2(T x)
{
    LOG2_TERMS(FIRST, NEXT)
    return sum;
}

LZD_INLINE T poly_tanh(T x)
{
    TANH_TERMS(FIRST, NEXT)
    return sum;
}

/* exp(r + low) for |r| <= ln(2)/2 and a little, low being at most r's rounding error; what 1 + r loses is added again. */
LZD_INLINE T exp_small(T r, T low)
{
    const T tail = FMA(r * r, poly_exp(r), low);
    const T sum = (T)1 + r;
    return sum + ((r - (sum - (T)1)) + tail);
}

/* y * 2^n, n = the integer in the low bits of `rounded` (an integer + ROUNDER), -2*BIAS < n < 2*BIAS: two exact or
 * once-rounded factors, so that subnormal results are rounded once. */
LZD_INLINE T scale(T y, T rounded)
{
    const U n = bits_of(rounded) - bits_of(ROUNDER) + 2u * BIAS;
    const U half = n >> 1;
    return y * from_bits(half << MANTISSA_BITS) * from_bits((n - half) << MANTISSA_BITS);
}

/* x, cut to where exp is neither 0 nor infinite, is n ln 2 + r with the nearest n. *rounded is n + ROUNDER, *low what r lost. */
LZD_INLINE T reduce_exp(T x, T *rounded, T *low)
{
    T y = x < EXP_LOW ? EXP_LOW : x; /* a NaN passes */
    y = y > EXP_HIGH ? EXP_HIGH : y;
    *rounded = y * LOG2_E + ROUNDER;
    const T n = *rounded - ROUNDER;
    const T high = FMA(n, -LN2_HI, y);
    const T r = FMA(n, -LN2_LO, high);
    *low = FMA(n, -LN2_LO, high - r);
    return r;
}

LZD_INLINE T lzd_exp(T x)
{
    T rounded, low;
    const T r = reduce_exp(x, &rounded, &low);
    return scale((T)1 + FMA(r * r, poly_exp(r), r), rounded);
}

/* exp for those that go on computing with it: four operations more than lzd_exp, a quarter of an ulp better. */
LZD_INLINE T exp_tight(T x)
{
    T rounded, low;
    const T r = reduce_exp(x, &rounded, &low);
    return scale(exp_small(r, low), rounded);
}

/* x = 2^exponent * (1 + f), sqrt(1/2) <= 1 + f < sqrt(2); x positive and finite. Returns f. */
LZD_INLINE T split_log(T x, T *exponent)
{
    const bool tiny = x < MIN_NORMAL;
    const U u = bits_of(tiny ? x * SUBNORMAL_SCALE : x) + (ONE_BITS - SQRT_HALF_BITS);
    const T e = (T)(int32_t)(u >> MANTISSA_BITS) - (T)BIAS;
    *exponent = tiny ? e - (T)SUBNORMAL_EXPONENT : e;
    return from_bits((u & (((U)1 << MANTISSA_BITS) - 1u)) + SQRT_HALF_BITS) - (T)1;
}

/* log(1 + f) = f - f^2/2 + s (f^2/2 + s^2 poly(s^2)), s = f / (2 + f). */
LZD_INLINE T lzd_log(T x)
{
    T e;
    const T f = split_log(x, &e);
    const T s = f / ((T)2 + f);
    const T z = s * s;
    const T half = (T)0.5 * f * f;
    const T tail = FMA(s, FMA(z, poly_log(z), half), e * LN2_LO);
    T y = FMA(e, LN2_HI, f - (half - tail));
    y = x == from_bits(INFINITY_BITS) ? x : y;
    y = x == (T)0 ? -from_bits(INFINITY_BITS) : y;
    return x >= (T)0 ? y : from_bits(NAN_BITS);
}

/* x + x^3 poly(x^2) for small x, else 1 - 2 / (exp(2|x|) + 1) with the sign of x. */
LZD_INLINE T lzd_tanh(T x)
{
    const T z = x * x;
    const T small = FMA(x * z, poly_tanh(z), x);
    const T large = (T)1 - (T)2 / (exp_tight((T)2 * ABS(x)) + (T)1);
    return from_bits(bits_of(ABS(x) <= TANH_SMALL ? small : large) | (bits_of(x) & SIGN_BIT)); /* -0 gives -0 */
}

/* 1 / (1 + e) or e / (1 + e), e = exp(-|x|); then what the sum and the quotient lost, divided by 1 + e. */
LZD_INLINE T lzd_sigmoid(T x)
{
    const T e = exp_tight(-ABS(x));
    const T above = x < (T)0 ? e : (T)1;
    const T d = (T)1 + e;
    const T y = above / d;
    const T lost = FMA(-y, e - (d - (T)1), FMA(-y, d, above));
    return FMA(lost, x < (T)0 ? (T)1 - y : y, y);
}

/* log2 of a positive finite x as an unevaluated sum: returns the high part, *low gets the rest. The logarithm of 1 + f is
 * s (C0 + z (C1 + z poly(z))) with s = f / (2 + f), z = s^2; all but the polynomial in pairs. */
LZD_INLINE T log2_pair(T x, T *low)
{
    T e;
    const T f = split_log(x, &e);
    const T dh = (T)2 + f;
    const T dl = f - (dh - (T)2);
    const T sh = f / dh;
    const T sl = FMA(-sh, dl, FMA(-sh, dh, f)) / dh;
    const T zh = sh * sh;
    const T zl = FMA((T)2 * sh, sl, FMA(sh, sh, -zh));
    const T q = zh * poly_log2(zh);
    const T uh = C1_HI + q;
    const T ul = (q - (uh - C1_HI)) + C1_LO;
    const T vh = zh * uh;
    const T vl = FMA(zl, uh, FMA(zh, ul, FMA(zh, uh, -vh)));
    const T wh = C0_HI + vh;
    const T wl = (vh - (wh - C0_HI)) + (vl + C0_LO);
    const T lh = sh * wh;
    const T ll = FMA(sl, wh, FMA(sh, wl, FMA(sh, wh, -lh)));
    const T high = e + lh;
    *low = (lh - (high - e)) + ll;
    return high;
}

/* 2^(y log2 |x|); then the cases of C99's pow, which are NumPy's. */
LZD_INLINE T lzd_pow(T x, T y)
{
    const T infinity = from_bits(INFINITY_BITS);
    const T a = ABS(x);
    const bool ordinary = (a > (T)0) & (a < infinity);
    T low;
    const T high = log2_pair(pick(ordinary, a, (T)1), &low);
    T p = y * high;
    T rest = FMA(y, low, FMA(y, high, -p));
    const bool within = (p > EXP2_LOW) & (p < EXP2_HIGH); /* not so a NaN: y infinite and |x| 1, or y a NaN */
    rest = pick(within, rest, (T)0);
    p = p > EXP2_HIGH ? EXP2_HIGH : p;
    p = p < EXP2_LOW ? EXP2_LOW : p;
    const T rounded = p + ROUNDER;
    const T fraction = p - (rounded - ROUNDER);
    const T sum = fraction + rest;
    const T r = sum * LN2;
    T result = scale(exp_small(r, FMA(rest - (sum - fraction), LN2, FMA(sum, LN2, -r))), rounded);

    const bool up = y > (T)0;
    result = pick(a == (T)0, pick(up, (T)0, infinity), result);
    result = pick(a == infinity, pick(up, infinity, (T)0), result);
    result = pick(a == (T)1, (T)1, result);

    const T b = ABS(y);
    const T shifted = pick(b < INTEGERS, b + INTEGERS, b); /* its last bit is worth 1 */
    const T whole = pick(b < INTEGERS, shifted - INTEGERS, b);
    const T last = pick((whole == b) & (b < (T)2 * INTEGERS), shifted, (T)0); /* of an integer that can be odd */
    result = from_bits(bits_of(result) ^ (bits_of(x) & bits_of(last) << (sizeof(T) * 8u - 1u)));
    result = pick((x < (T)0) & (a < infinity) & (whole != b), from_bits(NAN_BITS), result);
    result = pick((x != x) | (y != y), from_bits(NAN_BITS), result);
    return pick((y == (T)0) | (x == (T)1), (T)1, result);
}

#define EXP(a) lzd_exp(a)
#define LOG(a) lzd_log(a)
#define TANH(a) lzd_tanh(a)
#define SIGMOID(a) lzd_sigmoid(a)
#define POW(a, b) lzd_pow(a, b)

#endif
