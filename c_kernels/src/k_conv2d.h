/* Convolution and its two transposes, channels last; contracts in lzd_attrs.h.
 * x (n,h,w,c), weight (kh,kw,cg,f), y (n,oh,ow,f), where c = groups * cg and f = groups * fg. Taps outside the input are
 * skipped: loops run over the range inside. All sides fit 16 bits, strides, taps, dilations and paddings 8, so positions
 * fit 32. With one channel a group in and out (depthwise) the groups are summed beside each other, as if they were the
 * columns of one. */
#include "k_window.h"

/* The attributes of all three kernels, read where they lie in the plan: no copy on the stack. */
typedef struct window {
    uint32_t n, h, w, cg, oh, ow, fg, groups, kh, kw, sh, sw, dh, dw, ph, pw;
} window;
typedef char window_is_the_attributes[LZD_CONV2D_N == 0 && LZD_CONV2D_GROUPS == 7 && LZD_CONV2D_PW == 15 &&
                                      sizeof(window) == 64 ? 1 : -1];

/* On small cores a block exists once, and only its inner loops for LZD_COLUMNS columns and for fewer: the rest is much code. */
#if LZD_COLUMNS > 4
#define FOR_BLOCKS(total, block) FOR_COLUMNS(total, block)
#define WINDOW const window
#define ONE_BLOCK false
#else
#define WINDOW const volatile window /* read again where it is used: kept, it would be spilled to the stack */
#define ONE_BLOCK true
#define FOR_BLOCKS(total, block) \
    for (uint32_t first = 0; first < (total); first += LZD_COLUMNS) { \
        block(first, (total) - first < LZD_COLUMNS ? (total) - first : LZD_COLUMNS); \
    }
#endif

#define CONSTANT(how, count, call) \
    do { \
        if (how == ROW_OF_TAPS) { \
            call(count, ROW_OF_TAPS); \
        } else if (how == ONE_TAP) { \
            call(count, ONE_TAP); \
        } else { \
            call(count, DEPTHWISE); \
        } \
    } while (0)

LZD_INLINE bool is_depthwise(WINDOW *s) { return s->cg == 1u && s->fg == 1u; }

LZD_INLINE void add_each(T *sum, const T *a, const T *b, uint32_t columns)
{
    for (uint32_t j = 0; j < columns; j++) {
        sum[j] = FMA(a[j], b[j], sum[j]);
    }
}

/* As add_products (k_columns.h), but column j has an `a` of its own: a[r * a_row + i * a_step + j]. */
LZD_INLINE void add_channels(T *sum, const T *a, size_t a_row, size_t a_step, const T *b, size_t b_step, uint32_t terms,
                             uint32_t rows, uint32_t columns)
{
    for (uint32_t i = 0; i < terms; i++, a += a_step, b += b_step) {
        add_each(sum, a, b, columns);
        if (rows > 1u) {
            add_each(sum + columns, a + a_row, b, columns);
            add_each(sum + 2 * columns, a + 2 * a_row, b, columns);
            add_each(sum + 3 * columns, a + 3 * a_row, b, columns);
        }
    }
}

LZD_INLINE void store(T *out, size_t out_row, const T *sum, uint32_t rows, uint32_t columns)
{
    for (uint32_t k = 0; k < rows; k++) {
        for (uint32_t j = 0; j < columns; j++) {
            out[k * out_row + j] = sum[k * columns + j];
        }
    }
}

/* How far a sum goes on with x and weight contiguous: over a row of taps, where neither groups nor dilation part it; else over
 * a tap's channels; depthwise over none. */
typedef enum stretch { ROW_OF_TAPS, ONE_TAP, DEPTHWISE } stretch;
LZD_INLINE stretch stretch_of(WINDOW *s)
{
    return is_depthwise(s) ? DEPTHWISE : s->dw == 1u && s->groups == 1u ? ROW_OF_TAPS : ONE_TAP;
}

