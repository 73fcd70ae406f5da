/* Binds the shared bodies (lzd_math.h, lzd_ops.h, k_*.h) to double. Include this or lzd_f32.h first, never both. */
#ifndef LZD_F64_H
#define LZD_F64_H

#include "lzd_attrs.h"

typedef double T;   /* the compute type */
typedef uint64_t U; /* its bits */

#define SUFFIX(name) name##_f64
#define FMA(a, b, c) __builtin_fma(a, b, c) /* one rounding, everywhere */
#define SQRT(a) __builtin_sqrt(a)
#define ABS(a) __builtin_fabs(a)

#define MANTISSA_BITS 52
#define BIAS 1023u
#define ONE_BITS 0x3FF0000000000000u
#define SQRT_HALF_BITS 0x3FE6A09E667F3BCDu
#define INFINITY_BITS 0x7FF0000000000000u
#define NAN_BITS 0x7FF8000000000000u
#define MIN_NORMAL 2.2250738585072014e-308
#define SUBNORMAL_SCALE 18014398509481984.0 /* 2^54 */
#define SUBNORMAL_EXPONENT 54
#define ROUNDER 6755399441055744.0   /* 1.5 * 2^52: adding it leaves the nearest integer in the low bits */
#define INTEGERS 4503599627370496.0  /* 2^52: from here on every double is an integer, from twice that an even one */

#define EXP_LOW (-746.0) /* exp is 0 below, and infinite above EXP_HIGH */
#define EXP_HIGH 710.0
#define EXP2_LOW (-1100.0)
#define EXP2_HIGH 1100.0
#define TANH_SMALL 0.625 /* up to here tanh is a polynomial */

#define LOG2_E 1.4426950408889634
#define LN2 0.6931471805599453
#define LN2_HI 0.6931471805601177 /* 41 bits: its product with an exponent is exact */
#define LN2_LO (-1.7239444525614835e-13)
#define C0_HI 2.8853900817779268 /* 2 / ln 2 */
#define C0_LO 4.0710547481862066e-17
#define C1_HI 0.9617966939259756 /* 2 / (3 ln 2) */
#define C1_LO 5.0577616648125907e-17

/* Polynomials, the highest power first: minimax fits with coefficients rounded one after the other.
 * EXP_TERMS: (exp(r) - 1 - r) / r^2, |r| <= ln(2)/2, relative to exp 4e-18.
 * LOG_TERMS: (log((1+s)/(1-s)) - 2s) / s^3 in s^2, |s| <= 0.172, relative to the log 2e-18.
 * LOG2_TERMS: (log2((1+s)/(1-s)) - C0 s - C1 s^3) / s^5 in s^2, relative to the log 2e-20.
 * TANH_TERMS: (tanh(x) - x) / x^3 in x^2, |x| <= TANH_SMALL, relative to tanh 4e-19. */
#define EXP_TERMS(s, t) \
    s(2.5115187152890463e-08) t(2.76315274563779e-07) t(2.7557225030692e-06) t(2.4801489169275048e-05) \
    t(0.00019841269907198723) t(0.0013888888947868698) t(0.008333333333312168) t(0.041666666666511566) \
    t(0.1666666666666669) t(0.5000000000000013)
#define LOG_TERMS(s, t) \
    s(0.14795658512751572) t(0.15314083365143896) t(0.18183562868677794) t(0.22222198605449106) \
    t(0.2857142874201866) t(0.3999999999941669) t(0.6666666666666734)
#define LOG2_TERMS(s, t) \
    s(0.1903844668904363) t(0.1912552583087121) t(0.22198399392667015) t(0.2623077011984196) \
    t(0.3205989022728942) t(0.41219858309194235) t(0.577078016355618)
#define TANH_TERMS(s, t) \
    s(6.058684806426412e-06) t(-3.0225596776471257e-05) t(9.159817940058687e-05) t(-0.0002370354284355149) \
    t(0.0005894607663387581) t(-0.0014557281928872753) t(0.003592114375482935) t(-0.008863234354047223) \
    t(0.02186948847162517) t(-0.053968253966179554) t(0.1333333333333) t(-0.33333333333333315)

#include "lzd_math.h"

#endif
