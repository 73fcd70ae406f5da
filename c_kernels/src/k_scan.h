/* Scans over the middle axis of (outer, red, inner); contracts in lzd_attrs.h. */
#include "lzd_attrs.h"

void SUFFIX(lzd_k_cumsum)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    const T *x = p[LZD_CUMSUM_P_X]; /* (outer, red, inner) */
    T *out = p[LZD_CUMSUM_P_OUT];   /* (outer, red, inner) */
    const uint32_t outer = v[LZD_CUMSUM_OUTER], red = v[LZD_CUMSUM_RED], inner = v[LZD_CUMSUM_INNER];
    const bool reverse = v[LZD_CUMSUM_REVERSE] != 0u;
    const size_t row = (size_t)red * inner;
    (void)begin, (void)end;
    for (uint32_t o = 0; o < outer; o++, x += row, out += row) {
        for (uint32_t i = 0; i < inner; i++) {
            T sum = 0;
            for (uint32_t k = 0; k < red; k++) {
                const size_t at = (size_t)(reverse ? red - 1u - k : k) * inner + i;
                sum += x[at];
                out[at] = sum;
            }
        }
    }
}
