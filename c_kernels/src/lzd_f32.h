/* Binds the shared bodies (lzd_math.h, lzd_ops.h, k_*.h) to float. Include this or lzd_f64.h first, never both. */
#ifndef LZD_F32_H
#define LZD_F32_H

#include "lzd_attrs.h"

typedef float T;    /* the compute type */
typedef uint32_t U; /* its bits */

#define SUFFIX(name) name##_f32
#define FMA(a, b, c) __builtin_fmaf(a, b, c) /* one rounding, everywhere */
#define SQRT(a) __builtin_sqrtf(a)
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
#define EXP_HIGH 89.0f
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

#include "lzd_math.h"

#endif
