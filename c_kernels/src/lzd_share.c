/* Cuts large steps, and groups of them, into ranges of rows for several threads. Who computes a row changes no bit of it. */
#include "lzd_share.h"

#if LZD_THREADS

#include <string.h>

enum { PIECES = 4 /* at most, for each thread: who is late, or on a slower core, leaves some to the others */ };

static const uint32_t *attrs_of(const uint32_t *step) { return step + STEP_HEAD + lzd_operands(step); }

/* How much a step does, in a product's multiply-adds. Who loads and stores for each operation is about four times as slow. */
static uint64_t step_work(const uint32_t *step)
{
    const uint32_t *v = attrs_of(step);
    if (lzd_is_map(step)) {
        return 4u * (uint64_t)lzd_map_size(v) * v[3];
    }
    const uint32_t at = lzd_kernel_at[step[0] & 0xFFFFu];
    uint64_t extents[LZD_MAX_EXTENTS], sum = 0;
    if (lzd_kernel_work[at] != NULL) {
        return lzd_kernel_work[at](v);
    }
    lzd_kernels[at].extents(v, extents);
    for (uint32_t k = 0; k < lzd_operands(step); k++) {
        sum = sat_add(sum, extents[k]);
    }
    return sat_mul(sum, 4u);
}

/* Do these rows of a group's first step go with whole bytes of bits in each of its maps? */
static bool whole_bytes(const lzd_job *job, uint32_t rows)
{
    for (const uint32_t *step = job->group.first; step < job->behind; step += lzd_step_words(step)) {
        if (lzd_is_map(step) && lzd_group_at(&job->group, rows, lzd_step_rows(step)) % 8u != 0u) {
            return false;
        }
    }
    return true;
}

/* What each operand of a kernel takes a row, where it is an output; false if it can't be cut: no rows, or not one output. */
static bool cut_kernel(lzd_job *job, const uint32_t *step)
{
    const lzd_kernel *kernel = lzd_find_kernel(step[0] & 0xFFFFu);
    uint64_t extents[LZD_MAX_EXTENTS];
    kernel->extents(attrs_of(step), extents);
    uint32_t outputs = 0;
    for (uint32_t k = 0; k < kernel->n_operands; k++) {
        const uint32_t dtype = kernel->operands[k].dtype != 0u ? kernel->operands[k].dtype : step[0] >> 16;
        const bool output = kernel->operands[k].mode == MODE_OUT;
        job->row_bytes[k] = output && job->group.rows != 0u ? (size_t)(extents[k] / job->group.rows) << lzd_itemshift(dtype) : 0u;
        outputs += output;
    }
    return job->group.rows != 0u && outputs == 1u;
}

/* The rows that a piece must have a multiple of; 0 if this can't be cut. */
static uint32_t unit_of(lzd_job *job)
{
    const lzd_group *g = &job->group;
    if (g->tile == 0u) {
        return lzd_is_map(g->first) ? LZD_LINE : cut_kernel(job, g->first) ? 1u : 0u;
    }
    uint32_t unit = g->tile;
    while (unit < g->rows && !whole_bytes(job, unit)) {
        unit += g->tile;
    }
    return unit;
}

/* Gives each further thread its own temporaries and tiles in what begins at a step: their records move to REGION_OWN. Returns the
 * bytes that they take. */
static size_t make_own(lzd_job *job)
{
    size_t used = 0;
    for (const uint32_t *step = job->group.first; step < job->behind; step += lzd_step_words(step)) {
        for (uint32_t k = 0; k < lzd_operands(step); k++) {
            uint32_t *const b = job->buffers + B_WORDS * step[STEP_HEAD + k], mode = lzd_mode_of(step, k);
            const bool tile = job->group.tile != 0u && mode == MODE_OUT &&
                              lzd_is_part(&job->group, step[STEP_HEAD + k], lzd_operand_elements(step, k));
            if (lzd_region(b) != REGION_OWN && (tile || mode == MODE_SCRATCH)) {
                b[0] = (b[0] & ~0xFFu) | REGION_OWN;
                b[1] = (uint32_t)used;
                used += ((size_t)b[2] + LZD_LINE - 1u) / LZD_LINE * LZD_LINE;
            }
        }
    }
    return used;
}

