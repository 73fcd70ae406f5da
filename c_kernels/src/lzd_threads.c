/* A pool of threads: a large step is cut into ranges of rows, one a thread. Who computes a row changes no bit of it. */
#include "lzd_internal.h"

#if LZD_THREADS

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum {
    LINE = 64,      /* bytes of a cache line; ranges of a map are multiples of as many elements, so no two write to one byte */
    PATIENCE = 1000 /* how often a thread without work looks for some before it sleeps: some tens of microseconds */
};

#if defined(__x86_64__) || defined(__i386__)
#define RELAX() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define RELAX() __asm__ __volatile__("yield")
#else
#define RELAX() (void)sched_yield()
#endif

/* A step, perhaps tiled and with the map behind it, for all threads. Written before `turn` moves on, and only read after. */
typedef struct job {
    const lzd_ready *step, *map; /* map: NULL, or the one behind a tiled step */
    size_t row_bytes[LZD_MAX_EXTENTS]; /* by operand, of an output that begins with the range's first row; 0: of no other */
    uint32_t n_operands, n_map_operands;
    size_t tile_bytes;
    uint32_t out, temp; /* the operands of the tile or output, and of a map's temporaries (LZD_NONE: it has none) */
    uint32_t unit, units;           /* ranges are whole units of so many rows */
    uint32_t tile, columns;         /* rows of a tile, elements of the map in a row */
} job;

typedef struct worker {
    struct lzd_threads *pool;
    uint32_t number;  /* 0 is the caller's own */
    uint8_t *scratch; /* what a tile and a map's temporaries take, whose place in the plan only the caller may use */
    pthread_t thread;
} worker;

struct lzd_threads {
    job job;
    uint32_t n, least_work;
    uint32_t turn, busy, sleeping; /* atomic: the job's number; who has not finished it; who waits for `wake` */
    bool ending;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    uint8_t *scratch;
    worker workers[LZD_MAX_THREADS];
};

static uint32_t row_of(const job *j, uint32_t unit)
{
    return unit < j->units ? unit * j->unit : j->step->rows;
}

/* One thread's range of the job. */
static void run_range(const job *j, uint32_t number, uint32_t n, uint8_t *scratch)
{
    void *p[MAX_OPERANDS], *q[MAX_OPERANDS];
    const lzd_ready *const step = j->step, *const map = j->map;
    const uint32_t begin = row_of(j, (uint32_t)((uint64_t)j->units * number / n));
    const uint32_t end = row_of(j, (uint32_t)((uint64_t)j->units * (number + 1u) / n));
    memcpy(p, step->p, j->n_operands * sizeof *p);
    if (map == NULL) {
        for (uint32_t k = 0; k < LZD_MAX_EXTENTS && k < j->n_operands; k++) {
            p[k] = (uint8_t *)p[k] + j->row_bytes[k] * begin;
        }
        if (j->temp != LZD_NONE && number != 0u) {
            p[j->temp] = scratch;
        }
        if (begin < end) {
            step->run(p, step->attrs, begin, end);
        }
        return;
    }
    memcpy(q, map->p, j->n_map_operands * sizeof *q);
    if (number != 0u) {
        p[j->out] = q[map->attrs[5]] = scratch;
        if (j->temp != LZD_NONE) {
            q[j->temp] = scratch + j->tile_bytes;
        }
    }
    for (uint32_t row = begin; row < end; row += j->tile) {
        const uint32_t stop = end - row < j->tile ? end : row + j->tile;
        step->run(p, step->attrs, row, stop);
        map->run(q, map->attrs, row * j->columns, stop * j->columns);
    }
}

static uint32_t next_turn(struct lzd_threads *pool, uint32_t seen)
{
    uint32_t turn = seen;
    for (uint32_t k = 0; k < PATIENCE && turn == seen; k++) {
        RELAX();
        turn = __atomic_load_n(&pool->turn, __ATOMIC_ACQUIRE);
    }
    if (turn == seen) {
        pthread_mutex_lock(&pool->mutex);
        __atomic_add_fetch(&pool->sleeping, 1u, __ATOMIC_SEQ_CST);
        while ((turn = __atomic_load_n(&pool->turn, __ATOMIC_SEQ_CST)) == seen) {
            pthread_cond_wait(&pool->wake, &pool->mutex);
        }
        __atomic_sub_fetch(&pool->sleeping, 1u, __ATOMIC_SEQ_CST);
        pthread_mutex_unlock(&pool->mutex);
    }
    return turn;
}

