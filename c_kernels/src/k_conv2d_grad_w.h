/* The gradient of a convolution's weight; contract in lzd_attrs.h. A block is some rows of the weight, each a tap of a
 * channel, by some output channels. Rows of several taps differ in the pixels at the sides that they see. */
#include "k_conv2d_window.h"

#if LZD_SMALL
/* Rows that lie beside each other in x and see the same pixels are one call: a tap's channels, or a row of taps where each sees all
 * pixels. */
void SUFFIX(lzd_k_conv2d_grad_w)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    T *out = p[LZD_CONV2D_GRAD_W_P_OUT];
    WINDOW *s = (WINDOW *)v;
    const bool own = is_depthwise(s);
    const ptrdiff_t c = STEP(s->groups * s->cg), f = STEP(s->groups * s->fg);
    const ptrdiff_t line = STEP(s->w) * c, step = STEP(s->sh) * line;
    const bool all = s->groups == 1u && s->dw == 1u && s->pw == 0u && (s->ow - 1u) * s->sw + s->kw <= s->w;
    const uint32_t run = all ? s->kw * s->cg : s->cg;
    for (uint32_t row = begin, count; row < end; row += count, out += STEP(count) * f) {
        const uint32_t tap = row / s->cg, di = tap / s->kw, dj = tap - di * s->kw, left = run - row % run;
        const range i = inside(s->oh, s->sh, di * s->dh, s->ph, s->h), j = inside(s->ow, s->sw, dj * s->dw, s->pw, s->w);
        const uint32_t lines = length(i);
        count = end - row < left ? end - row : left;
        sums t = {
            out,
            (const T *)p[LZD_CONV2D_GRAD_W_P_X] + STEP(i.begin * s->sh + di * s->dh - s->ph) * line +
                STEP(j.begin * s->sw + dj * s->dw - s->pw) * c + STEP(row - tap * s->cg),
            (const T *)p[LZD_CONV2D_GRAD_W_P_Y] + STEP(i.begin * s->ow + j.begin) * f, count, own ? s->groups : s->fg,
            length(j), s->n * lines, lines, f, 1, 1, STEP(s->sw) * c, f, step, STEP(s->ow) * f,
            STEP(s->h) * line - STEP(lines) * step, STEP((s->oh - lines) * s->ow) * f, false,
        };
        for (uint32_t g = 0; g < (own ? 1u : s->groups); g++, t.out += s->fg, t.a += s->cg, t.b += s->fg) {
            SUFFIX(lzd_sums)(&t, own ? OWN : PACKED);
        }
    }
}
#else
/* Rows of the weight that are contiguous in x, or depthwise a stride apart: of one row of taps. */
typedef struct rows_of_taps {
    const T *x, *y; /* what the first row reads from the first output pixel of the first image, were it inside */
    WINDOW *s;
    uint32_t tap, channel; /* of the first row */
    range lines; /* output rows that read an input for this row of taps */
} rows_of_taps;

/* Outputs that read an input for tap dj of a row. */
LZD_INLINE range pixels_of(WINDOW *s, uint32_t dj) { return inside(s->ow, s->sw, dj * s->dw, s->pw, s->w); }

/* Adds to the sums of those rows that see output pixels j.begin .. j.end-1, one by one. */
static void grad_w_side(totals *sum, const terms *at, const uint32_t *shift, WINDOW *s, range j, uint32_t rows, uint32_t full,
                        uint32_t rest, part m, bool own)
{
    ONE_BY_ONE for (; j.begin < j.end; j.begin++) {
        const T *x = at->a + STEP(j.begin) * at->a_step, *y = at->b + STEP(j.begin) * at->b_step;
        ONE_BY_ONE for (uint32_t r = 0; r < rows; r++, x += at->a_row) {
            if (j.begin * s->sw + shift[r] - s->pw >= s->w) {
                continue;
            }
            ONE_BY_ONE for (uint32_t v = 0; v < full; v++) {
                const V a = own ? v_load(x + v * LANES) : v_all(*x);
                sum->of[r * full + v] = v_fma(a, v_load(y + v * LANES), sum->of[r * full + v]);
            }
            if (rest != 0u) {
                const N a = own ? n_load_part(x + full * LANES, m) : n_all(*x);
                sum->rest[r] = n_fma(a, n_load_part(y + full * LANES, m), sum->rest[r]);
            }
        }
    }
}

