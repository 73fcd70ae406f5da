/* What the runtime's own files share: the words of a plan, and the table of kernels (generated: lzd_table.c). */
#ifndef LZD_INTERNAL_H
#define LZD_INTERNAL_H

#include "lzd.h"

/* The kernels and their tables (k_*.c, lzd_table.c) can be compiled several times, for different instruction sets: LZD_ISA
 * ends the names of one such build, _avx2 for instance, and lzd_builds.c knows them all. */
#ifdef LZD_ISA
#define LZD_PASTE(name, end) name##end
#define LZD_ENDED(name, end) LZD_PASTE(name, end)
#define LZD_NAMED(name) LZD_ENDED(name, LZD_ISA)
#else
#define LZD_NAMED(name) name
#endif

enum { /* header words, plan/SPEC.md */
    H_MAGIC, H_VERSIONS, H_ORDER, H_TOTAL, H_CRC, H_RAM, H_ALIGN, H_EXECUTOR,
    H_BUFFERS, H_N_BUFFERS, H_SYMBOLS, H_N_SYMBOLS, H_N_STATE, H_ENTRIES, H_N_ENTRIES, H_UPDATES, H_N_UPDATES,
    H_DIMS, H_N_DIMS, H_STEPS, H_N_STEP_WORDS, H_STRINGS, H_STRING_BYTES, H_CONSTS, H_CONST_BYTES,
    H_INIT, H_INIT_BYTES, H_DEBUG, H_WORDS,
    H_N_REGIONS = H_WORDS, H_REGIONS /* behind the header of format 2: records of a region's name, size and used bytes */
};
enum { R_NAME, R_SIZE, R_USED, R_WORDS };
enum { S_NAME, S_BUFFER, S_RANK, S_DIMS, S_INIT, S_CHECK, S_LOW, S_HIGH, S_WORDS };
enum { E_NAME, E_STEP, E_N_STEPS, E_STEP_WORDS, E_INPUT, E_N_INPUTS, E_OUTPUT, E_N_OUTPUTS, E_UPDATE, E_N_UPDATES, E_WORDS };
enum { B_WORDS = 3, U_WORDS = 2, STEP_HEAD = 3, MAX_OPERANDS = 32, MAX_RANK = 8, MAP = 1 };
enum { LZD_MAX_EXTENTS = 8, LZD_MAX_ROW_FACTORS = 3 }; /* operands of a kernel with fixed operands; factors of its rows */
/* REGION_ZERO + k: the k-th region of RAM, the first being number 0. REGION_OWN: of no plan; what each thread has of its own. */
enum { REGION_RAM, REGION_CONST, REGION_ZERO, REGION_OWN = REGION_ZERO + LZD_MAX_REGIONS };
enum { KIND_CONST, KIND_PARAMS, KIND_STATE, KIND_WORK, KIND_IO };
enum { F32 = 1, F64, I32, U8, I8, BOOL, BITS };
enum { MODE_IN, MODE_OUT, MODE_SCRATCH, MODE_ADD }; /* the last two are whole in every range of rows */

/* A kernel computes rows begin .. end-1 of its output into the start of its output operand; for `map` begin and end
 * count elements, and only the tile input, and outputs that are tiles, start at `begin`. A kernel that adds
 * rows up has the first of them at the start of its input. p: operands; v: attribute words in the plan. */
typedef void (*lzd_kernel_fn)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end);

typedef struct lzd_operand {
    uint8_t mode;
    uint8_t dtype; /* 0: the step's compute dtype */
} lzd_operand;

/* One declared kernel. `extents` writes each operand's elements into `out` (saturating 64-bit). */
typedef struct lzd_kernel {
    uint8_t number;
    bool images; /* each operand is v[0] images, one after the other */
    uint8_t n_operands, n_attrs;
    uint8_t n_rows, rows[LZD_MAX_ROW_FACTORS]; /* the attributes whose product is the rows; none: it has no rows */
    const lzd_operand *operands;
    const uint32_t *ranges; /* n_attrs pairs: low, high */
    void (*extents)(const uint32_t *v, uint64_t *out);
    lzd_kernel_fn f32, f64; /* NULL: not in this build */
} lzd_kernel;

