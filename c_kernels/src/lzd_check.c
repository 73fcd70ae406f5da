/* Judges the header, the sections and the records of a plan (SPEC rules 1, 2, 6). Nothing is trusted: a field is used only
 * after it has been found in range. */
#include "lzd_internal.h"

static lzd_status fail(uint32_t *at, uint32_t where, lzd_status status)
{
    *at = where;
    return status;
}

/* The CRC-32 of some bytes, behind those of which `crc` is that of; 0 at the start. */
static uint32_t crc32_of(uint32_t crc, const uint8_t *data, size_t n)
{
    static const uint32_t table[16] = { /* the polynomial 0xEDB88320, four bits at a time */
        0x00000000u, 0x1DB71064u, 0x3B6E20C8u, 0x26D930ACu, 0x76DC4190u, 0x6B6B51F4u, 0x4DB26158u, 0x5005713Cu,
        0xEDB88320u, 0xF00F9344u, 0xD6D6A3E8u, 0xCB61B38Cu, 0x9B64C2B0u, 0x86D3D2D4u, 0xA00AE278u, 0xBDBDF21Cu,
    };
    crc = ~crc;
    for (size_t i = 0; i < n; i++) {
        crc ^= data[i];
        crc = crc >> 4 ^ table[crc & 15u];
        crc = crc >> 4 ^ table[crc & 15u];
    }
    return ~crc;
}

static lzd_status check_header(const uint32_t *h, size_t plan_bytes)
{
    if (((uintptr_t)h & 7u) != 0u) {
        return LZD_ERROR_ALIGNMENT;
    }
    if (h == NULL || plan_bytes < H_WORDS * 4u) {
        return LZD_ERROR_TRUNCATED;
    }
    if (h[H_MAGIC] == 0x4C5A501Au) {
        return LZD_ERROR_BYTE_ORDER;
    }
    if (h[H_MAGIC] != 0x1A505A4Cu) {
        return LZD_ERROR_MAGIC;
    }
    if (h[H_ORDER] != 0x01020304u) {
        return LZD_ERROR_BYTE_ORDER;
    }
    const uint32_t table = h[H_VERSIONS] >> 16;
    if (((h[H_VERSIONS] & 0xFFFFu) != LZD_FORMAT_VERSION && !lzd_has_regions(h)) || table == 0u || table > LZD_TABLE_VERSION) {
        return LZD_ERROR_VERSION;
    }
    if (h[H_TOTAL] != plan_bytes || plan_bytes % 8u != 0u) {
        return LZD_ERROR_TRUNCATED;
    }
#if LZD_CHECK_CRC
    if (crc32_of(crc32_of(0u, (const uint8_t *)h, 16u), (const uint8_t *)(h + 5), plan_bytes - 20u) != h[H_CRC]) {
        return LZD_ERROR_CRC;
    }
#endif
    if (lzd_generated_for != 0u && lzd_generated_for != h[H_CRC]) {
        return LZD_ERROR_GENERATED;
    }
    if (h[H_ALIGN] != 8u && h[H_ALIGN] != 16u) {
        return LZD_ERROR_HEADER;
    }
    return LZD_OK;
}

/* Where the header ends, the table of regions behind it included; 0 if a region or the executor's bytes are out of range. */
static uint64_t header_end(const uint32_t *h)
{
    if (!lzd_has_regions(h)) {
        return h[H_EXECUTOR] == LZD_EXECUTOR_BYTES(1u) && h[H_RAM] >= h[H_EXECUTOR] ? 4u * H_WORDS : 0u;
    }
    const uint32_t n = h[H_TOTAL] > 4u * H_REGIONS ? h[H_N_REGIONS] : 0u;
    if (n == 0u || n > LZD_MAX_REGIONS || h[H_EXECUTOR] != LZD_EXECUTOR_BYTES(n) || h[H_TOTAL] < 4u * (H_REGIONS + R_WORDS * n)) {
        return 0u;
    }
    uint64_t sum = 0u;
    for (uint32_t k = 0; k < n; k++) {
        const uint32_t *r = h + H_REGIONS + R_WORDS * k;
        if (r[R_NAME] >= h[H_STRING_BYTES] || r[R_USED] > r[R_SIZE] || (k == 0u && r[R_USED] < h[H_EXECUTOR])) {
            return 0u;
        }
        sum += r[R_USED];
    }
    return sum == h[H_RAM] ? 4u * (H_REGIONS + R_WORDS * n) : 0u;
}

