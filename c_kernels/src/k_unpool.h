/* The transposes of a convolution whose output was pooled; contracts in lzd_attrs.h. A row of the convolution's gradient is
 * made, used up and forgotten, so the sums lie in the output meanwhile; the order of their terms is that of whole rows. */
#include "k_across.h"
#include "k_scatter.h"
#if LZD_SMALL
#include "k_taps.h"
#if !LZD_UNPOOL
#error "gradients of pooled convolutions need LZD_UNPOOL"
#endif
#endif

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

/* The output pixels of a row whose input pixel exists at one tap. */
static range seen_by(const unpool *s, uint32_t dj) { return inside(s->ow, s->sw, dj * s->dw, s->pw, s->w); }

/* The row behind row i of image n. They are not counted through: y lies nowhere, so n * oh may be more than 32 bits hold. */
LZD_INLINE void next_row(uint32_t *n, uint32_t *i, uint32_t oh)
{
    if (++*i == oh) {
        *i = 0u;
        ++*n;
    }
}

/* One function of this for both kernels: add_to is much code. */
static void add_rows(T *out, size_t out_row, const T *a, size_t a_row, size_t a_step, const T *b, size_t b_step,
                     uint32_t count, uint32_t rows, uint32_t columns)
{
#if LZD_SMALL /* for the weight alone, whose rows lie beside each other */
    if (count == 1u) {
        for (; rows != 0u; rows--, out += out_row, a++) {
            for (uint32_t j = 0; j < columns; j++) {
                out[j] = FMA(*a, b[j], out[j]);
            }
        }
        return;
    }
    const sums s = {out, a, b, rows, columns, count, 1u, 1u, STEP(out_row), STEP(a_row), 1, STEP(a_step), STEP(b_step), 0, 0, 0, 0, true};
    SUFFIX(lzd_sums)(&s, PACKED);
#else
    add_to(out, STEP(out_row), a, STEP(a_row), STEP(a_step), b, STEP(b_step), count, rows, columns);
#endif
}

/* A line of y for `rows` rows of the weight, of one row of taps, from number `at` of that on: the pixels that all of them see
 * together, and those at the sides one by one, each for the rows that see it. */
static void add_line(T *out, const T *x, const T *row, const unpool *s, uint32_t at, uint32_t rows)
{
    const uint32_t cg = s->cg, last = at + rows;
    const range left = seen_by(s, at / cg), right = seen_by(s, (last - 1u) / cg);
    for (uint32_t j = right.begin, count; j < left.end; j += count) {
        const bool all = j >= left.begin && j < right.end;
        const uint32_t place = j * s->sw; /* tap dj reads place + dj * dw - pw */
        const uint32_t low = all || place >= s->pw ? 0u : (s->pw - place + s->dw - 1u) / s->dw;
        const uint32_t high = all ? s->kw : (s->w + s->pw - place + s->dw - 1u) / s->dw;
        const uint32_t from = low * cg > at ? low * cg : at, to = high * cg < last ? high * cg : last;
        count = all ? right.end - j : 1u;
        if (from < to) {
            const uint32_t dj = from / cg;
            add_rows(out + (size_t)(from - at) * s->fg, s->fg, x + (size_t)(place + dj * s->dw - s->pw) * cg + (from - dj * cg), 1u,
                     (size_t)s->sw * cg, row + (size_t)j * s->fg, s->fg, count, to - from, s->fg);
        }
    }
}

void SUFFIX(lzd_k_unpool_grad_w)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    const T *x = p[LZD_UNPOOL_GRAD_W_P_X];
    T *row = p[LZD_UNPOOL_GRAD_W_P_ROW], *out = p[LZD_UNPOOL_GRAD_W_P_OUT];
    const unpool *s = (const unpool *)v;
    const pool by = pool_of(s);
    clear(out, (end - begin) * (size_t)s->fg);
    for (uint32_t n = 0, i = 0; n < s->n; next_row(&n, &i, s->oh)) {
        const uint32_t top = i * s->sh - s->ph; /* below 0 it wraps */
        scatter_row(row, p[LZD_UNPOOL_GRAD_W_P_POOLED], p[LZD_UNPOOL_GRAD_W_P_INDEX], &by, n, i);
        for (uint32_t k = begin, rows; k < end; k += rows) {
            const uint32_t run = s->dw == 1u ? s->kw * s->cg : s->cg; /* rows that are contiguous in x */
            const uint32_t left = run - k % run, tap = k / s->cg, di = tap / s->kw;
            rows = end - k < left ? end - k : left;
            const uint32_t at = top + di * s->dh;
            if (at < s->h) {
                const T *line_of_x = x + ((size_t)n * s->h + at) * s->w * s->cg;
                add_line(out + (k - begin) * s->fg, line_of_x, row, s, (tap - di * s->kw) * s->cg + k - tap * s->cg, rows);
            }
        }
    }
}

