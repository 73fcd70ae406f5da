/* Reads the attribute words of a `map` step (lazydiff/kernels/program.py). */
#include "lzd_internal.h"

bool lzd_map_words(const uint32_t *v, uint32_t n_words, lzd_map *out)
{
    if (n_words < 7u || v[0] > 255u || v[1] > 255u || v[2] > 255u || v[3] > 0xFFFFu || (v[6] & 0xFFu) > MAX_RANK ||
        v[6] >> 8 > v[0] * (v[6] & 0xFFu) || (v[5] >= 512u && v[5] != LZD_NONE)) {
        return false;
    }
    lzd_map_parts(v, out);
    return n_words == (uint32_t)(out->code - v) + 2u * out->n_instr;
}

uint64_t lzd_map_elements(const lzd_map *map)
{
    uint64_t elements = 1u;
    for (uint32_t d = 0; d < map->rank; d++) {
        elements = sat_mul(elements, map->dims[d]);
    }
    return elements;
}

uint64_t lzd_bytes(uint64_t elements, uint32_t dtype)
{
    return dtype == BITS ? elements / 8u + (elements % 8u != 0u) : sat_mul(elements, lzd_itemsize(dtype));
}

bool lzd_map_contiguous(const lzd_map *map, uint32_t input)
{
    const uint32_t *item = map->inputs + input * (2u + map->rank);
    uint32_t step = 1u;
    if (item[0] >> 8 != 0u) {
        return false;
    }
    for (uint32_t d = map->rank; d-- > 0u;) {
        if (map->dims[d] != 1u && item[2u + d] != step) {
            return false;
        }
        step *= map->dims[d];
    }
    return item[1] == 0u;
}
