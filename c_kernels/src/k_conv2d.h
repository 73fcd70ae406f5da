/* Convolution and its two transposes, channels last; contracts in lzd_attrs.h.
 * x (n,h,w,c), weight (kh,kw,c,f), y (n,oh,ow,f). Taps outside the input are skipped: loops run over the range inside. All
 * sides fit 16 bits, strides, taps and paddings 8, so positions fit 32. */
#include "k_columns.h"

/* The attributes of all three kernels, read where they lie in the plan: no copy on the stack. */
typedef struct window {
    uint32_t n, h, w, c, oh, ow, f, kh, kw, sh, sw, ph, pw;
} window;
typedef char window_is_the_attributes[LZD_CONV2D_N == 0 && LZD_CONV2D_F == 6 && LZD_CONV2D_PW == 12 &&
                                      sizeof(window) == 52 ? 1 : -1];

typedef struct range {
    uint32_t begin, end;
} range;

/* The k < count for which 0 <= k * step + from - padding < side. */
LZD_INLINE range inside(uint32_t count, uint32_t step, uint32_t from, uint32_t padding, uint32_t side)
{
    const uint32_t end = side + padding > from ? (side + padding - from + step - 1u) / step : 0u;
    const range r = {from < padding ? (padding - from + step - 1u) / step : 0u, end < count ? end : count};
    return r;
}

/* `pixels` output pixels from (i, j) on, `columns` of their channels; the taps of all are those of the first. A row of taps
 * is contiguous in x and in weight, so it is one sum. */
LZD_INLINE void conv2d_block(T *out, const T *x, const T *weight, const window *s, uint32_t i, uint32_t j, range taps,
                             uint32_t pixels, uint32_t columns)
{
    const range rows = inside(s->kh, 1u, i * s->sh, s->ph, s->h);
    const uint32_t terms = taps.begin < taps.end ? (taps.end - taps.begin) * s->c : 0u;
    T sum[SUMS] = {0};
    for (uint32_t di = rows.begin; terms != 0u && di < rows.end; di++) {
        const T *a = x + ((size_t)(i * s->sh + di - s->ph) * s->w + (j * s->sw + taps.begin - s->pw)) * s->c;
        const T *b = weight + ((size_t)di * s->kw + taps.begin) * s->c * s->f;
        add_products(sum, a, (size_t)s->sw * s->c, 1u, b, s->f, terms, pixels, columns);
    }
    for (uint32_t k = 0; k < pixels; k++) {
        for (uint32_t f = 0; f < columns; f++) {
            out[(size_t)k * s->f + f] = sum[k * columns + f];
        }
    }
}

LZD_KERNEL void SUFFIX(lzd_k_conv2d)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    const T *x = p[LZD_CONV2D_P_X], *weight = p[LZD_CONV2D_P_WEIGHT];
    T *out = p[LZD_CONV2D_P_OUT];
    const window *s = (const window *)v;
    for (uint32_t row = begin; row < end; row++) {
        const uint32_t n = row / s->oh, i = row - n * s->oh;
        const T *image = x + (size_t)n * s->h * s->w * s->c;
        for (uint32_t j = 0, pixels; j < s->ow; j += pixels, out += (size_t)pixels * s->f) {
            const range taps = inside(s->kw, 1u, j * s->sw, s->pw, s->w);
            const uint32_t last = (j + ROWS - 1u) * s->sw + s->kw; /* where the last of ROWS pixels ends */
            if (ROWS > 1u && s->ow - j >= ROWS && taps.begin == 0u && last <= s->w + s->pw) {
                pixels = ROWS;
#define BLOCK(first, columns) conv2d_block(out + (first), image, weight + (first), s, i, j, taps, ROWS, columns)
                FOR_COLUMNS(s->f, BLOCK)
#undef BLOCK
            } else {
                pixels = 1u;
#define BLOCK(first, columns) conv2d_block(out + (first), image, weight + (first), s, i, j, taps, 1u, columns)
                FOR_COLUMNS(s->f, BLOCK)
#undef BLOCK
            }
        }
    }
}

/* Tap di read row r from output row i if i * sh + di - ph = r: di is (r + ph) mod sh, then a stride more for each row
 * above. i below 0 wraps to something beyond oh. The same for columns. */
