/* What both forms of the `map` kernel share: slots, bits, casts to integers. */
#ifndef K_MAP_SLOTS_H
#define K_MAP_SLOTS_H

#include "lzd_attrs.h"

#if LZD_T_IS_F64
#define OPS LZD_NAMED(lzd_ops_f64)
#else
#define OPS LZD_NAMED(lzd_ops_f32)
#endif

/* Where the block that starts at element `at` lies in one slot, and its stride. */
typedef struct slot {
    uint8_t *at;
    int32_t stride;
    uint8_t dtype, bit; /* `bit`: of BITS, where in its byte the first element is */
} slot;

static inline bool get_bit(const uint8_t *from, ptrdiff_t at)
{
    return (from[(at - (at & 7)) / 8] >> (at & 7) & 1) != 0;
}
static inline void set_bit(uint8_t *to, size_t at, bool value)
{
    to[at / 8u] = (uint8_t)((to[at / 8u] & ~(1u << at % 8u)) | (uint32_t)value << at % 8u);
}

/* The integer nearest to a towards zero within low .. high; 0 for NaN. low and high are exact in T or out of its reach. */
static inline int32_t truncated(T a, int32_t low, int32_t high)
{
    return a != a ? 0 : a <= (T)low ? low : a >= (T)high ? high : (int32_t)a;
}

/* How many of n elements from `column` on come before the next border of the innermost window (low, extent). */
static inline uint32_t before_border(const uint32_t *window, uint32_t column, uint32_t n)
{
    uint32_t left = window[0] - column;
    if (column >= window[0]) {
        left = window[0] + window[1] - column;
        if (column - window[0] >= window[1]) {
            return n;
        }
    }
    return left < n ? left : n;
}

static const double zero = 0.0; /* what an input is outside its window, in every dtype */

#endif
