/* Opens a plan in a block of RAM, and runs its entries. */
#include "lzd_internal.h"

#include <string.h>

#if LZD_THREADS /* whose pieces are run by lzd_share.c */
#define SHARED
#else
#define SHARED static
#endif

typedef char model_fits_its_bytes[sizeof(lzd_model) <= LZD_EXECUTOR_BYTES(1u) ? 1 : -1];
typedef char spread_model_fits_them_too[sizeof(lzd_spread) <= LZD_EXECUTOR_BYTES(LZD_MAX_REGIONS > 1u ? LZD_MAX_REGIONS : 2u) ? 1 : -1];

const char *lzd_status_text(lzd_status status)
{
    static const char *const texts[LZD_STATUS_COUNT] = {
        "ok",
        "the plan must lie at a multiple of 8 bytes, the RAM at a multiple of 16",
        "the plan is not as long as it says: truncated or padded",
        "these bytes are not a lazydiff plan",
        "the plan has another format version or a newer kernel table than this runtime",
        "the plan was made for the other byte order",
        "the plan's bytes have changed since it was written (CRC)",
        "the plan's header names a section or a count out of range",
        "the plan has a buffer out of range",
        "the plan has a symbol out of range",
        "the plan has an entry out of range",
        "the plan has a step with a kernel, operand or attribute out of range",
        "the plan needs a kernel or an opcode that this build does not have",
        "a step of the plan writes over bytes that are still needed, or reads bytes that hold nothing",
        "a RAM block is smaller than the plan needs, or missing",
        "there is no such entry or symbol",
        "the number of bytes is not the symbol's",
        "this symbol can't be written",
        "an input holds a value outside its range, such as a label too large",
        "an input that must be finite holds a NaN or an infinity",
        "this library has no kernels of that name, or this machine can't run them",
        "the threads could not be started: their number is out of range, or the system gives no more",
        "this build holds code that was generated for another plan",
    };
    return (unsigned)status < LZD_STATUS_COUNT ? texts[status] : "unknown status";
}

void lzd_reset(lzd_model *model)
{
    const uint32_t *plan = model->plan;
    for (uint32_t n = 0; n < plan[H_N_STATE]; n++) {
        const uint32_t *s = lzd_symbol_at(plan, n), *b = lzd_buffer_at(plan, s[S_BUFFER]);
        if (!lzd_in_ram(b)) {
            continue;
        }
        if (s[S_INIT] == LZD_NONE) {
            memset(lzd_place(model, s[S_BUFFER]), 0, b[2]);
        } else {
            memcpy(lzd_place(model, s[S_BUFFER]), (const uint8_t *)lzd_section(plan, H_INIT) + s[S_INIT], b[2]);
        }
    }
}

lzd_status lzd_open(lzd_model **model, const void *plan, size_t plan_bytes, void *ram, size_t ram_bytes)
{
    const lzd_block block = {ram, ram_bytes};
    return lzd_open_regions(model, plan, plan_bytes, &block, 1u);
}

lzd_status lzd_open_regions(lzd_model **model, const void *plan, size_t plan_bytes, const lzd_block *blocks, uint32_t n_blocks)
{
    *model = NULL;
    const lzd_status status = lzd_check(plan, plan_bytes, NULL);
    if (status != LZD_OK) {
        return status;
    }
    if (n_blocks != lzd_n_regions(plan)) {
        return LZD_ERROR_RAM;
    }
    for (uint32_t k = 0; k < n_blocks; k++) {
        const uint32_t used = lzd_used(plan, k);
        if (((uintptr_t)blocks[k].at & 15u) != 0u) {
            return LZD_ERROR_ALIGNMENT;
        }
        if (blocks[k].bytes < used || (blocks[k].at == NULL && used != 0u)) {
            return LZD_ERROR_RAM;
        }
    }
    lzd_model *made = blocks[0].at;
    made->plan = plan;
    for (uint32_t k = 1; k < n_blocks; k++) {
        ((lzd_spread *)blocks[0].at)->more[k - 1u] = blocks[k].at;
    }
    made->kernels = lzd_best_kernels();
    made->error_at = made->error_item = LZD_NONE;
    lzd_no_threads(made);
    lzd_reset(made);
    *model = made;
    return LZD_OK;
}

