/* Matrix products; contracts in lzd_attrs.h. Rows count through the batch: row = batch * m + i. */
#include "k_product.h"

/* Rows begin .. end-1 of a product whose sides are read in these steps; all three kernels have the same attributes. */
static void batches(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end, ptrdiff_t a_row, ptrdiff_t a_step,
                        ptrdiff_t b_step, ptrdiff_t b_column)
{
    const uint32_t m = v[LZD_MATMUL_NN_M], k = v[LZD_MATMUL_NN_K], n = v[LZD_MATMUL_NN_N];
    T *out = p[LZD_MATMUL_NN_P_OUT];
    for (uint32_t row = begin, rows; row < end; row += rows, out += (size_t)rows * n) {
        const uint32_t batch = row / m, i = row - batch * m;
        rows = end - row < m - i ? end - row : m - i; /* of this batch */
        const factors x = {
            (const T *)p[LZD_MATMUL_NN_P_A] + (size_t)batch * v[LZD_MATMUL_NN_A_STEP] + STEP(i) * a_row,
            (const T *)p[LZD_MATMUL_NN_P_B] + (size_t)batch * v[LZD_MATMUL_NN_B_STEP],
            a_row, a_step, b_step, b_column, rows, k, n,
        };
        product(out, &x);
    }
}

void SUFFIX(lzd_k_matmul_nn)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    batches(p, v, begin, end, STEP(v[LZD_MATMUL_NN_K]), 1, STEP(v[LZD_MATMUL_NN_N]), 1);
}

void SUFFIX(lzd_k_matmul_tn)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    batches(p, v, begin, end, 1, STEP(v[LZD_MATMUL_TN_M]), STEP(v[LZD_MATMUL_TN_N]), 1);
}

void SUFFIX(lzd_k_matmul_nt)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    batches(p, v, begin, end, STEP(v[LZD_MATMUL_NT_K]), 1, 1, STEP(v[LZD_MATMUL_NT_K]));
}
