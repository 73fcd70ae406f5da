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
            for (uint32_t c = 0; c < s->c; c += LANES) {
                const channels_part f = channels_from(c, s->c);
                V best = v_zero(), at = v_all((T)255); /* no tap yet */
                bool first = true;
                for (uint32_t di = rows.begin; di < rows.end; di++) {
                    const T *a = x + (((size_t)n * s->h + (i * s->sh + di - s->ph)) * s->w + (j * s->sw + taps.begin - s->pw)) * s->c + c;
                    for (uint32_t dj = taps.begin; dj < taps.end; dj++, a += s->c, first = false) {
                        const V now = load_some(a, f), tap = v_all((T)(di * s->kw + dj));
                        const lanes_where m = v_beats(now, best); /* greater, or NaN; after a NaN nothing is */
                        at = first ? tap : v_pick(m, tap, at);
                        best = first ? now : v_pick(m, now, best);
                    }
                }
                v_store_bytes(out, at, f.count);
                out += f.count;
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
    const uint32_t share = 65536u / s->kw + 1u; /* k * share >> 16 is k / kw for every byte k */
    const bool few = LANES > 1u && s->kh * s->kw <= LANES; /* taps: all are looked at */
    for (uint32_t row = begin; row < end; row++) {
        const uint32_t n = row / s->oh, i = row - n * s->oh;
        for (uint32_t j = 0; j < s->ow; j++) {
            if (few) {
                const range rows = inside(s->kh, 1u, i * s->sh, s->ph, s->h), taps = inside(s->kw, 1u, j * s->sw, s->pw, s->w);
                for (uint32_t c = 0; c < s->c; c += LANES) {
                    const channels_part f = channels_from(c, s->c);
                    const V at = v_load_bytes(index, f.count);
                    V found = v_zero();
                    for (uint32_t di = rows.begin; di < rows.end; di++) {
                        for (uint32_t dj = taps.begin; dj < taps.end; dj++) {
                            const size_t pixel = ((size_t)n * s->h + (i * s->sh + di - s->ph)) * s->w + (j * s->sw + dj - s->pw);
                            found = v_pick(v_equal(at, v_all((T)(di * s->kw + dj))), load_some(x + pixel * s->c + c, f), found);
                        }
                    }
                    store_some(out, found, f);
                    index += f.count, out += f.count;
                }
                continue;
            }
            for (uint32_t c = 0; c < s->c; c++) {
                const uint32_t tap = *index++, di = tap * share >> 16;
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
        const uint32_t n = row / s->h;
        scatter_row(out, p[LZD_POOL_SCATTER_P_Y], p[LZD_POOL_SCATTER_P_INDEX], s, n, row - n * s->h);
    }
}