static lzd_status check_sections(const uint32_t *h)
{
    static const uint8_t sections[9][2] = { /* header word of the offset (the count follows it), bytes of one item */
        {H_BUFFERS, 4 * B_WORDS}, {H_SYMBOLS, 4 * S_WORDS}, {H_ENTRIES, 4 * E_WORDS}, {H_UPDATES, 4 * U_WORDS}, {H_DIMS, 4},
        {H_STEPS, 4},             {H_STRINGS, 1},           {H_CONSTS, 1},            {H_INIT, 1},
    };
    uint64_t end = header_end(h);
    if (end == 0u) {
        return LZD_ERROR_HEADER;
    }
    for (uint32_t k = 0; k < 9u; k++) {
        const uint32_t offset = h[sections[k][0]], count = h[sections[k][0] + 1u];
        if (offset % 8u != 0u || offset < end || sat_add(offset, sat_mul(count, sections[k][1])) > h[H_TOTAL]) {
            return LZD_ERROR_HEADER;
        }
        end = offset + (uint64_t)count * sections[k][1];
    }
    const uint8_t *strings = (const uint8_t *)lzd_section(h, H_STRINGS);
    const bool ended = h[H_STRING_BYTES] != 0u && strings[h[H_STRING_BYTES] - 1u] == 0u;
    return h[H_N_STATE] <= h[H_N_SYMBOLS] && ended ? LZD_OK : LZD_ERROR_HEADER;
}

static bool buffer_fits(const uint32_t *h, const uint32_t *b)
{
    const uint32_t region = lzd_region(b), dtype = lzd_dtype(b), item = lzd_itemsize(dtype);
    if (region >= REGION_ZERO + lzd_n_regions(h) || lzd_kind(b) > KIND_IO || dtype < F32 || dtype > BITS) {
        return false;
    }
    if (b[2] == 0u || b[2] > (dtype == BITS ? LZD_MOST / 8u : LZD_MOST) || b[2] % item != 0u || b[1] % item != 0u) {
        return false;
    }
    const uint64_t end = (uint64_t)b[1] + b[2];
    switch (region) {
    case REGION_RAM: return b[1] >= h[H_EXECUTOR] && end <= lzd_used(h, 0u);
    case REGION_CONST: return end <= h[H_CONST_BYTES];
    case REGION_ZERO: return b[1] == 0u;
    default: return end <= lzd_used(h, region - REGION_ZERO);
    }
}

static bool symbol_fits(const uint32_t *h, uint32_t number)
{
    const uint32_t *s = lzd_symbol_at(h, number);
    if (s[S_NAME] >= h[H_STRING_BYTES] || s[S_BUFFER] >= h[H_N_BUFFERS] || s[S_RANK] > MAX_RANK ||
        (uint64_t)s[S_DIMS] + s[S_RANK] > h[H_N_DIMS]) {
        return false;
    }
    const uint32_t *b = lzd_buffer_at(h, s[S_BUFFER]), *dims = lzd_section(h, H_DIMS) + s[S_DIMS];
    uint64_t bytes = lzd_itemsize(lzd_dtype(b));
    for (uint32_t d = 0; d < s[S_RANK]; d++) {
        bytes = sat_mul(bytes, dims[d]);
    }
    if (bytes != b[2]) {
        return false;
    }
    const uint32_t dtype = lzd_dtype(b);
    if (s[S_CHECK] > 2u || (s[S_CHECK] == 1u && (dtype != I32 || (int32_t)s[S_LOW] > (int32_t)s[S_HIGH])) ||
        (s[S_CHECK] == 2u && dtype != F32 && dtype != F64) || dtype == BITS) {
        return false;
    }
    if (number >= h[H_N_STATE]) {
        return true;
    }
    if ((lzd_kind(b) != KIND_PARAMS && lzd_kind(b) != KIND_STATE) || lzd_region(b) == REGION_ZERO) {
        return false;
    }
    if (s[S_INIT] == LZD_NONE) {
        return true;
    }
    return lzd_in_ram(b) && s[S_INIT] % lzd_itemsize(dtype) == 0u && (uint64_t)s[S_INIT] + b[2] <= h[H_INIT_BYTES];
}