/* `pixels` output pixels from (i, j) on, `columns` of their channels; `rows` and `taps` (of a row) are inside for all. */
LZD_INLINE void conv2d_block(T *out, const T *x, const T *weight, WINDOW *s, uint32_t c, uint32_t f, uint32_t i, uint32_t j,
                             range rows, range taps, uint32_t pixels, uint32_t columns, stretch how)
{
    const uint32_t terms = taps.begin < taps.end ? (taps.end - taps.begin) * s->cg : 0u;
    const uint32_t run = how == ROW_OF_TAPS ? terms : s->cg;
    const size_t pixel = (size_t)s->sw * c, tap = (size_t)s->dw * c;               /* from one to the next in x */
    const size_t down = (size_t)s->dh * s->w * c, next = (size_t)s->kw * s->cg * f; /* from one row of taps to the next */
    size_t at = ((size_t)(i * s->sh + rows.begin * s->dh - s->ph) * s->w + (j * s->sw + taps.begin * s->dw - s->pw)) * c;
    size_t from = ((size_t)rows.begin * s->kw + taps.begin) * s->cg * f;
    T sum[SUMS] = {0};
    for (uint32_t di = rows.begin; terms != 0u && di < rows.end; di++, at += down, from += next) {
        const T *a = x + at, *b = weight + from;
        if (how == DEPTHWISE) {
            add_channels(sum, a, pixel, tap, b, f, terms, pixels, columns);
            continue;
        }
        for (uint32_t k = 0; k < terms; k += run, a += tap, b += (size_t)run * f) {
            if (columns == LZD_COLUMNS) {
                add_products(sum, a, pixel, 1u, b, f, run, pixels, LZD_COLUMNS);
            } else {
                add_products(sum, a, pixel, 1u, b, f, run, pixels, columns);
            }
        }
    }
    store(out, f, sum, pixels, columns);
}

/* All channels of `pixels` output pixels. */
LZD_INLINE void conv2d_pixels(T *out, const T *x, const T *weight, WINDOW *s, uint32_t c, uint32_t f, uint32_t i, uint32_t j,
                              range rows, range taps, uint32_t pixels, stretch how)
{
    const uint32_t fg = how == DEPTHWISE ? f : s->fg;
    for (uint32_t g = 0; g < f; g += fg, x += s->cg, out += fg) {
#define BLOCK(first, columns) \
    conv2d_block(out + (first), x + (how == DEPTHWISE ? (first) : 0u), weight + g + (first), s, c, f, i, j, rows, taps, pixels, \
                 columns, how)
        FOR_BLOCKS(fg, BLOCK)
#undef BLOCK
    }
}

void SUFFIX(lzd_k_conv2d)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    const T *x = p[LZD_CONV2D_P_X], *weight = p[LZD_CONV2D_P_WEIGHT];
    T *out = p[LZD_CONV2D_P_OUT];
    WINDOW *s = (WINDOW *)v;
    const uint32_t wide = (s->kw - 1u) * s->dw + 1u; /* the input columns that a pixel sees */
    const uint32_t c = s->groups * s->cg, f = s->groups * s->fg;
    const stretch how = stretch_of(s);
    for (uint32_t row = begin; row < end; row++) {
        const uint32_t n = row / s->oh, i = row - n * s->oh;
        const range rows = inside(s->kh, s->dh, i * s->sh, s->ph, s->h);
        const T *image = x + (size_t)n * s->h * s->w * c;
        for (uint32_t j = 0, pixels; j < s->ow; j += pixels, out += (size_t)pixels * f) {
            const range taps = inside(s->kw, s->dw, j * s->sw, s->pw, s->w);
            const uint32_t last = (j + ROWS - 1u) * s->sw + wide; /* where the last of ROWS pixels ends */
            pixels = ROWS > 1u && s->ow - j >= ROWS && taps.begin == 0u && last <= s->w + s->pw ? ROWS : 1u;
#define PIXELS(count, how) conv2d_pixels(out, image, weight, s, c, f, i, j, rows, taps, count, how)
            if (ONE_BLOCK) {
                PIXELS(1u, how);
            } else if (pixels == 1u) {
                CONSTANT(how, 1u, PIXELS);
            } else {
                CONSTANT(how, ROWS, PIXELS);
            }
#undef PIXELS
        }
    }
}

/* `channels` input channels of the pixel that the walks lead to. Depthwise there is one term a tap, always in lane 0, so l
 * holds a channel each; the sum of lanes would make a -0 a 0. */
LZD_INLINE void grad_x_block(T *out, const T *y, const T *weight, WINDOW *s, uint32_t cg, uint32_t fg, uint32_t f, walk rows,
                             const walk *columns, uint32_t channels, bool depthwise)
{
    const uint32_t kh = s->kh, kw = s->kw, oh = s->oh, ow = s->ow;
    T l[8u * ROWS] = {0};
    for (; rows.tap < kh; next_tap(&rows)) {
        for (walk q = *columns; rows.at < oh && q.tap < kw; next_tap(&q)) {
            if (q.at >= ow) {
                continue;
            }
            const T *a = y + ((size_t)rows.at * ow + q.at) * f;
            const T *b = weight + ((size_t)rows.tap * kw + q.tap) * cg * f;
            if (depthwise) {
                add_each(l, a, b, channels);
            } else {
                add_lanes(l, a, b, f, fg, ROWS > 1u ? channels : 1u);
            }
        }
    }
    for (uint32_t c = 0; c < channels; c++) {
        out[c] = depthwise ? l[c] + (T)0 : sum_of_lanes(l + 8u * c);
    }
}

