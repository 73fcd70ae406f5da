/* Judges the steps of one entry (SPEC rules 2 to 5), whose record and whose plan's buffers and symbols are in range. */
#include "lzd_internal.h"

#define CHECK(condition, status) \
    do { \
        if (!(condition)) { \
            return (status); \
        } \
    } while (0)

static bool holds(const uint32_t *buffer, uint32_t dtype, uint64_t elements)
{
    return lzd_dtype(buffer) == dtype && lzd_bytes(elements, dtype) <= buffer[2];
}

/* a / b, bit by bit: on a small core the compiler's own division of 64 bits is 0.9 KB of code. */
static uint64_t divided(uint64_t a, uint32_t b)
{
    uint64_t rest = 0, quotient = 0;
    for (uint32_t bit = 64u; bit-- > 0u;) {
        rest = rest << 1 | (a >> bit & 1u);
        quotient <<= 1;
        if (rest >= b) {
            rest -= b, quotient |= 1u;
        }
    }
    return quotient;
}

/* How many of an operand's elements its buffer has to hold in a group that begins at `first`. */
static uint64_t part_of(const uint32_t *plan, const uint32_t *step, uint32_t operand, const uint32_t *first, uint32_t mode, uint64_t elements)
{
    const uint32_t rows = lzd_step_rows(first);
    const lzd_group g = lzd_group_of(lzd_section(plan, H_BUFFERS), first);
    if (rows == 0u || mode >= MODE_SCRATCH || (step == first && mode == MODE_IN) || !lzd_is_part(&g, step[STEP_HEAD + operand], elements)) {
        return elements;
    }
    return divided(sat_mul(elements, g.tile), rows);
}

static lzd_status check_fixed(const uint32_t *plan, const uint32_t *step, const lzd_kernel *kernel, const uint32_t *first)
{
    const uint32_t n = lzd_operands(step), dtype = step[0] >> 16, tile = step[2];
    const uint32_t *v = step + STEP_HEAD + n;
    CHECK(n == kernel->n_operands && step[1] >> 16 == kernel->n_attrs, LZD_ERROR_STEP);
    for (uint32_t k = 0; k < kernel->n_attrs; k++) {
        CHECK(v[k] >= kernel->ranges[2u * k] && v[k] <= kernel->ranges[2u * k + 1u], LZD_ERROR_STEP);
    }
    uint64_t extents[LZD_MAX_EXTENTS];
    kernel->extents(v, extents);
    uint64_t rows = 1u;
    for (uint32_t k = 0; k < kernel->n_rows; k++) {
        rows = sat_mul(rows, v[kernel->rows[k]]);
    }
    CHECK(tile == 0u || (kernel->n_rows != 0u && tile <= rows), LZD_ERROR_STEP);
    for (uint32_t k = 0; k < n; k++) {
        uint64_t elements = extents[k];
        CHECK(elements <= LZD_MOST, LZD_ERROR_STEP);
        elements = first != NULL ? part_of(plan, step, k, first, kernel->operands[k].mode, elements) : elements;
        CHECK(holds(lzd_buffer_of(plan, step, k), kernel->operands[k].dtype != 0u ? kernel->operands[k].dtype : dtype, elements), LZD_ERROR_STEP);
    }
    for (uint32_t w = lzd_step_reads(step); w < n; w++) {
        for (uint32_t k = 0; k < n; k++) {
            CHECK(k == w || !lzd_overlap(lzd_buffer_of(plan, step, w), lzd_buffer_of(plan, step, k)), LZD_ERROR_OVERLAP);
        }
    }
    return LZD_OK;
}

static uint32_t slot_dtype(const lzd_map *m, uint32_t slot, uint32_t compute)
{
    return slot < m->n_in ? m->inputs[slot * (2u + m->rank)] & 0xFFu : slot < m->n_in + m->n_out ? m->outputs[slot - m->n_in] : compute;
}

static uint32_t argument(const lzd_map *m, uint32_t instruction, uint32_t which)
{
    const uint32_t word = m->code[2u * instruction];
    return which == 0u ? word >> 16 & 0xFFu : which == 1u ? word >> 24 : m->code[2u * instruction + 1u];
}
static uint32_t target(const lzd_map *m, uint32_t instruction) { return m->code[2u * instruction] >> 8 & 0xFFu; }
static uint32_t opcode(const lzd_map *m, uint32_t instruction) { return m->code[2u * instruction] & 0xFFu; }

