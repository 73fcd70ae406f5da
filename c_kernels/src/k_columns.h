/* The inner loops of products and convolutions, and blocks of columns and rows whose sums fit registers.
 *
 * A block sums `rows` rows beside each other, so that one need not wait for the last addition of another and b is loaded
 * once for all, and `full` vectors of columns, and after them part of a narrow one where `rest` is 1. All these are constants, so
 * that sums stay in registers. Which block a column or a row is in changes no bit of it. */
#ifndef K_COLUMNS_H
#define K_COLUMNS_H

#include "k_vector.h"

#define ROWS 4u
#define MANY_ROWS (LANES > 1u ? 8u : ROWS) /* beside each other where a vector holds all columns */
#define MAX_SUMS 16u
#define MAX_ROWS 8u

/* Runs block(first, full, rest, lanes) for columns first = 0 .. total-1, up to `wide` vectors at a time, 2 or 4. `lanes`: how many
 * numbers of the last vector there are, which is an N, or where `parts` is 1 may be a whole one. */
#define BLOCKS_OF_COLUMNS(total, wide, parts, block) \
    for (uint32_t first = 0, left = (total), step; left != 0u; first += step, left -= step) { \
        if ((wide) > 2u && left >= (wide)*LANES) { \
            step = (wide)*LANES; \
            block(first, wide, 0u, LANES); \
        } else if (left >= 2u * LANES || ((parts) && left > LANES + NARROW)) { \
            step = left < 2u * LANES ? left : 2u * LANES; \
            block(first, 2u, 0u, step - LANES); \
        } else if (left > LANES) { \
            step = left < LANES + NARROW ? left : LANES + NARROW; \
            block(first, 1u, 1u, step - LANES); \
        } else if (left == LANES || ((parts) && left > NARROW)) { \
            step = left; \
            block(first, 1u, 0u, left); \
        } else { \
            step = left < NARROW ? left : NARROW; \
            block(first, 0u, 1u, step); \
        } \
    }

/* Of a row of a block. */
LZD_INLINE bool is_last(uint32_t v, uint32_t full, uint32_t rest) { return rest == 0u && v + 1u == full; }

LZD_INLINE V load_last(const T *p, bool in_part, part m) { return in_part ? v_load_part(p, m) : v_load(p); }

