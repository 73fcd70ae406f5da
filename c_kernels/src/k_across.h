/* Sums that read b across: column j of term i is b[j * b_column + i], so that vectors of columns have to be made first.
 * PANEL_COLUMNS columns of up to PANEL_TERMS terms are turned, or copied, into a panel on the stack that serves all rows. */
#ifndef K_ACROSS_H
#define K_ACROSS_H

#include "k_columns.h"

#if defined(V256) || defined(NEON)
#define PANEL_TERMS 64u
#define PANEL_COLUMNS (2u * LANES)

/* out[c][r] = b[r][c] for SIDE c and the first `rows` r, 0 behind them; of b's columns those in the mask are read. */
#if defined(V256)
LZD_INLINE void turn_square(T *out, const T *b, ptrdiff_t b_row, uint32_t rows, __m256i mask)
{
    V256 a[SIDE], u[SIDE];
    UNROLL for (uint32_t r = 0; r < SIDE; r++) {
        a[r] = r < rows ? LOAD256(b + STEP(r) * b_row, mask) : M256(setzero)();
    }
    UNROLL for (uint32_t r = 0; r < SIDE; r += 2u) {
        u[r] = M256(unpacklo)(a[r], a[r + 1u]);
        u[r + 1u] = M256(unpackhi)(a[r], a[r + 1u]);
    }
#if LZD_T_IS_F64
    UNROLL for (uint32_t c = 0; c < 2u; c++) {
        M256(storeu)(out + c * PANEL_COLUMNS, _mm256_permute2f128_pd(u[c], u[c + 2u], 0x20));
        M256(storeu)(out + (c + 2u) * PANEL_COLUMNS, _mm256_permute2f128_pd(u[c], u[c + 2u], 0x31));
    }
#else
    UNROLL for (uint32_t r = 0; r < SIDE; r += 4u) {
        UNROLL for (uint32_t c = 0; c < 2u; c++) {
            a[r + 2u * c] = _mm256_shuffle_ps(u[r + c], u[r + 2u + c], 0x44);
            a[r + 2u * c + 1u] = _mm256_shuffle_ps(u[r + c], u[r + 2u + c], 0xEE);
        }
    }
    UNROLL for (uint32_t c = 0; c < 4u; c++) {
        M256(storeu)(out + c * PANEL_COLUMNS, _mm256_permute2f128_ps(a[c], a[c + 4u], 0x20));
        M256(storeu)(out + (c + 4u) * PANEL_COLUMNS, _mm256_permute2f128_ps(a[c], a[c + 4u], 0x31));
    }
#endif
}
#define MASK(terms) mask256(terms)
#else
LZD_INLINE void turn_square(T *out, const T *b, ptrdiff_t b_row, uint32_t rows, uint32_t columns)
{
    V a[SIDE];
    UNROLL for (uint32_t r = 0; r < SIDE; r++) {
        a[r] = r >= rows ? v_zero() : columns == SIDE ? v_load(b + STEP(r) * b_row) : v_load_part(b + STEP(r) * b_row, columns);
    }
#if LZD_T_IS_F64
    v_store(out, vtrn1q_f64(a[0], a[1]));
    v_store(out + PANEL_COLUMNS, vtrn2q_f64(a[0], a[1]));
#else
    const float64x2_t u[4] = {
        vreinterpretq_f64_f32(vtrn1q_f32(a[0], a[1])), vreinterpretq_f64_f32(vtrn1q_f32(a[2], a[3])),
        vreinterpretq_f64_f32(vtrn2q_f32(a[0], a[1])), vreinterpretq_f64_f32(vtrn2q_f32(a[2], a[3])),
    };
    UNROLL for (uint32_t c = 0; c < 2u; c++) {
        v_store(out + c * PANEL_COLUMNS, vreinterpretq_f32_f64(vtrn1q_f64(u[2u * c], u[2u * c + 1u])));
        v_store(out + (c + 2u) * PANEL_COLUMNS, vreinterpretq_f32_f64(vtrn2q_f64(u[2u * c], u[2u * c + 1u])));
    }
#endif
}
#define MASK(terms) (terms)
#endif

/* panel[i][j] = b[j * b_column + i] for i < count and j < columns, 0 for further j < padded. */
LZD_INLINE void turn(T *panel, const T *b, ptrdiff_t b_column, uint32_t count, uint32_t columns, uint32_t padded)
{
    for (uint32_t j = 0; j < padded; j += SIDE, b += STEP(SIDE) * b_column) {
        const uint32_t rows = columns < j ? 0u : columns - j < SIDE ? columns - j : SIDE;
        for (uint32_t i = 0; i < count; i += SIDE) {
            T *out = panel + i * PANEL_COLUMNS + j;
            if (rows == SIDE && count - i >= SIDE) {
                turn_square(out, b + i, b_column, SIDE, MASK(SIDE));
            } else {
                turn_square(out, b + i, b_column, rows, MASK(count - i < SIDE ? count - i : SIDE));
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
#endif

#endif
