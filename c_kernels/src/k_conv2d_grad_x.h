/* The gradient of a convolution's input; contract in lzd_attrs.h. Input pixels that lie a stride apart are read by the same
 * taps, from outputs beside each other: with the other pixels left out it is a convolution whose taps go backwards.
 *
 * The weight lies across: its columns are f apart. Where vectors need them beside each other, one tap after the other is
 * turned and added to all pixels, whose sums wait in memory meanwhile. */
#include "k_taps.h"

/* Rows begin .. end-1, phase by phase. */
LZD_INLINE void grad_x_rows(T *out, const T *y, const T *weight, WINDOW *s, uint32_t begin, uint32_t end)
{
    const ptrdiff_t c = STEP(s->groups * s->cg), f = STEP(s->groups * s->fg), line = STEP(s->ow) * f;
    const ptrdiff_t tap = STEP(s->cg) * f;
    for (uint32_t row = begin, height; row < end; row += height, out += STEP(height * s->w) * c) {
        const uint32_t n = row / s->h, i = row - n * s->h;
        const phase rows = phase_of(i + s->ph, s->kh, s->sh, s->dh);
        const axis down = axis_of(rows, s->kh, s->oh);
        const range inner = all_inside(&down, s->sh == 1u ? s->h - i : 1u), inside_now = taps_inside(&down, 0u);
        height = inner.begin == 0u && inner.end >= ROWS && end - row >= ROWS ? ROWS : 1u;
        for (uint32_t q = 0; q < s->w && q < s->sw; q++) {
            const phase columns = phase_of(q + s->pw, s->kw, s->sw, s->dw);
            const ptrdiff_t at = STEP(n * s->oh) + STEP(rows.at) - STEP(inside_now.begin * rows.at_step);
            const uint32_t first = rows.tap + inside_now.begin * rows.tap_step;
            band o = {
                y + at * line + STEP(columns.at) * f, weight + STEP(first * s->kw + columns.tap) * tap,
                axis_of(columns, s->kw, s->ow), (s->w - q + s->sw - 1u) / s->sw, height, length(inside_now), s->fg, false,
                f, line, -STEP(columns.at_step) * f, -STEP(rows.at_step) * line,
                1, is_depthwise(s) ? 1 : f, STEP(columns.tap_step) * tap, STEP(rows.tap_step * s->kw) * tap,
                STEP(s->sw) * c, STEP(s->w) * c, false,
            };
            taps_groups(out + STEP(q) * c, &o, s, s->cg, s->fg);
        }
    }
}

#if defined(PANEL_TERMS)
enum { STRIP = 2048 }; /* numbers */

/* A block of columns of rows begin .. end-1, whose pixels lie `pixel` numbers apart in `out`. */
LZD_INLINE void grad_x_columns(T *out, ptrdiff_t pixel, const T *y, const T *weight, const window *s, uint32_t begin,
                             uint32_t end, uint32_t full, uint32_t rest, part m, uint32_t columns)
{
    const ptrdiff_t f = STEP(s->groups * s->fg), line = STEP(s->w) * pixel;
    T panel[PANEL_TERMS * PANEL_COLUMNS];
    totals zero;
    clear_totals(&zero, 1u, full, rest);
    for (uint32_t k = 0; k < (end - begin) * s->w; k++) {
        store_totals(out + STEP(k) * pixel, 0, &zero, 1u, full, rest, m, false);
    }
    for (uint32_t di = 0; di < s->kh; di++) {
        for (uint32_t dj = 0; dj < s->kw; dj++, weight += STEP(s->cg) * f) {
            const range pixels = inside(s->ow, s->sw, dj * s->dw, s->pw, s->w);
            for (uint32_t k = 0, count; k < s->fg && pixels.begin < pixels.end; k += count) {
                count = s->fg - k < PANEL_TERMS ? s->fg - k : PANEL_TERMS;
                turn(panel, weight + k, f, count, columns, full * LANES + rest * NARROW);
                for (uint32_t row = begin; row < end; row++) {
                    const uint32_t n = row / s->h, at = row - n * s->h + s->ph - di * s->dh, i = steps_to(at, s->sh);
                    if (at >= s->oh * s->sh || i * s->sh != at) { /* below 0 it is beyond */
                        continue;
                    }
                    T *to = out + STEP(row - begin) * line +
                            STEP(pixels.begin * s->sw + dj * s->dw - s->pw) * pixel;
                    const T *from = y + (STEP(n * s->oh + i) * STEP(s->ow) + STEP(pixels.begin)) * f + k;
#define PIXELS(r, rows) \
    add_panel(to + STEP((r)*s->sw) * pixel, STEP(s->sw) * pixel, from + STEP(r)*f, f, 1, panel, count, rows, full, rest, m, false)
                    EACH_ROW(pixels.end - pixels.begin, HIGH(full, rest), PIXELS)
#undef PIXELS
                }
            }
        }
    }
}

