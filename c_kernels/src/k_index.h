/* Rows picked and added up by number; contracts in lzd_attrs.h. An index may be any number: it is moved inside. */
#include "lzd_attrs.h"

LZD_INLINE uint32_t inside(int32_t index, uint32_t red)
{
    return index < 0 ? 0u : (uint32_t)index < red ? (uint32_t)index : red - 1u;
}

void SUFFIX(lzd_k_take)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    const T *x = p[LZD_TAKE_P_X];             /* (outer, red, inner) */
    const int32_t *index = p[LZD_TAKE_P_INDEX]; /* (count) */
    T *out = p[LZD_TAKE_P_OUT];               /* rows begin .. end-1 of (outer * count, inner) */
    const uint32_t red = v[LZD_TAKE_RED], count = v[LZD_TAKE_COUNT], inner = v[LZD_TAKE_INNER];
    uint32_t o = begin / count, j = begin % count;
    for (uint32_t row = begin; row < end; row++, out += inner) {
        const T *from = x + ((size_t)o * red + inside(index[j], red)) * inner;
        for (uint32_t i = 0; i < inner; i++) {
            out[i] = from[i];
        }
        if (++j == count) {
            j = 0;
            o++;
        }
    }
}

/* Every index is looked at once for each o that has rows among begin .. end-1. */
void SUFFIX(lzd_k_add_rows)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    const T *x = p[LZD_ADD_ROWS_P_X];             /* (outer, count, inner) */
    const int32_t *index = p[LZD_ADD_ROWS_P_INDEX]; /* (count) */
    T *out = p[LZD_ADD_ROWS_P_OUT];               /* rows begin .. end-1 of (outer * red, inner) */
    const uint32_t red = v[LZD_ADD_ROWS_RED], count = v[LZD_ADD_ROWS_COUNT], inner = v[LZD_ADD_ROWS_INNER];
    for (size_t k = 0; k < (size_t)(end - begin) * inner; k++) {
        out[k] = 0;
    }
    uint32_t o = begin / red, r = begin % red; /* the first row */
    for (uint32_t row = begin; row < end; o++, r = 0) {
        const uint32_t rows = red - r < end - row ? red - r : end - row; /* of this o */
        const T *from = x + (size_t)o * count * inner;
        for (uint32_t j = 0; j < count; j++, from += inner) {
            const uint32_t to = inside(index[j], red);
            if (to >= r && to - r < rows) {
                T *sum = out + (size_t)(row - begin + to - r) * inner;
                for (uint32_t i = 0; i < inner; i++) {
                    sum[i] += from[i];
                }
            }
        }
        row += rows;
    }
}
