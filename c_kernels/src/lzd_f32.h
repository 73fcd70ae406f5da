/* Binds the shared bodies (lzd_math.h, lzd_ops.h, k_*.h) to float. Include this or lzd_f64.h first, never both. */
#ifndef LZD_F32_H
#define LZD_F32_H

#include "lzd_attrs.h"

#define LZD_T_IS_F64 0
typedef float T;    /* the compute type */
typedef uint32_t U; /* its bits */

#define SUFFIX(name) LZD_NAMED(name##_f32)
#if LZD_SOFT_F32
T SUFFIX(lzd_soft_fma)(T x, T y, T z); /* k_soft.h */
T SUFFIX(lzd_soft_sqrt)(T x);
#define FMA(a, b, c) SUFFIX(lzd_soft_fma)(a, b, c)
#define SQRT(a) SUFFIX(lzd_soft_sqrt)(a)
#else
#define FMA(a, b, c) __builtin_fmaf(a, b, c) /* one rounding, everywhere */
#define SQRT(a) __builtin_sqrtf(a)
#endif
#define ABS(a) __builtin_fabsf(a)

#define MANTISSA_BITS 23
#define BIAS 127u
#define ONE_BITS 0x3F800000u
#define SQRT_HALF_BITS 0x3F3504F3u
#define INFINITY_BITS 0x7F800000u
#define NAN_BITS 0x7FC00000u
#define MIN_NORMAL 1.17549435e-38f
#define SUBNORMAL_SCALE 33554432.0f /* 2^25 */
#define SUBNORMAL_EXPONENT 25
#define ROUNDER 12582912.0f         /* 1.5 * 2^23: adding it leaves the nearest integer in the low bits */
#define INTEGERS 8388608.0f         /* 2^23: from here on every float is an integer, from twice that an even one */

#define EXP_LOW (-104.0f) /* exp is 0 below, and infinite above EXP_HIGH */
#define EXP_HIGH 90.0f
#define EXP2_LOW (-160.0f)
#define EXP2_HIGH 160.0f
#define TANH_SMALL 0.625f /* up to here tanh is a polynomial */

#define LOG2_E 1.442695f
#define LN2 0.6931472f
#define LN2_HI 0.69314575f /* 15 bits: its product with an exponent is exact */
#define LN2_LO 1.4286068e-06f
#define C0_HI 2.88539f /* 2 / ln 2 */
#define C0_LO 3.851926e-08f
#define C1_HI 0.9617967f /* 2 / (3 ln 2) */
#define C1_LO (-7.028462e-09f)

/* Polynomials, the highest power first: minimax fits with coefficients rounded one after the other.
 * EXP_TERMS: (exp(r) - 1 - r) / r^2, |r| <= ln(2)/2, relative to exp 4e-9.
 * LOG_TERMS: (log((1+s)/(1-s)) - 2s) / s^3 in s^2, |s| <= 0.172, relative to the log 3e-11.
 * LOG2_TERMS: (log2((1+s)/(1-s)) - C0 s - C1 s^3) / s^5 in s^2, relative to the log 1e-11.
 * TANH_TERMS: (tanh(x) - x) / x^3 in x^2, |x| <= TANH_SMALL, relative to tanh 4e-9. */
#define EXP_TERMS(s, t) s(0.001393749f) t(0.008368954f) t(0.041666437f) t(0.16666518f) t(0.5f)
#define LOG_TERMS(s, t) s(0.24247816f) t(0.28500196f) t(0.40000957f) t(0.6666666f)
#define LOG2_TERMS(s, t) s(0.3378209f) t(0.41184992f) t(0.5770802f)
#define TANH_TERMS(s, t) s(-0.005715387f) t(0.020649033f) t(-0.053742994f) t(0.13331485f) t(-0.33333284f)

