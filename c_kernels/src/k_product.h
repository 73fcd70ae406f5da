/* Rows of a matrix product, of matrices that lie in any order: the three products and convolutions whose window is a pixel. */
#ifndef K_PRODUCT_H
#define K_PRODUCT_H

#include "k_across.h"
#include "k_sums.h"

#if LZD_SMALL
static LZD_APART void product_in_blocks(T *out, const factors *x)
{
    const sums s = {out, x->a, x->b, x->rows, x->n, x->k, 1u, 1u, STEP(x->n), x->a_row, x->b_column, x->a_step, x->b_step, 0, 0, 0, 0, false};
    SUFFIX(lzd_sums)(&s, x->b_column != 1 ? ACROSS : x->a_row == 1 ? PACKED : BESIDE);
}

static inline void product(T *out, const factors *x)
{
    if (LZD_ONE_ROW && x->rows == 1u && x->a_step == 1 && x->n >= (x->b_column != 1 ? 4u : 2u)) {
        SUFFIX(lzd_one_row)(out, x);
    } else {
        product_in_blocks(out, x);
    }
}
#else
/* Sums of `rows` rows from 0 to the end. */
LZD_INLINE void product_block(T *out, const factors *x, uint32_t row, uint32_t first, uint32_t rows, uint32_t full,
                              uint32_t rest, part m)
{
    const terms t = {x->a + STEP(row) * x->a_row, x->b + STEP(first) * x->b_column, x->a_row, x->a_step, x->b_step, x->b_column, x->k};
    sum_block(out + (size_t)row * x->n + first, STEP(x->n), t, rows, full, rest, m, false, true);
}

#if defined(PANEL_TERMS)
/* A panel of b serves all rows before the next is made. */
LZD_INLINE void product_panels(T *out, const factors *x)
{
    const bool across = x->b_column != 1;
    T panel[PANEL_TERMS * PANEL_COLUMNS];
    for (uint32_t i = 0, count; i == 0u || i < x->k; i += count) {
        const T *a = x->a + STEP(i) * x->a_step, *b = x->b + STEP(i) * x->b_step;
        count = x->k - i < PANEL_TERMS ? x->k - i : PANEL_TERMS;
#define SOME_ROWS(r, count_of_rows) \
    add_panel(to + (size_t)(r)*x->n, STEP(x->n), a + STEP(r)*x->a_row, x->a_row, x->a_step, panel, count, count_of_rows, all, some, m, i == 0u)
#define BLOCK(first, full, rest, lanes) \
    do { \
        const uint32_t all = full, some = rest; \
        const part m = part_of(lanes); \
        T *to = out + (first); \
        if (across) { \
            turn(panel, b + STEP(first)*x->b_column, x->b_column, count, (all + some - 1u) * LANES + (lanes), all * LANES + some * NARROW); \
        } else { \
            copy(panel, b + (first), x->b_step, count, all, some, m); \
        } \
        EACH_ROW(x->rows, HIGH(all, some), SOME_ROWS) \
    } while (0)
        BLOCKS_OF_COLUMNS(x->n, 2u, LAST_IN_PART, BLOCK)
#undef BLOCK
#undef SOME_ROWS
    }
}
#endif

/* From how many bytes of b on, and for how many rows, its panels are worth being copied. */
enum { PANEL_BYTES = 32768, PANEL_ROWS = 32 };

/* One function for all products of a file: blocks of all forms are much code. */
static void product_of(T *out, const factors *x)
{
#if defined(PANEL_TERMS)
    if (x->rows == 1u && x->b_column != 1) {
        sum_across(out, x->a, x->a_step, x->b, x->b_column, x->k, x->n);
        return;
    }
    if (x->b_column != 1 || (x->rows >= PANEL_ROWS && (uint64_t)x->k * x->n * sizeof(T) >= PANEL_BYTES)) {
        product_panels(out, x);
        return;
    }
#endif
    if (x->rows < ROWS) {
        for (uint32_t r = 0; r < x->rows; r++) {
#define BLOCK(first, full, rest, lanes) product_block(out, x, r, first, 1u, full, rest, part_of(lanes))
            BLOCKS_OF_COLUMNS(x->n, 4u, LAST_IN_PART, BLOCK)
#undef BLOCK
        }
        return;
    }
#define ROWS_OF(r, count) product_block(out, x, r, at, count, all, some, m)
#define BLOCK(first, full, rest, lanes) \
    do { \
        const uint32_t all = full, some = rest; \
        const part m = part_of(lanes); \
        const uint32_t at = first; \
        EACH_ROW(x->rows, HIGH(all, some), ROWS_OF) \
    } while (0)
    BLOCKS_OF_COLUMNS(x->n, 2u, LAST_IN_PART, BLOCK)
#undef BLOCK
#undef ROWS_OF
}

/* out[r][j] = sum over i of a[r * a_row + i * a_step] * b[i * b_step + j * b_column], i ascending, one fma a term. */
LZD_INLINE void product(T *out, const factors *x)
{
    if (x->n == 1u && x->rows != 1u) { /* a column is a row of the product the other way round */
        const factors swapped = {x->b, x->a, 0, x->b_step, x->a_step, x->a_row, 1u, x->k, x->rows};
        product_of(out, &swapped);
    } else {
        product_of(out, x);
    }
}

#endif
#endif

