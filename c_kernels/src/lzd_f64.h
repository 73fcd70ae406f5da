/* Binds the shared bodies (lzd_math.h, lzd_ops.h, k_*.h) to double. Include this or lzd_f32.h first, never both. */
#ifndef LZD_F64_H
#define LZD_F64_H

#include "lzd_attrs.h"

#define LZD_T_IS_F64 1
typedef double T;   /* the compute type */
typedef uint64_t U; /* its bits */

#define SUFFIX(name) LZD_NAMED(name##_f64)
#if LZD_SOFT_F64
T SUFFIX(lzd_soft_fma)(T x, T y, T z); /* k_soft.h */
T SUFFIX(lzd_soft_sqrt)(T x);
#define FMA(a, b, c) SUFFIX(lzd_soft_fma)(a, b, c)
#define SQRT(a) SUFFIX(lzd_soft_sqrt)(a)
#else
#define FMA(a, b, c) __builtin_fma(a, b, c) /* one rounding, everywhere */
#define SQRT(a) __builtin_sqrt(a)
#endif
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
#define EXP_HIGH 711.0
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

#define ANGLE_LIMIT 1073741824.0 /* angles beyond are reduced in integers */
#define ANGLE_WORDS 6u /* of 2/pi: the mantissa, as much again for the result, and the closest call */
#define TWO_OVER_PI 0.6366197723675814
#define PIO2_HI 1.5707963267948966 /* pi/2 = HI + LO + LOWEST */
#define PIO2_LO 6.123233995736766e-17
#define PIO2_LOWEST (-1.4973849048591698e-33)
#define PIO4_HI 0.7853981633974483 /* two bits short: its product with 0 .. 4 is exact */
#define PIO4_LO 3.061616997868383e-17
#define TAN_PIO8 0.41421356237309503 /* tan(pi/8), tan(3 pi/8) */
#define TAN_3PIO8 2.414213562373095
#define LOG10_2 0.3010299956639812 /* log10(2) = LOG10_2 + LO */
#define LOG10_2_LO (-2.8037281277851704e-18)
#define EXPM1_LOW (-50.0) /* expm1 is -1 below, and infinite above EXPM1_HIGH */
#define EXPM1_HIGH 710.0
#define ERFC_END 27.3 /* erfc is 0 from here on */
#define TINY 8.673617379884035e-19 /* 2^-60: what is smaller is its own sinh, expm1 and log1p */
#define LARGE 3.273390607896142e+150 /* 2^500 */
#define HUGE_ENOUGH 1.0715086071862673e+301 /* 2^1000 */
#define HYPOT_SCALE 4.149515568880993e+180 /* 2^600 */

/* More polynomials, by tools/minimax.py: least squares of the relative error, coefficients rounded one after the other.
 * SIN_TERMS: (sin(r) - r) / r^3 in r^2, |r| <= 0.8, relative to the result 5.0e-18.
 * COS_TERMS: (cos(r) - 1 + r^2/2) / r^4 in r^2, |r| <= 0.8, relative to the result 7.0e-20.
 * ASIN_TERMS: (asin(x) - x) / x^3 in x^2, |x| <= 0.5, relative to the result 1.0e-18.
 * ATAN_TERMS: (atan(t) - t) / t^3 in t^2, |t| <= 0.4143, relative to the result 1.0e-18.
 * SINH_TERMS: (sinh(x) - x) / x^3 in x^2, |x| <= 1, relative to the result 3.0e-19.
 * ERF_TERMS: erf(x) / x - 1 in x^2, |x| <= 0.9, relative to the result 1.0e-17.
 * ERFC_TERMS: (1 + 2x) exp(x^2) erfc(x) in (x - 3) / (x + 3), 0.5 <= x <= 27.3, relative to the result 4.0e-17. */
#define SIN_TERMS(s, t) \
    s(1.5890026917978748e-10) t(-2.5050641636191404e-08) t(2.7557312950203164e-06) t(-0.00019841269827676413) \
    t(0.008333333333319757) t(-0.1666666666666662)