/* Is every element of an input what the plan expects? error_item says which is not. */
static lzd_status check_input(lzd_model *model, uint32_t symbol)
{
    const uint32_t *s = lzd_symbol_at(model->plan, symbol), *b = lzd_buffer_at(model->plan, s[S_BUFFER]);
    const bool wide = LZD_F64 && lzd_dtype(b) == F64, range = s[S_CHECK] == 1u;
    const uint32_t step = LZD_F64 && wide ? 2u : 1u, n = b[2] / lzd_itemsize(lzd_dtype(b));
    const uint32_t *const data = (const uint32_t *)lzd_place(model, s[S_BUFFER]) + (step - 1u), *at = data;
    const uint32_t *const end = s[S_CHECK] != 0u ? at + (size_t)n * step : at;
    if (range) { /* of an i32 */
        for (const int32_t low = (int32_t)s[S_LOW], high = (int32_t)s[S_HIGH]; at != end && (int32_t)*at >= low && (int32_t)*at <= high;) {
            at++;
        }
    } else { /* the exponent's bits tell NaN and infinity; of an f64 they are in every second word */
        for (const uint32_t mask = wide ? 0x7FF00000u : 0x7F800000u; at != end && (~*at & mask) != 0u;) {
            at += step;
        }
    }
    if (at == end) {
        return LZD_OK;
    }
    model->error_at = symbol;
    model->error_item = (uint32_t)(at - data) / step;
    return range ? LZD_ERROR_INPUT_RANGE : LZD_ERROR_INPUT_FINITE;
}

/* This is what a step costs beside its kernel, so it divides nothing and calls nothing. */
SHARED LZD_APART const uint32_t *lzd_prepare(const lzd_places *at, const uint32_t *step, void **p, lzd_ready *r)
{
    const uint32_t number = step[0] & 0xFFFFu, n_attrs = step[1] >> 16, *const buffers = at->buffers;
    const lzd_kernel *kernel = at->kernels + lzd_kernel_at[number];
    const uint32_t *operand = step + STEP_HEAD, *const v = operand + (step[1] & 0xFFFFu);
    r->p = p;
    r->run = step[0] >> 16 == F64 ? kernel->f64 : kernel->f32;
    r->attrs = v;
    do {
        const uint32_t *b = buffers + B_WORDS * *operand++;
        *p++ = (void *)(at->base[lzd_region(b)] + b[1]);
    } while (operand != v);
    uint32_t rows = 1u;
    if (number == MAP) {
        rows = lzd_map_size(v);
    } else {
        for (uint32_t k = 0; k < kernel->n_rows; k++) {
            rows *= v[kernel->rows[k]];
        }
    }
    r->rows = rows;
    return v + n_attrs;
}

/* A tiled step and the map behind it: a few rows of the one, then the map over their elements. Returns the step behind the map. */
static LZD_APART const uint32_t *run_tiles(const lzd_places *at, void **p, const uint32_t *step)
{
    lzd_ready product, map;
    const uint32_t *const map_step = lzd_prepare(at, step, p, &product);
    const uint32_t *const next = lzd_prepare(at, map_step, p + LZD_MAX_EXTENTS, &map); /* no tiled step has more operands */
    const uint32_t columns = map.rows / product.rows, tile = step[2];
    for (uint32_t row = 0; row < product.rows; row += tile) {
        const uint32_t end = product.rows - row < tile ? product.rows : row + tile;
        product.run(product.p, product.attrs, row, end);
        map.run(map.p, map.attrs, row * columns, end * columns);
    }
    return next;
}

/* One step of a group, made ready, for the rows `begin` .. end-1 of the group's first. A kernel behind the first makes each row
 * of an image of its own, so that it is given those images alone: a tile as it is, what is whole from there on. What adds rows up has
 * its sums whole, and has to know where it is. */
static void run_part(const lzd_group *g, const lzd_ready *r, void **p, const uint32_t *step, uint32_t begin, uint32_t end)
{
    begin = lzd_group_at(g, begin, r->rows);
    end = lzd_group_at(g, end, r->rows);
    if (step == g->first || lzd_is_map(step)) {
        r->run(r->p, r->attrs, begin, end);
        return;
    }
    const lzd_operand *const operands = lzd_find_kernel(step[0] & 0xFFFFu)->operands;
    uint32_t from = 0;
    for (uint32_t k = 0; k < lzd_operands(step); k++) {
        const uint32_t buffer = step[STEP_HEAD + k];
        const uint64_t elements = lzd_operand_elements(step, k);
        if (operands[k].mode == MODE_ADD) {
            from = begin;
        } else if (!lzd_is_part(g, buffer, elements)) {
            const size_t first = (size_t)((uint32_t)elements / r->rows) * begin;
            p[k] = (uint8_t *)p[k] + (first << lzd_itemshift(lzd_dtype(g->buffers + B_WORDS * buffer)));
        }
    }
    r->run(r->p, r->attrs, from, from + (end - begin));
}

