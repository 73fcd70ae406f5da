/* A row of pool_scatter: from each row of windows that sees it, the taps of that row. */
#ifndef K_SCATTER_H
#define K_SCATTER_H

#include "k_vector.h"
#include "k_window.h"

typedef struct pool {
    uint32_t n, h, w, c, oh, ow, kh, kw, sh, sw, ph, pw;
} pool;

/* Channels from c on, as many as a vector holds: how many, and which lanes. */
typedef struct channels_part {
    uint32_t count;
    part m;
} channels_part;

LZD_INLINE channels_part channels_from(uint32_t c, uint32_t all)
{
    const uint32_t count = all - c < LANES ? all - c : LANES;
    const channels_part f = {count, part_of(count)};
    return f;
}

LZD_INLINE V load_some(const T *p, channels_part f) { return f.count == LANES ? v_load(p) : v_load_part(p, f.m); }

LZD_INLINE void store_some(T *p, V a, channels_part f)
{
    if (f.count == LANES) {
        v_store(p, a);
    } else {
        v_store_part(p, a, f.m);
    }
}

#if LZD_SMALL
/* What channels of a row of windows bring to their taps of number `first` .. first+kw-1, beside each other in out. */
LZD_INLINE void add_chosen(T *out, const T *a, const uint8_t *at, uint32_t first, range taps, uint32_t channels, bool alone)
{
    (void)alone;
    for (uint32_t c = 0; c < channels; c++) {
        const uint32_t dj = at[c] - first;
        if (dj >= taps.begin && dj < taps.end) {
            out[(size_t)dj * channels + c] += a[c];
        }
    }
}
#else
/* The same. Where a tap is not chosen 0 is added, which changes no sum that began with 0, and is no jump. `alone`: no other window sees these taps, so what
 * lies there is still 0 and need not be read, which would wait for the part of a vector that was just written beside it. */
LZD_INLINE void add_chosen(T *out, const T *a, const uint8_t *at, uint32_t first, range taps, uint32_t channels, bool alone)
{
    for (uint32_t c = 0; c < channels; c += LANES) {
        const channels_part f = channels_from(c, channels);
        const V chosen = v_load_bytes(at + c, f.count), from = load_some(a + c, f);
        for (uint32_t dj = taps.begin; dj < taps.end; dj++) {
            T *to = out + (size_t)dj * channels + c;
            const V here = alone ? v_zero() : load_some(to, f);
            store_some(to, v_add(here, v_pick(v_equal(chosen, v_all((T)(first + dj))), from, v_zero())), f);
        }
    }
}
#endif

static void clear(T *out, size_t count)
{
    for (size_t k = 0; k < count; k++) {
        out[k] = 0;
    }
}

/* Row r of image n, (w, c), into out. y and index (n,oh,ow,c). */
static void scatter_row(T *out, const T *y, const uint8_t *index, const pool *s, uint32_t n, uint32_t r)
{
    const uint32_t low = r + s->ph; /* tap di of window row i sees it if i * sh + di = low */
    const bool alone = !LZD_SMALL && s->kh <= s->sh && s->kw <= s->sw;
    clear(out, (size_t)s->w * s->c);
    for (uint32_t i = low < s->kh ? 0u : (low - s->kh) / s->sh + 1u; i < s->oh && i * s->sh <= low; i++) {
        const uint32_t first = (low - i * s->sh) * s->kw; /* the number of the first tap of that row */
        const T *a = y + ((size_t)n * s->oh + i) * s->ow * s->c;
        const uint8_t *at = index + ((size_t)n * s->oh + i) * s->ow * s->c;
        for (uint32_t j = 0; j < s->ow; j++, a += s->c, at += s->c) {
            const range taps = inside(s->kw, 1u, j * s->sw, s->pw, s->w);
            add_chosen(out + (STEP(j * s->sw) - STEP(s->pw)) * STEP(s->c), a, at, first, taps, s->c, alone);
        }
    }
}

#endif
