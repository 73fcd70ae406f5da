/* The transposes of a convolution whose output was pooled; contracts in lzd_attrs.h. A row of the convolution's gradient is
 * made, used up and forgotten, so the sums lie in the output meanwhile; the order of their terms is that of whole rows. */
#include "k_columns.h"
#include "k_scatter.h"

typedef struct unpool {
    uint32_t n, h, w, cg, oh, ow, fg, kh, kw, sh, sw, dh, dw, ph, pw;
    uint32_t poh, pow, pkh, pkw, psh, psw, pph, ppw;
} unpool;
typedef char unpool_is_the_attributes[LZD_UNPOOL_GRAD_W_N == 0 && LZD_UNPOOL_GRAD_W_FG == 6 && LZD_UNPOOL_GRAD_W_POH == 15 &&
                                      LZD_UNPOOL_GRAD_X_PPW == 22 && sizeof(unpool) == 92 ? 1 : -1];

static pool pool_of(const unpool *s)
{
    const pool p = {s->n, s->oh, s->ow, s->fg, s->poh, s->pow, s->pkh, s->pkw, s->psh, s->psw, s->pph, s->ppw};
    return p;
}

/* The output pixels of a row whose input pixel exists at one tap: their first, and how many. */
typedef struct span {
    uint32_t first, count;
} span;

static span pixels_of(const unpool *s, uint32_t dj)
{
    const uint32_t left = dj * s->dw, end = s->w + s->pw;
    const uint32_t first = left < s->pw ? (s->pw - left + s->sw - 1u) / s->sw : 0u;
    uint32_t last = end > left ? (end - left + s->sw - 1u) / s->sw : 0u;
    last = last < s->ow ? last : s->ow;
    const span found = {first, last > first ? last - first : 0u};
    return found;
}

/* One function of this for both kernels: add_to is much code. */
static void add_rows(T *out, size_t out_row, const T *a, size_t a_row, size_t a_step, const T *b, size_t b_step,
                     uint32_t terms, uint32_t rows, uint32_t columns)
{
    add_to(out, STEP(out_row), a, STEP(a_row), STEP(a_step), b, STEP(b_step), terms, rows, columns);
}

static void clear(T *out, size_t count)
{
    for (size_t k = 0; k < count; k++) {
        out[k] = 0;
    }
}

void SUFFIX(lzd_k_unpool_grad_w)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    const T *x = p[LZD_UNPOOL_GRAD_W_P_X];
    T *row = p[LZD_UNPOOL_GRAD_W_P_ROW], *out = p[LZD_UNPOOL_GRAD_W_P_OUT];
    const unpool *s = (const unpool *)v;
    const pool by = pool_of(s);
    const size_t f = s->fg, step = (size_t)s->sw * s->cg;
    clear(out, (end - begin) * f);
    for (uint32_t line = 0; line < s->n * s->oh; line++) {
        const uint32_t n = line / s->oh, top = (line - n * s->oh) * s->sh - s->ph; /* below 0 it wraps */
        scatter_row(row, p[LZD_UNPOOL_GRAD_W_P_POOLED], p[LZD_UNPOOL_GRAD_W_P_INDEX], &by, line);
        for (uint32_t k = begin, rows; k < end; k += rows) {
            const uint32_t tap = k / s->cg, c = k - tap * s->cg, di = tap / s->kw, dj = tap - di * s->kw;
            const uint32_t at = top + di * s->dh;
            const span j = pixels_of(s, dj);
            rows = end - k < s->cg - c ? end - k : s->cg - c;
            if (at < s->h && j.count != 0u) {
                const T *a = x + (((size_t)n * s->h + at) * s->w + (j.first * s->sw + dj * s->dw - s->pw)) * s->cg + c;
                add_rows(out + (k - begin) * f, f, a, 1u, step, row + j.first * f, f, j.count, rows, s->fg);
            }
        }
    }
}

/* One row of taps of a row of y, whose first output pixel reads x[0]. `turned` is scratch for a tap's weights, (fg,cg). */
static void add_taps(T *x, const T *row, const T *weight, T *turned, const unpool *s)
{
    const size_t f = s->fg, c = s->cg;
    for (uint32_t dj = 0; dj < s->kw; dj++, weight += c * f) {
        const span j = pixels_of(s, dj);
        for (size_t k = 0; k < f; k++) {
            for (size_t q = 0; q < c; q++) {
                turned[k * c + q] = weight[q * f + k];
            }
        }
        add_rows(x + (size_t)(j.first * s->sw + dj * s->dw - s->pw) * c, s->sw * c, row + j.first * f, f, 1u, turned, c, s->fg,
                 j.count, s->cg);
    }
}

/* Rows of y from the last one up: for each row of x its taps then come in their order. */
void SUFFIX(lzd_k_unpool_grad_x)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    T *row = p[LZD_UNPOOL_GRAD_X_P_ROW], *out = p[LZD_UNPOOL_GRAD_X_P_OUT];
    const T *weight = p[LZD_UNPOOL_GRAD_X_P_WEIGHT];
    const unpool *s = (const unpool *)v;
    const pool by = pool_of(s);
    const size_t wide = (size_t)s->w * s->cg, taps = (size_t)s->kw * s->cg * s->fg;
    (void)begin, (void)end;
    clear(out, s->n * s->h * wide);
    for (uint32_t line = s->n * s->oh; line-- > 0u;) {
        const uint32_t n = line / s->oh, top = (line - n * s->oh) * s->sh - s->ph; /* below 0 it wraps */
        scatter_row(row, p[LZD_UNPOOL_GRAD_X_P_POOLED], p[LZD_UNPOOL_GRAD_X_P_INDEX], &by, line);
        for (uint32_t di = 0; di < s->kh; di++) {
            const uint32_t at = top + di * s->dh;
            if (at < s->h) {
                add_taps(out + ((size_t)n * s->h + at) * wide, row, weight + di * taps, row + (size_t)s->ow * s->fg, s);
            }
        }
    }
}