void SUFFIX(lzd_k_conv2d_grad_x)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    const T *y = p[LZD_CONV2D_GRAD_X_P_Y], *weight = p[LZD_CONV2D_GRAD_X_P_WEIGHT];
    T *out = p[LZD_CONV2D_GRAD_X_P_OUT];
    WINDOW *s = (WINDOW *)v;
    const uint32_t cg = s->cg, fg = s->fg, f = s->groups * fg;
    for (uint32_t row = begin; row < end; row++) {
        const uint32_t n = row / s->h;
        const walk rows = first_tap(row - n * s->h + s->ph, s->kh, s->sh, s->dh);
        const T *image = y + (size_t)n * s->oh * s->ow * f;
        for (uint32_t q = 0; q < s->w; q++) {
            const walk columns = first_tap(q + s->pw, s->kw, s->sw, s->dw);
            if (is_depthwise(s)) {
#define BLOCK(first, count) \
    grad_x_block(out + (first), image + (first), weight + (first), s, 1u, 1u, f, rows, &columns, count, true)
                FOR_BLOCKS(f, BLOCK)
#undef BLOCK
                out += f;
                continue;
            }
            for (uint32_t g = 0; g < f; g += fg, out += cg) {
                uint32_t c = 0;
                for (; ROWS > 1u && cg - c >= ROWS; c += ROWS) {
                    grad_x_block(out + c, image + g, weight + (size_t)c * f + g, s, cg, fg, f, rows, &columns, ROWS, false);
                }
                for (; c < cg; c++) {
                    grad_x_block(out + c, image + g, weight + (size_t)c * f + g, s, cg, fg, f, rows, &columns, 1u, false);
                }
            }
        }
    }
}

#if LZD_COLUMNS > 4
/* LANE_COLUMNS input channels of the pixel that the walks lead to; `panels` has one for each tap. */
LZD_INLINE void grad_x_turned(T *out, const T *y, const T *panels, const window *s, uint32_t f, walk rows, const walk *columns)
{
    T l[8u * LANE_COLUMNS] = {0};
    for (; rows.tap < s->kh; next_tap(&rows)) {
        for (walk q = *columns; rows.at < s->oh && q.tap < s->kw; next_tap(&q)) {
            if (q.at < s->ow) {
                const size_t tap = (size_t)rows.tap * s->kw + q.tap;
                add_turned(l, y + ((size_t)rows.at * s->ow + q.at) * f, panels + tap * s->fg * LANE_COLUMNS, s->fg);
            }
        }
    }
    store_turned(out, l);
}

/* LANE_COLUMNS input channels of all pixels, with the panels of these channels made first. */
LZD_INLINE void grad_x_channels(T *out, const T *y, const T *weight, T *panels, const window *s, uint32_t c, uint32_t f)
{
    for (uint32_t tap = 0; tap < s->kh * s->kw; tap++) {
        turn(panels + (size_t)tap * s->fg * LANE_COLUMNS, weight + (size_t)tap * s->cg * f, f, s->fg);
    }
    for (uint32_t n = 0; n < s->n; n++, y += (size_t)s->oh * s->ow * f) {
        for (uint32_t h = 0; h < s->h; h++) {
            const walk rows = first_tap(h + s->ph, s->kh, s->sh, s->dh);
            for (uint32_t w = 0; w < s->w; w++, out += c) {
                const walk columns = first_tap(w + s->pw, s->kw, s->sw, s->dw);
                grad_x_turned(out, y, panels, s, f, rows, &columns);
            }
        }
    }
}
#endif

/* On small cores, and where vectors do not fit a group's channels evenly, as conv2d_grad_x, whose operands and attributes
 * are the same. */
void SUFFIX(lzd_k_conv2d_grad_x_turned)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    const window *s = (const window *)v;
    (void)begin, (void)end;