/* Rule 4. */
static lzd_status check_code(const lzd_map *m, uint32_t dtype)
{
    uint32_t written[8] = {0}; /* a bit a slot */
    const uint32_t slots = m->n_in + m->n_out + m->n_temp;
    for (uint32_t s = 0; s < m->n_in; s++) {
        written[s / 32u] |= 1u << s % 32u;
    }
    for (uint32_t k = 0; k < m->n_instr; k++) {
        const uint32_t op = opcode(m, k), d = target(m, k);
        CHECK(op < lzd_op_count && (lzd_op_kinds[op] >> dtype & 2u) != 0u, LZD_ERROR_KERNEL);
        for (uint32_t a = 0; a < LZD_ARITY(op); a++) {
            const uint32_t s = argument(m, k, a);
            CHECK(s < slots && (written[s / 32u] >> s % 32u & 1u) != 0u, LZD_ERROR_STEP);
            const uint32_t kind = slot_dtype(m, s, dtype);
            const bool casts = (op == OP_LOAD && kind == F64) || (op == OP_STORE && kind != F64 && slot_dtype(m, d, dtype) == F64);
            CHECK(LZD_F64 || dtype == F64 || !casts, LZD_ERROR_KERNEL);
            CHECK(op == OP_LOAD ? s < m->n_in : kind == dtype || (op == OP_STORE && kind != BITS && kind == slot_dtype(m, d, dtype)), LZD_ERROR_STEP);
        }
        CHECK(d >= m->n_in && d < slots, LZD_ERROR_STEP);
        CHECK(op == OP_STORE ? d < m->n_in + m->n_out : slot_dtype(m, d, dtype) == dtype, LZD_ERROR_STEP);
        CHECK(d >= m->n_in + m->n_out || (written[d / 32u] >> d % 32u & 1u) == 0u, LZD_ERROR_STEP);
        written[d / 32u] |= 1u << d % 32u;
    }
    for (uint32_t s = m->n_in; s < m->n_in + m->n_out; s++) {
        CHECK((written[s / 32u] >> s % 32u & 1u) != 0u, LZD_ERROR_STEP);
    }
    return LZD_OK;
}

/* Does each element that a map reads of an input lie at the very bytes of the output's element that is made of it? Both sides of
 * the last comparison lie inside a buffer, so 32 bits hold them. */
static bool in_its_place(const lzd_map *m, const uint32_t *out_buffer, const uint32_t *in_buffer, uint32_t in)
{
    const uint32_t *const item = m->inputs + in * (2u + m->rank), window = item[0] >> 8, shift = lzd_itemshift(lzd_dtype(out_buffer));
    const uint32_t *pair = m->windows + 2u * m->rank * window;
    uint32_t step = 1u, first = 0u;
    for (uint32_t d = m->rank; d-- > 0u; step *= m->dims[d]) {
        uint32_t extent = m->dims[d];
        if (window != 0u) {
            pair -= 2;
            first += pair[0] * step;
            extent = pair[1];
        }
        if (extent == 0u || (extent != 1u && item[2u + d] != step)) {
            return false;
        }
    }
    return in_buffer[1] + (item[1] << shift) == out_buffer[1] + (first << shift);
}

/* Rule 3: may the output in slot `out` lie on the bytes of input `in`? */
static bool in_place(const lzd_map *m, const uint32_t *out_buffer, const uint32_t *in_buffer, uint32_t out, uint32_t in)
{
    const bool same = out_buffer[1] == in_buffer[1] && out_buffer[2] == in_buffer[2] && lzd_map_contiguous(m, in);
    if (lzd_dtype(out_buffer) != lzd_dtype(in_buffer) || (in == m->tile) != m->tiles ||
        !(same || (!m->tiles && lzd_dtype(out_buffer) != BITS && in_its_place(m, out_buffer, in_buffer, in)))) {
        return false;
    }
    bool done = false;
    for (uint32_t k = 0; k < m->n_instr; k++) {
        for (uint32_t a = 0; done && a < LZD_ARITY(opcode(m, k)); a++) {
            if (argument(m, k, a) == in) {
                return false;
            }
        }
        done = done || target(m, k) == out;
    }
    return true;
}