LZD_INLINE void grad_x_block(T *out, const T *y, const T *weight, const window *s, uint32_t i, uint32_t di, uint32_t j0,
                             uint32_t dj0, uint32_t channels)
{
    T l[8u * ROWS] = {0};
    for (; di < s->kh; di += s->sh, i--) {
        for (uint32_t dj = dj0, j = j0; i < s->oh && dj < s->kw; dj += s->sw, j--) {
            if (j < s->ow) {
                const T *b = weight + ((size_t)di * s->kw + dj) * s->c * s->f;
                add_lanes(l, y + ((size_t)i * s->ow + j) * s->f, b, s->f, s->f, channels);
            }
        }
    }
    for (uint32_t c = 0; c < channels; c++) {
        out[c] = sum_of_lanes(l + 8u * c);
    }
}

LZD_KERNEL void SUFFIX(lzd_k_conv2d_grad_x)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    const T *y = p[LZD_CONV2D_GRAD_X_P_Y], *weight = p[LZD_CONV2D_GRAD_X_P_WEIGHT];
    T *out = p[LZD_CONV2D_GRAD_X_P_OUT];
    const window *s = (const window *)v;
    for (uint32_t row = begin; row < end; row++) {
        const uint32_t n = row / s->h, r = row - n * s->h;
        const uint32_t i = (r + s->ph) / s->sh, di = r + s->ph - i * s->sh;
        const T *image = y + (size_t)n * s->oh * s->ow * s->f;
        for (uint32_t q = 0; q < s->w; q++, out += s->c) {
            const uint32_t j = (q + s->pw) / s->sw, dj = q + s->pw - j * s->sw;
            uint32_t c = 0;
            for (; ROWS > 1u && s->c - c >= ROWS; c += ROWS) {
                grad_x_block(out + c, image, weight + (size_t)c * s->f, s, i, di, j, dj, ROWS);
            }
            for (; c < s->c; c++) {
                grad_x_block(out + c, image, weight + (size_t)c * s->f, s, i, di, j, dj, 1u);
            }
        }
    }
}

/* One tap of `channels` input channels, `columns` of the output channels. */
LZD_INLINE void grad_w_block(T *out, const T *x, const T *y, const window *s, uint32_t di, uint32_t dj, uint32_t channels,
                             uint32_t columns)
{
    const range rows = inside(s->oh, s->sh, di, s->ph, s->h), pixels = inside(s->ow, s->sw, dj, s->pw, s->w);
    const uint32_t terms = pixels.begin < pixels.end ? pixels.end - pixels.begin : 0u;
    T sum[SUMS] = {0};
    for (uint32_t n = 0; terms != 0u && n < s->n; n++) {
        for (uint32_t i = rows.begin; i < rows.end; i++) {
            const size_t r = (size_t)n * s->h + (i * s->sh + di - s->ph), q = pixels.begin * s->sw + dj - s->pw;
            const T *b = y + (((size_t)n * s->oh + i) * s->ow + pixels.begin) * s->f;
            add_products(sum, x + (r * s->w + q) * s->c, 1u, (size_t)s->sw * s->c, b, s->f, terms, channels, columns);
        }
    }
    for (uint32_t c = 0; c < channels; c++) {
        for (uint32_t f = 0; f < columns; f++) {
            out[(size_t)c * s->f + f] = sum[c * columns + f];
        }
    }
}

LZD_KERNEL void SUFFIX(lzd_k_conv2d_grad_w)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    const T *x = p[LZD_CONV2D_GRAD_W_P_X], *y = p[LZD_CONV2D_GRAD_W_P_Y];
    T *out = p[LZD_CONV2D_GRAD_W_P_OUT];
    const window *s = (const window *)v;
    for (uint32_t row = begin, channels; row < end; row += channels, out += (size_t)channels * s->f) {
        const uint32_t tap = row / s->c, c = row - tap * s->c;
        const uint32_t di = tap / s->kw, dj = tap - di * s->kw;
        if (ROWS > 1u && end - row >= ROWS && s->c - c >= ROWS) {
            channels = ROWS;
#define BLOCK(first, columns) grad_w_block(out + (first), x + c, y + (first), s, di, dj, ROWS, columns)
            FOR_COLUMNS(s->f, BLOCK)
#undef BLOCK
        } else {
            channels = 1u;
#define BLOCK(first, columns) grad_w_block(out + (first), x + c, y + (first), s, di, dj, 1u, columns)
            FOR_COLUMNS(s->f, BLOCK)
#undef BLOCK
        }
    }
}
