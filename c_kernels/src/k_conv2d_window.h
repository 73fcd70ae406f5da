/* What convolution and its two transposes share; channels last.
 * x (n,h,w,c), weight (kh,kw,cg,f), y (n,oh,ow,f), where c = groups * cg and f = groups * fg. Taps outside the input are
 * skipped: loops run over the range inside. All sides fit 16 bits, strides, taps, dilations and paddings 8, so positions
 * fit 32. With one channel a group in and out (depthwise) the groups are summed beside each other, as if they were the
 * columns of one. */
#ifndef K_CONV2D_WINDOW_H
#define K_CONV2D_WINDOW_H

#include "k_product.h"
#include "k_window.h"

/* The attributes of all three kernels, read where they lie in the plan: no copy on the stack. */
typedef struct window {
    uint32_t n, h, w, cg, oh, ow, fg, groups, kh, kw, sh, sw, dh, dw, ph, pw;
} window;
typedef char window_is_the_attributes[LZD_CONV2D_N == 0 && LZD_CONV2D_GROUPS == 7 && LZD_CONV2D_PW == 15 &&
                                      sizeof(window) == 64 ? 1 : -1];

#if LZD_SMALL
#define WINDOW const volatile window /* read again where it is used: kept, it would be spilled to the stack */
#define ONCE static LZD_APART /* a function of its own, not a copy where it is called */
#else
#define WINDOW const window
#define ONCE LZD_INLINE
#endif

LZD_INLINE bool is_depthwise(WINDOW *s) { return LZD_DEPTHWISE && s->cg == 1u && s->fg == 1u; }

/* One tap that meets every pixel: a product of all pixels and the weight. */
LZD_INLINE bool is_pixel(WINDOW *s)
{
    return s->groups == 1u && s->kh == 1u && s->kw == 1u && s->sh == 1u && s->sw == 1u && s->ph == 0u && s->pw == 0u &&
           s->oh == s->h && s->ow == s->w;
}

/* Which taps of a window are inside, along one axis: tap k of result j reads position first + j * step + k * tap_step. */
typedef struct axis {
    int32_t first, step, tap_step, taps, side;
} axis;

/* The taps of result j that are inside. */
ONCE range taps_inside(const axis *a, uint32_t j)
{
    const int32_t at = a->first + (int32_t)j * a->step, by = a->tap_step < 0 ? -a->tap_step : a->tap_step;
    const int32_t before = a->tap_step < 0 ? at - a->side + 1 : -at; /* how far tap 0 lies before the first position inside */
    const int32_t after = a->tap_step < 0 ? at + 1 : a->side - at;  /* and how far it is from there to the end */
    const int32_t begin = before <= 0 ? 0 : by == 1 ? before : (before + by - 1) / by;
    const int32_t end = after <= 0 ? 0 : by == 1 ? after : (after + by - 1) / by;
    const range r = {(uint32_t)begin, (uint32_t)(end < a->taps ? end : a->taps)};
    return r;
}

/* Those of `count` results that have all taps inside. */
ONCE range all_inside(const axis *a, uint32_t count)
{
    const int32_t wide = (a->taps - 1) * a->tap_step, low = a->first + (wide < 0 ? wide : 0);
    const int32_t high = a->first + (wide < 0 ? 0 : wide), room = a->side - high; /* below 0 for none */
    const uint32_t begin = low < 0 ? (uint32_t)((a->step - 1 - low) / a->step) : 0u;
    const uint32_t end = room <= 0 ? 0u : (uint32_t)((room + a->step - 1) / a->step);
    const range r = {begin, end < count ? end : count};
    return r;
}

#endif