static uint32_t windows_of(const lzd_map *m)
{
    return m->rank != 0u ? (uint32_t)(m->outputs - m->windows) / (2u * m->rank) : 0u;
}

static lzd_status check_windows(const lzd_map *m)
{
    const uint32_t *pair = m->windows;
    for (uint32_t w = 0; w < windows_of(m); w++) {
        for (uint32_t d = 0; d < m->rank; d++, pair += 2) {
            CHECK(pair[0] <= m->dims[d] && pair[1] <= m->dims[d] - pair[0], LZD_ERROR_STEP);
        }
    }
    return LZD_OK;
}

static lzd_status check_reach(const uint32_t *plan, const uint32_t *step, const lzd_map *m, uint32_t in)
{
    const uint32_t *item = m->inputs + in * (2u + m->rank), *b = lzd_buffer_of(plan, step, in);
    const uint32_t dtype = item[0] & 0xFFu, window = item[0] >> 8;
    CHECK(dtype == lzd_dtype(b) && window <= windows_of(m), LZD_ERROR_STEP);
    if (in == m->tile) {
        return LZD_OK;
    }
    int64_t low = item[1], high = item[1];
    for (uint32_t d = 0; d < m->rank; d++) { /* |stride| < 2^31 and extents < 2^32, at most 8 of them: checked as it grows */
        const uint32_t extent = window != 0u ? m->windows[2u * ((window - 1u) * m->rank + d) + 1u] : m->dims[d];
        if (extent == 0u) { /* an empty window reads nothing */
            return LZD_OK;
        }
        const int64_t reach = (int64_t)(int32_t)item[2u + d] * (int64_t)(extent - 1u);
        CHECK(reach > -((int64_t)1 << 40) && reach < (int64_t)1 << 40, LZD_ERROR_STEP);
        low += reach < 0 ? reach : 0;
        high += reach > 0 ? reach : 0;
    }
    CHECK(low >= 0 && lzd_bytes((uint64_t)high + 1u, dtype) <= b[2], LZD_ERROR_STEP);
    return LZD_OK;
}

static lzd_status check_map(const uint32_t *plan, const uint32_t *step, const uint32_t *first)
{
    const uint32_t n = lzd_operands(step), dtype = step[0] >> 16;
    lzd_map m;
    CHECK(lzd_map_words(step + STEP_HEAD + n, step[1] >> 16, &m), LZD_ERROR_STEP);
    CHECK(m.n_in + m.n_out + m.n_temp <= 255u && m.n_out != 0u && m.block != 0u && m.tiles == (step[2] != 0u), LZD_ERROR_STEP);
    CHECK(n == m.n_in + m.n_out + (m.n_temp != 0u ? 1u : 0u), LZD_ERROR_STEP);
    const uint64_t elements = lzd_map_elements(&m);
    CHECK(elements != 0u && elements <= LZD_MOST && step[2] <= elements, LZD_ERROR_STEP);
    if (m.tile != LZD_NONE) {
        CHECK(m.tile < m.n_in && first != NULL && step != first && lzd_map_contiguous(&m, m.tile), LZD_ERROR_STEP);
    }
    lzd_status status = check_windows(&m);
    CHECK(status == LZD_OK, status);
    for (uint32_t k = 0; k < m.n_in; k++) {
        status = check_reach(plan, step, &m, k);
        CHECK(status == LZD_OK, status);
    }
    for (uint32_t k = 0; k < m.n_out; k++) {
        CHECK(holds(lzd_buffer_of(plan, step, m.n_in + k), m.outputs[k], m.tiles ? step[2] : elements), LZD_ERROR_STEP);
    }
    CHECK(m.n_temp == 0u || holds(lzd_buffer_of(plan, step, n - 1u), dtype, sat_mul(m.n_temp, m.block)), LZD_ERROR_STEP);
    status = check_code(&m, dtype);
    CHECK(status == LZD_OK, status);
    for (uint32_t w = m.n_in; w < n; w++) {
        for (uint32_t k = 0; k < n; k++) {
            const uint32_t *a = lzd_buffer_of(plan, step, w), *b = lzd_buffer_of(plan, step, k);
            if (k != w && lzd_overlap(a, b)) {
                CHECK(k < m.n_in && w < m.n_in + m.n_out && in_place(&m, a, b, w, k), LZD_ERROR_OVERLAP);
            }
        }
    }
    return LZD_OK;
}

