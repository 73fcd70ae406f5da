/* A walk along an order: which bytes are alive, and what one more unit would need. Shared by order.c and window.c. */
#ifndef LZD_ORDER_WALK_H
#define LZD_ORDER_WALK_H

#include "lzd_order.h"

typedef struct walk {
    const lzd_units *in;
    int64_t *mark;   /* by value: the last look (`stamp`) in which it took part in sharing */
    int32_t *left;   /* by value: readers that have not run */
    int64_t *makes;  /* by unit: bytes it writes, */
    int64_t *leaves; /* and those of them that last */
    int64_t stamp;
    int64_t alive;   /* bytes */
    int64_t at_once; /* bytes of inputs that nothing reads: alive at the first step alone */
    int32_t ran;     /* units */
} walk;

/* Takes the next bytes of memory, or only counts them. */
static inline void *walk_take(uintptr_t *at, int64_t count, size_t size)
{
    const uintptr_t here = *at;
    *at += ((size_t)count * size + 7u) & ~(uintptr_t)7u;
    return (void *)here;
}

/* Is the value alive after its unit has run? */
static inline int walk_lasts(const lzd_units *in, int32_t v)
{
    return in->kept[v] || in->reader_from[v + 1] > in->reader_from[v];
}

/* Does the value die with the unit that runs next, one of its readers? */
static inline int walk_dies(const walk *w, int32_t v)
{
    return w->left[v] == 1 && !w->in->kept[v];
}

/* Bytes of memory that walk_begin takes. */
static inline size_t walk_bytes(const lzd_units *in)
{
    return 16u * (size_t)in->values + 16u * (size_t)in->units;
}

/* Before the first unit. memory: walk_bytes, aligned to 8; returns what follows them. */
static inline void *walk_begin(walk *w, const lzd_units *in, void *memory)
{
    w->in = in;
    w->mark = memory;
    w->makes = w->mark + in->values;
    w->leaves = w->makes + in->units;
    w->left = (int32_t *)(void *)(w->leaves + in->units);
    w->stamp = w->alive = w->at_once = 0;
    w->ran = 0;
    for (int32_t v = 0; v < in->values; v++) {
        w->mark[v] = 0;
        w->left[v] = in->reader_from[v + 1] - in->reader_from[v];
        if (in->maker[v] == LZD_MAKER_NONE) {
            *(walk_lasts(in, v) ? &w->alive : &w->at_once) += in->size[v];
        }
    }
    for (int32_t u = 0; u < in->units; u++) {
        w->makes[u] = w->leaves[u] = 0;
        for (int32_t i = in->write_from[u]; i < in->write_from[u + 1]; i++) {
            w->makes[u] += in->size[in->write[i]];
            w->leaves[u] += walk_lasts(in, in->write[i]) ? in->size[in->write[i]] : 0;
        }
    }
    return (uint8_t *)memory + walk_bytes(in);
}

/* Bytes in use while u runs, and alive after it. */
static inline int64_t walk_look(walk *w, int32_t u, int64_t *after)
{
    const lzd_units *in = w->in;
    int64_t use = w->alive + w->makes[u] + (w->ran ? 0 : w->at_once), then = w->alive + w->leaves[u];
    for (int32_t i = in->read_from[u]; i < in->read_from[u + 1]; i++) {
        then -= walk_dies(w, in->read[i]) ? in->size[in->read[i]] : 0;
    }
    *after = then;
    const int32_t pairs = in->pair_from[u], end = in->pair_from[u + 1];
    if (end - pairs == 1) { /* nothing else to take part in */
        return use - (walk_dies(w, in->pair[2 * pairs]) ? in->size[in->pair[2 * pairs]] : 0);
    }
    w->stamp++;
    for (int32_t i = pairs; i < end; i++) {
        const int32_t old = in->pair[2 * i], new = in->pair[2 * i + 1];
        if (w->mark[old] != w->stamp && w->mark[new] != w->stamp && walk_dies(w, old)) {
            w->mark[old] = w->mark[new] = w->stamp;
            use -= in->size[new];
        }
    }
    return use;
}

/* Runs u, after which `after` bytes are alive. */
static inline void walk_run(walk *w, int32_t u, int64_t after)
{
    for (int32_t i = w->in->read_from[u]; i < w->in->read_from[u + 1]; i++) {
        w->left[w->in->read[i]]--;
    }
    w->alive = after;
    w->ran++;
}

/* Takes back the last unit, before which `before` bytes were alive. */
static inline void walk_back(walk *w, int32_t u, int64_t before)
{
    for (int32_t i = w->in->read_from[u]; i < w->in->read_from[u + 1]; i++) {
        w->left[w->in->read[i]]++;
    }
    w->alive = before;
    w->ran--;
}

#endif