extern const lzd_kernel LZD_NAMED(lzd_kernels)[];
/* By kernel number up to lzd_last_kernel: where its row is in the table, which all builds have in the same order; LZD_NO_KERNEL: nowhere. */
extern const uint8_t LZD_NAMED(lzd_kernel_at)[];
extern const uint32_t LZD_NAMED(lzd_last_kernel);
enum { LZD_NO_KERNEL = 255 };
const lzd_kernel *lzd_find_kernel(uint32_t number); /* lzd_plan.c: of this build's table, or NULL */
const lzd_kernel *lzd_best_kernels(void); /* lzd_builds.c: the table of the fastest build that this machine runs */

/* One step made ready: its function, operands, attributes and rows. */
typedef struct lzd_ready {
    void *const *p;
    lzd_kernel_fn run; /* NULL in a table of an export: the steps that begin at attrs run together, and are made ready then */
    const uint32_t *attrs;
    uint32_t rows;
} lzd_ready;

/* The steps of the one plan of an export, made ready for its array of RAM (lazydiff/export/c_ready.py). Of others, nothing. */
typedef struct lzd_laid {
    const uint32_t *plan;
    const void *ram;
    const lzd_ready *steps; /* of all entries */
    const uint16_t *first;  /* by entry; and behind the last */
} lzd_laid;
extern const lzd_laid LZD_NAMED(lzd_laid_plan);

/* One opcode of `map` over n elements: d[i] = op(a[i*sa], b[i*sb], c[i*sc]). */
typedef void (*lzd_op_f32)(float *d, const float *a, int32_t sa, const float *b, int32_t sb, const float *c, int32_t sc, uint32_t n);
typedef void (*lzd_op_f64)(double *d, const double *a, int32_t sa, const double *b, int32_t sb, const double *c, int32_t sc, uint32_t n);
/* By opcode number: its arity (0: no such opcode), and 4 where this build has it in f32, 8 where in f64. */
extern const uint8_t LZD_NAMED(lzd_op_kinds)[];
#define LZD_ARITY(op) (LZD_NAMED(lzd_op_kinds)[op] & 3u)
extern const uint32_t LZD_NAMED(lzd_op_count);    /* length of the three tables */
extern const lzd_op_f32 LZD_NAMED(lzd_ops_f32)[]; /* NULL: not in this build; not there at all where maps are generated */
extern const lzd_op_f64 LZD_NAMED(lzd_ops_f64)[];
/* The CRC of the one plan that this build's maps were generated from (lazydiff/export/c_maps.py); 0: an interpreter runs any. */
extern const uint32_t LZD_NAMED(lzd_generated_for);
enum { OP_LOAD = 1, OP_STORE = 2 };

/* The most bytes of a buffer, and elements of anything: so that kernels' indices fit 32 bits, and 31 where they have a sign. */
#define LZD_MOST 0x80000000u

/* Counts of elements and bytes. Whatever does not fit 32 bits is as good as infinite, so there is no division here. */
static inline uint64_t sat_add(uint64_t a, uint64_t b) { return a > UINT64_MAX - b ? UINT64_MAX : a + b; }
static inline uint64_t sat_mul(uint64_t a, uint64_t b)
{
    return (a | b) >> 32 == 0u ? a * b : a == 0u || b == 0u ? 0u : UINT64_MAX;
}
/* The base-2 logarithm of an element's bytes, two bits a dtype: F32 2, F64 3, I32 2, else 0 (BITS too). */
static inline uint32_t lzd_itemshift(uint32_t dtype) { return 0xB8u >> 2u * (dtype & 7u) & 3u; }
static inline uint32_t lzd_itemsize(uint32_t dtype) { return 1u << lzd_itemshift(dtype); }

/* The parts of a `map` step's attribute words. */
typedef struct lzd_map {
    uint32_t n_in, n_out, n_temp, n_instr, block, tile;
    uint8_t rank;
    bool tiles; /* each output holds only the elements being computed */
    const uint32_t *dims;
    const uint32_t *inputs;  /* n_in records of 2 + rank words: dtype | window << 8, offset, strides */
    const uint32_t *windows; /* up to `outputs`, records of rank pairs: low, extent; window 1 is the first, 0 is none */
    const uint32_t *outputs; /* n_out dtypes */
    const uint32_t *code;    /* n_instr pairs */
} lzd_map;

