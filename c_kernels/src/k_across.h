/* Sums that read b across: column j of term i is b[j * b_column + i], so that vectors of columns have to be made first.
 * PANEL_COLUMNS columns of up to PANEL_TERMS terms are turned, or copied, into a panel on the stack that serves all rows. For one row
 * they stay in registers. */
#ifndef K_ACROSS_H
#define K_ACROSS_H

#include "k_columns.h"

#if defined(V256) || defined(NEON)
#define PANEL_TERMS 64u
#define PANEL_COLUMNS (2u * LANES)
#define ABREAST 4u

LZD_INLINE uint32_t up_to_side(uint32_t left) { return left < SIDE ? left : SIDE; }

/* out[c][r] = b[r][c] for SIDE c and the first `rows` r, 0 behind them; of b's columns `columns` are read. */
#if defined(V256)
#define HALF (SIDE / 2u)
#if LZD_T_IS_F64
#define HALVES(low, high) _mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_loadu_pd(low)), _mm_loadu_pd(high), 1)
#else
#define HALVES(low, high) _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(low)), _mm_loadu_ps(high), 1)
#endif

LZD_INLINE void turn_square(N *out, const T *b, ptrdiff_t b_row, uint32_t rows, uint32_t columns)
{
    N a[SIDE]; /* half a row r and half a row r + HALF: the left halves, then the right ones */
    if (rows == SIDE && columns == SIDE) {
        UNROLL for (uint32_t r = 0; r < HALF; r++) {
            const T *low = b + STEP(r) * b_row, *high = b + STEP(r + HALF) * b_row;
            a[r] = HALVES(low, high);
            a[r + HALF] = HALVES(low + HALF, high + HALF);
        }
    } else {
        const __m256i mask = mask256(columns);
        N row[SIDE];
        UNROLL for (uint32_t r = 0; r < SIDE; r++) {
            row[r] = r < rows ? LOAD256(b + STEP(r) * b_row, mask) : n_zero();
        }
        UNROLL for (uint32_t r = 0; r < HALF; r++) {
            a[r] = M256(permute2f128)(row[r], row[r + HALF], 0x20);
            a[r + HALF] = M256(permute2f128)(row[r], row[r + HALF], 0x31);
        }
    }
    UNROLL for (uint32_t c = 0; c < SIDE; c += HALF) {
#if LZD_T_IS_F64
        out[c] = M256(unpacklo)(a[c], a[c + 1u]);
        out[c + 1u] = M256(unpackhi)(a[c], a[c + 1u]);
#else
        const N u[4] = {
            M256(unpacklo)(a[c], a[c + 1u]), M256(unpacklo)(a[c + 2u], a[c + 3u]),
            M256(unpackhi)(a[c], a[c + 1u]), M256(unpackhi)(a[c + 2u], a[c + 3u]),
        };
        UNROLL for (uint32_t k = 0; k < 2u; k++) {
            out[c + 2u * k] = _mm256_shuffle_ps(u[2u * k], u[2u * k + 1u], 0x44);
            out[c + 2u * k + 1u] = _mm256_shuffle_ps(u[2u * k], u[2u * k + 1u], 0xEE);
        }
#endif
    }
}
#else
LZD_INLINE void turn_square(N *out, const T *b, ptrdiff_t b_row, uint32_t rows, uint32_t columns)
{
    V a[SIDE];
    UNROLL for (uint32_t r = 0; r < SIDE; r++) {
        a[r] = r >= rows ? v_zero() : columns == SIDE ? v_load(b + STEP(r) * b_row) : v_load_part(b + STEP(r) * b_row, columns);
    }
#if LZD_T_IS_F64
    out[0] = vtrn1q_f64(a[0], a[1]);
    out[1] = vtrn2q_f64(a[0], a[1]);
#else
    const float64x2_t u[4] = {
        vreinterpretq_f64_f32(vtrn1q_f32(a[0], a[1])), vreinterpretq_f64_f32(vtrn1q_f32(a[2], a[3])),
        vreinterpretq_f64_f32(vtrn2q_f32(a[0], a[1])), vreinterpretq_f64_f32(vtrn2q_f32(a[2], a[3])),
    };
    UNROLL for (uint32_t c = 0; c < 2u; c++) {
        out[c] = vreinterpretq_f32_f64(vtrn1q_f64(u[2u * c], u[2u * c + 1u]));
        out[c + 2u] = vreinterpretq_f32_f64(vtrn2q_f64(u[2u * c], u[2u * c + 1u]));
    }
#endif
}
#endif

