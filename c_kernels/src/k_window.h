/* Where windows with strides, dilation and padding meet their input: shared by convolutions and pooling. */
#ifndef K_WINDOW_H
#define K_WINDOW_H

#include "k_columns.h"

typedef struct range {
    uint32_t begin, end;
} range;

/* The least whole number that is not below a / step; most steps are 1, and large cores divide slowly. */
LZD_INLINE uint32_t steps_to(uint32_t a, uint32_t step)
{
    return LZD_COLUMNS > 4 && step == 1u ? a : (a + step - 1u) / step;
}

/* The k < count for which 0 <= k * step + from - padding < side. */
LZD_INLINE range inside(uint32_t count, uint32_t step, uint32_t from, uint32_t padding, uint32_t side)
{
    const uint32_t end = side + padding > from ? steps_to(side + padding - from, step) : 0u;
    const range r = {from < padding ? steps_to(padding - from, step) : 0u, end < count ? end : count};
    return r;
}

/* The taps that read one input row or column, ascending, each with the output row or column (`at`) that it does so for. An
 * `at` below 0 wraps to something beyond every output. */
typedef struct walk {
    uint32_t tap, at, tap_step, at_step;
} walk;

/* Tap k reads position `padded` - padding from output i if i * stride + k * dilation = padded. The first such k, or `taps`; how
 * much k grows to the next one, and how far i falls. */
LZD_INLINE walk first_tap(uint32_t padded, uint32_t taps, uint32_t stride, uint32_t dilation)
{
    walk f = {padded % stride, padded / stride, stride, 1u};
    if (dilation == 1u) {
        return f;
    }
    f.tap = 0;
    f.tap_step = 1;
    while (f.tap < taps && f.tap * dilation % stride != padded % stride) {
        f.tap++;
    }
    while (f.tap_step * dilation % stride != 0u) {
        f.tap_step++;
    }
    f.at = (padded - f.tap * dilation) / stride;
    f.at_step = f.tap_step * dilation / stride;
    return f;
}

LZD_INLINE void next_tap(walk *f)
{
    f->tap += f->tap_step;
    f->at -= f->at_step;
}

#endif