/* Of attribute words that have been checked: their parts, and how many elements there are. */
static inline void lzd_map_parts(const uint32_t *v, lzd_map *out)
{
    out->n_in = v[0], out->n_out = v[1], out->n_temp = v[2], out->n_instr = v[3];
    out->block = v[4], out->rank = (uint8_t)v[6];
    out->tile = (v[5] & 0xFFu) == 0xFFu ? LZD_NONE : v[5] & 0xFFu;
    out->tiles = v[5] >> 8 == 1u;
    out->dims = v + 7;
    out->inputs = out->dims + out->rank;
    out->windows = out->inputs + out->n_in * (2u + out->rank);
    out->outputs = out->windows + (v[6] >> 8) * 2u * out->rank;
    out->code = out->outputs + out->n_out;
}
static inline uint32_t lzd_map_size(const uint32_t *v)
{
    uint32_t elements = 1u;
    for (uint32_t d = v[6] & 0xFFu; d > 0u; d--) {
        elements *= v[6u + d];
    }
    return elements;
}

/* lzd_map.c. Splits attribute words; false if they are not exactly `n_words`. */
bool lzd_map_words(const uint32_t *v, uint32_t n_words, lzd_map *out);
uint64_t lzd_map_elements(const lzd_map *map); /* saturating */
uint64_t lzd_bytes(uint64_t elements, uint32_t dtype); /* how many bytes elements take, saturating */
/* True if an input is read from element 0 on, one after the other. */
bool lzd_map_contiguous(const lzd_map *map, uint32_t input);

/* Words of a plan that has been checked. */
static inline const uint32_t *lzd_section(const uint32_t *plan, uint32_t word) { return plan + plan[word] / 4u; }
static inline const uint32_t *lzd_buffer_at(const uint32_t *plan, uint32_t n) { return lzd_section(plan, H_BUFFERS) + B_WORDS * n; }
static inline const uint32_t *lzd_symbol_at(const uint32_t *plan, uint32_t n) { return lzd_section(plan, H_SYMBOLS) + S_WORDS * n; }
static inline const uint32_t *lzd_entry_at(const uint32_t *plan, uint32_t n) { return lzd_section(plan, H_ENTRIES) + E_WORDS * n; }
static inline uint32_t lzd_region(const uint32_t *buffer) { return buffer[0] & 0xFFu; }
static inline uint32_t lzd_kind(const uint32_t *buffer) { return buffer[0] >> 8 & 0xFFu; }
static inline uint32_t lzd_dtype(const uint32_t *buffer) { return buffer[0] >> 16; }
static inline bool lzd_in_ram(const uint32_t *buffer)
{
    return lzd_region(buffer) == REGION_RAM || (LZD_MAX_REGIONS > 1u && lzd_region(buffer) > REGION_ZERO);
}
/* Has the plan, whose format is known, a table of regions? */
static inline bool lzd_has_regions(const uint32_t *plan)
{
    return LZD_MAX_REGIONS > 1u && (plan[H_VERSIONS] & 0xFFFFu) == LZD_FORMAT_SEVERAL_REGIONS;
}
static inline uint32_t lzd_n_regions(const uint32_t *plan) { return lzd_has_regions(plan) ? plan[H_N_REGIONS] : 1u; }
static inline uint32_t lzd_used(const uint32_t *plan, uint32_t region) /* bytes that the plan takes in a region that it has */
{
    return lzd_has_regions(plan) ? plan[H_REGIONS + R_WORDS * region + R_USED] : plan[H_RAM];
}
static inline bool lzd_overlap(const uint32_t *a, const uint32_t *b) /* do two buffer records share a byte? */
{
    return lzd_region(a) == lzd_region(b) && lzd_region(a) != REGION_ZERO && a[1] < b[1] + (uint64_t)b[2] &&
           b[1] < a[1] + (uint64_t)a[2];
}
static inline uint32_t lzd_operands(const uint32_t *step) { return step[1] & 0xFFFFu; }
static inline bool lzd_is_map(const uint32_t *step) { return (step[0] & 0xFFFFu) == MAP; }
static inline const uint32_t *lzd_buffer_of(const uint32_t *plan, const uint32_t *step, uint32_t operand)
{
    return lzd_buffer_at(plan, step[STEP_HEAD + operand]);
}
static inline uint32_t lzd_step_words(const uint32_t *step) { return STEP_HEAD + (step[1] & 0xFFFFu) + (step[1] >> 16); }

