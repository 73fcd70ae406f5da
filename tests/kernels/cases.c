/* Runs every case of a table (cases.py) and prints a hash of each output: `<number> <normal> <subnormal> <special>`.
 *
 * Every operand has its exact bytes and nothing beside: with the address sanitizer an allocation of its own, on Linux pages that
 * may not be touched before or behind it, elsewhere guard bytes. Inputs must stay as they were, and so must the mode of the
 * floating-point unit: rounding, subnormals, traps. A last pass runs all under other modes. What went wrong is a line `bad ...`. */
#include "lzd_internal.h"

#include <string.h>

#include "cases_table.h" /* cases[], N_WORDS, MOST_OPERANDS, LARGEST and TOTAL bytes */

#if defined(__linux__)
#include <stdio.h>
#include <stdlib.h>
static void say(const char *text) { fputs(text, stdout); }
#else
void put_text(const char *text);
__attribute__((noreturn)) void end_run(uint32_t status);
#define say put_text
#endif

enum { GUARD = 64, PATTERN = 0xA5, NORMAL = 0, SUBNORMAL = 1, SPECIAL = 2, TILE = 3 };
enum { CASE_WORDS, CASE_NUMBER, CASE_KERNEL, CASE_DTYPE, CASE_ROWS, CASE_OPERANDS, CASE_HEAD };

static uint32_t faults;

static void say_hex(uint32_t value)
{
    char text[10] = " ";
    for (uint32_t k = 0; k < 8u; k++) {
        text[1u + k] = "0123456789abcdef"[value >> (28u - 4u * k) & 15u];
    }
    text[9] = '\0';
    say(text);
}

static void bad(const uint32_t *c, const char *what)
{
    faults++;
    say("bad");
    say_hex(c[CASE_NUMBER]);
    say(" ");
    say(what);
    say("\n");
}

/* The control bits of the floating-point unit, without the flags of exceptions that have happened. */
#if defined(__x86_64__)
#include <xmmintrin.h>
enum { DOWN_TO_ZERO = 0x6000, UP = 0x4000, NO_SUBNORMALS = 0x8040 };
static uint32_t mode(void)
{
    uint16_t x87;
    __asm volatile("fnstcw %0" : "=m"(x87));
    return (_mm_getcsr() & 0xFFC0u) | (uint32_t)x87 << 16;
}
static void set_mode(uint32_t m) { _mm_setcsr(m & 0xFFC0u); }
#elif defined(__aarch64__)
enum { DOWN_TO_ZERO = 3 << 22, UP = 1 << 22, NO_SUBNORMALS = 1 << 24 };
static uint32_t mode(void)
{
    uint64_t m;
    __asm volatile("mrs %0, fpcr" : "=r"(m));
    return (uint32_t)m;
}
static void set_mode(uint32_t m) { __asm volatile("msr fpcr, %0" : : "r"((uint64_t)m)); }
#elif defined(__ARM_FP)
enum { DOWN_TO_ZERO = 3 << 22, UP = 1 << 22, NO_SUBNORMALS = 1 << 24 };
static uint32_t mode(void)
{
    uint32_t m;
    __asm volatile("vmrs %0, fpscr" : "=r"(m));
    return m & 0x07F79F00u;
}
static void set_mode(uint32_t m) { __asm volatile("vmsr fpscr, %0" : : "r"(m)); }
#else /* floats by integers have no modes */
enum { DOWN_TO_ZERO, UP, NO_SUBNORMALS };
static uint32_t mode(void) { return 0; }
static void set_mode(uint32_t m) { (void)m; }
#endif

/* Where an operand lies: its bytes end (or begin, with `low`) where nothing may be touched. */
#if defined(__SANITIZE_ADDRESS__) || defined(WITH_ASAN)
static uint8_t *place(uint32_t operand, size_t bytes, bool low) { return (void)operand, (void)low, malloc(bytes); }
static void release(uint8_t *p) { free(p); }
static bool intact(const uint8_t *p, size_t bytes) { return (void)p, (void)bytes, true; }
static bool begin(void) { return true; }
#elif defined(__linux__)
#include <sys/mman.h>
enum { PAGE = 65536 }; /* as large as pages come */
static uint8_t *slots[MOST_OPERANDS];
static const size_t slot_bytes = ((size_t)LARGEST + GUARD + PAGE - 1u) / PAGE * PAGE;
static bool begin(void)
{
    for (uint32_t k = 0; k < MOST_OPERANDS; k++) {
        uint8_t *p = mmap(NULL, slot_bytes + 3u * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == (uint8_t *)MAP_FAILED) {
            return false;
        }
        p += PAGE + (PAGE - (uintptr_t)p % PAGE) % PAGE;
        if (mprotect(p, slot_bytes, PROT_READ | PROT_WRITE) != 0) {
            return false;
        }
        slots[k] = p;
    }
    return true;
}
static uint8_t *place(uint32_t operand, size_t bytes, bool low)
{
    uint8_t *const p = slots[operand] + (low ? 0u : slot_bytes - bytes);
    memset(low ? p + bytes : p - GUARD, PATTERN, GUARD);
    return p;
}
static void release(uint8_t *p) { (void)p; }
static bool intact(const uint8_t *p, size_t bytes)
{
    bool good = true;
    const uint8_t *from = (uintptr_t)p % PAGE == 0u ? p + bytes : p - GUARD;
    for (uint32_t k = 0; k < GUARD; k++) {
        good = good && from[k] == PATTERN;
    }
    return good;
}
#else
static LZD_ALIGNED uint8_t arena[TOTAL];
static size_t used;
static bool begin(void) { return true; }
static uint8_t *place(uint32_t operand, size_t bytes, bool low)
{
    (void)low;
    used = operand == 0u ? GUARD : used;
    uint8_t *const p = arena + used;
    memset(p - GUARD, PATTERN, bytes + 2u * GUARD);
    used += (bytes + 7u) / 8u * 8u + 2u * GUARD;
    return p;
}
static void release(uint8_t *p) { (void)p; }
static bool intact(const uint8_t *p, size_t bytes)
{
    bool good = true;
    for (uint32_t k = 0; k < GUARD; k++) {
        good = good && p[k - (size_t)GUARD] == PATTERN && p[bytes + k] == PATTERN;
    }
    return good;
}
#endif

