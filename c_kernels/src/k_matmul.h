/* Matrix products; contracts in lzd_attrs.h. Rows count through the batch: row = batch * m + i. */
#include "k_columns.h"

/* out[r][j] = sum over i of a[r * a_row + i * a_step] * b[i * n + j], i ascending, one fma a term. */
LZD_INLINE void product_block(T *out, const T *a, size_t a_row, size_t a_step, const T *b, uint32_t k, uint32_t n,
                              uint32_t rows, uint32_t columns)
{
    T sum[SUMS] = {0};
    add_products(sum, a, a_row, a_step, b, n, k, rows, columns);
    for (uint32_t r = 0; r < rows; r++) {
        for (uint32_t j = 0; j < columns; j++) {
            out[(size_t)r * n + j] = sum[r * columns + j];
        }
    }
}

/* Rows begin .. end-1 of a product whose left side is read in steps of a_row and a_step. */
LZD_INLINE void product(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end, size_t a_row, size_t a_step)
{
    const uint32_t m = v[LZD_MATMUL_NN_M], k = v[LZD_MATMUL_NN_K], n = v[LZD_MATMUL_NN_N]; /* tn has the same attributes */
    T *out = p[LZD_MATMUL_NN_P_OUT];
    for (uint32_t row = begin, rows; row < end; row += rows, out += (size_t)rows * n) {
        const uint32_t batch = row / m, i = row - batch * m;
        const uint32_t left = end - row < m - i ? end - row : m - i; /* rows of this batch */
        const T *a = (const T *)p[LZD_MATMUL_NN_P_A] + (size_t)batch * v[LZD_MATMUL_NN_A_STEP] + i * a_row;
        const T *b = (const T *)p[LZD_MATMUL_NN_P_B] + (size_t)batch * v[LZD_MATMUL_NN_B_STEP];
        if (ROWS > 1u && left >= ROWS) {
            rows = ROWS;
#define BLOCK(first, columns) product_block(out + (first), a, a_row, a_step, b + (first), k, n, ROWS, columns)
            FOR_COLUMNS(n, BLOCK)
#undef BLOCK
        } else {
            rows = 1u;
#define BLOCK(first, columns) product_block(out + (first), a, a_row, a_step, b + (first), k, n, 1u, columns)
            FOR_COLUMNS(n, BLOCK)
#undef BLOCK
        }
    }
}

void SUFFIX(lzd_k_matmul_nn)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    product(p, v, begin, end, v[LZD_MATMUL_NN_K], 1u);
}

void SUFFIX(lzd_k_matmul_tn)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    product(p, v, begin, end, 1u, v[LZD_MATMUL_TN_M]);
}

/* `columns` products of one row of a with as many rows of b. */
LZD_INLINE void dot_block(T *out, const T *a, const T *b, uint32_t k, uint32_t columns)
{
    T l[8u * ROWS] = {0};
    add_lanes(l, a, b, k, k, columns);
    for (uint32_t j = 0; j < columns; j++) {
        out[j] = sum_of_lanes(l + 8u * j);
    }
}

void SUFFIX(lzd_k_matmul_nt)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    const T *a = p[LZD_MATMUL_NT_P_A], *b = p[LZD_MATMUL_NT_P_B];
    T *out = p[LZD_MATMUL_NT_P_OUT];
    const uint32_t m = v[LZD_MATMUL_NT_M], k = v[LZD_MATMUL_NT_K], n = v[LZD_MATMUL_NT_N];
    for (uint32_t row = begin; row < end; row++, out += n) {
        const uint32_t batch = row / m, i = row - batch * m;
        const T *left = a + (size_t)batch * v[LZD_MATMUL_NT_A_STEP] + (size_t)i * k;
        const T *right = b + (size_t)batch * v[LZD_MATMUL_NT_B_STEP];
        uint32_t j = 0;
        for (; ROWS > 1u && n - j >= ROWS; j += ROWS) {
            dot_block(out + j, left, right + (size_t)j * k, k, ROWS);
        }
        for (; j < n; j++) {
            dot_block(out + j, left, right + (size_t)j * k, k, 1u);
        }
    }
}

/* On small cores, and where vectors do not fit b evenly, as matmul_nt, whose operands and attributes are the same. */
void SUFFIX(lzd_k_matmul_nt_turned)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    (void)begin, (void)end;
#if LZD_COLUMNS > 4
    const uint32_t m = v[LZD_MATMUL_NT_M], k = v[LZD_MATMUL_NT_K], n = v[LZD_MATMUL_NT_N];
    const T *a = p[LZD_MATMUL_NT_P_A], *b = p[LZD_MATMUL_NT_P_B];
    T *panel = p[LZD_MATMUL_NT_TURNED_P_PANEL];
    for (uint32_t j = 0; n % LANE_COLUMNS == 0u && j < n; j += LANE_COLUMNS) {
        T *out = (T *)p[LZD_MATMUL_NT_P_OUT] + j;
        for (uint32_t row = 0; row < v[LZD_MATMUL_NT_BATCH] * m; row++, out += n) {
            const uint32_t batch = row / m;
            T l[8u * LANE_COLUMNS] = {0};
            if (row == 0u || (row == batch * m && v[LZD_MATMUL_NT_B_STEP] != 0u)) {
                turn(panel, b + (size_t)batch * v[LZD_MATMUL_NT_B_STEP] + (size_t)j * k, k, k);
            }
            add_turned(l, a + (size_t)batch * v[LZD_MATMUL_NT_A_STEP] + (size_t)(row - batch * m) * k, panel, k);
            store_turned(out, l);
        }
    }
    if (n % LANE_COLUMNS == 0u) {
        return;
    }
#endif
    SUFFIX(lzd_k_matmul_nt)(p, v, 0u, v[LZD_MATMUL_NT_BATCH] * v[LZD_MATMUL_NT_M]);
}
