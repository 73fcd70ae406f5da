/* The inner loops of products and convolutions, and blocks of columns and rows whose sums fit registers. */
#ifndef K_COLUMNS_H
#define K_COLUMNS_H

#include "lzd_attrs.h"

/* GCC would take a loop of eight apart into scalars before its vectoriser sees it. */
#if defined(__GNUC__) && !defined(__clang__)
#define TOGETHER _Pragma("GCC unroll 1")
#else
#define TOGETHER
#endif

/* How many rows are summed beside each other, each with its own sums: so that one need not wait for the last addition of
 * another, and b is loaded once for all. Four or one: the loops below are written out. */
#define ROWS (LZD_COLUMNS > 4 ? 4u : 1u)
#define SUMS (ROWS * LZD_COLUMNS)

/* Runs block(first, columns) for first = 0 .. total-1. `columns` is a constant in all calls but the last, so that what
 * is inlined there keeps an array of that many sums in registers. Which block a column is in changes no bit of it. */
#define FOR_COLUMNS(total, block) \
    for (uint32_t first = 0, rest = (total); rest != 0u;) { \
        if (rest >= LZD_COLUMNS) { \
            block(first, LZD_COLUMNS); \
            first += LZD_COLUMNS, rest -= LZD_COLUMNS; \
        } else if (LZD_COLUMNS > 8 && rest >= 8u) { \
            block(first, 8u); \
            first += 8u, rest -= 8u; \
        } else if (LZD_COLUMNS > 4 && rest >= 4u) { \
            block(first, 4u); \
            first += 4u, rest -= 4u; \
        } else { \
            block(first, rest); \
            rest = 0; \
        } \
    }

LZD_INLINE void add_row(T *sum, T a, const T *b, uint32_t columns)
{
    for (uint32_t j = 0; j < columns; j++) {
        sum[j] = FMA(a, b[j], sum[j]);
    }
}

/* sum[r][j] = fma(a[r * a_row + i * a_step], b[i * b_step + j], sum[r][j]), i = 0 .. terms-1, for `rows` r and `columns` j. */
LZD_INLINE void add_products(T *sum, const T *a, size_t a_row, size_t a_step, const T *b, size_t b_step, uint32_t terms,
                             uint32_t rows, uint32_t columns)
{
    for (uint32_t i = 0; i < terms; i++, a += a_step, b += b_step) {
        add_row(sum, a[0], b, columns);
        if (rows > 1u) {
            add_row(sum + columns, a[a_row], b, columns);
            add_row(sum + 2 * columns, a[2 * a_row], b, columns);
            add_row(sum + 3 * columns, a[3 * a_row], b, columns);
        }
    }
}

LZD_INLINE void add_eight(T *l, const T *a, const T *b)
{
    TOGETHER for (uint32_t q = 0; q < 8u; q++) {
        l[q] = FMA(a[q], b[q], l[q]);
    }
}

/* Eight lanes for each of `rows` r: l[r][k mod 8] = fma(a[k], b[r * b_row + k], l[r][k mod 8]), k = 0 .. terms-1. */
LZD_INLINE void add_lanes(T *l, const T *a, const T *b, size_t b_row, uint32_t terms, uint32_t rows)
{
    uint32_t k = 0;
    for (; terms - k >= 8u; k += 8u) {
        add_eight(l, a + k, b + k);
        if (rows > 1u) {
            add_eight(l + 8, a + k, b + b_row + k);
            add_eight(l + 16, a + k, b + 2u * b_row + k);
            add_eight(l + 24, a + k, b + 3u * b_row + k);
        }
    }
    for (uint32_t r = 0; k < terms && r < rows; r++) {
        for (uint32_t q = 0; q < terms - k; q++) {
            l[r * 8u + q] = FMA(a[k + q], b[r * b_row + k + q], l[r * 8u + q]);
        }
    }
}

/* Lanes of LANE_COLUMNS columns beside each other, whose b lies turned, a panel of k rows: l[k mod 8][j] =
 * fma(a[k], b[k][j], l[k mod 8][j]), k = 0 .. terms-1. The same sums as add_lanes, but each load of b serves a whole vector. */
#define LANE_COLUMNS (32u / (uint32_t)sizeof(T))

LZD_INLINE void add_lane(T *l, T a, const T *b)
{
    TOGETHER for (uint32_t j = 0; j < LANE_COLUMNS; j++) {
        l[j] = FMA(a, b[j], l[j]);
    }
}

LZD_INLINE void add_turned(T *l, const T *a, const T *b, uint32_t terms)
{
#define LANE(q) add_lane(l + (q)*LANE_COLUMNS, a[q], b + (q)*LANE_COLUMNS)
    for (; terms >= 8u; terms -= 8u, a += 8u, b += 8u * LANE_COLUMNS) {
        LANE(0u);
        LANE(1u);
        LANE(2u);
        LANE(3u);
        LANE(4u);
        LANE(5u);
        LANE(6u);
        LANE(7u);
    }
#define LANE_IF(q) \
    if (terms > (q)) { \
        LANE(q); \
    }
    LANE_IF(0u)
    LANE_IF(1u)
    LANE_IF(2u)
    LANE_IF(3u)
    LANE_IF(4u)
    LANE_IF(5u)
    LANE_IF(6u)
#undef LANE_IF
#undef LANE
}

LZD_INLINE void store_turned(T *out, const T *l)
{
    const uint32_t w = LANE_COLUMNS;
    for (uint32_t j = 0; j < w; j++, l++) {
        out[j] = ((l[0] + l[4u * w]) + (l[2u * w] + l[6u * w])) + ((l[w] + l[5u * w]) + (l[3u * w] + l[7u * w]));
    }
}

/* A panel: out[c][r] = b[r][c] for LANE_COLUMNS rows r. */
LZD_INLINE void turn(T *out, const T *b, size_t b_row, uint32_t columns)
{
    for (uint32_t c = 0; c < columns; c++) {
        for (uint32_t r = 0; r < LANE_COLUMNS; r++) {
            *out++ = b[r * b_row + c];
        }
    }
}

LZD_INLINE T sum_of_lanes(const T *l) { return ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7])); }

#endif
