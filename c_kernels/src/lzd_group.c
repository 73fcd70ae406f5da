/* Groups of steps that run together, range of rows after range of rows (plan/SPEC.md, tiles). */
#include "lzd_internal.h"

#define CHECK(condition, status) \
    do { \
        if (!(condition)) { \
            return (status); \
        } \
    } while (0)

static const uint32_t *buffer_at(const lzd_group *g, uint32_t buffer) { return g->buffers + B_WORDS * buffer; }

LZD_APART uint64_t lzd_operand_elements(const uint32_t *step, uint32_t operand)
{
    const uint32_t *v = step + STEP_HEAD + lzd_operands(step);
    if (lzd_is_map(step)) {
        return lzd_map_size(v);
    }
    uint64_t extents[LZD_MAX_EXTENTS];
    lzd_find_kernel(step[0] & 0xFFFFu)->extents(v, extents);
    return extents[operand];
}

LZD_APART uint32_t lzd_step_rows(const uint32_t *step)
{
    const uint32_t *v = step + STEP_HEAD + lzd_operands(step);
    if (lzd_is_map(step)) {
        return lzd_map_size(v);
    }
    const lzd_kernel *kernel = lzd_find_kernel(step[0] & 0xFFFFu);
    uint32_t rows = kernel->n_rows != 0u ? 1u : 0u;
    for (uint32_t k = 0; k < kernel->n_rows; k++) {
        rows *= v[kernel->rows[k]];
    }
    return rows;
}

lzd_group lzd_group_of(const uint32_t *buffers, const uint32_t *first)
{
    const lzd_group g = {buffers, first, lzd_step_rows(first), first[2]};
    return g;
}

uint32_t lzd_group_at(const lzd_group *g, uint32_t row, uint32_t rows)
{
    return rows >= g->rows ? row * (rows / g->rows) : row / (g->rows / rows);
}

LZD_APART bool lzd_is_part(const lzd_group *g, uint32_t buffer, uint64_t elements)
{
    const uint32_t *b = buffer_at(g, buffer);
    return g->tile >= g->rows || lzd_bytes(elements, lzd_dtype(b)) > b[2];
}

/* All elements of what the group's steps before `end` write into a buffer; 0 if they write none of it, PARTIAL if it is added
 * up, so that nobody in the group may read it. Scratch counts not. */
#define PARTIAL UINT64_MAX
static LZD_APART uint64_t made(const lzd_group *g, const uint32_t *end, uint32_t buffer)
{
    for (const uint32_t *step = g->first; step < end; step += lzd_step_words(step)) {
        for (uint32_t k = lzd_step_reads(step); k < lzd_operands(step); k++) {
            const uint32_t mode = lzd_mode_of(step, k);
            if (mode != MODE_SCRATCH && step[STEP_HEAD + k] == buffer) {
                return mode == MODE_ADD ? PARTIAL : lzd_operand_elements(step, k);
            }
        }
    }
    return 0u;
}

static LZD_APART bool is_tile(const lzd_group *g, const uint32_t *end, uint32_t buffer)
{
    const uint64_t elements = made(g, end, buffer);
    return elements != 0u && elements != PARTIAL && lzd_is_part(g, buffer, elements);
}

/* Does each range of the first step's rows go with whole rows of this one? */
static bool go_together(const lzd_group *g, const uint32_t *step)
{
    const uint32_t rows = lzd_step_rows(step);
    if (rows == 0u) {
        return false;
    }
    if (rows % g->rows != 0u && (g->rows % rows != 0u || (g->tile < g->rows && g->tile % (g->rows / rows) != 0u))) {
        return false;
    }
    return step[2] == 0u || step[2] == lzd_group_at(g, g->tile, rows);
}

static lzd_status check_map(const lzd_group *g, const uint32_t *step)
{
    lzd_map m;
    lzd_map_parts(step + STEP_HEAD + lzd_operands(step), &m);
    const uint64_t elements = lzd_map_elements(&m);
    CHECK(m.tile != LZD_NONE || step == g->first, LZD_ERROR_STEP);
    for (uint32_t k = 0; k < m.n_in; k++) {
        const uint32_t buffer = step[STEP_HEAD + k];
        const uint64_t there = made(g, step, buffer);
        CHECK(k == m.tile ? there == elements && lzd_is_part(g, buffer, elements) : there == 0u, LZD_ERROR_STEP);
    }
    for (uint32_t k = 0; m.tiles && k < m.n_out; k++) {
        CHECK(m.outputs[k] != BITS && lzd_is_part(g, step[STEP_HEAD + m.n_in + k], elements), LZD_ERROR_STEP);
    }
    return LZD_OK;
}

static lzd_status check_kernel(const lzd_group *g, const uint32_t *step)
{
    const lzd_kernel *kernel = lzd_find_kernel(step[0] & 0xFFFFu);
    const bool later = step != g->first;
    CHECK(!later || (kernel->images && lzd_step_rows(step) == step[STEP_HEAD + kernel->n_operands]), LZD_ERROR_STEP);
    for (uint32_t k = 0; k < kernel->n_operands; k++) {
        const uint32_t buffer = step[STEP_HEAD + k], *b = buffer_at(g, buffer);
        const uint64_t elements = lzd_operand_elements(step, k), there = made(g, step, buffer);
        if (kernel->operands[k].mode == MODE_IN && (there != 0u || lzd_bytes(elements, lzd_dtype(b)) > b[2])) {
            CHECK(later && there == elements, LZD_ERROR_STEP);
        }
        CHECK(kernel->operands[k].mode != MODE_ADD || later, LZD_ERROR_STEP);
        CHECK(kernel->operands[k].mode != MODE_OUT || later || lzd_is_part(g, buffer, elements), LZD_ERROR_STEP);
    }
    return LZD_OK;
}

lzd_status lzd_check_group(const lzd_group *g, const uint32_t *step)
{
    CHECK(step == g->first || go_together(g, step), LZD_ERROR_STEP);
    const lzd_status status = lzd_is_map(step) ? check_map(g, step) : check_kernel(g, step);
    CHECK(status == LZD_OK, status);
    const uint32_t *const behind = step + lzd_step_words(step);
    for (uint32_t w = lzd_step_reads(step); w < lzd_operands(step); w++) {
        for (const uint32_t *other = g->first; other < step; other += lzd_step_words(other)) {
            for (uint32_t k = 0; k < lzd_operands(other); k++) {
                if (lzd_overlap(buffer_at(g, step[STEP_HEAD + w]), buffer_at(g, other[STEP_HEAD + k]))) {
                    CHECK(is_tile(g, behind, step[STEP_HEAD + w]) && is_tile(g, step, other[STEP_HEAD + k]), LZD_ERROR_OVERLAP);
                }
            }
        }
    }
    return LZD_OK;
}
