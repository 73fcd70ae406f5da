/* A model whose elementwise steps run by other functions than its library's, of the same bits (lazydiff/run/loops.py). */
#ifndef LZD_MAPS_H
#define LZD_MAPS_H

#include <string.h>

#include "lzd_internal.h"

typedef lzd_kernel_fn lzd_maps;

/* The bytes of a table of kernels. */
static size_t lzd_kernels_bytes(void)
{
    size_t rows = 0;
    for (uint32_t number = 0; number <= lzd_last_kernel; number++) {
        const uint8_t at = lzd_kernel_at[number];
        rows = at != LZD_NO_KERNEL && at >= rows ? at + 1u : rows;
    }
    return rows * sizeof(lzd_kernel);
}

/* `table`, of lzd_kernels_bytes(), is the model's from here on: as it was, but for maps. By compute type, f32 and f64, the function
 * (NULL: as before) and a place for the library's own, which it may hand a step to. Stands behind lzd_set_simd. */
static void lzd_set_maps(lzd_model *model, void *table, lzd_maps f32, lzd_maps *own_f32, lzd_maps f64, lzd_maps *own_f64)
{
    memcpy(table, model->kernels, lzd_kernels_bytes());
    lzd_kernel *const map = (lzd_kernel *)table + lzd_kernel_at[MAP];
    if (f32 != NULL) {
        *own_f32 = map->f32;
        map->f32 = f32;
    }
    if (f64 != NULL) {
        *own_f64 = map->f64;
        map->f64 = f64;
    }
    model->kernels = table;
}

#endif
