/* Matrix products; contracts in lzd_attrs.h. Rows count through the batch: row = batch * m + i. */
#include "lzd_attrs.h"

/* out[j] = sum over k of a[k * a_stride] * b[k * n + j], k ascending, one fma a term, for `columns` values of j. */
LZD_INLINE void product_columns(T *out, const T *a, size_t a_stride, const T *b, uint32_t k, uint32_t n, uint32_t columns)
{
    T sum[LZD_COLUMNS] = {0};
    if (columns == LZD_COLUMNS) {
        for (uint32_t i = 0; i < k; i++, a += a_stride, b += n) {
            for (uint32_t j = 0; j < LZD_COLUMNS; j++) {
                sum[j] = FMA(*a, b[j], sum[j]);
            }
        }
    } else {
        for (uint32_t i = 0; i < k; i++, a += a_stride, b += n) {
            for (uint32_t j = 0; j < columns; j++) {
                sum[j] = FMA(*a, b[j], sum[j]);
            }
        }
    }
    for (uint32_t j = 0; j < columns; j++) {
        out[j] = sum[j];
    }
}

LZD_INLINE void product_row(T *out, const T *a, size_t a_stride, const T *b, uint32_t k, uint32_t n)
{
    for (uint32_t j = 0; j < n; j += LZD_COLUMNS) {
        product_columns(out + j, a, a_stride, b + j, k, n, n - j < LZD_COLUMNS ? n - j : LZD_COLUMNS);
    }
}

LZD_KERNEL void SUFFIX(lzd_k_matmul_nn)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    const T *a = p[LZD_MATMUL_NN_P_A], *b = p[LZD_MATMUL_NN_P_B];
    T *out = p[LZD_MATMUL_NN_P_OUT];
    const uint32_t m = v[LZD_MATMUL_NN_M], k = v[LZD_MATMUL_NN_K], n = v[LZD_MATMUL_NN_N];
    for (uint32_t row = begin; row < end; row++, out += n) {
        const uint32_t batch = row / m, i = row - batch * m;
        const T *left = a + (size_t)batch * v[LZD_MATMUL_NN_A_STEP] + (size_t)i * k;
        product_row(out, left, 1u, b + (size_t)batch * v[LZD_MATMUL_NN_B_STEP], k, n);
    }
}

LZD_KERNEL void SUFFIX(lzd_k_matmul_tn)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    const T *a = p[LZD_MATMUL_TN_P_A], *b = p[LZD_MATMUL_TN_P_B];
    T *out = p[LZD_MATMUL_TN_P_OUT];
    const uint32_t m = v[LZD_MATMUL_TN_M], k = v[LZD_MATMUL_TN_K], n = v[LZD_MATMUL_TN_N];
    for (uint32_t row = begin; row < end; row++, out += n) {
        const uint32_t batch = row / m, i = row - batch * m;
        const T *left = a + (size_t)batch * v[LZD_MATMUL_TN_A_STEP] + i;
        product_row(out, left, m, b + (size_t)batch * v[LZD_MATMUL_TN_B_STEP], k, n);
    }
}

/* Eight lanes, lane k mod 8, then a fixed tree. */
LZD_INLINE T dot_lanes(const T *a, const T *b, uint32_t k)
{
    T l[8] = {0};
    uint32_t i = 0;
    for (; i + 8u <= k; i += 8u) {
        for (uint32_t q = 0; q < 8u; q++) {
            l[q] = FMA(a[i + q], b[i + q], l[q]);
        }
    }
    for (uint32_t q = 0; i < k; i++, q++) {
        l[q] = FMA(a[i], b[i], l[q]);
    }
    return ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]));
}

LZD_KERNEL void SUFFIX(lzd_k_matmul_nt)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    const T *a = p[LZD_MATMUL_NT_P_A], *b = p[LZD_MATMUL_NT_P_B];
    T *out = p[LZD_MATMUL_NT_P_OUT];
    const uint32_t m = v[LZD_MATMUL_NT_M], k = v[LZD_MATMUL_NT_K], n = v[LZD_MATMUL_NT_N];
    for (uint32_t row = begin; row < end; row++, out += n) {
        const uint32_t batch = row / m, i = row - batch * m;
        const T *left = a + (size_t)batch * v[LZD_MATMUL_NT_A_STEP] + (size_t)i * k;
        const T *right = b + (size_t)batch * v[LZD_MATMUL_NT_B_STEP];
        for (uint32_t j = 0; j < n; j++) {
            out[j] = dot_lanes(left, right + (size_t)j * k, k);
        }
    }
}