/* `rows` rows of the weight by some output channels. */
LZD_INLINE void grad_w_block(T *out, const rows_of_taps *o, uint32_t rows, uint32_t full, uint32_t rest, part m, bool own)
{
    WINDOW *s = o->s;
    const ptrdiff_t c = STEP(s->groups * s->cg), f = STEP(s->groups * s->fg);
    const ptrdiff_t in = STEP(s->sh * s->w) * c, line = STEP(s->ow) * f;
    terms t = {o->x, o->y, own ? STEP(s->dw) * c : 1, STEP(s->sw) * c, f, 1, 0u};
    uint32_t shift[MAX_ROWS];
    for (uint32_t r = 0, tap = o->tap, channel = o->channel; r < rows; r++) {
        shift[r] = tap * s->dw;
        if (++channel == s->cg) {
            channel = 0, tap++;
        }
    }
    const uint32_t last = shift[rows - 1u] / s->dw;
    const range left = pixels_of(s, o->tap), right = pixels_of(s, last);
    const range all = {left.begin, right.end < left.begin ? left.begin : right.end}; /* what all rows see */
    const range before = {right.begin, left.begin < left.end ? left.begin : left.end};
    const range after = {all.end > right.begin ? all.end : right.begin, left.end};
    const bool several = rows > 1u && last != o->tap;
    totals sum;
    clear_totals(&sum, rows, full, rest);
    for (uint32_t n = 0; n < s->n; n++) {
        for (uint32_t i = o->lines.begin; i < o->lines.end; i++) {
            t.a = o->x + STEP(n * s->h) * STEP(s->w) * c + STEP(i) * in, t.b = o->y + STEP(n * s->oh + i) * line;
            ONE_BY_ONE for (uint32_t k = several ? 0u : 1u; k < (several ? 3u : 2u); k++) { /* the left side, the middle, the right side */
                if (k == 1u) {
                    const ptrdiff_t first = STEP(all.begin);
                    const terms inner = {t.a + first * t.a_step, t.b + first * f, t.a_row, t.a_step, f, 1, length(all)};
                    add_terms(&sum, inner, rows, full, rest, m, own);
                } else {
                    totals some; /* in memory, so that the sums need not be */
                    copy_totals(&some, &sum, rows, full, rest);
                    grad_w_side(&some, &t, shift, s, k == 0u ? before : after, rows, full, rest, m, own);
                    copy_totals(&sum, &some, rows, full, rest);
                }
            }
        }
    }
    store_totals(out, f, &sum, rows, full, rest, m, false);
}

/* How many of `left` rows are summed beside each other. */
LZD_INLINE uint32_t rows_beside(uint32_t left, bool high, bool own)
{
    if (own) {
        return left >= 3u ? 3u : 1u;
    }
    return high && left >= 5u ? (left >= 8u && left != 9u ? 8u : 5u) : left >= 4u ? 4u : 1u;
}

/* `count` rows of the weight by `columns` output channels. */
LZD_INLINE void grad_w_columns(T *out, const rows_of_taps *all, uint32_t count, uint32_t columns, bool own)
{
    const ptrdiff_t f = STEP(all->s->groups * all->s->fg);
#define ROWS_BESIDE(number, full, rest) grad_w_block(to, &o, number, full, rest, m, own)
#define BLOCK(first, full, rest, lanes) \
    do { \
        const part m = part_of(lanes); \
        rows_of_taps o = *all; \
        T *to = out + (first); \
        o.y += (first); \
        o.x += own ? (first) : 0u; \
        for (uint32_t row = 0, rows; row < count; row += rows, to += STEP(rows) * f) { \
            rows = rows_beside(count - row, (full) + (rest) == 1u, own); \
            if (own && rows == 3u) { \
                ROWS_BESIDE(3u, full, rest); \
            } else if (!own && rows == 4u) { \
                ROWS_BESIDE(4u, full, rest); \
            } else if (!own && (full) + (rest) == 1u && rows == 5u) { \
                ROWS_BESIDE(5u, full, rest); \
            } else if (!own && (full) + (rest) == 1u && rows == 8u) { \
                ROWS_BESIDE(8u, full, rest); \
            } else { \
                ROWS_BESIDE(1u, full, rest); \
            } \
            o.x += STEP(rows) * (own ? STEP(all->s->dw) * f : 1); \
            for (o.channel += rows; o.channel >= all->s->cg; o.channel -= all->s->cg) { \
                o.tap++; \
            } \
        } \
    } while (0);
    BLOCKS_OF_COLUMNS(columns, 2u, 0, BLOCK)
#undef BLOCK
#undef ROWS_BESIDE
}

static void grad_w_rows(T *out, const rows_of_taps *all, uint32_t count, uint32_t columns, bool own)
{
    if (own) {
        grad_w_columns(out, all, count, columns, true);
    } else {
        grad_w_columns(out, all, count, columns, false);
    }
}

void SUFFIX(lzd_k_conv2d_grad_w)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    const T *x = p[LZD_CONV2D_GRAD_W_P_X], *y = p[LZD_CONV2D_GRAD_W_P_Y];
    T *out = p[LZD_CONV2D_GRAD_W_P_OUT];
    WINDOW *s = (WINDOW *)v;
    const ptrdiff_t c = STEP(s->groups * s->cg), f = STEP(s->groups * s->fg);
    if (is_pixel(s)) {
        const factors all = {x + begin, y, 1, c, f, 1, end - begin, s->n * s->h * s->w, s->fg};
        product(out, &all);
        return;
    }
    const bool own = is_depthwise(s), joined = own || (s->dw == 1u && s->groups == 1u);
    const uint32_t run = joined ? s->kw * s->cg : s->cg; /* rows that lie evenly spaced in x */
    for (uint32_t row = begin, count; row < end; row += count, out += STEP(count) * f) {
        const uint32_t tap = row / s->cg, di = tap / s->kw, dj = tap - di * s->kw, channel = row - tap * s->cg;
        const uint32_t left = run - row % run;
        const ptrdiff_t at = (STEP(di * s->dh) - STEP(s->ph)) * STEP(s->w) + STEP(dj * s->dw) - STEP(s->pw);
        rows_of_taps o = {x + at * c + channel, y, s, dj, channel, inside(s->oh, s->sh, di * s->dh, s->ph, s->h)};
        count = end - row < left ? end - row : left;
        for (uint32_t g = 0; g < (own ? 1u : s->groups); g++, o.x += s->cg, o.y += s->fg) {
            grad_w_rows(out + g * s->fg, &o, count, own ? s->groups : s->fg, own);
        }
    }
}
#endif
