/* Blocks of sums whose numbers stay in the registers of a small core: four rows by four columns, one by four, one by sixteen. */
#include "k_four.h"
#include "k_sums.h"
#include "k_vector.h"

/* Four numbers, the pointer moving on, in registers that keep no sums. */
#define LOW(to, from) \
    do { \
        TAKE_FOUR(from, t0, t1, t2, t3, s16, s17, s18, s19); \
        (to)[0] = t0, (to)[1] = t1, (to)[2] = t2, (to)[3] = t3; \
    } while (0)
#define HIGH(to, from) \
    do { \
        TAKE_FOUR(from, t0, t1, t2, t3, s20, s21, s22, s23); \
        (to)[0] = t0, (to)[1] = t1, (to)[2] = t2, (to)[3] = t3; \
    } while (0)

LZD_INLINE void add_row(T *sum, T a, const T *b)
{
    UNROLL for (uint32_t j = 0; j < 4u; j++) {
        sum[j] = FMA(a, b[j], sum[j]);
    }
}

/* One run of terms of a block. */
LZD_INLINE void add_run(T *sum, const T *a, const T *b, const sums *s, uint32_t rows, uint32_t columns, lie how)
{
    const T *p[4] = {a, a + s->a_row, a + 2 * s->a_row, a + 3 * s->a_row};
    const T *q[4] = {b, b + s->b_column, b + 2 * s->b_column, b + 3 * s->b_column};
    const ptrdiff_t a_step = s->a_step, a_on = a_step - 4, b_on = s->b_step - (columns == 1u ? 0 : STEP(columns));
    for (uint32_t k = s->terms; k != 0u; k--) {
        T x[4], w[4];
        if (columns == 1u) {
            sum[0] = FMA(*p[0], *q[0], sum[0]);
            p[0] += a_step, q[0] += b_on;
            continue;
        }
        if (how == ACROSS) {
            UNROLL for (uint32_t j = 0; j < 4u; j++) {
                w[j] = *q[j]++;
            }
        } else {
            LOW(w, q[0]);
        }
        if (how == OWN) {
            UNROLL for (uint32_t r = 0; r < rows; r++) {
                HIGH(x, p[r]);
                p[r] += a_on;
                UNROLL for (uint32_t j = 0; j < 4u; j++) {
                    sum[4u * r + j] = FMA(x[j], w[j], sum[4u * r + j]);
                }
            }
        } else if (how == PACKED && rows > 1u) {
            HIGH(x, p[0]);
            p[0] += a_on;
            UNROLL for (uint32_t r = 0; r < rows; r++) {
                add_row(sum + 4u * r, x[r], w);
            }
        } else {
            UNROLL for (uint32_t r = 0; r < rows; r++) {
                x[r] = *p[r];
                p[r] += rows > 1u || how == ACROSS ? 1 : a_step;
                add_row(sum + 4u * r, x[r], w);
            }
        }
        if (columns == 16u) {
            HIGH(w, q[0]);
            add_row(sum + 4, x[0], w);
            LOW(w, q[0]);
            add_row(sum + 8, x[0], w);
            HIGH(w, q[0]);
            add_row(sum + 12, x[0], w);
        }
        if (how != ACROSS) {
            q[0] += b_on;
        }
    }
}

/* One function for all ways to lie: clearing and storing sixteen sums is as much code as the loop between. */
LZD_INLINE void block(T *out, const T *a, const T *b, const sums *s, uint32_t rows, uint32_t columns, lie how)
{
    T sum[16] = {0};
    uint32_t group = s->group;
    for (uint32_t left = s->runs; left != 0u; left--) {
        if (columns != 4u) {
            add_run(sum, a, b, s, rows, columns, BESIDE);
        } else if (how == ACROSS) {
            add_run(sum, a, b, s, rows, columns, ACROSS);
        } else if (LZD_DEPTHWISE && how == OWN) {
            add_run(sum, a, b, s, rows, columns, OWN);
        } else if (how == PACKED && rows > 1u) {
            add_run(sum, a, b, s, rows, columns, PACKED);
        } else {
            add_run(sum, a, b, s, rows, columns, BESIDE);
        }
        a += s->a_run, b += s->b_run;
        if (--group == 0u) {
            group = s->group, a += s->a_group, b += s->b_group;
        }
    }
    UNROLL for (uint32_t r = 0; r < rows; r++, out += s->out_row) {
        UNROLL for (uint32_t j = 0; j < columns; j++) {
            out[j] = sum[4u * r + j];
        }
    }
}

#define BLOCK(name, rows, columns) \
    static void name(T *out, const T *a, const T *b, const sums *s, lie how) { block(out, a, b, s, rows, columns, how); }
BLOCK(one, 1u, 1u)
BLOCK(row, 1u, 4u)
BLOCK(wide_row, 1u, 16u)
BLOCK(rows, 4u, 4u)

#if LZD_DEPTHWISE
#include "k_own.h"
#else
#define own_three rows
#define own_eight row
#endif

/* Can four rows of OWN sums be made three terms at a time? After each run follows the same step, as in convolutions. */
LZD_INLINE bool are_three_taps(const sums *s)
{
    return s->terms == 3u && s->runs != 0u && s->group == 1u && (s->a_step == s->a_row || s->a_step == -s->a_row);
}

/* Where fewer are left than the last block has, it computes some again. */
void SUFFIX(lzd_sums)(const sums *s, lie how)
{
    const bool narrow = s->columns < 4u;
    const uint32_t high = s->rows < 4u || narrow ? 1u : 4u;
    const bool own = LZD_DEPTHWISE && how == OWN, eight = own && high == 1u && s->columns >= 8u;
    const uint32_t wide = narrow ? 1u : eight ? 8u : high == 1u && how == BESIDE && s->columns >= 16u ? 16u : 4u;
    const bool three = own && high == 4u && are_three_taps(s);
    void (*const run)(T *, const T *, const T *, const sums *, lie) =
        narrow ? one : wide == 16u ? wide_row : eight ? own_eight : high == 1u ? row : three ? own_three : rows;
    for (uint32_t j = 0; j < s->columns; j += wide) {
        j = j + wide > s->columns ? s->columns - wide : j;
        const T *a = s->a + (own ? j : 0u), *b = s->b + STEP(j) * s->b_column;
        for (uint32_t r = 0; r < s->rows; r += high) {
            r = r + high > s->rows ? s->rows - high : r;
            run(s->out + STEP(r) * s->out_row + j, a + STEP(r) * s->a_row, b, s, how);
        }
    }
}
