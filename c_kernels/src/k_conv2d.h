/* Convolution; contract in lzd_attrs.h. */
#include "k_taps.h"

void SUFFIX(lzd_k_conv2d)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    const T *x = p[LZD_CONV2D_P_X], *weight = p[LZD_CONV2D_P_WEIGHT];
    T *out = p[LZD_CONV2D_P_OUT];
    WINDOW *s = (WINDOW *)v;
    const ptrdiff_t c = STEP(s->groups * s->cg), f = STEP(s->groups * s->fg);
    const ptrdiff_t line = STEP(s->w) * c, weights = STEP(s->cg) * f;
    if (!LZD_SMALL && is_pixel(s)) {
        const factors all = {x + STEP(begin) * line, weight, c, 1, f, 1, (end - begin) * s->w, s->cg, s->fg};
        product(out, &all);
        return;
    }
    const axis down = {-(int32_t)s->ph, (int32_t)s->sh, (int32_t)s->dh, (int32_t)s->kh, (int32_t)s->h};
    const axis across = {-(int32_t)s->pw, (int32_t)s->sw, (int32_t)s->dw, (int32_t)s->kw, (int32_t)s->w};
    const range inner = all_inside(&down, s->oh);
    band o = {x, weight, across, s->ow, 1u, 0u, s->cg, s->dw == 1u && s->groups == 1u, STEP(s->sw) * c, STEP(s->sh) * line, STEP(s->dw) * c,
              STEP(s->dh) * line,
              f, 1, weights, STEP(s->kw) * weights, f, STEP(s->ow) * f, false};
    for (uint32_t row = begin; row < end; row += o.height, out += STEP(o.height) * o.out_row) {
        const uint32_t n = row / s->oh, i = row - n * s->oh;
        const range rows = taps_inside(&down, i);
        o.x = x + (STEP(n) * STEP(s->h) + STEP(i * s->sh + rows.begin * s->dh) - STEP(s->ph)) * line - STEP(s->pw) * c;
        o.weight = weight + STEP(rows.begin) * o.next;
        o.rows = length(rows);
        o.height = i >= inner.begin && i + ROWS <= inner.end && end - row >= ROWS ? ROWS : 1u;
        taps_groups(out, &o, s, s->fg, s->cg);
    }
}
