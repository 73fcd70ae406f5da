/* A pool of threads: a job is cut into pieces, and each thread takes some, its own first and then the others'. */
#include "lzd_share.h"

#if LZD_THREADS

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum { PATIENCE = 1000 /* how often a thread without work looks for some before it sleeps: some tens of microseconds */ };

#if defined(__x86_64__) || defined(__i386__)
#define RELAX() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define RELAX() __asm__ __volatile__("isb") /* waits about as long as a pause; a yield does nothing on most cores */
#else
#define RELAX() (void)sched_yield()
#endif

typedef struct worker {
    uint32_t left, end; /* of its pieces: how many nobody has taken (atomic); the number behind the last */
    struct lzd_threads *pool;
    uint32_t number; /* 0 is the caller's own */
    uint8_t *scratch;
    pthread_t thread;
    uint8_t apart[LZD_LINE]; /* `left` is written by all: no other worker's is in its cache line */
} worker;

struct lzd_threads {
    lzd_job job;
    uint32_t n, least_work;
    uint32_t turn, busy, sleeping; /* atomic: the job's number; its pieces that are not finished; who waits for `wake` */
    bool ending; /* atomic */
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    uint8_t *scratch; /* what tiles and temporaries take, whose place in the plan only the caller may use; of all further threads */
    worker workers[LZD_MAX_THREADS];
};

/* Takes a piece of the present job: whoever finds one left in `w` finds the job that it is of, since a job ends with its last piece. */
static bool take(worker *w, uint32_t *piece)
{
    uint32_t left = __atomic_load_n(&w->left, __ATOMIC_RELAXED);
    while (left != 0u) {
        if (__atomic_compare_exchange_n(&w->left, &left, left - 1u, true, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
            *piece = w->end - left;
            return true;
        }
    }
    return false;
}

/* Runs pieces until none is left. */
static void run_pieces(struct lzd_threads *pool, uint32_t number)
{
    for (uint32_t k = 0, piece; k < pool->n; k++) {
        const uint32_t whose = number + k < pool->n ? number + k : number + k - pool->n;
        while (take(&pool->workers[whose], &piece)) {
            lzd_run_piece(&pool->job, piece, pool->workers[number].scratch);
            __atomic_sub_fetch(&pool->busy, 1u, __ATOMIC_RELEASE);
        }
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
    for (uint32_t turn = 0; turn = next_turn(pool, turn), !__atomic_load_n(&pool->ending, __ATOMIC_RELAXED);) {
        run_pieces(pool, me->number);
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
    const uint32_t n = pool->n, pieces = pool->job.pieces;
    __atomic_store_n(&pool->busy, pieces, __ATOMIC_RELAXED);
    for (uint32_t k = 0; k < n; k++) {
        const uint32_t end = pieces * (k + 1u) / n;
        pool->workers[k].end = end;
        __atomic_store_n(&pool->workers[k].left, end - pieces * k / n, __ATOMIC_RELEASE);
    }
    begin_turn(pool);
    run_pieces(pool, 0u);
    for (uint32_t k = 0; __atomic_load_n(&pool->busy, __ATOMIC_ACQUIRE) != 0u; k++) {
        if (k < PATIENCE) {
            RELAX();
        } else {
            sched_yield();
        }
    }
}

const uint32_t *lzd_share(const lzd_model *model, const lzd_places *at, const uint32_t *first)
{
    struct lzd_threads *const pool = model->threads;
    if (pool == NULL) {
        return NULL;
    }
    const uint32_t *const behind = lzd_cut(&pool->job, at, first, pool->n, pool->least_work);
    if (behind != NULL) {
        run_job(pool);
        lzd_put_back(&pool->job);
    }
    return behind;
}

static void release(struct lzd_threads *pool)
{
    free(pool->scratch);
    free(pool->job.buffers);
    free(pool);
}

static void stop(struct lzd_threads *pool, uint32_t started)
{
    __atomic_store_n(&pool->ending, true, __ATOMIC_RELAXED);
    begin_turn(pool);
    for (uint32_t k = 1u; k < started; k++) {
        pthread_join(pool->workers[k].thread, NULL);
    }
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->mutex);
    release(pool);
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
    if (pool == NULL) {
        return LZD_ERROR_THREADS;
    }
    const size_t records = sizeof(uint32_t) * B_WORDS * model->plan[H_N_BUFFERS];
    size_t each = 0;
    pool->job.buffers = malloc(records);
    if (pool->job.buffers != NULL) {
        memcpy(pool->job.buffers, lzd_section(model->plan, H_BUFFERS), records);
        each = lzd_own_bytes(&pool->job, model->plan);
        pool->scratch = malloc(each * (n - 1u) + LZD_LINE);
    }
    if (pool->scratch == NULL) {
        release(pool);
        return LZD_ERROR_THREADS;
    }
    pool->n = n;
    pool->least_work = least_work;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->wake, NULL);
    uint8_t *const first = pool->scratch + (LZD_LINE - (uintptr_t)pool->scratch % LZD_LINE) % LZD_LINE;
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