static void *work(void *argument)
{
    const worker *me = argument;
    struct lzd_threads *const pool = me->pool;
    for (uint32_t turn = 0; turn = next_turn(pool, turn), !pool->ending;) {
        run_range(&pool->job, me->number, pool->n, me->scratch);
        __atomic_sub_fetch(&pool->busy, 1u, __ATOMIC_RELEASE);
    }
    return NULL;
}

/* The job, or the end, is written: let everybody see it. Whoever is about to sleep looks at `turn` after it has counted itself. */
static void begin_turn(struct lzd_threads *pool)
{
    __atomic_add_fetch(&pool->turn, 1u, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&pool->sleeping, __ATOMIC_SEQ_CST) != 0u) {
        pthread_mutex_lock(&pool->mutex);
        pthread_cond_broadcast(&pool->wake);
        pthread_mutex_unlock(&pool->mutex);
    }
}

static void run_job(struct lzd_threads *pool)
{
    __atomic_store_n(&pool->busy, pool->n - 1u, __ATOMIC_RELAXED);
    begin_turn(pool);
    run_range(&pool->job, 0u, pool->n, NULL);
    for (uint32_t k = 0; __atomic_load_n(&pool->busy, __ATOMIC_ACQUIRE) != 0u; k++) {
        if (k < PATIENCE) {
            RELAX();
        } else {
            sched_yield();
        }
    }
}

/* What each operand of a kernel with rows takes a row, where it is an output; false if it can't be cut: no rows, scratch, or sums of rows. */
static bool cut_fixed(job *j, const uint32_t *step, const lzd_ready *r)
{
    const lzd_kernel *kernel = lzd_find_kernel(step[0] & 0xFFFFu);
    uint64_t extents[LZD_MAX_EXTENTS];
    kernel->extents(r->attrs, extents);
    uint32_t outputs = 0;
    for (uint32_t k = 0; k < kernel->n_operands; k++) {
        const lzd_operand *o = &kernel->operands[k];
        const uint32_t dtype = o->dtype != 0u ? o->dtype : step[0] >> 16;
        j->row_bytes[k] = o->mode == MODE_OUT && r->rows != 0u ? (size_t)(extents[k] / r->rows) << lzd_itemshift(dtype) : 0u;
        if (o->mode == MODE_SCRATCH || o->mode == MODE_ADD) {
            return false;
        }
        if (o->mode == MODE_OUT) {
            j->out = k;
            outputs++;
        }
    }
    return kernel->n_rows != 0u && outputs == 1u;
}

/* How much a step does, in a product's multiply-adds. Who loads and stores for each operation is about four times as slow. */
static uint64_t step_work(const uint32_t *step)
{
    const uint32_t *v = step + STEP_HEAD + lzd_operands(step);
    if (lzd_is_map(step)) {
        return 4u * (uint64_t)lzd_map_size(v) * v[3];
    }
    const uint32_t at = lzd_kernel_at[step[0] & 0xFFFFu];
    uint64_t extents[LZD_MAX_EXTENTS], sum = 0;
    if (lzd_kernel_work[at] != NULL) {
        return lzd_kernel_work[at](v);
    }
    lzd_kernels[at].extents(v, extents);
    for (uint32_t k = 0; k < lzd_operands(step); k++) {
        sum = sat_add(sum, extents[k]);
    }
    return sat_mul(sum, 4u);
}

static size_t tile_bytes(const uint32_t *plan, const uint32_t *step, uint32_t operand) /* whole cache lines */
{
    return ((size_t)lzd_buffer_of(plan, step, operand)[2] + LINE - 1u) / LINE * LINE;
}

static uint32_t temporaries(const uint32_t *v) { return v[2] != 0u ? v[0] + v[1] : LZD_NONE; }

static bool worth_it(const struct lzd_threads *pool, uint64_t done, uint32_t units) { return done >= pool->least_work && units > 1u; }

bool lzd_share(const lzd_model *model, const uint32_t *step, const lzd_ready *r)
{
    struct lzd_threads *const pool = model->threads;
    if (pool == NULL) {
        return false;
    }
    job *const j = &pool->job;
    memset(j, 0, sizeof *j);
    j->step = r;
    j->n_operands = lzd_operands(step);
    j->temp = LZD_NONE;
    j->unit = 1u;
    if (lzd_is_map(step)) {
        j->unit = LINE;
        j->temp = temporaries(r->attrs);
    } else if (!cut_fixed(j, step, r)) {
        return false;
    }
    j->units = r->rows / j->unit + (r->rows % j->unit != 0u);
    if (!worth_it(pool, step_work(step), j->units)) {
        return false;
    }
    run_job(pool);
    return true;
}