/* The same for numbers that are no constants. */
static void grad_x_block(T *out, ptrdiff_t pixel, const T *y, const T *weight, const window *s, uint32_t begin, uint32_t end,
                         uint32_t full, uint32_t rest, uint32_t columns)
{
    const part m = part_of(columns - (full + rest - 1u) * LANES);
#define COLUMNS_OF(full, rest) grad_x_columns(out, pixel, y, weight, s, begin, end, full, rest, m, columns)
    if (full == 2u) {
        COLUMNS_OF(2u, 0u);
    } else if (full == 1u && rest == 0u) {
        COLUMNS_OF(1u, 0u);
    } else if (full == 1u) {
        COLUMNS_OF(1u, 1u);
    } else {
        COLUMNS_OF(0u, 1u);
    }
#undef COLUMNS_OF
}

/* Where vectors do not fit the columns evenly, some rows are summed on the stack with room for whole vectors. */
static void grad_x_strip(T *out, const T *y, const T *weight, const window *s, uint32_t begin, uint32_t end, uint32_t full,
                             uint32_t lanes)
{
    const uint32_t vectors = full + 1u, columns = full * LANES + lanes, rows = STRIP / (s->w * vectors * LANES);
    const ptrdiff_t c = STEP(s->groups * s->cg), pixel = STEP(vectors * LANES);
    const part m = part_of(lanes);
    T strip[STRIP];
    for (uint32_t row = begin, stop; row < end; row = stop) {
        stop = end - row < rows ? end : row + rows;
        grad_x_block(strip, pixel, y, weight, s, row, stop, vectors, 0u, columns);
        for (uint32_t k = 0; k < (stop - row) * s->w; k++, out += c) {
            const T *from = strip + STEP(k) * pixel;
            for (uint32_t v = 0; v < full; v++) {
                v_store(out + v * LANES, v_load(from + v * LANES));
            }
            v_store_part(out + full * LANES, v_load(from + full * LANES), m);
        }
    }
}

LZD_INLINE void grad_x_panels(T *out, const T *y, const T *weight, const window *s, uint32_t begin, uint32_t end)
{
    const ptrdiff_t c = STEP(s->groups * s->cg), f = STEP(s->groups * s->fg);
    for (uint32_t g = 0; g < s->groups; g++, out += s->cg, y += s->fg, weight += s->fg) {
#define BLOCK(first, full, rest, lanes) \
    if ((rest) == 0u || NARROW != LANES || s->w * 2u * LANES > STRIP) { \
        grad_x_block(out + (first), c, y, weight + STEP(first)*f, s, begin, end, full, rest, \
                     ((full) + (rest) - 1u) * LANES + (lanes)); \
    } else { \
        grad_x_strip(out + (first), y, weight + STEP(first)*f, s, begin, end, full, lanes); \
    }
        BLOCKS_OF_COLUMNS(s->cg, 2u, LAST_IN_PART, BLOCK)
#undef BLOCK
    }
}
#endif

void SUFFIX(lzd_k_conv2d_grad_x)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    const T *y = p[LZD_CONV2D_GRAD_X_P_Y], *weight = p[LZD_CONV2D_GRAD_X_P_WEIGHT];
    T *out = p[LZD_CONV2D_GRAD_X_P_OUT];
    WINDOW *s = (WINDOW *)v;
#if defined(PANEL_TERMS)
    const ptrdiff_t f = STEP(s->fg);
    if (is_pixel(s)) {
        const factors all = {y + STEP(begin * s->w) * f, weight, f, 1, 1, f, (end - begin) * s->w, s->fg, s->cg};
        product(out, &all);
        return;
    }
    if (!is_depthwise(s)) {
        grad_x_panels(out, y, weight, s, begin, end);
        return;
    }
#endif
    grad_x_rows(out, y, weight, s, begin, end);
}
