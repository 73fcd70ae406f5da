/* Runs a plan on 1 to 4 threads, its kernels seen through: how often each step's kernel was called, by whom, and whether the mode
 * of the floating-point unit was the same before and after, on each thread. The first who runs a part of a step's rows waits for a
 * second one, ten seconds at most. Lines: `threads n mode m hash h` and then the calls
 * of each step; `bad ...` for what went wrong. */
#include "lzd_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xmmintrin.h>

enum { MOST_STEPS = 4096, MODE = 0xFFC0 };

static const uint32_t *words; /* the steps */
static lzd_kernel_fn real[1u << 20]; /* by where a step's attributes begin */
static uint32_t step_of[1u << 20], calls[MOST_STEPS], wrong, wanted, others, n_threads;
static time_t until;
static const uint32_t *steps[MOST_STEPS];
static _Thread_local uint32_t mine; /* is this a thread that has been here before? */

static void seen(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    const size_t at = (size_t)(v - words);
    __atomic_add_fetch(&calls[step_of[at]], 1u, __ATOMIC_RELAXED);
    if (mine == 0u) {
        mine = 1u;
        __atomic_add_fetch(&others, 1u, __ATOMIC_RELAXED);
    }
    if (n_threads > 1u && end - begin < lzd_step_rows(steps[step_of[at]])) {
        while (__atomic_load_n(&others, __ATOMIC_RELAXED) < 2u && time(NULL) < until) {
        }
    }
    const uint32_t before = _mm_getcsr() & MODE;
    real[at](p, v, begin, end);
    if (before != wanted || (_mm_getcsr() & MODE) != before) {
        __atomic_add_fetch(&wrong, 1u, __ATOMIC_RELAXED);
    }
}

static void *load(const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "rb");
    void *space = NULL;
    if (file == NULL || posix_memalign(&space, 16, 1u << 24) != 0) {
        exit(2);
    }
    *bytes = fread(space, 1, 1u << 24, file);
    fclose(file);
    return space;
}

int main(int argc, char **argv)
{
    size_t bytes, plan_bytes;
    if (argc != 3) {
        return 2;
    }
    uint32_t *plan = load(argv[1], &plan_bytes);
    const uint8_t *const given = load(argv[2], &bytes), *next; /* the bytes of every input, in order */
    void *ram;
    const uint32_t size = lzd_ram_bytes(plan, plan_bytes);
    lzd_model *model;
    if (posix_memalign(&ram, 16, size) != 0 || lzd_open(&model, plan, plan_bytes, ram, size) != LZD_OK) {
        return 3;
    }
    static lzd_kernel table[256];
    words = lzd_section(plan, H_STEPS);
    const uint32_t *step = words;
    uint32_t n_steps = 0;
    for (; step < words + plan[H_N_STEP_WORDS]; step += lzd_step_words(step), n_steps++) {
        const uint32_t *const v = step + STEP_HEAD + lzd_operands(step), at = lzd_kernel_at[step[0] & 0xFFFFu];
        real[v - words] = step[0] >> 16 == F64 ? model->kernels[at].f64 : model->kernels[at].f32;
        step_of[v - words] = n_steps;
        steps[n_steps] = step;
        table[at] = model->kernels[at];
        table[at].f32 = table[at].f64 = seen;
    }
    model->kernels = table;
    const uint32_t usual = _mm_getcsr() & MODE, modes[2] = {usual, usual | 0x6000u | 0x8040u}; /* towards 0, no subnormals */
    for (uint32_t m = 0; m < 2u; m++) {
        wanted = modes[m];
        _mm_setcsr(wanted);
        for (uint32_t threads = 1; threads <= 4u; threads++) {
            uint32_t hash = 2166136261u;
            lzd_entry e;
            memset(calls, 0, sizeof calls);
            others = mine = 0u;
            n_threads = threads;
            until = time(NULL) + 10;
            if (lzd_threads_start(model, threads, 0) != LZD_OK || lzd_describe_entry(model, 0, &e) != LZD_OK) {
                return 4;
            }
            next = given;
            for (uint32_t k = 0; k < e.n_inputs; k++) {
                lzd_symbol s;
                lzd_describe(model, e.first_input + k, &s);
                memcpy(lzd_data(model, e.first_input + k), next, s.bytes);
                next += s.bytes;
            }
            if (lzd_run(model, 0) != LZD_OK) {
                return 5;
            }
            for (uint32_t k = 0; k < e.n_outputs; k++) {
                lzd_symbol s;
                lzd_describe(model, e.first_output + k, &s);
                const uint8_t *const at = lzd_data(model, e.first_output + k);
                for (uint32_t i = 0; i < s.bytes; i++) {
                    hash = (hash ^ at[i]) * 16777619u;
                }
            }
            lzd_threads_stop(model);
            if ((_mm_getcsr() & MODE) != wanted || wrong != 0u) {
                printf("bad: %u calls found or left another mode\n", wrong);
            }
            printf("%u %u %u %08x", m, threads, others, hash);
            for (uint32_t k = 0; k < n_steps; k++) {
                printf(" %u", calls[k]);
            }
            printf("\n");
        }
        _mm_setcsr(usual);
    }
    return 0;
}