static lzd_status check_step(const uint32_t *plan, const uint32_t *step, const uint32_t *first)
{
    const uint32_t n = lzd_operands(step), dtype = step[0] >> 16;
    CHECK(n != 0u && n <= MAX_OPERANDS && (dtype == F32 || dtype == F64), LZD_ERROR_STEP);
    const lzd_kernel *kernel = lzd_find_kernel(step[0] & 0xFFFFu);
    CHECK(kernel != NULL && (dtype == F32 ? kernel->f32 != NULL : kernel->f64 != NULL), LZD_ERROR_KERNEL);
    for (uint32_t k = 0; k < n; k++) {
        CHECK(step[STEP_HEAD + k] < plan[H_N_BUFFERS], LZD_ERROR_STEP);
        CHECK(lzd_region(lzd_buffer_of(plan, step, k)) != REGION_ZERO, LZD_ERROR_STEP);
    }
    lzd_status status = lzd_is_map(step) ? check_map(plan, step, first) : check_fixed(plan, step, kernel, first);
    CHECK(status == LZD_OK, status);
    if (first != NULL) {
        const lzd_group g = lzd_group_of(lzd_section(plan, H_BUFFERS), first);
        status = lzd_check_group(&g, step);
        CHECK(status == LZD_OK, status);
    }
    for (uint32_t k = lzd_step_reads(step); k < n; k++) {
        CHECK(lzd_in_ram(lzd_buffer_of(plan, step, k)), LZD_ERROR_STEP);
    }
    return LZD_OK;
}

/* Does `buffer` have its value before the first step? */
static bool is_given(const uint32_t *plan, const uint32_t *entry, uint32_t buffer)
{
    bool given = lzd_region(lzd_buffer_at(plan, buffer)) == REGION_CONST;
    for (uint32_t s = 0; s < plan[H_N_STATE]; s++) {
        given = given || lzd_symbol_at(plan, s)[S_BUFFER] == buffer;
    }
    for (uint32_t s = 0; s < entry[E_N_INPUTS]; s++) {
        given = given || lzd_symbol_at(plan, entry[E_INPUT] + s)[S_BUFFER] == buffer;
    }
    return given;
}

/* Rule 7. Does `buffer` have a value already, by the entry's start or by a step before `end`? */
static bool is_made(const uint32_t *plan, const uint32_t *entry, const uint32_t *end, uint32_t buffer)
{
    bool made = is_given(plan, entry, buffer);
    for (const uint32_t *step = lzd_section(plan, H_STEPS) + entry[E_STEP]; step < end; step += lzd_step_words(step)) {
        for (uint32_t k = lzd_step_reads(step); k < lzd_operands(step); k++) {
            made = made || step[STEP_HEAD + k] == buffer;
        }
    }
    return made;
}

/* Rule 5. Does `buffer` hold its value just before step `end` (a word pointer)? Finds the last step before it that writes
 * one of its bytes, by reading the entry from its start: there is no memory for a table, and steps have no backward links. */
static bool is_written(const uint32_t *plan, const uint32_t *entry, const uint32_t *end, uint32_t buffer)
{
    const uint32_t *wanted = lzd_buffer_at(plan, buffer);
    bool live = is_given(plan, entry, buffer);
    for (const uint32_t *step = lzd_section(plan, H_STEPS) + entry[E_STEP]; step < end; step += lzd_step_words(step)) {
        for (uint32_t k = lzd_step_reads(step); k < lzd_operands(step); k++) {
            if (step[STEP_HEAD + k] == buffer) {
                live = true;
            } else if (lzd_overlap(wanted, lzd_buffer_of(plan, step, k))) {
                live = false;
            }
        }
    }
    return live;
}