/* panel[i][j] = b[j * b_column + i] for i < count and j < columns, 0 for further j < padded. */
LZD_INLINE void turn(T *panel, const T *b, ptrdiff_t b_column, uint32_t count, uint32_t columns, uint32_t padded)
{
    for (uint32_t j = 0; j < padded; j += SIDE, b += STEP(SIDE) * b_column) {
        const uint32_t rows = columns < j ? 0u : up_to_side(columns - j);
        for (uint32_t i = 0; i < count; i += SIDE) {
            N turned[SIDE];
            if (rows == SIDE && count - i >= SIDE) {
                turn_square(turned, b + i, b_column, SIDE, SIDE);
            } else {
                turn_square(turned, b + i, b_column, rows, up_to_side(count - i));
            }
            UNROLL for (uint32_t c = 0; c < SIDE; c++) {
                n_store(panel + (i + c) * PANEL_COLUMNS + j, turned[c]);
            }
        }
    }
}

/* panel[i][j] = b[i * b_step + j]. */
LZD_INLINE void copy(T *panel, const T *b, ptrdiff_t b_step, uint32_t count, uint32_t full, uint32_t rest, part m)
{
    for (uint32_t i = 0; i < count; i++, panel += PANEL_COLUMNS, b += b_step) {
        totals row;
        load_totals(&row, b, 0, 1u, full, rest, m);
        store_totals(panel, 0, &row, 1u, full, rest, m, true);
    }
}

/* Goes on with the sums of `rows` rows that lie in out: count terms of a and the panel. */
LZD_INLINE void add_panel(T *out, ptrdiff_t out_row, const T *a, ptrdiff_t a_row, ptrdiff_t a_step, const T *panel, uint32_t count,
                          uint32_t rows, uint32_t full, uint32_t rest, part m, bool from_zero)
{
    const terms t = {a, panel, a_row, a_step, PANEL_COLUMNS, 0u, count};
    sum_block(out, out_row, t, rows, full, rest, m, true, from_zero);
}

/* `count` terms, SIDE at most, of the sums of some columns, SIDE at most. */
LZD_INLINE N add_across(N sum, const T *a, ptrdiff_t a_step, const T *b, ptrdiff_t b_column, uint32_t columns, uint32_t count)
{
    N turned[SIDE];
    turn_square(turned, b, b_column, columns, count);
    UNROLL for (uint32_t c = 0; c < count; c++) {
        sum = n_fma(n_all(a[STEP(c) * a_step]), turned[c], sum);
    }
    return sum;
}

/* out[j] = the sum of a[i * a_step] * b[j * b_column + i] over i < count, for j < columns: some squares beside each other, so that
 * one need not wait for the additions of another. */
LZD_INLINE void sum_across(T *out, const T *a, ptrdiff_t a_step, const T *b, ptrdiff_t b_column, uint32_t count,
                           uint32_t columns)
{
    for (uint32_t j = 0, some; j < columns; j += some, b += STEP(some) * b_column) {
        N sum[ABREAST];
        some = columns - j < ABREAST * SIDE ? columns - j : ABREAST * SIDE;
        for (uint32_t g = 0; g < ABREAST; g++) {
            sum[g] = n_zero();
        }
        for (uint32_t i = 0; i < count; i += SIDE) {
            const T *left = a + STEP(i) * a_step, *right = b + i;
            if (some == ABREAST * SIDE && count - i >= SIDE) {
                UNROLL for (uint32_t g = 0; g < ABREAST; g++) {
                    sum[g] = add_across(sum[g], left, a_step, right + STEP(g * SIDE) * b_column, b_column, SIDE, SIDE);
                }
                continue;
            }
            for (uint32_t g = 0; g * SIDE < some; g++) {
                sum[g] = add_across(sum[g], left, a_step, right + STEP(g * SIDE) * b_column, b_column, up_to_side(some - g * SIDE),
                                    up_to_side(count - i));
            }
        }
        for (uint32_t g = 0; g * SIDE < some; g++) {
            n_store_part(out + j + g * SIDE, sum[g], part_of(up_to_side(some - g * SIDE)));
        }
    }
}
#endif

#endif