LZD_INLINE void store_last(T *p, V a, bool in_part, part m)
{
    if (in_part) {
        v_store_part(p, a, m);
    } else {
        v_store(p, a);
    }
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

/* The sums of a block: of row r those of vector v of columns, and those of the columns left over. */
typedef struct totals {
    V of[MAX_SUMS]; /* [r * full + v] */
    N rest[MAX_ROWS];
} totals;

/* `parts`: the last whole vector may be a part, which costs a few percent. `padded`: b has NARROW columns even where fewer are
 * left over. */
LZD_INLINE void add_each(totals *sum, const terms *t, uint32_t rows, uint32_t full, uint32_t rest, part m, bool parts, bool padded,
                         bool own)
{
    const ptrdiff_t column = LANES > 1u ? STEP(LANES) : t->b_column;
    const T *a = t->a, *below = a + STEP(ROWS) * t->a_row, *b = t->b; /* two, or rows' distances would not fit registers */
    ONE_BY_ONE for (uint32_t i = t->count; i != 0u; i--, a += t->a_step, below += t->a_step, b += t->b_step) {
        UNROLL for (uint32_t v = 0; v < full; v++) {
            const V right = load_last(b + STEP(v) * column, parts && is_last(v, full, rest), m);
            UNROLL for (uint32_t r = 0; r < rows; r++) {
                const T *left = (r < ROWS ? a : below) + STEP(r % ROWS) * t->a_row + (own ? v * LANES : 0u);
                sum->of[r * full + v] = v_fma(own ? v_load(left) : v_all(*left), right, sum->of[r * full + v]);
            }
        }
        if (rest != 0u) {
            const T *from = b + STEP(full) * column;
            const N right = padded ? n_load(from) : n_load_part(from, m);
            UNROLL for (uint32_t r = 0; r < rows; r++) {
                const T *left = (r < ROWS ? a : below) + STEP(r % ROWS) * t->a_row + (own ? full * LANES : 0u);
                sum->rest[r] = n_fma(own ? n_load_part(left, m) : n_all(*left), right, sum->rest[r]);
            }
        }
    }
}

/* sum[r][j] = fma(a[r * a_row + i * a_step], b[i * b_step + j], sum[r][j]), i = 0 .. count-1. */
LZD_INLINE void add_terms(totals *sum, terms t, uint32_t rows, uint32_t full, uint32_t rest, part m, bool own)
{
    if (own && t.count == 3u) { /* the taps of most windows */
        t.count = 3u;
        add_each(sum, &t, rows, full, rest, m, false, false, true);
    } else {
        add_each(sum, &t, rows, full, rest, m, false, false, own);
    }
}

LZD_INLINE void clear_totals(totals *sum, uint32_t rows, uint32_t full, uint32_t rest)
{
    UNROLL for (uint32_t k = 0; k < rows * full; k++) {
        sum->of[k] = v_zero();
    }
    UNROLL for (uint32_t r = 0; r < rows * rest; r++) {
        sum->rest[r] = n_zero();
    }
}

LZD_INLINE void copy_totals(totals *to, const totals *from, uint32_t rows, uint32_t full, uint32_t rest)
{
    UNROLL for (uint32_t k = 0; k < rows * full; k++) {
        to->of[k] = from->of[k];
    }
    UNROLL for (uint32_t r = 0; r < rows * rest; r++) {
        to->rest[r] = from->rest[r];
    }
}

LZD_INLINE void load_totals(totals *sum, const T *from, ptrdiff_t row, uint32_t rows, uint32_t full, uint32_t rest, part m)
{
    UNROLL for (uint32_t r = 0; r < rows; r++) {
        const T *at = from + STEP(r) * row;
        UNROLL for (uint32_t v = 0; v < full; v++) {
            sum->of[r * full + v] = load_last(at + v * LANES, LAST_IN_PART && is_last(v, full, rest), m);
        }
        if (rest != 0u) {
            sum->rest[r] = n_load_part(at + full * LANES, m);
        }
    }
}

/* `padded`: out has room for NARROW columns even where fewer are left over. */
LZD_INLINE void store_totals(T *out, ptrdiff_t row, const totals *sum, uint32_t rows, uint32_t full, uint32_t rest, part m, bool padded)
{
    UNROLL for (uint32_t r = 0; r < rows; r++) {
        T *at = out + STEP(r) * row;
        UNROLL for (uint32_t v = 0; v < full; v++) {
            store_last(at + v * LANES, sum->of[r * full + v], LAST_IN_PART && !padded && is_last(v, full, rest), m);
        }
        if (rest != 0u && padded) {
            n_store(at + full * LANES, sum->rest[r]);
        } else if (rest != 0u) {
            n_store_part(at + full * LANES, sum->rest[r], m);
        }
    }
}

/* A block of sums, from 0 or from what lies in out. `padded`: b has NARROW columns even where fewer are left over. */
LZD_INLINE void sum_block(T *out, ptrdiff_t out_row, terms t, uint32_t rows, uint32_t full, uint32_t rest, part m, bool padded,
                          bool from_zero)
{
    totals sum;
    if (from_zero) {
        clear_totals(&sum, rows, full, rest);
    } else {
        load_totals(&sum, out, out_row, rows, full, rest, m);
    }
    add_each(&sum, &t, rows, full, rest, m, LAST_IN_PART && !padded, padded, false);
    store_totals(out, out_row, &sum, rows, full, rest, m, false);
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
        if (all + some == 1u && (rows == 5u || (LANES > 1u && rows == 10u))) { /* single rows would wait for their own additions */ \
            for (uint32_t r = 0; r < rows; r += 5u) { \
                SOME_ROWS(r, 5u); \
            } \
        } else { \
            EACH_ROW(rows, HIGH(all, some), SOME_ROWS) \
        } \
    } while (0)
    BLOCKS_OF_COLUMNS(columns, 2u, LAST_IN_PART, BLOCK)
#undef BLOCK
#undef SOME_ROWS
}

#endif
