/* Sums over the taps of windows that move over an image: convolution, and its transpose where channels are the columns. */
#ifndef K_TAPS_H
#define K_TAPS_H

#include "k_conv2d_window.h"

/* `width` results of a row, in `height` rows below each other; of more than one row all have all rows of taps inside. */
typedef struct band {
    const T *x, *weight; /* what the first result reads at its first tap, the first row inside; column 0 */
    axis across;
    uint32_t width, height, rows; /* rows of taps */
    uint32_t channels; /* of a tap: the terms that lie contiguous in x */
    bool joined; /* and with them those of the whole row of taps, and of their weights */
    ptrdiff_t pixel, below, tap, down; /* steps in x: to the next result, the one below, the next tap, the next row of taps */
    ptrdiff_t term, column, weights, next; /* steps in weight: to the next term, column, tap, row of taps */
    ptrdiff_t out_pixel, out_row;
    bool onto; /* sums go on from what is in out: only on small cores */
} band;

/* The first of the taps that read position `padded` - padding, how many there are from one to the next, and the output that
 * the first does so for, which may lie outside. `taps` where there is none. */
typedef struct phase {
    uint32_t tap, tap_step, at_step;
    int32_t at;
} phase;

LZD_INLINE phase phase_of(uint32_t padded, uint32_t taps, uint32_t stride, uint32_t dilation)
{
    phase f = {0u, 1u, dilation, (int32_t)padded};
    if (stride != 1u) {
        while (f.tap < taps && f.tap * dilation % stride != padded % stride) {
            f.tap++;
        }
        while (f.tap_step * dilation % stride != 0u) {
            f.tap_step++;
        }
        f.at = ((int32_t)padded - (int32_t)(f.tap * dilation)) / (int32_t)stride;
        f.at_step = f.tap_step * dilation / stride;
    }
    return f;
}

/* The same as taps of the outputs. */
LZD_INLINE axis axis_of(phase f, uint32_t taps, uint32_t side)
{
    const uint32_t count = f.tap < taps ? (taps - f.tap + f.tap_step - 1u) / f.tap_step : 0u;
    const axis a = {f.at, 1, -(int32_t)f.at_step, (int32_t)count, (int32_t)side};
    return a;
}

#if LZD_SMALL
/* `columns` columns of all results of a band. Those at the sides, which lack taps, are summed below each other. */
static void taps_band(T *out, const band *o, uint32_t columns, bool own)
{
    const range middle = all_inside(&o->across, o->width);
    for (uint32_t j = 0, beside; j < o->width; j += beside) {
        beside = j >= middle.begin && j < middle.end ? middle.end - j : 1u;
        const range taps = taps_inside(&o->across, j);
        const uint32_t count = length(taps), runs = own || o->joined ? 1u : count; /* of a row of taps */
        const bool below = beside == 1u;
        sums s = {
            out + STEP(j) * o->out_pixel, o->x + STEP(j) * o->pixel + STEP(taps.begin) * o->tap,
            o->weight + STEP(taps.begin) * o->weights, below ? o->height : beside, columns,
            own ? count : o->joined ? count * o->channels : o->channels, count != 0u ? o->rows * runs : 0u, runs,
            below ? o->out_row : o->out_pixel, below ? o->below : o->pixel, o->column, own ? o->tap : 1, own ? o->weights : o->term,
            o->tap, o->weights, o->down - STEP(runs) * o->tap, o->next - STEP(runs) * o->weights, o->onto,
        };
        for (uint32_t i = 0; i < (below ? 1u : o->height); i++, s.out += o->out_row, s.a += o->below) {
            SUFFIX(lzd_sums)(&s, own ? OWN : o->column == 1 ? BESIDE : ACROSS);
        }
    }
}
#else
/* Some columns of `count` results, which have the same taps inside and lie a_row apart in x and out_row in out. With `own`,
 * depthwise, each column reads x at its own place, and taps are the terms. */