#define ANGLE_LIMIT 65536.0f /* angles beyond are reduced in integers */
#define ANGLE_WORDS 3u /* of 2/pi: the mantissa, as much again for the result, and the closest call */
#define TWO_OVER_PI 0.63661975f
#define PIO2_HI 1.5707964f /* pi/2 = HI + LO + LOWEST */
#define PIO2_LO (-4.371139e-08f)
#define PIO2_LOWEST (-1.7151245e-15f)
#define PIO4_HI 0.785398f /* two bits short: its product with 0 .. 4 is exact */
#define PIO4_LO 1.5695824e-07f
#define TAN_PIO8 0.41421357f /* tan(pi/8), tan(3 pi/8) */
#define TAN_3PIO8 2.4142137f
#define LOG10_2 0.30103f /* log10(2) = LOG10_2 + LO */
#define LOG10_2_LO (-1.4320989e-08f)
#define EXPM1_LOW (-30.0f) /* expm1 is -1 below, and infinite above EXPM1_HIGH */
#define EXPM1_HIGH 89.0f
#define ERFC_END 10.1f /* erfc is 0 from here on */
#define TINY 9.313226e-10f /* 2^-30: what is smaller is its own sinh, expm1 and log1p */
#define LARGE 1152921504606846976.0f /* 2^60 */
#define HUGE_ENOUGH 1.329227995784916e+36f /* 2^120 */
#define HYPOT_SCALE 1.2379400392853803e+27f /* 2^90 */

/* More polynomials, by tools/minimax.py: least squares of the relative error, coefficients rounded one after the other.
 * SIN_TERMS: (sin(r) - r) / r^3 in r^2, |r| <= 0.8, relative to the result 2.0e-10.
 * COS_TERMS: (cos(r) - 1 + r^2/2) / r^4 in r^2, |r| <= 0.8, relative to the result 1.0e-10.
 * ASIN_TERMS: (asin(x) - x) / x^3 in x^2, |x| <= 0.5, relative to the result 3.0e-10.
 * ATAN_TERMS: (atan(t) - t) / t^3 in t^2, |t| <= 0.4143, relative to the result 8.0e-10.
 * SINH_TERMS: (sinh(x) - x) / x^3 in x^2, |x| <= 1, relative to the result 4.0e-10.
 * ERF_TERMS: erf(x) / x - 1 in x^2, |x| <= 0.9, relative to the result 9.0e-10.
 * ERFC_TERMS: (1 + 2x) exp(x^2) erfc(x) in (x - 3) / (x + 3), 0.5 <= x <= 10.1, relative to the result 4.0e-8. */
#define SIN_TERMS(s, t) \
    s(2.793986e-06f) t(-0.00019849387f) t(0.008333371f) t(-0.16666667f)
#define COS_TERMS(s, t) \
    s(2.4428646e-05f) t(-0.0013887291f) t(0.041666646f)
#define ASIN_TERMS(s, t) \
    s(0.03752511f) t(0.014426251f) t(0.031813342f) t(0.044515852f) t(0.07500514f) t(0.1666666f)
#define ATAN_TERMS(s, t) \
    s(-0.06057389f) t(0.10584765f) t(-0.14242156f) t(0.19998387f) t(-0.33333313f)
#define SINH_TERMS(s, t) \
    s(2.789984e-06f) t(0.00019841666f) t(0.008333315f) t(0.16666667f)
#define ERF_TERMS(s, t) \
    s(8.3922685e-05f) t(-0.0008144158f) t(0.005200722f) t(-0.026859023f) t(0.112836815f) t(-0.37612632f) \
    t(0.12837917f)
#define ERFC_TERMS(s, t) \
    s(-0.0006917925f) t(0.0016852878f) t(0.0024901696f) t(-0.02365893f) t(0.0683186f) t(-0.119298145f) \
    t(0.12964396f) t(-0.04756018f) t(-0.13562107f) t(1.253008f)

/* 2/pi: a word of 0, then the bits after the point. */
#define TWO_OVER_PI_WORDS \
    0x00000000u, 0xA2F9836Eu, 0x4E441529u, 0xFC2757D1u, 0xF534DDC0u, 0xDB629599u, 0x3C439041u, 0xFE5163ABu

#include "lzd_math.h"
#include "lzd_math_exp.h"
#include "lzd_math_trig.h"
#include "lzd_math_rest.h"

#endif