SHARED LZD_APART const uint32_t *lzd_run_rows(const lzd_places *at, void **p, const lzd_group *g, uint32_t begin, uint32_t end)
{
    const uint32_t *step = g->first;
    for (uint32_t row = begin; row < end; row += g->tile) {
        const uint32_t stop = end - row < g->tile ? end : row + g->tile;
        uint32_t tile = 1u;
        for (step = g->first; tile != 0u;) {
            lzd_ready r;
            const uint32_t *const next = lzd_prepare(at, step, p, &r);
            run_part(g, &r, p, step, row, stop);
            tile = step[2];
            step = next;
        }
    }
    return step;
}

/* Runs the steps that run together from a tiled one on. Returns the step behind them. */
static const uint32_t *run_together(const lzd_places *at, void **p, const uint32_t *first)
{
    const uint32_t *const second = first + lzd_step_words(first);
    if (second[2] == 0u && lzd_is_map(second) && !lzd_is_map(first)) {
        return run_tiles(at, p, first);
    }
    const lzd_group g = lzd_group_of(at->buffers, first);
    return lzd_run_rows(at, p, &g, 0u, g.rows);
}

lzd_status lzd_run(lzd_model *model, uint32_t entry)
{
    if (entry >= model->plan[H_N_ENTRIES]) {
        return LZD_ERROR_INDEX;
    }
    const uint32_t *e = lzd_entry_at(model->plan, entry);
    for (uint32_t k = 0; k < e[E_N_INPUTS]; k++) {
        const lzd_status status = check_input(model, e[E_INPUT] + k);
        if (status != LZD_OK) {
            return status;
        }
    }
    const uint32_t *step = lzd_section(model->plan, H_STEPS) + e[E_STEP];
    const uint32_t *const end = step + e[E_STEP_WORDS];
    lzd_places at;
    at.kernels = model->kernels;
    at.buffers = lzd_section(model->plan, H_BUFFERS);
    for (uint32_t region = 0; region < REGION_ZERO + lzd_n_regions(model->plan); region++) {
        at.base[region] = lzd_base(model, region);
    }
    void *operands[LZD_MAX_EXTENTS + MAX_OPERANDS];
    if (!LZD_THREADS && lzd_laid_plan.plan == model->plan && lzd_laid_plan.ram == model) {
        const lzd_ready *r = lzd_laid_plan.steps + lzd_laid_plan.first[entry];
        for (const lzd_ready *const behind = lzd_laid_plan.steps + lzd_laid_plan.first[entry + 1u]; r < behind; r++) {
            if (r->run != NULL) {
                r->run(r->p, r->attrs, 0u, r->rows);
            } else {
                (void)run_together(&at, operands, r->attrs);
            }
        }
        return LZD_OK;
    }
    while (step < end) {
        const uint32_t *const behind = lzd_share(model, &at, step);
        if (behind != NULL) {
            step = behind;
        } else if (step[2] != 0u) {
            step = run_together(&at, operands, step);
        } else {
            lzd_ready r;
            step = lzd_prepare(&at, step, operands, &r);
            r.run(r.p, r.attrs, 0u, r.rows);
        }
    }
    return LZD_OK;
}

lzd_status lzd_call(lzd_model *model, uint32_t entry, const void *const *inputs, void *const *outputs)
{
    if (entry >= model->plan[H_N_ENTRIES]) {
        return LZD_ERROR_INDEX;
    }
    const uint32_t *e = lzd_entry_at(model->plan, entry);
    for (uint32_t k = 0; k < e[E_N_INPUTS]; k++) {
        const uint32_t buffer = lzd_symbol_at(model->plan, e[E_INPUT] + k)[S_BUFFER];
        memcpy(lzd_place(model, buffer), inputs[k], lzd_buffer_at(model->plan, buffer)[2]);
    }
    const lzd_status status = lzd_run(model, entry);
    for (uint32_t k = 0; status == LZD_OK && k < e[E_N_OUTPUTS]; k++) {
        const uint32_t symbol = e[E_OUTPUT] + k;
        if (outputs[k] != NULL) {
            (void)lzd_read(model, symbol, outputs[k], lzd_buffer_at(model->plan, lzd_symbol_at(model->plan, symbol)[S_BUFFER])[2]);
        }
    }
    return status;
}