LZD_INLINE void taps_block(T *out, ptrdiff_t out_row, const T *x, ptrdiff_t a_row, const T *weight, const band *o, uint32_t taps,
                           uint32_t count, uint32_t full, uint32_t rest, part m, bool own)
{
    const uint32_t calls = own || o->joined ? 1u : taps;
    terms t = {x, weight, a_row, own ? o->tap : 1, own ? o->weights : o->term, o->column,
               own ? taps : o->joined ? taps * o->channels : o->channels};
    totals sum;
    clear_totals(&sum, count, full, rest);
    for (uint32_t row = taps != 0u ? o->rows : 0u; row != 0u; row--, x += o->down, weight += o->next) {
        t.a = x, t.b = weight;
        for (uint32_t k = 0; k < calls; k++, t.a += o->tap, t.b += o->weights) {
            add_terms(&sum, t, count, full, rest, m, own);
        }
    }
    store_totals(out, out_row, &sum, count, full, rest, m, false);
}

/* Some columns of all results of a band. Those at the sides, which lack taps, and those that are left over are summed below
 * each other. */
LZD_INLINE void taps_columns(T *out, const T *x, const T *weight, const band *o, range middle, uint32_t full, uint32_t rest,
                             part m, bool own)
{
    const uint32_t high = HIGH(full, rest);
    for (uint32_t j = 0, beside; j < o->width; j += beside, out += STEP(beside) * o->out_pixel, x += STEP(beside) * o->pixel) {
        const bool inner = j >= middle.begin && j < middle.end;
        const uint32_t left = inner ? middle.end - j : 1u;
        beside = high > ROWS && left >= high ? high : ROWS > 1u && left >= ROWS ? ROWS : 1u;
        const bool below = ROWS > 1u && beside == 1u && o->height == ROWS;
        const range taps = beside == 1u ? taps_inside(&o->across, j) : (range){0u, (uint32_t)o->across.taps};
        const T *from = x + STEP(taps.begin) * o->tap, *by = weight + STEP(taps.begin) * o->weights;
        const ptrdiff_t a_row = below ? o->below : o->pixel, out_row = below ? o->out_row : o->out_pixel;
        for (uint32_t i = 0; i < (below ? 1u : o->height); i++) {
            T *to = out + STEP(i) * o->out_row;
#define BLOCK(count) taps_block(to, out_row, from + STEP(i) * o->below, a_row, by, o, length(taps), count, full, rest, m, own)
            if (high > ROWS && beside == high) {
                BLOCK(high);
            } else if (ROWS > 1u && (below || beside == ROWS)) {
                BLOCK(ROWS);
            } else {
                BLOCK(1u);
            }
#undef BLOCK
        }
    }
}

LZD_INLINE void taps_all(T *out, const band *o, uint32_t columns, bool own)
{
    const range middle = all_inside(&o->across, o->width);
#define BLOCK(first, full, rest, lanes) \
    taps_columns(out + (first), o->x + (own ? (first) : 0u), o->weight + STEP(first) * o->column, o, middle, full, rest, \
                 part_of(lanes), own)
    BLOCKS_OF_COLUMNS(columns, 2u, 0, BLOCK)
#undef BLOCK
}

/* `columns` columns of all results of a band: one function for all convolutions of a file, because it is much code. */
static void taps_band(T *out, const band *o, uint32_t columns, bool own)
{
    if (own) {
        taps_all(out, o, columns, true);
    } else {
        taps_all(out, o, columns, false);
    }
}
#endif

/* All columns of a band, which has `columns` and reads `channels` in each group; depthwise all groups are as one. */
LZD_INLINE void taps_groups(T *out, band *o, WINDOW *s, uint32_t columns, uint32_t channels)
{
    const bool own = is_depthwise(s);
    for (uint32_t g = 0; g < (own ? 1u : s->groups); g++, out += columns, o->x += channels, o->weight += s->fg) {
        taps_band(out, o, own ? s->groups : columns, own);
    }
}

#endif