#if LZD_SMALL
/* One row of taps of a row of y: pixels that lie a stride apart are a band, whose sums go on. */
static void add_taps(T *x, const T *row, const T *weight, const unpool *s)
{
    const ptrdiff_t f = STEP(s->fg), c = STEP(s->cg);
    for (uint32_t q = 0; q < s->w && q < s->sw; q++) {
        const phase columns = phase_of(q + s->pw, s->kw, s->sw, s->dw);
        const band o = {
            row + STEP(columns.at) * f, weight + STEP(columns.tap) * c * f, axis_of(columns, s->kw, s->ow),
            (s->w - q + s->sw - 1u) / s->sw, 1u, 1u, s->fg, false, f, 0, -STEP(columns.at_step) * f, 0, 1, f,
            STEP(columns.tap_step) * c * f, 0, STEP(s->sw) * c, 0, true,
        };
        taps_band(x + STEP(q) * c, &o, s->cg, false);
    }
}
#else
/* One row of taps of a row of y, whose first output pixel reads x[0]. `turned` has the weights of each tap as (fg,cg), rows of
 * `wide` numbers; NULL: each is turned into `scratch` when it is needed. */
static void add_taps(T *x, const T *row, const T *weight, const T *turned, size_t wide, T *scratch, const unpool *s)
{
    const size_t f = s->fg, c = s->cg;
    for (uint32_t dj = 0; dj < s->kw; dj++, weight += c * f) {
        const range j = seen_by(s, dj);
        for (size_t k = 0; turned == NULL && k < f; k++) {
            for (size_t q = 0; q < c; q++) {
                scratch[k * c + q] = weight[q * f + k];
            }
        }
        add_rows(x + (size_t)(j.begin * s->sw + dj * s->dw - s->pw) * c, s->sw * c, row + j.begin * f, f, 1u,
                 turned != NULL ? turned + dj * f * wide : scratch, turned != NULL ? wide : c, s->fg, length(j), s->cg);
    }
}
#endif

/* Rows of y of each image from the last one up: for each row of x its taps then come in their order. */
static void unpool_grad_x(void *const *p, const unpool *s, const T *turned, size_t line_of_turned)
{
    T *row = p[LZD_UNPOOL_GRAD_X_P_ROW], *out = p[LZD_UNPOOL_GRAD_X_P_OUT];
    const T *weight = p[LZD_UNPOOL_GRAD_X_P_WEIGHT];
    const pool by = pool_of(s);
    const size_t wide = (size_t)s->w * s->cg, taps = (size_t)s->kw * s->cg * s->fg;
    clear(out, s->n * s->h * wide);
    for (uint32_t n = 0, k = 0; n < s->n; next_row(&n, &k, s->oh)) {
        const uint32_t i = s->oh - 1u - k, top = i * s->sh - s->ph; /* below 0 it wraps */
        scatter_row(row, p[LZD_UNPOOL_GRAD_X_P_POOLED], p[LZD_UNPOOL_GRAD_X_P_INDEX], &by, n, i);
        for (uint32_t di = 0; di < s->kh; di++) {
            const uint32_t at = top + di * s->dh;
            if (at < s->h) {
                T *const to = out + ((size_t)n * s->h + at) * wide;
#if LZD_SMALL
                (void)turned, (void)line_of_turned;
                add_taps(to, row, weight + di * taps, s);
#else
                const T *from = turned != NULL ? turned + (size_t)di * s->kw * s->fg * line_of_turned : NULL;
                add_taps(to, row, weight + di * taps, from, line_of_turned, row + (size_t)s->ow * s->fg, s);
#endif
            }
        }
    }
}

#if defined(PANEL_TERMS)
enum { TURNED = 512 }; /* terms of all taps together, up to which they are turned once: 64 KiB of stack for AVX-512 */

static void turn_and_unpool(void *const *p, const unpool *s)
{
    T turned[TURNED * PANEL_COLUMNS];
    const T *weight = p[LZD_UNPOOL_GRAD_X_P_WEIGHT];
    for (uint32_t tap = 0; tap < s->kh * s->kw; tap++) {
        turn(turned + (size_t)tap * s->fg * PANEL_COLUMNS, weight + (size_t)tap * s->cg * s->fg, STEP(s->fg), s->fg, s->cg,
             s->cg);
    }
    unpool_grad_x(p, s, turned, PANEL_COLUMNS);
}
#endif

void SUFFIX(lzd_k_unpool_grad_x)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    const unpool *s = (const unpool *)v;
    (void)begin, (void)end;
#if defined(PANEL_TERMS)
    if (s->cg <= PANEL_COLUMNS && s->fg % SIDE == 0u && (uint64_t)s->kh * s->kw * s->fg <= TURNED) {
        turn_and_unpool(p, s);
        return;
    }
#endif
    unpool_grad_x(p, s, NULL, 0u);
}