static uint32_t mixed(uint32_t seed, uint32_t i)
{
    uint32_t h = i * 0x9E3779B9u + seed;
    h = (h ^ h >> 16) * 0x85EBCA6Bu;
    h = (h ^ h >> 13) * 0xC2B2AE35u;
    return h ^ h >> 16;
}

/* Zeros, subnormal, least, largest, infinite, quiet and signalling NaN, 1, 2^31, and where exp overflows. */
static const uint32_t special_f32[16] = {
    0u, 0x80000000u, 1u, 0x80000001u, 0x007FFFFFu, 0x00800000u, 0x7F7FFFFFu, 0xFF7FFFFFu,
    0x7F800000u, 0xFF800000u, 0x7FC00000u, 0xFFC12345u, 0x7F800001u, 0x3F800000u, 0xCF000000u, 0x42B17218u,
};
static const uint32_t special_f64[16][2] = {
    {0u, 0u}, {0u, 0x80000000u}, {1u, 0u}, {1u, 0x80000000u}, {0xFFFFFFFFu, 0x000FFFFFu}, {0u, 0x00100000u},
    {0xFFFFFFFFu, 0x7FEFFFFFu}, {0xFFFFFFFFu, 0xFFEFFFFFu}, {0u, 0x7FF00000u}, {0u, 0xFFF00000u}, {0u, 0x7FF80000u},
    {5u, 0xFFF81234u}, {1u, 0x7FF00000u}, {0u, 0x3FF00000u}, {0u, 0xC1E00000u}, {0xFEFA39EFu, 0x40862E42u},
};

/* Elements of an operand; cases.py has the same. Made of integers, so that no mode changes them. */
static void fill(uint8_t *p, uint32_t dtype, uint32_t elements, uint32_t seed, uint32_t kind, uint32_t rare)
{
    for (uint32_t i = 0; i < elements; i++) {
        const uint32_t h = mixed(seed, i), q = mixed(seed ^ 0x5BD1E995u, i);
        const bool special = kind == SPECIAL && (q & rare) == 0u, none = kind == SUBNORMAL && (q & 3u) == 0u;
        uint32_t word[2];
        switch (dtype) {
        case F32:
            word[0] = special ? special_f32[q >> 28] : (h & 0x807FFFFFu) | (none ? 0u : kind == SUBNORMAL ? 57u + (h >> 23 & 7u) : 124u + (h >> 23 & 3u)) << 23;
            break;
        case F64:
            word[0] = special ? special_f64[q >> 28][0] : q;
            word[1] = special ? special_f64[q >> 28][1] : (h & 0x800FFFFFu) | (none ? 0u : kind == SUBNORMAL ? 493u + (h >> 20 & 7u) : 1020u + (h >> 20 & 3u)) << 20;
            break;
        case I32: word[0] = kind == SPECIAL ? h : h % 12u; break;
        default: word[0] = kind == NORMAL && dtype == U8 ? h % 12u : h & 0xFFu; break;
        }
        const size_t size = lzd_itemsize(dtype);
        if (size == 1u) {
            p[i] = (uint8_t)word[0];
        } else {
            memcpy(p + i * size, word, size);
        }
    }
}

/* Any NaN is as good as any other: which one an operation gives is the machine's. */
static uint32_t hash(uint32_t h, const uint8_t *p, uint32_t dtype, uint32_t elements)
{
    for (uint32_t i = 0; i < elements; i++) {
        uint32_t word[2] = {0u, 0u};
        memcpy(word, p + i * (size_t)lzd_itemsize(dtype), lzd_itemsize(dtype));
        if (dtype == F32 && (word[0] & 0x7FFFFFFFu) > 0x7F800000u) {
            word[0] = 0x7FC00000u;
        }
        if (dtype == F64 && ((word[1] & 0x7FFFFFFFu) > 0x7FF00000u || ((word[1] & 0x7FFFFFFFu) == 0x7FF00000u && word[0] != 0u))) {
            word[0] = 0u, word[1] = 0x7FF80000u;
        }
        h = h * 16777619u + mixed(word[0], 0u);
        h = dtype == F64 ? h * 16777619u + mixed(word[1], 0u) : h;
    }
    return h;
}