#define COS_TERMS(s, t) \
    s(-1.13553210527174e-11) t(2.087564059332233e-09) t(-2.7557313751512856e-07) t(2.4801587287431196e-05) \
    t(-0.001388888888887089) t(0.04166666666666658)
#define ASIN_TERMS(s, t) \
    s(0.032511041925434414) t(-0.02080981246775407) t(0.02157292878367737) t(0.0037619687896042024) \
    t(0.010765491205053643) t(0.011401549996406437) t(0.013980498610070365) t(0.017351638714397925) \
    t(0.022372213519528936) t(0.0303819427587141) t(0.04464285717359249) t(0.07499999999971792) \
    t(0.16666666666666757)
#define ATAN_TERMS(s, t) \
    s(-0.017865944823635325) t(0.03802536728184519) t(-0.05037695879306386) t(0.05847515755117079) \
    t(-0.06663050133917221) t(0.07692055210321706) t(-0.09090897459133135) t(0.1111111077235464) \
    t(-0.1428571427995638) t(0.19999999999950963) t(-0.33333333333333187)
#define SINH_TERMS(s, t) \
    s(7.765916630596675e-13) t(1.6056999965204122e-10) t(2.5052126861989364e-08) t(2.7557319130352524e-06) \
    t(0.00019841269841531245) t(0.00833333333333297) t(0.16666666666666669)
#define ERF_TERMS(s, t) \
    s(-8.706645466370056e-10) t(1.4151279555652833e-08) t(-1.6296904484946698e-07) t(1.6457702435710378e-06) \
    t(-1.4925481304521107e-05) t(0.00012055329684784105) t(-0.0008548327024774013) t(0.005223977627018343) \
    t(-0.02686617064547096) t(0.11283791670958233) t(-0.3761263890318387) t(0.1283791670955126)
#define ERFC_TERMS(s, t) \
    s(-1.3684087580022008e-08) t(2.11809170221338e-08) t(1.0723309642673961e-07) t(-1.1698262289428868e-07) \
    t(-6.247971955552825e-07) t(3.393705160254897e-07) t(3.4784653789452386e-06) t(-7.235246087703972e-07) \
    t(-2.010321175400751e-05) t(4.947048871340447e-06) t(0.0001251000702983358) t(-0.00010515930010612108) \
    t(-0.0007798323936085221) t(0.0018886902913316898) t(0.0025293918284186013) t(-0.02377051491282965) \
    t(0.06830802734328661) t(-0.11927366341559331) t(0.12964515870277846) t(-0.04756229435344422) \
    t(-0.1356211061245813) t(1.2530080582697296)

/* 2/pi: a word of 0, then the bits after the point. */
#define TWO_OVER_PI_WORDS \
    0x00000000u, 0xA2F9836Eu, 0x4E441529u, 0xFC2757D1u, 0xF534DDC0u, 0xDB629599u, 0x3C439041u, 0xFE5163ABu, \
    0xDEBBC561u, 0xB7246E3Au, 0x424DD2E0u, 0x06492EEAu, 0x09D1921Cu, 0xFE1DEB1Cu, 0xB129A73Eu, 0xE88235F5u, \
    0x2EBB4484u, 0xE99C7026u, 0xB45F7E41u, 0x3991D639u, 0x835339F4u, 0x9C845F8Bu, 0xBDF9283Bu, 0x1FF897FFu, \
    0xDE05980Fu, 0xEF2F118Bu, 0x5A0A6D1Fu, 0x6D367ECFu, 0x27CB09B7u, 0x4F463F66u, 0x9E5FEA2Du, 0x7527BAC7u, \
    0xEBE5F17Bu, 0x3D0739F7u, 0x8A5292EAu, 0x6BFB5FB1u, 0x1F8D5D08u, 0x56033046u

#include "lzd_math.h"
#include "lzd_math_exp.h"
#include "lzd_math_trig.h"
#include "lzd_math_rest.h"

#endif