bool lzd_share_tiles(const lzd_model *model, const uint32_t *step, const lzd_ready *r, const uint32_t *map_step, const lzd_ready *map)
{
    struct lzd_threads *const pool = model->threads;
    job *const j = pool != NULL ? &pool->job : NULL;
    if (j == NULL) {
        return false;
    }
    memset(j, 0, sizeof *j);
    if (!cut_fixed(j, step, r)) {
        return false;
    }
    j->step = r;
    j->map = map;
    j->n_operands = lzd_operands(step);
    j->n_map_operands = lzd_operands(map_step);
    j->temp = temporaries(map->attrs);
    j->tile = step[2];
    j->columns = map->rows / r->rows;
    j->tile_bytes = tile_bytes(model->plan, step, j->out);
    j->unit = j->tile; /* of as many tiles as begin a byte of bits */
    while (j->unit * j->columns % 8u != 0u) {
        j->unit += j->tile;
    }
    j->units = r->rows / j->unit + (r->rows % j->unit != 0u);
    if (!worth_it(pool, sat_add(step_work(step), step_work(map_step)), j->units)) {
        return false;
    }
    run_job(pool);
    return true;
}

/* The most bytes that a tile and a map's temporaries take in any step. */
static size_t scratch_bytes(const uint32_t *plan)
{
    size_t most = 0, tile = 0;
    const uint32_t *step = lzd_section(plan, H_STEPS), *const end = step + plan[H_N_STEP_WORDS];
    for (; step < end; step += lzd_step_words(step)) {
        const uint32_t *v = step + STEP_HEAD + lzd_operands(step);
        size_t bytes = 0;
        if (lzd_is_map(step) && v[2] != 0u) {
            bytes = lzd_buffer_at(plan, step[STEP_HEAD + v[0] + v[1]])[2];
        }
        most = tile + bytes > most ? tile + bytes : most;
        tile = 0;
        for (uint32_t k = 0; step[2] != 0u && k < lzd_operands(step); k++) { /* one of them is the tile */
            if (!lzd_is_map(step) && lzd_find_kernel(step[0] & 0xFFFFu)->operands[k].mode == MODE_OUT) {
                tile += tile_bytes(plan, step, k);
            }
        }
    }
    return (most + LINE - 1u) / LINE * LINE;
}

static void stop(struct lzd_threads *pool, uint32_t started)
{
    pool->ending = true;
    begin_turn(pool);
    for (uint32_t k = 1u; k < started; k++) {
        pthread_join(pool->workers[k].thread, NULL);
    }
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->mutex);
    free(pool->scratch);
    free(pool);
}

lzd_status lzd_threads_start(lzd_model *model, uint32_t n, uint32_t least_work)
{
    lzd_threads_stop(model);
    if (n == 0u || n > LZD_MAX_THREADS) {
        return LZD_ERROR_THREADS;
    }
    if (n == 1u) {
        return LZD_OK;
    }
    struct lzd_threads *const pool = calloc(1u, sizeof *pool);
    const size_t each = scratch_bytes(model->plan);
    uint8_t *const scratch = malloc(each * (n - 1u) + LINE);
    if (pool == NULL || scratch == NULL) {
        free(pool);
        free(scratch);
        return LZD_ERROR_THREADS;
    }
    pool->n = n;
    pool->least_work = least_work;
    pool->scratch = scratch;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->wake, NULL);
    uint8_t *const first = scratch + (LINE - (uintptr_t)scratch % LINE) % LINE;
    for (uint32_t k = 1u; k < n; k++) {
        worker *const w = &pool->workers[k];
        w->pool = pool;
        w->number = k;
        w->scratch = first + each * (k - 1u);
        if (pthread_create(&w->thread, NULL, work, w) != 0) {
            stop(pool, k);
            return LZD_ERROR_THREADS;
        }
    }
    model->threads = pool;
    return LZD_OK;
}

void lzd_threads_stop(lzd_model *model)
{
    if (model->threads != NULL) {
        stop(model->threads, model->threads->n);
        model->threads = NULL;
    }
}

void lzd_threads_forget(lzd_model *model) { model->threads = NULL; }

uint32_t lzd_threads(const lzd_model *model) { return model->threads != NULL ? model->threads->n : 1u; }

#endif
