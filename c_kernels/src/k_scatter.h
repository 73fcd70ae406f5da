/* A row of pool_scatter: from each row of windows that sees it, the taps of that row. */
#ifndef K_SCATTER_H
#define K_SCATTER_H

#include "lzd_attrs.h"

typedef struct pool {
    uint32_t n, h, w, c, oh, ow, kh, kw, sh, sw, ph, pw;
} pool;

/* out[c] += a[c] where tap at[c] is chosen. Elsewhere 0 is added, which changes no sum that began with 0, and is no jump. */
LZD_INLINE void add_chosen(T *out, const T *a, const uint8_t *at, uint32_t tap, uint32_t channels)
{
    for (uint32_t c = 0; c < channels; c++) {
        const T other = 0, chosen = a[c];
        out[c] += at[c] == tap ? chosen : other;
    }
}

/* Row `row` of the n * h rows, (w, c), into out. y and index (n,oh,ow,c). */
static void scatter_row(T *out, const T *y, const uint8_t *index, const pool *s, uint32_t row)
{
    const size_t wide = (size_t)s->w * s->c;
    const uint32_t n = row / s->h, low = row - n * s->h + s->ph; /* tap di of window row i sees it if i * sh + di = low */
    for (size_t k = 0; k < wide; k++) {
        out[k] = 0;
    }
    for (uint32_t i = low < s->kh ? 0u : (low - s->kh) / s->sh + 1u; i < s->oh && i * s->sh <= low; i++) {
        const uint32_t first = (low - i * s->sh) * s->kw; /* the number of the first tap of that row */
        const T *a = y + ((size_t)n * s->oh + i) * s->ow * s->c;
        const uint8_t *at = index + ((size_t)n * s->oh + i) * s->ow * s->c;
        for (uint32_t j = 0; j < s->ow; j++, a += s->c, at += s->c) {
            for (uint32_t dj = 0; dj < s->kw; dj++) {
                const uint32_t q = j * s->sw + dj - s->pw; /* below 0 it wraps */
                if (q < s->w) {
                    add_chosen(out + (size_t)q * s->c, a, at, first + dj, s->c);
                }
            }
        }
    }
}

#endif
