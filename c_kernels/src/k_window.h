/* Where windows with strides, dilation and padding meet their input: shared by convolutions and pooling. */
#ifndef K_WINDOW_H
#define K_WINDOW_H

#include "lzd_attrs.h"

typedef struct range {
    uint32_t begin, end;
} range;

LZD_INLINE uint32_t length(range r) { return r.begin < r.end ? r.end - r.begin : 0u; }

/* The least whole number that is not below a / step; most steps are 1, and large cores divide slowly. */
LZD_INLINE uint32_t steps_to(uint32_t a, uint32_t step)
{
    return !LZD_SMALL && step == 1u ? a : (a + step - 1u) / step;
}

/* The k < count for which 0 <= k * step + from - padding < side. */
LZD_INLINE range inside(uint32_t count, uint32_t step, uint32_t from, uint32_t padding, uint32_t side)
{
    const uint32_t end = side + padding > from ? steps_to(side + padding - from, step) : 0u;
    const range r = {from < padding ? steps_to(padding - from, step) : 0u, end < count ? end : count};
    return r;
}

#endif
