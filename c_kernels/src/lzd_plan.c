/* Names, places and descriptions in a plan that has been checked. */
#include "lzd_internal.h"

#include <string.h>

static bool same(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

static const char *name_at(const uint32_t *plan, uint32_t offset) { return (const char *)lzd_section(plan, H_STRINGS) + offset; }

uintptr_t lzd_base(const lzd_model *model, uint32_t region)
{
    switch (region) {
    case REGION_RAM: return (uintptr_t)model;
    case REGION_CONST: return (uintptr_t)lzd_section(model->plan, H_CONSTS);
    case REGION_ZERO: return 0u;
    default: return (uintptr_t)((const lzd_spread *)(const void *)model)->more[region - REGION_ZERO - 1u];
    }
}

void *lzd_place(const lzd_model *model, uint32_t buffer)
{
    const uint32_t *b = lzd_buffer_at(model->plan, buffer);
    return (void *)(lzd_base(model, lzd_region(b)) + b[1]);
}

uint32_t lzd_ram_bytes(const void *plan, size_t plan_bytes)
{
    const uint32_t *h = plan;
    return plan != NULL && ((uintptr_t)plan & 3u) == 0u && plan_bytes >= H_WORDS * 4u && h[H_MAGIC] == 0x1A505A4Cu ? h[H_RAM] : 0u;
}

uint32_t lzd_regions(const void *plan, size_t plan_bytes, uint32_t *bytes)
{
    const uint32_t *h = plan;
    uint32_t n = lzd_ram_bytes(plan, plan_bytes) != 0u ? 1u : 0u;
    if (n != 0u && lzd_has_regions(h)) {
        n = plan_bytes > H_REGIONS * 4u && h[H_N_REGIONS] <= LZD_MAX_REGIONS ? h[H_N_REGIONS] : 0u;
        n = plan_bytes >= (H_REGIONS + R_WORDS * n) * 4u ? n : 0u;
    }
    for (uint32_t k = 0; k < n; k++) {
        bytes[k] = lzd_used(h, k);
    }
    return n;
}

static uint32_t find_symbol(const uint32_t *plan, uint32_t first, uint32_t count, const char *name)
{
    for (uint32_t s = first; s < first + count; s++) {
        if (same(name_at(plan, lzd_symbol_at(plan, s)[S_NAME]), name)) {
            return s;
        }
    }
    return LZD_NONE;
}

uint32_t lzd_find(const lzd_model *model, const char *name) { return find_symbol(model->plan, 0u, model->plan[H_N_STATE], name); }

uint32_t lzd_find_entry(const lzd_model *model, const char *name)
{
    for (uint32_t e = 0; e < model->plan[H_N_ENTRIES]; e++) {
        if (same(name_at(model->plan, lzd_entry_at(model->plan, e)[E_NAME]), name)) {
            return e;
        }
    }
    return LZD_NONE;
}

uint32_t lzd_find_io(const lzd_model *model, uint32_t entry, const char *name)
{
    if (entry >= model->plan[H_N_ENTRIES]) {
        return LZD_NONE;
    }
    const uint32_t *e = lzd_entry_at(model->plan, entry);
    const uint32_t found = find_symbol(model->plan, e[E_INPUT], e[E_N_INPUTS], name);
    return found != LZD_NONE ? found : find_symbol(model->plan, e[E_OUTPUT], e[E_N_OUTPUTS], name);
}

lzd_status lzd_describe(const lzd_model *model, uint32_t symbol, lzd_symbol *out)
{
    const uint32_t *plan = model->plan;
    if (symbol >= plan[H_N_SYMBOLS]) {
        return LZD_ERROR_INDEX;
    }
    const uint32_t *s = lzd_symbol_at(plan, symbol), *b = lzd_buffer_at(plan, s[S_BUFFER]);
    out->name = name_at(plan, s[S_NAME]);
    out->dims = lzd_section(plan, H_DIMS) + s[S_DIMS];
    out->rank = s[S_RANK];
    out->bytes = b[2];
    out->kind = (uint8_t)lzd_kind(b);
    out->dtype = (uint8_t)lzd_dtype(b);
    out->region = (uint8_t)lzd_region(b);
    out->buffer = s[S_BUFFER];
    return LZD_OK;
}

lzd_status lzd_describe_entry(const lzd_model *model, uint32_t entry, lzd_entry *out)
{
    if (entry >= model->plan[H_N_ENTRIES]) {
        return LZD_ERROR_INDEX;
    }
    const uint32_t *e = lzd_entry_at(model->plan, entry);
    out->name = name_at(model->plan, e[E_NAME]);
    out->first_input = e[E_INPUT], out->n_inputs = e[E_N_INPUTS];
    out->first_output = e[E_OUTPUT], out->n_outputs = e[E_N_OUTPUTS];
    out->n_steps = e[E_N_STEPS];
    return LZD_OK;
}

void *lzd_data(const lzd_model *model, uint32_t symbol)
{
    if (symbol >= model->plan[H_N_SYMBOLS]) {
        return NULL;
    }
    const uint32_t buffer = lzd_symbol_at(model->plan, symbol)[S_BUFFER];
    return lzd_in_ram(lzd_buffer_at(model->plan, buffer)) ? lzd_place(model, buffer) : NULL;
}

lzd_status lzd_write(lzd_model *model, uint32_t symbol, const void *from, size_t bytes)
{
    lzd_symbol s;
    if (lzd_describe(model, symbol, &s) != LZD_OK) {
        return LZD_ERROR_INDEX;
    }
    if (!lzd_in_ram(lzd_buffer_at(model->plan, s.buffer))) {
        return LZD_ERROR_READ_ONLY;
    }
    if (bytes != s.bytes) {
        return LZD_ERROR_SIZE;
    }
    memcpy(lzd_place(model, s.buffer), from, bytes);
    return LZD_OK;
}

lzd_status lzd_read(const lzd_model *model, uint32_t symbol, void *to, size_t bytes)
{
    lzd_symbol s;
    if (lzd_describe(model, symbol, &s) != LZD_OK) {
        return LZD_ERROR_INDEX;
    }
    if (bytes != s.bytes) {
        return LZD_ERROR_SIZE;
    }
    if (s.region == REGION_ZERO) {
        memset(to, 0, bytes);
    } else {
        memcpy(to, lzd_place(model, s.buffer), bytes);
    }
    return LZD_OK;
}

const lzd_kernel *lzd_find_kernel(uint32_t number)
{
    const uint32_t at = number <= lzd_last_kernel ? lzd_kernel_at[number] : LZD_NO_KERNEL;
    return at != LZD_NO_KERNEL ? lzd_kernels + at : NULL;
}

uint32_t lzd_step_reads(const uint32_t *step)
{
    if (lzd_is_map(step)) {
        return step[STEP_HEAD + lzd_operands(step)];
    }
    const lzd_kernel *kernel = lzd_find_kernel(step[0] & 0xFFFFu);
    uint32_t n = 0;
    while (n < kernel->n_operands && kernel->operands[n].mode == MODE_IN) {
        n++;
    }
    return n;
}