#if LZD_COLUMNS > 4
    const T *weight = p[LZD_CONV2D_GRAD_X_P_WEIGHT], *y = p[LZD_CONV2D_GRAD_X_P_Y];
    T *out = p[LZD_CONV2D_GRAD_X_P_OUT], *panels = p[LZD_CONV2D_GRAD_X_TURNED_P_PANELS];
    const uint32_t cg = s->cg, fg = s->fg, f = s->groups * fg;
    if (cg % LANE_COLUMNS == 0u) {
        for (uint32_t g = 0; g < s->groups; g++) {
            for (uint32_t c = 0; c < cg; c += LANE_COLUMNS) {
                grad_x_channels(out + g * cg + c, y + g * fg, weight + (size_t)c * f + g * fg, panels, s, s->groups * cg, f);
            }
        }
        return;
    }
#endif
    SUFFIX(lzd_k_conv2d_grad_x)(p, v, 0u, s->n * s->h);
}

/* One tap of `channels` input channels, `columns` of the output channels; `rows` and `pixels` are the outputs that it reads
 * an input for. */
LZD_INLINE void grad_w_block(T *out, const T *x, const T *y, WINDOW *s, uint32_t di, uint32_t dj, range rows,
                             range pixels, uint32_t channels, uint32_t columns, bool depthwise)
{
    const uint32_t terms = pixels.begin < pixels.end ? pixels.end - pixels.begin : 0u;
    const uint32_t c = s->groups * s->cg, f = s->groups * s->fg;
    const size_t pixel = (size_t)s->sw * c, down = (size_t)s->sh * s->w * c, next = (size_t)s->ow * f;
    T sum[SUMS] = {0};
    for (uint32_t n = 0; terms != 0u && n < s->n; n++) {
        const size_t r = (size_t)n * s->h + (rows.begin * s->sh + di * s->dh - s->ph);
        size_t at = (r * s->w + (pixels.begin * s->sw + dj * s->dw - s->pw)) * c;
        size_t from = (((size_t)n * s->oh + rows.begin) * s->ow + pixels.begin) * f;
        for (uint32_t i = rows.begin; i < rows.end; i++, at += down, from += next) {
            if (depthwise) {
                add_channels(sum, x + at, 0u, pixel, y + from, f, terms, 1u, columns);
            } else if (columns == LZD_COLUMNS) {
                add_products(sum, x + at, 1u, pixel, y + from, f, terms, channels, LZD_COLUMNS);
            } else {
                add_products(sum, x + at, 1u, pixel, y + from, f, terms, channels, columns);
            }
        }
    }
    store(out, f, sum, channels, columns);
}

/* All output channels of `channels` input channels of a group. */
LZD_INLINE void grad_w_channels(T *out, const T *x, const T *y, WINDOW *s, uint32_t di, uint32_t dj, range rows, range pixels,
                                uint32_t channels, bool depthwise)
{
    const uint32_t f = s->groups * s->fg, fg = depthwise ? f : s->fg;
    for (uint32_t g = 0; g < f; g += fg, x += s->cg, y += fg) {
#define BLOCK(first, columns) \
    grad_w_block(out + g + (first), x + (depthwise ? (first) : 0u), y + (first), s, di, dj, rows, pixels, channels, columns, depthwise)
        FOR_BLOCKS(fg, BLOCK)
#undef BLOCK
    }
}

void SUFFIX(lzd_k_conv2d_grad_w)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    const T *x = p[LZD_CONV2D_GRAD_W_P_X], *y = p[LZD_CONV2D_GRAD_W_P_Y];
    T *out = p[LZD_CONV2D_GRAD_W_P_OUT];
    WINDOW *s = (WINDOW *)v;
    for (uint32_t row = begin, channels; row < end; row += channels, out += (size_t)channels * s->groups * s->fg) {
        const uint32_t tap = row / s->cg, c = row - tap * s->cg, di = tap / s->kw, dj = tap - di * s->kw;
        const range rows = inside(s->oh, s->sh, di * s->dh, s->ph, s->h);
        const range pixels = inside(s->ow, s->sw, dj * s->dw, s->pw, s->w);
        channels = ROWS > 1u && end - row >= ROWS && s->cg - c >= ROWS ? ROWS : 1u;
        if (ONE_BLOCK) {
            grad_w_channels(out, x + c, y, s, di, dj, rows, pixels, 1u, is_depthwise(s));
        } else if (is_depthwise(s)) {
            grad_w_channels(out, x + c, y, s, di, dj, rows, pixels, 1u, true);
        } else if (channels == 1u) {
            grad_w_channels(out, x + c, y, s, di, dj, rows, pixels, 1u, false);
        } else {
            grad_w_channels(out, x + c, y, s, di, dj, rows, pixels, ROWS, false);
        }
    }
}