void lzd_put_back(lzd_job *job)
{
    for (const uint32_t *step = job->group.first; step < job->behind; step += lzd_step_words(step)) {
        for (uint32_t k = 0; k < lzd_operands(step); k++) {
            const size_t at = (size_t)B_WORDS * step[STEP_HEAD + k];
            memcpy(job->buffers + at, job->at.buffers + at, B_WORDS * sizeof *job->buffers);
        }
    }
}

/* The job is what begins at a step: that step, or the group up to the one that hands no tile on. */
static void begin_at(lzd_job *job, const uint32_t *first)
{
    job->group = lzd_group_of(job->at.buffers, first);
    job->behind = first + lzd_step_words(first);
    for (const uint32_t *step = first; step[2] != 0u; step = job->behind, job->behind += lzd_step_words(step)) {
    }
}

/* Does any step of it add rows up? Such sums have one order. */
static bool adds(const lzd_job *job)
{
    for (const uint32_t *step = job->group.first; step < job->behind; step += lzd_step_words(step)) {
        for (uint32_t k = 0; k < lzd_operands(step); k++) {
            if (lzd_mode_of(step, k) == MODE_ADD) {
                return true;
            }
        }
    }
    return false;
}

const uint32_t *lzd_cut(lzd_job *job, const lzd_places *at, const uint32_t *first, uint32_t n, uint32_t least_work)
{
    job->at = *at;
    begin_at(job, first);
    uint64_t work = 0;
    for (const uint32_t *step = first; step < job->behind; step += lzd_step_words(step)) {
        work = sat_add(work, step_work(step));
    }
    if (work < least_work || adds(job)) {
        return NULL;
    }
    memset(job->row_bytes, 0, sizeof job->row_bytes);
    job->unit = unit_of(job);
    if (job->unit == 0u || job->unit >= job->group.rows) {
        return NULL;
    }
    job->units = job->group.rows / job->unit + (job->group.rows % job->unit != 0u);
    const uint64_t each = least_work == 0u ? PIECES : work / least_work / n;
    const uint32_t pieces = n * (uint32_t)(each < 1u ? 1u : each > PIECES ? PIECES : each);
    job->pieces = pieces < job->units ? pieces : job->units;
    (void)make_own(job);
    return job->behind;
}

static uint32_t row_of(const lzd_job *job, uint32_t piece)
{
    const uint32_t unit = (uint32_t)((uint64_t)job->units * piece / job->pieces);
    return unit < job->units ? unit * job->unit : job->group.rows;
}

void lzd_run_piece(const lzd_job *job, uint32_t piece, uint8_t *scratch)
{
    void *p[LZD_MAX_EXTENTS + MAX_OPERANDS];
    lzd_places at = job->at;
    lzd_group g = job->group;
    if (scratch != NULL) {
        at.base[REGION_OWN] = (uintptr_t)scratch;
        at.buffers = g.buffers = job->buffers;
    }
    const uint32_t begin = row_of(job, piece), end = row_of(job, piece + 1u);
    if (g.tile != 0u) {
        (void)lzd_run_rows(&at, p, &g, begin, end);
        return;
    }
    lzd_ready r;
    (void)lzd_prepare(&at, g.first, p, &r);
    for (uint32_t k = 0; k < LZD_MAX_EXTENTS && k < lzd_operands(g.first); k++) {
        p[k] = (uint8_t *)p[k] + job->row_bytes[k] * begin;
    }
    r.run(r.p, r.attrs, begin, end);
}

size_t lzd_own_bytes(lzd_job *job, const uint32_t *plan)
{
    size_t most = 0;
    const uint32_t *step = lzd_section(plan, H_STEPS), *const end = step + plan[H_N_STEP_WORDS];
    job->at.buffers = lzd_section(plan, H_BUFFERS);
    for (; step < end; step = job->behind) {
        begin_at(job, step);
        const size_t bytes = make_own(job);
        lzd_put_back(job);
        most = bytes > most ? bytes : most;
    }
    return most;
}

#endif