static bool free_of(const uint32_t *h, uint32_t symbol, uint32_t first, uint32_t end)
{
    const uint32_t *b = lzd_buffer_at(h, lzd_symbol_at(h, symbol)[S_BUFFER]);
    for (uint32_t k = first; k < end; k++) {
        if (k != symbol && lzd_overlap(b, lzd_buffer_at(h, lzd_symbol_at(h, k)[S_BUFFER]))) {
            return false;
        }
    }
    return true;
}

/* Do the RAM buffers of symbols first .. end-1 lie apart from each other and (rule 6) from the state? */
static bool apart(const uint32_t *h, uint32_t first, uint32_t end)
{
    for (uint32_t k = first; k < end; k++) {
        const uint32_t *b = lzd_buffer_at(h, lzd_symbol_at(h, k)[S_BUFFER]);
        if (lzd_in_ram(b) && (!free_of(h, k, first, k) || !free_of(h, k, 0u, h[H_N_STATE]))) {
            return false;
        }
    }
    return true;
}

static bool entry_fits(const uint32_t *h, const uint32_t *e)
{
    if (e[E_NAME] >= h[H_STRING_BYTES] || (uint64_t)e[E_STEP] + e[E_STEP_WORDS] > h[H_N_STEP_WORDS] ||
        (uint64_t)e[E_INPUT] + e[E_N_INPUTS] > h[H_N_SYMBOLS] || (uint64_t)e[E_OUTPUT] + e[E_N_OUTPUTS] > h[H_N_SYMBOLS] ||
        (uint64_t)e[E_UPDATE] + e[E_N_UPDATES] > h[H_N_UPDATES]) {
        return false;
    }
    for (uint32_t k = 0; k < e[E_N_INPUTS]; k++) {
        const uint32_t *b = lzd_buffer_at(h, lzd_symbol_at(h, e[E_INPUT] + k)[S_BUFFER]);
        if (e[E_INPUT] < h[H_N_STATE] || !lzd_in_ram(b) || lzd_kind(b) != KIND_IO) {
            return false;
        }
    }
    return true;
}

lzd_status lzd_check(const void *plan, size_t plan_bytes, uint32_t *at)
{
    uint32_t nowhere;
    at = at != NULL ? at : &nowhere;
    *at = 0u;
    const uint32_t *h = plan;
    lzd_status status = check_header(h, plan_bytes);
    if (status == LZD_OK) {
        status = check_sections(h);
    }
    if (status != LZD_OK) {
        return status;
    }
    for (uint32_t n = 0; n < h[H_N_BUFFERS]; n++) {
        if (!buffer_fits(h, lzd_buffer_at(h, n))) {
            return fail(at, n, LZD_ERROR_BUFFER);
        }
    }
    for (uint32_t n = 0; n < h[H_N_SYMBOLS]; n++) {
        if (!symbol_fits(h, n)) {
            return fail(at, n, LZD_ERROR_SYMBOL);
        }
    }
    if (!apart(h, 0u, h[H_N_STATE])) {
        return LZD_ERROR_OVERLAP;
    }
    for (uint32_t n = 0; n < h[H_N_ENTRIES]; n++) {
        const uint32_t *e = lzd_entry_at(h, n);
        if (!entry_fits(h, e)) {
            return fail(at, n, LZD_ERROR_ENTRY);
        }
        if (!apart(h, e[E_INPUT], e[E_INPUT] + e[E_N_INPUTS])) {
            return fail(at, n, LZD_ERROR_OVERLAP);
        }
        status = lzd_check_entry(h, e, at);
        if (status != LZD_OK) {
            return status;
        }
    }
    return LZD_OK;
}
