/* Every build option of the runtime, each with its default. Define one before including, or on the command line. */
#ifndef LZD_CONFIG_H
#define LZD_CONFIG_H

/* 1: lzd_open proves that every read sees the version it names (plan/SPEC.md, rule 5). Its time grows with the square
 * of the number of steps; a product whose plan never changes may set 0 after the desk has checked it. */
#ifndef LZD_CHECK_VERSIONS
#define LZD_CHECK_VERSIONS 1
#endif

/* 1: lzd_open computes the CRC of the plan. 0 saves time where the flash is trusted. */
#ifndef LZD_CHECK_CRC
#define LZD_CHECK_CRC 1
#endif

/* The most regions of RAM that a plan may have, 1 to 4. 1 leaves out the code for several. */
#ifndef LZD_MAX_REGIONS
#define LZD_MAX_REGIONS 4u
#endif

/* 1: a model can run its large steps on several threads (lzd_threads_start). It takes pthreads, GCC or Clang, and malloc when
 * the threads start. */
#ifndef LZD_THREADS
#define LZD_THREADS 0
#endif

/* The most threads of a model. */
#ifndef LZD_MAX_THREADS
#define LZD_MAX_THREADS 64u
#endif

/* 1: maps read and write f64. 0 leaves that out, and plans that have some are refused: cores without doubles save 1.1 KB. */
#ifndef LZD_F64
#define LZD_F64 1
#endif

/* 1: fma and sqrt of floats (doubles) are computed by integers (k_soft.h), for cores that have no such instruction: their C library's
 * fma may round twice, as newlib's does. 0: the compiler's own, an instruction or a C library that is known to be exact. */
#if defined(__linux__) || defined(__APPLE__) || defined(_WIN32)
#define LZD_EXACT_LIBM 1
#else
#define LZD_EXACT_LIBM 0
#endif
#ifndef LZD_SOFT_F32
#if LZD_EXACT_LIBM || defined(__FP_FAST_FMAF) || (defined(__ARM_FEATURE_FMA) && (__ARM_FP & 4))
#define LZD_SOFT_F32 0
#else
#define LZD_SOFT_F32 1
#endif
#endif
#ifndef LZD_SOFT_F64
#if LZD_EXACT_LIBM || defined(__FP_FAST_FMA) || (defined(__ARM_FEATURE_FMA) && (__ARM_FP & 8))
#define LZD_SOFT_F64 0
#else
#define LZD_SOFT_F64 1
#endif
#endif

/* 1: depthwise convolutions have loops of their own on small cores. 0 leaves them out, 1.2 KB, for plans without such. */
#ifndef LZD_DEPTHWISE
#define LZD_DEPTHWISE 1
#endif

/* 1: sums on small cores can go on from what is there, as the gradients of pooled convolutions do. 0 leaves that out, 0.3 KB. */
#ifndef LZD_UNPOOL
#define LZD_UNPOOL 1
#endif

/* 1: products of one row have loops of their own on small cores. 0 leaves them out, 1.4 KB, for plans that have none or small ones. */
#ifndef LZD_ONE_ROW
#define LZD_ONE_ROW 1
#endif

/* Put before what kernels call. It has to be inlined into each call with constant numbers of rows and columns (k_columns.h). */
#ifndef LZD_INLINE
#if defined(__GNUC__)
#define LZD_INLINE static inline __attribute__((always_inline))
#else
#define LZD_INLINE static inline
#endif
#endif

/* Put before a function whose locals would only swell its caller's frame: a small core counts stack bytes. */
#ifndef LZD_APART
#if defined(__GNUC__)
#define LZD_APART __attribute__((noinline))
#else
#define LZD_APART
#endif
#endif

/* 1: the elementwise loops exist a second time for contiguous arguments, so that compilers vectorise them. 0 for small code. */
#ifndef LZD_FAST_STRIDES
#if defined(__ARM_ARCH_PROFILE) && __ARM_ARCH_PROFILE == 'M'
#define LZD_FAST_STRIDES 0
#else
#define LZD_FAST_STRIDES 1
#endif
#endif

/* 1: products and convolutions sum four rows by four columns at a time, in one function (k_blocks.h); a map finds its operands for
 * each block and keeps nothing on the stack. 0: as many as the registers hold, in vectors where the compiler has some; maps take
 * 45 KiB of stack. The sums themselves, and so every bit, do not depend on it. */
#ifndef LZD_SMALL
#if defined(__ARM_ARCH_PROFILE) && __ARM_ARCH_PROFILE == 'M'
#define LZD_SMALL 1
#else
#define LZD_SMALL 0
#endif
#endif

#endif
