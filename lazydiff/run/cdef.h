/* The C that Python calls, all of it; declared and explained in c_kernels/include/lzd.h and run/csrc/lzd_python.h. */
#define LZD_OK 0
#define LZD_ERROR_INDEX ...
#define LZD_ERROR_INPUT_RANGE ...
#define LZD_ERROR_INPUT_FINITE ...
#define LZD_ERROR_SIMD ...
#define LZD_FORMAT_VERSION ...
#define LZD_TABLE_VERSION ...
#define LZD_FORMAT_SEVERAL_REGIONS ...
#define LZD_MAX_REGIONS ...
#define LZD_MAX_THREADS ...

typedef struct lzd_model {
    uint32_t error_at;
    uint32_t error_item;
    ...;
} lzd_model;

typedef struct lzd_symbol {
    const char *name;
    const uint32_t *dims;
    uint32_t rank;
    uint32_t bytes;
    uint8_t kind;
    uint8_t dtype;
    uint8_t region;
    uint32_t buffer;
} lzd_symbol;

typedef struct lzd_entry {
    const char *name;
    uint32_t first_input, n_inputs, first_output, n_outputs, n_steps;
} lzd_entry;

int lzd_check(const void *plan, size_t plan_bytes, uint32_t *at);
uint32_t lzd_regions(const void *plan, size_t plan_bytes, uint32_t *bytes);

typedef struct lzd_block {
    void *at;
    size_t bytes;
} lzd_block;
int lzd_open_regions(lzd_model **model, const void *plan, size_t plan_bytes, const lzd_block *blocks, uint32_t n_blocks);
const char *lzd_simd_name(uint32_t number);
const char *lzd_simd(const lzd_model *model);
int lzd_set_simd(lzd_model *model, const char *name);
typedef void (*lzd_maps)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end);
size_t lzd_kernels_bytes(void);
void lzd_set_maps(lzd_model *model, void *table, lzd_maps f32, lzd_maps *own_f32, lzd_maps f64, lzd_maps *own_f64);
int lzd_threads_start(lzd_model *model, uint32_t n, uint32_t least_work);
void lzd_threads_stop(lzd_model *model);
void lzd_threads_forget(lzd_model *model);
uint32_t lzd_threads(const lzd_model *model);
void lzd_reset(lzd_model *model);
int lzd_describe(const lzd_model *model, uint32_t symbol, lzd_symbol *out);
int lzd_describe_entry(const lzd_model *model, uint32_t entry, lzd_entry *out);
int lzd_write(lzd_model *model, uint32_t symbol, const void *from, size_t bytes);
int lzd_read(const lzd_model *model, uint32_t symbol, void *to, size_t bytes);
int lzd_call(lzd_model *model, uint32_t entry, const void *const *inputs, void *const *outputs);
const char *lzd_status_text(int status);

int lzd_repeat(lzd_model *model, uint32_t entry, const void *const *inputs, void *const *outputs, uint32_t times);
int lzd_call_along(lzd_model *model, uint32_t entry, const void **inputs, const size_t *input_bytes, uint32_t n_inputs,
                   void **outputs, const size_t *output_bytes, uint32_t n_outputs, uint32_t times, uint32_t *done);
int lzd_repeat_counted(lzd_model *model, uint32_t entry, const void *const *inputs, void *const *outputs, uint32_t times,
                       uint64_t (*count)(void), uint64_t *counted);
uint64_t lzd_probe_heap(uint64_t (*count)(void));
