/* lazydiff runtime: opens a plan where it lies, and runs its entries in RAM that the caller owns: one block, or several.
 *
 *   static LZD_ALIGNED uint8_t ram[DIGITS_RAM_BYTES];
 *   lzd_model *model;
 *   if (lzd_open(&model, digits_plan, DIGITS_PLAN_BYTES, ram, sizeof ram) != LZD_OK) ...
 *   memcpy(lzd_data(model, DIGITS_TRAIN_X), image, DIGITS_TRAIN_X_BYTES);
 *   lzd_run(model, DIGITS_TRAIN);
 *
 * Rules:
 *  1. Nothing here allocates, keeps writable statics, recurses, or calls the C library (but memcpy and memset); lzd_threads_start does.
 *  2. The plan may be hostile: lzd_open checks every byte it will use and refuses; after LZD_OK no call reads or writes
 *     outside the plan and its blocks of RAM. (A build with generated maps trusts the CRC to tell its own plan from others.) The
 *     plan must stay unchanged and 8-byte aligned while the model is open.
 *  3. An entry's inputs may share bytes with work space: write all inputs before each run. Its outputs stay until the next run.
 *  4. A call that fails leaves every parameter and state as it was.
 *  5. One model per thread at a time; different models are independent.
 *  6. The mode of the floating-point unit stays as it is found, and should be the usual one: to nearest, subnormals kept, no traps.
 *     Subnormals, infinities and NaN give the same results in every build (but which NaN it is); exception flags may be raised.
 */
#ifndef LZD_H
#define LZD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lzd_config.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LZD_VERSION "0.1.0"
#define LZD_FORMAT_VERSION 1u          /* of plans that run in one block of RAM */
#define LZD_FORMAT_SEVERAL_REGIONS 2u /* of plans whose regions of RAM have names */
#define LZD_TABLE_VERSION 7u
#define LZD_EXECUTOR_BYTES(regions) (24u + 8u * (regions)) /* the first bytes of the first region; every plan counts them */
#define LZD_NONE 0xFFFFFFFFu

#if defined(__GNUC__)
#define LZD_ALIGNED __attribute__((aligned(16)))
#else
#define LZD_ALIGNED
#endif

/* lzd_status_text() gives each one as an English sentence. */
typedef enum lzd_status {
    LZD_OK = 0,
    LZD_ERROR_ALIGNMENT,    /* plan or RAM not aligned */
    LZD_ERROR_TRUNCATED,    /* plan_bytes is not the length the plan says */
    LZD_ERROR_MAGIC,        /* not a plan */
    LZD_ERROR_VERSION,      /* another format version, or a newer kernel table */
    LZD_ERROR_BYTE_ORDER,   /* made for the other byte order */
    LZD_ERROR_CRC,          /* the plan's bytes have changed */
    LZD_ERROR_HEADER,       /* a section or count out of range */
    LZD_ERROR_BUFFER,       /* a buffer record out of range */
    LZD_ERROR_SYMBOL,       /* a symbol record out of range */
    LZD_ERROR_ENTRY,        /* an entry record out of range */
    LZD_ERROR_STEP,         /* a step's kernel, operand or attribute out of range */
    LZD_ERROR_KERNEL,       /* a kernel or opcode that this build does not have */
    LZD_ERROR_OVERLAP,      /* a step writes over what it or somebody else still needs (SPEC rules 3, 5, 6) */
    LZD_ERROR_RAM,          /* a block of RAM is smaller than the plan needs, or there are more or fewer than its regions */
    LZD_ERROR_INDEX,        /* no such entry or symbol */
    LZD_ERROR_SIZE,         /* bytes do not match the symbol's */
    LZD_ERROR_READ_ONLY,    /* the symbol can't be written */
    LZD_ERROR_INPUT_RANGE,  /* an input holds a value outside its range, such as a label too large */
    LZD_ERROR_INPUT_FINITE, /* an input that must be finite holds a NaN or an infinity */
    LZD_ERROR_SIMD,         /* no kernels of that name in this library, or not for this machine */
    LZD_ERROR_THREADS,      /* no such number of threads, or the system gave no more */
    LZD_ERROR_GENERATED,    /* this build holds generated code for another plan (export_c: maps="generated") */
    LZD_STATUS_COUNT
} lzd_status;

/* Lives in the first LZD_EXECUTOR_BYTES of the first block of RAM, whose address is its own. The fields are for reading. */
typedef struct lzd_model {
    const uint32_t *plan;
    const struct lzd_kernel *kernels; /* those of the instruction set that lzd_open found */
    uint32_t error_at;   /* after a failure: step number, symbol, or record, as the status says */
    uint32_t error_item; /* after LZD_ERROR_INPUT_*: which element */
#if LZD_THREADS
    struct lzd_threads *threads; /* NULL: the caller's alone */
#endif
} lzd_model;

