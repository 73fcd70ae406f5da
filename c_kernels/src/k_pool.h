/* Pooling by index, channels last; contracts in lzd_attrs.h. x (n,h,w,c), y and index (n,oh,ow,c). An index is read from
 * memory, so it is checked: a tap that the window does not have, or that lies outside the input, counts as none. */
#include "k_scatter.h"
#include "k_window.h"

typedef char pool_is_the_attributes[LZD_POOL_GATHER_N == 0 && LZD_POOL_GATHER_OW == 5 && LZD_POOL_GATHER_PW == 11 &&
                                    sizeof(pool) == 48 ? 1 : -1];

void SUFFIX(lzd_k_max_pool_index)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    const T *x = p[LZD_MAX_POOL_INDEX_P_X];
    uint8_t *out = p[LZD_MAX_POOL_INDEX_P_OUT];
    const pool *s = (const pool *)v;
    for (uint32_t row = begin; row < end; row++) {
        const uint32_t n = row / s->oh, i = row - n * s->oh;
        const range rows = inside(s->kh, 1u, i * s->sh, s->ph, s->h);
        for (uint32_t j = 0; j < s->ow; j++) {
            const range taps = inside(s->kw, 1u, j * s->sw, s->pw, s->w);
            for (uint32_t c = 0; c < s->c; c++) {
                T best = 0;
                uint32_t at = 255u; /* no tap yet */
                for (uint32_t di = rows.begin; di < rows.end; di++) {
                    const T *a = x + (((size_t)n * s->h + (i * s->sh + di - s->ph)) * s->w + (j * s->sw + taps.begin - s->pw)) * s->c + c;
                    for (uint32_t dj = taps.begin; dj < taps.end && best == best; dj++, a += s->c) {
                        if (!(*a <= best) || at == 255u) { /* greater, or NaN; after a NaN nothing is */
                            best = *a;
                            at = di * s->kw + dj;
                        }
                    }
                }
                *out++ = (uint8_t)at;
            }
        }
    }
}

void SUFFIX(lzd_k_pool_gather)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    const T *x = p[LZD_POOL_GATHER_P_X];
    const pool *s = (const pool *)v;
    const uint8_t *index = (const uint8_t *)p[LZD_POOL_GATHER_P_INDEX] + (size_t)begin * s->ow * s->c;
    T *out = p[LZD_POOL_GATHER_P_OUT];
    const uint32_t part = 65536u / s->kw + 1u; /* k * part >> 16 is k / kw for every byte k */
    for (uint32_t row = begin; row < end; row++) {
        const uint32_t n = row / s->oh, i = row - n * s->oh;
        for (uint32_t j = 0; j < s->ow; j++) {
            for (uint32_t c = 0; c < s->c; c++) {
                const uint32_t tap = *index++, di = tap * part >> 16;
                const uint32_t r = i * s->sh + di - s->ph, q = j * s->sw + (tap - di * s->kw) - s->pw; /* below 0 they wrap */
                *out++ = di < s->kh && r < s->h && q < s->w ? x[(((size_t)n * s->h + r) * s->w + q) * s->c + c] : 0;
            }
        }
    }
}

void SUFFIX(lzd_k_pool_scatter)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    const pool *s = (const pool *)v;
    T *out = p[LZD_POOL_SCATTER_P_OUT];
    for (uint32_t row = begin; row < end; row++, out += (size_t)s->w * s->c) {
        scatter_row(out, p[LZD_POOL_SCATTER_P_Y], p[LZD_POOL_SCATTER_P_INDEX], s, row);
    }
}
