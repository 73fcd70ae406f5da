/* Runs an exported plan on the data of its self-test, on a bare Cortex-M: prints each run's output as bits (and as a C99
 * hex float), the instructions of the last run, and the stack. Ends with status 0 if every bit is the desktop's. */
#include <string.h>

#include "harness.h"
#include "selftest_data.h"

#if defined(NO_COUNTER)
#define COUNTER 0u
#else
/* The MPS2 boards' 25 MHz counter: a tick is 40 ns. Under `-icount shift=6` (Makefile) an instruction takes 64 ns of virtual
 * time; without it the counter follows the host's clock and says nothing. */
#define COUNTER (*(const volatile uint32_t *)0x40028018u)
#endif

/* Where an extra file defines it (tools/bench/cortex_m.py), it prints what it counted. */
__attribute__((weak)) void put_counts(void);

static uint32_t larger(uint32_t a, uint32_t b) { return a > b ? a : b; }

static void put_number(const char *name, uint32_t value) {
    put_text(name);
    put_text(" ");
    put_decimal(value);
    put_text("\n");
}

static int refused(const char *what, lzd_status status) {
    put_text(what);
    put_text(": ");
    put_text(lzd_status_text(status));
    put_text("\n");
    return 2;
}

static void put_output(uint32_t run, const uint8_t *output) {
    put_text("run ");
    put_decimal(run);
    for (uint32_t word = 0; word < LZD_EXAMPLE_WORDS; word++) {
        const uint32_t left = LZD_EXAMPLE_OUTPUT_BYTES - 4u * word;
        uint32_t bits = 0;
        memcpy(&bits, output + 4u * word, left < 4u ? left : 4u);
        put_text(" ");
        put_hex(bits);
        if (LZD_EXAMPLE_WORDS == 1u) {
            put_text(" ");
            put_hex_float(bits);
        }
    }
    put_text("\n");
}

int main(void) {
    put_number("ram_bytes", LZD_EXAMPLE_RAM_BYTES);
    lzd_model *model = NULL;
    lzd_status status = lzd_example_open(&model);
    if (status != LZD_OK) {
        return refused("open", status);
    }
    uint32_t deepest = stack_high_water_bytes(), step = 0, ticks = 0, different = 0;
    for (uint32_t run = 0; run < LZD_EXAMPLE_RUNS; run++) {
        void *const no_copies[LZD_EXAMPLE_OUTPUTS] = {NULL};
        stack_paint();
        const uint32_t before = COUNTER;
        status = lzd_call(model, LZD_EXAMPLE_ENTRY, lzd_example_inputs[run], no_copies);
        ticks = COUNTER - before;
        const uint32_t high_water = stack_high_water_bytes();
        if (status != LZD_OK) {
            return refused("run", status);
        }
        step = larger(step, high_water - stack_depth_bytes());
        deepest = larger(deepest, high_water);
        const uint8_t *output = lzd_data(model, LZD_EXAMPLE_OUTPUT);
        put_output(run, output);
        different += memcmp(output, lzd_example_expected[run], LZD_EXAMPLE_OUTPUT_BYTES) != 0 ? 1u : 0u;
    }
    put_number("instructions_of_last_run", (uint32_t)((uint64_t)ticks * 40u / 64u));
    put_number("stack_bytes", stack_size_bytes());
    put_number("stack_high_water_bytes", larger(deepest, stack_high_water_bytes()));
    put_number("stack_of_one_run_bytes", step);
    put_number("runs_that_differ", different);
    if (put_counts != NULL) {
        put_counts();
    }
    put_text(different == 0u ? "train: ok\n" : "train: FAILED\n");
    return different == 0u ? 0 : 1;
}
