/* Reads the attribute words of a `map` step (lazydiff/kernels/program.py). */
#include "lzd_internal.h"

bool lzd_map_words(const uint32_t *v, uint32_t n_words, lzd_map *out)
{
    if (n_words < 7u) {
        return false;
    }
    out->n_in = v[0], out->n_out = v[1], out->n_temp = v[2], out->n_instr = v[3];
    out->block = v[4], out->tile = v[5], out->rank = v[6] & 0xFFu;
    const uint32_t n_windows = v[6] >> 8;
    if (n_windows > out->n_in * out->rank || out->rank > MAX_RANK || out->n_in > 255u || out->n_out > 255u || out->n_temp > 255u || out->n_instr > 0xFFFFu) {
        return false;
    }
    out->dims = v + 7;
    out->inputs = out->dims + out->rank;
    out->windows = out->inputs + out->n_in * (2u + out->rank);
    out->outputs = out->windows + n_windows * 2u * out->rank;
    out->code = out->outputs + out->n_out;
    return n_words == LZD_NONE || n_words == (uint32_t)(out->code - v) + 2u * out->n_instr;
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
