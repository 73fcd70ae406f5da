/* The state of lzd_window: the units of a window that have run, and the sets that are known. Shared by window.c, window_set.c. */
#ifndef LZD_WINDOW_H
#define LZD_WINDOW_H

#include "order_walk.h"

#define NONE (-1)

typedef struct node { /* a set of units that ran; its bits are in `sets` */
    int64_t peak, alive;
    int32_t ran;
    int32_t parent;
    int32_t unit; /* ran after the parent's set, before what was as good as anything */
    int32_t stale;
} node;

typedef struct window {
    walk w;
    int32_t *order; /* by place in the window: the unit */
    int32_t length, words, before;
    int32_t *where; /* by unit: its place, or NONE */
    int32_t *waits; /* by place: units of the window that it needs and that have not run */
    int32_t *log;   /* places that ran, in order */
    int64_t *log_alive; /* bytes alive before each */
    uint8_t *done;
    uint64_t *ready; /* a bit a place: it has not run, and all that it needs has */
    int32_t *left_before; /* by value: readers that have not run when the window begins */
    int64_t alive_before;
    int64_t work;
    node *nodes;
    uint64_t *sets;
    int32_t *heap, *slots;
    int32_t n_log, n_nodes, n_heap, n_slots;
} window;

/* Runs the unit at a place, after which so many bytes are alive. */
void window_run(window *s, int32_t place, int64_t after);

/* Takes back all but the first `to` that ran. */
void window_back(window *s, int32_t to);

/* Makes a set of places, a bit each, those that have run, whatever has. How many bytes are alive then is not known. */
void window_load(window *s, const uint64_t *set);

/* Bytes in use while the unit at a place runs, and alive after it. */
int64_t window_look(window *s, int32_t place, int64_t *after);

/* The bit of a place in its word, which is number place / 64. */
static inline uint64_t window_bit(int32_t place)
{
    return (uint64_t)1 << ((uint32_t)place & 63u);
}

static inline uint32_t window_word(int32_t place)
{
    return (uint32_t)place >> 6;
}

/* Has all that the unit at a place needs run, and it not? */
static inline int window_ready(const window *s, int32_t place)
{
    return (s->ready[window_word(place)] & window_bit(place)) != 0;
}

/* The first place that is ready, from a place on; the window's length if there is none. */
static inline int32_t window_next(const window *s, int32_t from)
{
    for (int32_t k = from / 64; k < s->words; k++) {
        uint64_t bits = s->ready[k] & (k == from / 64 ? ~(uint64_t)0 << (from % 64) : ~(uint64_t)0);
        if (bits) {
            int32_t place = 64 * k;
#ifdef __GNUC__
            place += __builtin_ctzll(bits);
#else
            for (; !(bits & 1); bits >>= 1) {
                place++;
            }
#endif
            return place;
        }
    }
    return s->length;
}

/* Runs all that is as good as anything under this peak. */
void window_close(window *s, int64_t peak);

/* The most that a unit of the window surely takes: what is alive with it, given only what must come before it and after. There are
   no nodes yet: their memory is used. */
int64_t window_least(window *s);

#endif