static lzd_status check_versions(const uint32_t *plan, const uint32_t *entry, uint32_t *at)
{
    const uint32_t *step = lzd_section(plan, H_STEPS) + entry[E_STEP];
    for (uint32_t n = 0; n < entry[E_N_STEPS]; n++, step += lzd_step_words(step)) {
        const uint32_t *before = step; /* a tiled step and its map read what was there before both, but for the tile */
        for (uint32_t k = 0; k < lzd_step_reads(step); k++) {
            *at = n;
            CHECK(is_written(plan, entry, before, step[STEP_HEAD + k]), LZD_ERROR_OVERLAP);
        }
        for (uint32_t k = lzd_step_reads(step); k < lzd_operands(step); k++) {
            CHECK(!is_made(plan, entry, step, step[STEP_HEAD + k]), LZD_ERROR_OVERLAP);
        }
    }
    for (uint32_t s = 0; s < plan[H_N_STATE]; s++) {
        uint32_t buffer = lzd_symbol_at(plan, s)[S_BUFFER];
        const uint32_t *pair = lzd_section(plan, H_UPDATES) + U_WORDS * entry[E_UPDATE];
        for (uint32_t k = 0; k < entry[E_N_UPDATES]; k++, pair += U_WORDS) {
            if (pair[0] == buffer) {
                buffer = pair[1];
                break;
            }
        }
        CHECK(is_written(plan, entry, step, buffer), LZD_ERROR_OVERLAP);
    }
    for (uint32_t s = 0; s < entry[E_N_OUTPUTS]; s++) {
        const uint32_t buffer = lzd_symbol_at(plan, entry[E_OUTPUT] + s)[S_BUFFER];
        CHECK(lzd_region(lzd_buffer_at(plan, buffer)) == REGION_ZERO || is_written(plan, entry, step, buffer), LZD_ERROR_OVERLAP);
    }
    return LZD_OK;
}

static lzd_status check_updates(const uint32_t *plan, const uint32_t *entry)
{
    const uint32_t *pair = lzd_section(plan, H_UPDATES) + U_WORDS * entry[E_UPDATE];
    for (uint32_t k = 0; k < entry[E_N_UPDATES]; k++, pair += U_WORDS) {
        CHECK(pair[0] < plan[H_N_BUFFERS] && pair[1] < plan[H_N_BUFFERS], LZD_ERROR_ENTRY);
        const uint32_t *a = lzd_buffer_at(plan, pair[0]), *b = lzd_buffer_at(plan, pair[1]);
        CHECK(lzd_region(a) == lzd_region(b) && lzd_dtype(a) == lzd_dtype(b) && a[1] == b[1] && a[2] == b[2], LZD_ERROR_ENTRY);
        bool owned = false;
        for (uint32_t s = 0; s < plan[H_N_STATE]; s++) {
            owned = owned || lzd_symbol_at(plan, s)[S_BUFFER] == pair[0];
        }
        CHECK(owned, LZD_ERROR_ENTRY);
    }
    return LZD_OK;
}

lzd_status lzd_check_entry(const uint32_t *plan, const uint32_t *entry, uint32_t *at)
{
    const uint32_t *step = lzd_section(plan, H_STEPS) + entry[E_STEP], *const end = step + entry[E_STEP_WORDS];
    const uint32_t *first = NULL; /* of the group that the step is in */
    for (uint32_t n = 0; n < entry[E_N_STEPS]; n++) {
        *at = n;
        CHECK(end - step >= STEP_HEAD && (uint32_t)(end - step) >= lzd_step_words(step), LZD_ERROR_STEP);
        first = first == NULL && step[2] != 0u ? step : first;
        const lzd_status status = check_step(plan, step, first);
        CHECK(status == LZD_OK, status);
        first = step[2] != 0u ? first : NULL;
        step += lzd_step_words(step);
    }
    *at = entry[E_N_STEPS];
    CHECK(step == end && first == NULL, LZD_ERROR_STEP);
    const lzd_status status = check_updates(plan, entry);
    CHECK(status == LZD_OK, status);
#if LZD_CHECK_VERSIONS
    return check_versions(plan, entry, at);
#else
    return LZD_OK;
#endif
}