/* A case with numbers of a kind, `step` rows at a time: the hash of its outputs. */
static uint32_t run(const uint32_t *c, uint32_t kind, uint32_t step, bool low)
{
    const uint32_t n = c[CASE_OPERANDS], rows = c[CASE_ROWS], rare = c[CASE_KERNEL] == MAP ? 3u : 31u;
    const uint32_t *const operands = c + CASE_HEAD, *const words = operands + 3u * n, n_words = c[CASE_WORDS] - CASE_HEAD - 3u * n;
    const lzd_kernel *kernel = &lzd_kernels[lzd_kernel_at[c[CASE_KERNEL]]];
    const lzd_kernel_fn function = c[CASE_DTYPE] == F64 ? kernel->f64 : kernel->f32;
    const bool cut = c[CASE_KERNEL] != MAP && rows != 0u; /* its output begins at the first row that is made */
    void *p[MOST_OPERANDS];
    uint32_t sizes[MOST_OPERANDS], before[MOST_OPERANDS], h = 0u;
#if defined(__linux__)
    uint32_t *const own = malloc(n_words * sizeof *own); /* words that are read beyond their end are found too */
    memcpy(own, words, n_words * sizeof *own);
#else
    const uint32_t *const own = words;
    (void)n_words;
#endif
    for (uint32_t k = 0; k < n; k++) {
        const uint32_t dtype = operands[3u * k], writes = operands[3u * k + 1u], all = operands[3u * k + 2u];
        sizes[k] = cut && writes == MODE_OUT ? all / rows * (step < rows ? step : rows) : all;
        uint8_t *const at = place(k, sizes[k] * (size_t)lzd_itemsize(dtype), low);
        if (writes != MODE_IN) {
            memset(at, writes == MODE_OUT ? 0x4D : 0xFF, sizes[k] * (size_t)lzd_itemsize(dtype));
        } else {
            fill(at, dtype, sizes[k], c[CASE_NUMBER] * 64u + k, kind, rare);
        }
        before[k] = hash(0u, at, dtype, sizes[k]);
        p[k] = at;
    }
    const bool adds = operands[3u * n - 2u] == MODE_ADD; /* reads the rows it is given from the start of its input on */
    uint8_t *const first = p[0];
    const uint32_t found = mode();
    for (uint32_t row = 0; row < rows || row == 0u; row += step) {
        const uint32_t end = rows - row < step ? rows : row + step;
        p[0] = adds ? first + (size_t)(sizes[0] / rows) * row * lzd_itemsize(operands[0]) : first;
        function(p, own, row, end);
        for (uint32_t k = 0; k < n && (cut || end == rows); k++) {
            if (operands[3u * k + 1u] == MODE_OUT) {
                h = hash(h, p[k], operands[3u * k], cut ? operands[3u * k + 2u] / rows * (end - row) : sizes[k]);
            } else if (operands[3u * k + 1u] == MODE_ADD && end == rows) {
                h = hash(h, p[k], operands[3u * k], sizes[k]);
            }
        }
    }
    p[0] = first;
    if (mode() != found) {
        bad(c, "changed the mode of the floating-point unit");
    }
    for (uint32_t k = 0; k < n; k++) {
        if (!intact(p[k], sizes[k] * (size_t)lzd_itemsize(operands[3u * k]))) {
            bad(c, "wrote beside an operand");
        }
        if (operands[3u * k + 1u] == MODE_IN && hash(0u, p[k], operands[3u * k], sizes[k]) != before[k]) {
            bad(c, "wrote into an input");
        }
        release(p[k]);
    }
#if defined(__linux__)
    free(own);
#endif
    return h;
}

int main(void)
{
    if (!begin()) {
        say("bad: no memory\n");
        return 2;
    }
    const uint32_t found = mode(), modes[2] = {UP, DOWN_TO_ZERO | NO_SUBNORMALS};
    for (const uint32_t *c = cases; c < cases + N_WORDS; c += c[CASE_WORDS]) {
        const uint32_t special = run(c, SPECIAL, LZD_NONE, false);
        say_hex(c[CASE_NUMBER]);
        say_hex(run(c, NORMAL, LZD_NONE, false));
        say_hex(run(c, SUBNORMAL, LZD_NONE, true));
        say_hex(special);
        say("\n");
        if (c[CASE_ROWS] > TILE && run(c, SPECIAL, TILE, true) != special) {
            bad(c, "differs when it is computed a few rows at a time");
        }
        for (uint32_t m = 0; m < 2u; m++) {
            set_mode(found | modes[m]);
            (void)run(c, NORMAL, LZD_NONE, m != 0u);
            set_mode(found);
        }
    }
    say("done\n");
#if defined(__linux__)
    return faults != 0u;
#else
    end_run(faults != 0u);
#endif
}
