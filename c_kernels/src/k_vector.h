/* Vectors of LANES numbers: a handful of instructions by one name each for AVX-512, AVX2 and NEON. Elsewhere a vector is one
 * number. A lane computes what one number would: the same bits. */
#ifndef K_VECTOR_H
#define K_VECTOR_H

#include "lzd_attrs.h"

#include <stddef.h>

/* Put before a loop whose count is a constant and whose array of vectors has to stay in registers. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#define ONE_BY_ONE _Pragma("clang loop unroll(disable) vectorize(disable)") /* before a loop that is long enough as it is */
#elif defined(__GNUC__)
#define UNROLL _Pragma("GCC unroll 16")
#define ONE_BY_ONE
#else
#define UNROLL
#define ONE_BY_ONE
#endif

#define STEP(n) ((ptrdiff_t)(n)) /* distances in memory can go backwards */

/* v_beats(a, b): a is greater or NaN, and b is none. v_pick(m, a, b): a where m, else b.
 * V: a vector; part: which of its lanes v_load_part reads, the first few. The others are not touched. N: a vector of NARROW
 * numbers for what is left over: half a V where that may take half the time (AVX-512), else the same. LAST_IN_PART: reading a
 * part costs little, so that what fills more than half a V is read so too.
 * SIDE by SIDE numbers are turned at once (k_across.h). */
#if !LZD_SMALL && defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#if LZD_T_IS_F64
#define V256 __m256d
#define M256(name) _mm256_##name##_pd
#else
#define V256 __m256
#define M256(name) _mm256_##name##_ps
#endif
#define SIDE (32u / (uint32_t)sizeof(T))

