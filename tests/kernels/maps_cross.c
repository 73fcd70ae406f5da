/* Runs each program of a table twice, by the compiled loops and by the interpreter, on the same operands; prints how many ran and
 * the number of the first that differs. maps_table.h is written by tests/run/test_compiled_maps.py. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lzd_internal.h"
#include "maps_table.h"

#if TABLE_IS_F64
#define NAMED(name) name##_f64
#else
#define NAMED(name) name##_f32
#endif

extern lzd_kernel_fn NAMED(lzd_interpreter);
void NAMED(lzd_compiled)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end);
void NAMED(lzd_k_map)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end);

/* Equal bytes; a NaN is a NaN. */
static bool same(const uint8_t *a, const uint8_t *b, uint32_t bytes, uint32_t float_bytes)
{
    for (uint32_t i = 0; i < bytes; i += float_bytes ? float_bytes : 1u) {
        if (float_bytes == 4u) {
            float x, y;
            memcpy(&x, a + i, 4), memcpy(&y, b + i, 4);
            if (memcmp(a + i, b + i, 4) != 0 && !(x != x && y != y)) {
                return false;
            }
        } else if (float_bytes == 8u) {
            double x, y;
            memcpy(&x, a + i, 8), memcpy(&y, b + i, 8);
            if (memcmp(a + i, b + i, 8) != 0 && !(x != x && y != y)) {
                return false;
            }
        } else if (a[i] != b[i]) {
            return false;
        }
    }
    return true;
}

int main(void)
{
    NAMED(lzd_interpreter) = NAMED(lzd_k_map);
    const uint32_t *at = table; /* elements, n, n operands: bytes, of a float, first byte; scratch, n_words, last operand; words */
    for (uint32_t number = 0; number < N_PROGRAMS; number++) {
        const uint32_t elements = at[0], n = at[1], *const operands = at + 2, *const words = operands + 3u * n + 3u;
        void *p[2][32];
        for (uint32_t k = 0; k < n; k++) {
            for (uint32_t way = 0; way < 2u; way++) {
                p[way][k] = malloc(operands[3u * k]);
                memcpy(p[way][k], data + operands[3u * k + 2u], operands[3u * k]);
            }
        }
        const uint32_t begin = number % 3u == 0u ? 0u : elements / 3u, end = number % 3u == 2u ? elements - elements / 3u : elements;
        NAMED(lzd_compiled)(p[0], words, begin, end);
        NAMED(lzd_k_map)(p[1], words, begin, end);
        for (uint32_t k = 0; k + operands[3u * n] < n; k++) { /* but for the scratch */
            if (!same(p[0][k], p[1][k], operands[3u * k], operands[3u * k + 1u])) {
                printf("%u differs\n", number);
                return 1;
            }
        }
        for (uint32_t k = 0; k < n; k++) {
            free(p[0][k]), free(p[1][k]);
        }
        at = words + words[-2];
    }
    printf("%u the same\n", (uint32_t)N_PROGRAMS);
    return 0;
}
