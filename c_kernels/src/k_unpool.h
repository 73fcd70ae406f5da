/* The transposes of a convolution whose output was pooled; contracts in lzd_attrs.h. A row of the convolution's gradient is
 * made, used up and forgotten, so the sums lie in the output meanwhile; the order of their terms is that of whole rows. */
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

/* out[r * out_row + j] = fma(a[r * a_row + k * a_step], b[k * b_step + j], itself), k = 0 .. terms-1; rows and columns are constants. */
LZD_INLINE void add_block(T *out, size_t out_row, const T *a, size_t a_row, size_t a_step, const T *b, size_t b_step,
                          uint32_t terms, uint32_t rows, uint32_t columns)
{
    T sum[4][8];
    for (uint32_t r = 0; r < rows; r++) {
        for (uint32_t j = 0; j < columns; j++) {
            sum[r][j] = out[r * out_row + j];
        }
    }
    for (uint32_t k = 0; k < terms; k++, a += a_step, b += b_step) {
        for (uint32_t r = 0; r < rows; r++) {
            for (uint32_t j = 0; j < columns; j++) {
                sum[r][j] = FMA(a[r * a_row], b[j], sum[r][j]);
            }
        }
    }
    for (uint32_t r = 0; r < rows; r++) {
        for (uint32_t j = 0; j < columns; j++) {
            out[r * out_row + j] = sum[r][j];
        }
    }
}

/* The same for any number of columns. */
LZD_INLINE void add_columns(T *out, size_t out_row, const T *a, size_t a_row, size_t a_step, const T *b, size_t b_step,
                            uint32_t terms, uint32_t rows, uint32_t columns)
{
    uint32_t j = 0;
    for (; columns - j >= 8u; j += 8u) {
        add_block(out + j, out_row, a, a_row, a_step, b + j, b_step, terms, rows, 8u);
    }
    if (columns - j >= 4u) {
        add_block(out + j, out_row, a, a_row, a_step, b + j, b_step, terms, rows, 4u);
        j += 4u;
    }
    if (columns - j >= 2u) {
        add_block(out + j, out_row, a, a_row, a_step, b + j, b_step, terms, rows, 2u);
        j += 2u;
    }
    if (columns - j == 1u) {
        add_block(out + j, out_row, a, a_row, a_step, b + j, b_step, terms, rows, 1u);
    }
}

static void add_four(T *out, size_t out_row, const T *a, size_t a_row, size_t a_step, const T *b, size_t b_step, uint32_t terms,
                     uint32_t columns)
{
    add_columns(out, out_row, a, a_row, a_step, b, b_step, terms, 4u, columns);
}

static void add_one(T *out, const T *a, size_t a_step, const T *b, size_t b_step, uint32_t terms, uint32_t columns)
{
    add_columns(out, 0u, a, 0u, a_step, b, b_step, terms, 1u, columns);
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
            rows = end - k >= 4u && s->cg - c >= 4u ? 4u : 1u;
            if (at < s->h && j.count != 0u) {
                const T *a = x + (((size_t)n * s->h + at) * s->w + (j.first * s->sw + dj * s->dw - s->pw)) * s->cg + c;
                T *to = out + (k - begin) * f;
                const T *b = row + j.first * f;
                if (rows == 4u) {
                    add_four(to, f, a, 1u, step, b, f, j.count, s->fg);
                } else {
                    add_one(to, a, step, b, f, j.count, s->fg);
                }
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
        T *to = x + (size_t)(j.first * s->sw + dj * s->dw - s->pw) * c;
        const T *a = row + j.first * f;
        uint32_t left = j.count;
        for (; left >= 4u; left -= 4u, to += 4u * s->sw * c, a += 4u * f) {
            add_four(to, s->sw * c, a, f, 1u, turned, c, s->fg, s->cg);
        }
        for (; left != 0u; left--, to += s->sw * c, a += f) {
            add_one(to, a, 1u, turned, c, s->fg, s->cg);
        }
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