/* A parameter, state, input or output. */
typedef struct lzd_symbol {
    const char *name;     /* UTF-8, ends with a zero byte */
    const uint32_t *dims; /* `rank` extents */
    uint32_t rank;
    uint32_t bytes;
    uint8_t kind;   /* 0 const, 1 params, 2 state, 3 work, 4 io */
    uint8_t dtype;  /* 1 f32, 2 f64, 3 i32, 4 u8, 5 i8, 6 bool (never 7, bits) */
    uint8_t region; /* 0 RAM, 1 consts, 2 zeros, 3 .. 5 a further region of RAM */
    uint32_t buffer;
} lzd_symbol;

/* Check a plan (SPEC rules 1 to 6). `at`, if not NULL, gets the number of the step or record that broke a rule. */
lzd_status lzd_check(const void *plan, size_t plan_bytes, uint32_t *at);

/* How many bytes of RAM a plan needs, in all its regions; 0 if the first words are not those of a plan. */
uint32_t lzd_ram_bytes(const void *plan, size_t plan_bytes);

/* How many regions of RAM a plan has (0: not a plan), and how many bytes it needs in each; `bytes` has room for
 * LZD_MAX_REGIONS. */
uint32_t lzd_regions(const void *plan, size_t plan_bytes, uint32_t *bytes);

/* Check the plan, put a model at the start of `ram`, set parameters and state to their first values. ram: 16-byte aligned. */
lzd_status lzd_open(lzd_model **model, const void *plan, size_t plan_bytes, void *ram, size_t ram_bytes);

/* The same for a plan of several regions: a block for each, in the plan's order, apart from each other and 16-byte aligned.
 * The model lies in the first. A region that needs 0 bytes may have a block at NULL. */
typedef struct lzd_block {
    void *at;
    size_t bytes;
} lzd_block;
lzd_status lzd_open_regions(lzd_model **model, const void *plan, size_t plan_bytes, const lzd_block *blocks, uint32_t n_blocks);

/* The instruction sets that this library has kernels for and this machine can run, the fastest first ("avx512", "avx2", "neon",
 * "scalar"); NULL from the last one on. lzd_open takes number 0; the others return the same bits. */
const char *lzd_simd_name(uint32_t number);

/* The one a model runs; and another one, by name: LZD_ERROR_SIMD if there is none. */
const char *lzd_simd(const lzd_model *model);
lzd_status lzd_set_simd(lzd_model *model, const char *name);

/* Set parameters and state to their first values again. */
void lzd_reset(lzd_model *model);

/* Entry or symbol by name: its number, or LZD_NONE. lzd_find looks through parameters and state; lzd_find_io through
 * one entry's inputs, then its outputs. */
uint32_t lzd_find_entry(const lzd_model *model, const char *name);
uint32_t lzd_find(const lzd_model *model, const char *name);
uint32_t lzd_find_io(const lzd_model *model, uint32_t entry, const char *name);

/* What a symbol is. LZD_ERROR_INDEX if there is none of that number. */
lzd_status lzd_describe(const lzd_model *model, uint32_t symbol, lzd_symbol *out);

/* The numbers of an entry's symbols: inputs are first_input .. +n_inputs-1, likewise outputs. */
typedef struct lzd_entry {
    const char *name;
    uint32_t first_input, n_inputs, first_output, n_outputs, n_steps;
} lzd_entry;
lzd_status lzd_describe_entry(const lzd_model *model, uint32_t entry, lzd_entry *out);

/* Where a symbol's bytes lie in RAM (NULL: not in RAM, or no such symbol). */
void *lzd_data(const lzd_model *model, uint32_t symbol);

/* Copy a symbol's bytes in or out; `bytes` must be the symbol's. lzd_read also reads consts and zeros. */
lzd_status lzd_write(lzd_model *model, uint32_t symbol, const void *from, size_t bytes);
lzd_status lzd_read(const lzd_model *model, uint32_t symbol, void *to, size_t bytes);

/* Run one entry on the inputs that lie in RAM: check them, then run every step. */
lzd_status lzd_run(lzd_model *model, uint32_t entry);

/* Copy the inputs in (in the entry's order), run, copy the outputs out (a NULL output is skipped). */
lzd_status lzd_call(lzd_model *model, uint32_t entry, const void *const *inputs, void *const *outputs);

#if LZD_THREADS
/* Run steps of at least `least_work` multiply-adds on `n` threads, the caller's among them; smaller steps stay on the caller's.
 * The bits do not depend on n. The others are started here, once, and all memory they take is allocated here (their stacks; tiles,
 * temporaries and scratch for each; a copy of the plan's table of buffers): it is not in the plan's RAM. n: 1 (ends them) to LZD_MAX_THREADS. */
lzd_status lzd_threads_start(lzd_model *model, uint32_t n, uint32_t least_work);
void lzd_threads_stop(lzd_model *model); /* ends and joins them, before the model's RAM goes; runs stay on the caller's thread */
/* A child made by fork has none of them: it must call this before it runs the model, which then stays on its own thread. */
void lzd_threads_forget(lzd_model *model);
uint32_t lzd_threads(const lzd_model *model); /* how many run it */
#endif

const char *lzd_status_text(lzd_status status);

#ifdef __cplusplus
}
#endif
#endif
