/* The inner loops of products and convolutions, and blocks of columns and rows whose sums fit registers.
 *
 * A block sums `rows` rows beside each other, so that one need not wait for the last addition of another and b is loaded
 * once for all, and `full` vectors of columns, and after them part of one where `rest` is 1. All these are constants, so
 * that sums stay in registers. Which block a column or a row is in changes no bit of it. */
#ifndef K_COLUMNS_H
#define K_COLUMNS_H

#include "k_vector.h"

#define ROWS 4u
#define MANY_ROWS (LANES > 1u ? 8u : ROWS) /* beside each other where a vector holds all columns */
#define MAX_SUMS 16u

/* Runs block(first, full, rest, part) for columns first = 0 .. total-1, up to `wide` vectors at a time, 2 or 4. */
#define FOR_COLUMNS(total, wide, block) \
    for (uint32_t first = 0, left = (total), step; left != 0u; first += step, left -= step) { \
        if (left >= (wide)*LANES) { \
            step = (wide)*LANES; \
            block(first, wide, 0u, 0); \
        } else if ((wide) > 2u && left >= 2u * LANES) { \
            step = 2u * LANES; \
            block(first, 2u, 0u, 0); \
        } else if (left > LANES) { \
            step = left; \
            block(first, 1u, 1u, left - LANES); \
        } else if (left == LANES) { \
            step = LANES; \
            block(first, 1u, 0u, 0); \
        } else { \
            step = left; \
            block(first, 0u, 1u, left); \
        } \
    }

/* Runs call(row, rows) for row = 0 .. total-1, `high` beside each other as long as there are so many, then ROWS, then 1. */
#define EACH_ROW(total, high, call) \
    for (uint32_t each = 0, number = (total); each < number;) { \
        if ((high) > ROWS && number - each >= (high)) { \
            call(each, high); \
            each += (high); \
        } else if (ROWS > 1u && number - each >= ROWS) { \
            call(each, ROWS); \
            each += ROWS; \
        } else { \
            call(each, 1u); \
            each++; \
        } \
    }
#define HIGH(full, rest) ((full) + (rest) == 1u ? MANY_ROWS : ROWS)

/* Where the operands of a block's sums lie. With `own`, each column has an a of its own: a[r * a_row + i * a_step + j]. Where
 * vectors are single numbers the columns of b may lie apart: b[i * b_step + j * b_column]. */
typedef struct terms {
    const T *a, *b;
    ptrdiff_t a_row, a_step, b_step, b_column;
    uint32_t count;
} terms;

LZD_INLINE void add_each(V *sum, const terms *t, uint32_t rows, uint32_t full, uint32_t rest, part m, bool own)
{
    const uint32_t vectors = full + rest;
    const ptrdiff_t column = LANES > 1u ? STEP(LANES) : t->b_column;
    const T *a = t->a, *b = t->b;
    ONE_BY_ONE for (uint32_t i = 0; i < t->count; i++, a += t->a_step, b += t->b_step) {
        UNROLL for (uint32_t v = 0; v < vectors; v++) {
            const T *from = b + STEP(v) * column;
            const V right = v < full ? v_load(from) : v_load_part(from, m);
            UNROLL for (uint32_t r = 0; r < rows; r++) {
                const T *left = a + STEP(r) * t->a_row + (own ? v * LANES : 0u);
                const V each = !own ? v_all(*left) : v < full ? v_load(left) : v_load_part(left, m);
                sum[r * vectors + v] = v_fma(each, right, sum[r * vectors + v]);
            }
        }
    }
}

/* sum[r][j] = fma(a[r * a_row + i * a_step], b[i * b_step + j], sum[r][j]), i = 0 .. count-1. */
LZD_INLINE void add_terms(V *sum, terms t, uint32_t rows, uint32_t full, uint32_t rest, part m, bool own)
{
    if (own && t.count == 3u) { /* the taps of most windows */
        t.count = 3u;
        add_each(sum, &t, rows, full, rest, m, true);
    } else {
        add_each(sum, &t, rows, full, rest, m, own);
    }
}

LZD_INLINE void clear_sums(V *sum, uint32_t count)
{
    UNROLL for (uint32_t k = 0; k < count; k++) {
        sum[k] = v_zero();
    }
}

LZD_INLINE void copy_sums(V *to, const V *from, uint32_t count)
{
    UNROLL for (uint32_t k = 0; k < count; k++) {
        to[k] = from[k];
    }
}

LZD_INLINE void load_sums(V *sum, const T *from, ptrdiff_t row, uint32_t rows, uint32_t full, uint32_t rest, part m)
{
    const uint32_t vectors = full + rest;
    UNROLL for (uint32_t r = 0; r < rows; r++) {
        UNROLL for (uint32_t v = 0; v < vectors; v++) {
            const T *at = from + STEP(r) * row + v * LANES;
            sum[r * vectors + v] = v < full ? v_load(at) : v_load_part(at, m);
        }
    }
}

LZD_INLINE void store_sums(T *out, ptrdiff_t row, const V *sum, uint32_t rows, uint32_t full, uint32_t rest, part m)
{
    const uint32_t vectors = full + rest;
    UNROLL for (uint32_t r = 0; r < rows; r++) {
        UNROLL for (uint32_t v = 0; v < vectors; v++) {
            T *at = out + STEP(r) * row + v * LANES;
            if (v < full) {
                v_store(at, sum[r * vectors + v]);
            } else {
                v_store_part(at, sum[r * vectors + v], m);
            }
        }
    }
}

/* A block of sums, from 0 or from what lies in out. `padded`: b has whole vectors of columns. */
LZD_INLINE void sum_block(T *out, ptrdiff_t out_row, terms t, uint32_t rows, uint32_t full, uint32_t rest, part m, bool padded,
                          bool from_zero)
{
    V sum[MAX_SUMS];
    if (from_zero) {
        clear_sums(sum, rows * (full + rest));
    } else {
        load_sums(sum, out, out_row, rows, full, rest, m);
    }
    add_terms(sum, t, rows, padded ? full + rest : full, padded ? 0u : rest, m, false);
    store_sums(out, out_row, sum, rows, full, rest, m);
}

/* out[r][j] = fma(a[r * a_row + i * a_step], b[i * b_step + j], itself), i = 0 .. count-1, for `rows` r and `columns` j. */
LZD_INLINE void add_to(T *out, ptrdiff_t out_row, const T *a, ptrdiff_t a_row, ptrdiff_t a_step, const T *b, ptrdiff_t b_step,
                       uint32_t count, uint32_t rows, uint32_t columns)
{
#define SOME_ROWS(r, several) \
    do { \
        const terms t = {a + STEP(r) * a_row, b + at, a_row, a_step, b_step, 1, count}; \
        sum_block(out + STEP(r) * out_row + at, out_row, t, several, all, some, m, false, false); \
    } while (0)
#define BLOCK(first, full, rest, lanes) \
    do { \
        const uint32_t at = first, all = full, some = rest; \
        const part m = part_of(lanes); \
        if (all + some == 1u && rows == 5u) { /* a row of taps of one channel, often */ \
            SOME_ROWS(0u, 5u); \
        } else { \
            EACH_ROW(rows, HIGH(all, some), SOME_ROWS) \
        } \
    } while (0)
    FOR_COLUMNS(columns, 2u, BLOCK)
#undef BLOCK
#undef SOME_ROWS
}

#endif