/* -1 in the first `lanes` of a half or whole vector. */
LZD_INLINE __m256i mask256(uint32_t lanes)
{
    static const int32_t ends[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
    return _mm256_loadu_si256((const __m256i *)(const void *)(ends + 8u - lanes * (sizeof(T) / 4u)));
}

#if LZD_T_IS_F64
#define LOAD256(p, mask) _mm256_maskload_pd(p, mask)
#else
#define LOAD256(p, mask) _mm256_maskload_ps(p, mask)
#endif

#if defined(__AVX512F__) && defined(__AVX512VL__) && defined(__AVX512BW__)
#define LANES (64u / (uint32_t)sizeof(T))
#if LZD_T_IS_F64
typedef __m512d V;
#define M512(name) _mm512_##name##_pd
typedef __mmask8 part;
#else
typedef __m512 V;
#define M512(name) _mm512_##name##_ps
typedef __mmask16 part;
#endif
LZD_INLINE part part_of(uint32_t lanes) { return (part)((1u << lanes) - 1u); }
LZD_INLINE V v_zero(void) { return M512(setzero)(); }
LZD_INLINE V v_all(T a) { return M512(set1)(a); }
LZD_INLINE V v_load(const T *p) { return M512(loadu)(p); }
LZD_INLINE void v_store(T *p, V a) { M512(storeu)(p, a); }
LZD_INLINE V v_load_part(const T *p, part m) { return M512(maskz_loadu)(m, p); }
LZD_INLINE void v_store_part(T *p, V a, part m) { M512(mask_storeu)(p, m, a); }
LZD_INLINE V v_fma(V a, V b, V c) { return M512(fmadd)(a, b, c); }
LZD_INLINE V v_add(V a, V b) { return M512(add)(a, b); }
typedef part lanes_where;
#if LZD_T_IS_F64
#define COMPARE512 _mm512_cmp_pd_mask
#else
#define COMPARE512 _mm512_cmp_ps_mask
#endif
LZD_INLINE lanes_where v_equal(V a, V b) { return COMPARE512(a, b, _CMP_EQ_OQ); }
LZD_INLINE lanes_where v_beats(V a, V b) { return COMPARE512(a, b, _CMP_NLE_UQ) & COMPARE512(b, b, _CMP_EQ_OQ); }
LZD_INLINE V v_pick(lanes_where m, V a, V b) { return M512(mask_blend)(m, b, a); }
#if LZD_T_IS_F64
#define FROM_BYTES(bytes) _mm512_cvtepi32_pd(_mm256_cvtepu8_epi32(bytes))
#define TO_BYTES(a) _mm256_cvtepi32_epi8(_mm512_cvttpd_epi32(a))
#else
#define FROM_BYTES(bytes) _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes))
#define TO_BYTES(a) _mm512_cvtepi32_epi8(_mm512_cvttps_epi32(a))
#endif
LZD_INLINE V v_load_bytes(const uint8_t *p, uint32_t count) { return FROM_BYTES(_mm_maskz_loadu_epi8(part_of(count), p)); }
LZD_INLINE void v_store_bytes(uint8_t *p, V a, uint32_t count) { _mm_mask_storeu_epi8(p, part_of(count), TO_BYTES(a)); }
#define BYTES_IN_VECTORS
#define NARROW SIDE
#define LAST_IN_PART 1
typedef V256 N;
LZD_INLINE N n_zero(void) { return M256(setzero)(); }
LZD_INLINE N n_all(T a) { return M256(set1)(a); }
LZD_INLINE N n_load(const T *p) { return M256(loadu)(p); }
LZD_INLINE void n_store(T *p, N a) { M256(storeu)(p, a); }
LZD_INLINE N n_load_part(const T *p, part m) { return M256(maskz_loadu)((__mmask8)m, p); }
LZD_INLINE void n_store_part(T *p, N a, part m) { M256(mask_storeu)(p, (__mmask8)m, a); }
LZD_INLINE N n_fma(N a, N b, N c) { return M256(fmadd)(a, b, c); }
LZD_INLINE N n_add(N a, N b) { return M256(add)(a, b); }
#else
#define LANES SIDE
typedef V256 V;
typedef __m256i part;
LZD_INLINE part part_of(uint32_t lanes) { return mask256(lanes); }
LZD_INLINE V v_zero(void) { return M256(setzero)(); }
LZD_INLINE V v_all(T a) { return M256(set1)(a); }
LZD_INLINE V v_load(const T *p) { return M256(loadu)(p); }
LZD_INLINE void v_store(T *p, V a) { M256(storeu)(p, a); }
LZD_INLINE V v_load_part(const T *p, part m) { return LOAD256(p, m); }
LZD_INLINE void v_store_part(T *p, V a, part m) { M256(maskstore)(p, m, a); }
LZD_INLINE V v_fma(V a, V b, V c) { return M256(fmadd)(a, b, c); }
LZD_INLINE V v_add(V a, V b) { return M256(add)(a, b); }
typedef V lanes_where;
LZD_INLINE lanes_where v_equal(V a, V b) { return M256(cmp)(a, b, _CMP_EQ_OQ); }
LZD_INLINE lanes_where v_beats(V a, V b) { return M256(and)(M256(cmp)(a, b, _CMP_NLE_UQ), M256(cmp)(b, b, _CMP_EQ_OQ)); }
LZD_INLINE V v_pick(lanes_where m, V a, V b) { return M256(blendv)(b, a, m); }
#endif

#elif !LZD_SMALL && defined(__aarch64__) && defined(__ARM_NEON)
#include <arm_neon.h>
#define LANES (16u / (uint32_t)sizeof(T))
#define SIDE LANES
#if LZD_T_IS_F64
typedef float64x2_t V;
#define NEON(name) name##_f64
#else
typedef float32x4_t V;
#define NEON(name) name##_f32
#endif
typedef uint32_t part;
LZD_INLINE part part_of(uint32_t lanes) { return lanes; }
LZD_INLINE V v_all(T a) { return NEON(vdupq_n)(a); }
LZD_INLINE V v_zero(void) { return v_all(0); }
LZD_INLINE V v_load(const T *p) { return NEON(vld1q)(p); }
LZD_INLINE void v_store(T *p, V a) { NEON(vst1q)(p, a); }
LZD_INLINE V v_load_part(const T *p, part m)
{
    T all[LANES] = {0};
    for (uint32_t k = 0; k < m; k++) {
        all[k] = p[k];
    }
    return v_load(all);
}
LZD_INLINE void v_store_part(T *p, V a, part m)
{
    T all[LANES];
    v_store(all, a);
    for (uint32_t k = 0; k < m; k++) {
        p[k] = all[k];
    }
}
LZD_INLINE V v_fma(V a, V b, V c) { return NEON(vfmaq)(c, a, b); }
LZD_INLINE V v_add(V a, V b) { return NEON(vaddq)(a, b); }
#if LZD_T_IS_F64
typedef uint64x2_t lanes_where;
LZD_INLINE lanes_where v_beats(V a, V b) { return vbicq_u64(vceqq_f64(b, b), vcleq_f64(a, b)); }
#else
typedef uint32x4_t lanes_where;
LZD_INLINE lanes_where v_beats(V a, V b) { return vbicq_u32(vceqq_f32(b, b), vcleq_f32(a, b)); }
#endif
LZD_INLINE lanes_where v_equal(V a, V b) { return NEON(vceqq)(a, b); }
LZD_INLINE V v_pick(lanes_where m, V a, V b) { return NEON(vbslq)(m, a, b); }

#else
#define LANES 1u
#define SIDE 1u
typedef T V;
typedef uint32_t part;
LZD_INLINE part part_of(uint32_t lanes) { return lanes; }
LZD_INLINE V v_zero(void) { return 0; }
LZD_INLINE V v_all(T a) { return a; }
LZD_INLINE V v_load(const T *p) { return *p; }
LZD_INLINE void v_store(T *p, V a) { *p = a; }
LZD_INLINE V v_load_part(const T *p, part m) { return (void)m, *p; }
LZD_INLINE void v_store_part(T *p, V a, part m) { (void)m, *p = a; }
LZD_INLINE V v_fma(V a, V b, V c) { return FMA(a, b, c); }
LZD_INLINE V v_add(V a, V b) { return a + b; }
typedef bool lanes_where;
LZD_INLINE lanes_where v_equal(V a, V b) { return a == b; }
LZD_INLINE lanes_where v_beats(V a, V b) { return (int)!(a <= b) & (int)(b == b); }
LZD_INLINE V v_pick(lanes_where m, V a, V b) { return m ? a : b; }
#endif

#if !defined(BYTES_IN_VECTORS)
/* The first `count` lanes as bytes. The others are 0. */
LZD_INLINE V v_load_bytes(const uint8_t *p, uint32_t count)
{
    T each[LANES] = {0};
    if (count == LANES) {
        for (uint32_t k = 0; k < LANES; k++) {
            each[k] = (T)p[k];
        }
    } else {
        for (uint32_t k = 0; k < count; k++) {
            each[k] = (T)p[k];
        }
    }
    return v_load(each);
}

LZD_INLINE void v_store_bytes(uint8_t *p, V a, uint32_t count)
{
    T each[LANES];
    v_store(each, a);
    for (uint32_t k = 0; k < count; k++) {
        p[k] = (uint8_t)each[k];
    }
}
#endif

#if !defined(NARROW)
#define NARROW LANES
#define LAST_IN_PART 0
typedef V N;
#define n_zero v_zero
#define n_all v_all
#define n_load v_load
#define n_store v_store
#define n_load_part v_load_part
#define n_store_part v_store_part
#define n_fma v_fma
#define n_add v_add
#endif

#endif