/* How a step uses an operand; of a map: read, written, temporaries. */
static inline uint32_t lzd_mode_of(const uint32_t *step, uint32_t operand)
{
    if (!lzd_is_map(step)) {
        return lzd_find_kernel(step[0] & 0xFFFFu)->operands[operand].mode;
    }
    const uint32_t *v = step + STEP_HEAD + lzd_operands(step);
    return operand < v[0] ? MODE_IN : operand < v[0] + v[1] ? MODE_OUT : MODE_SCRATCH;
}

/* lzd_check_steps.c: rules 2 to 6 of one entry whose record is in range. */
lzd_status lzd_check_entry(const uint32_t *plan, const uint32_t *entry, uint32_t *at);

/* A group: steps that run together, range of rows after range of rows, from `first` on, whose tile rows are not 0. Those up to
 * `step` have operands and attributes in range. */
typedef struct lzd_group {
    const uint32_t *buffers, *first;
    uint32_t rows, tile; /* of the first step */
} lzd_group;
/* lzd_group.c. */
lzd_group lzd_group_of(const uint32_t *buffers, const uint32_t *first);
uint32_t lzd_group_at(const lzd_group *g, uint32_t row, uint32_t rows); /* where a step of `rows` rows is when the first is at `row` */
uint64_t lzd_operand_elements(const uint32_t *step, uint32_t operand); /* all of them, whatever the buffer holds */
uint32_t lzd_step_rows(const uint32_t *step);
bool lzd_is_part(const lzd_group *g, uint32_t buffer, uint64_t elements); /* does a buffer hold one range of so many elements? */
lzd_status lzd_check_group(const lzd_group *g, const uint32_t *step);  /* do a step and those before it in the group go together? */

/* What each step of a run needs, found once. */
typedef struct lzd_places {
    uintptr_t base[REGION_OWN + LZD_THREADS]; /* by region */
    const uint32_t *buffers;
    const lzd_kernel *kernels;
} lzd_places;

#if LZD_THREADS
/* lzd_threads.c. Runs a step, or the group that begins there, on all threads of the model. Returns the step behind it; NULL if it is
 * to be run here. */
const uint32_t *lzd_share(const lzd_model *model, const lzd_places *at, const uint32_t *first);
/* lzd_run.c. Makes a step ready, its operands in p; runs rows of a group. They return the step behind it. */
const uint32_t *lzd_prepare(const lzd_places *at, const uint32_t *step, void **p, lzd_ready *r);
const uint32_t *lzd_run_rows(const lzd_places *at, void **p, const lzd_group *g, uint32_t begin, uint32_t end);
static inline void lzd_no_threads(lzd_model *model) { model->threads = NULL; }
extern uint64_t (*const lzd_kernel_work[])(const uint32_t *v); /* the multiply-adds of each row of lzd_kernels, or NULL */
#else
static inline const uint32_t *lzd_share(const lzd_model *model, const lzd_places *at, const uint32_t *first)
{
    (void)model, (void)at, (void)first;
    return NULL;
}
static inline void lzd_no_threads(lzd_model *model) { (void)model; }
#endif

/* The model of a plan with several regions, in the executor's bytes: where its second region lies, and those behind it. */
typedef struct lzd_spread {
    lzd_model model;
    uint8_t *more[LZD_MAX_REGIONS > 1u ? LZD_MAX_REGIONS - 1u : 1u];
} lzd_spread;

/* lzd_plan.c: where a region begins, 0 for zeros; and where a buffer lies, NULL for zeros. */
uintptr_t lzd_base(const lzd_model *model, uint32_t region);
void *lzd_place(const lzd_model *model, uint32_t buffer);
uint32_t lzd_step_reads(const uint32_t *step); /* how many of a step's operands are only read; they come first */

#endif
