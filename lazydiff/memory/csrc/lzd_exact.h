/* Exact recomputation for the planner: host only, never part of the device library. C99; no heap, no recursion, no clock. */
#ifndef LZD_EXACT_H
#define LZD_EXACT_H

#include <stddef.h>
#include <stdint.h>

#define LZD_WORDS 2 /* of 64 bits in a set, so at most 128 units and 128 values */

/* An entry of few units, numbered so that what a unit needs has lower numbers. Sets are LZD_WORDS words each.
   Values without bytes in the shared area have no number: once made they are there. */
typedef struct lzd_small {
    int32_t values;
    int32_t units;
    const int64_t *size;    /* by value: at least 1 */
    const int64_t *cost;    /* by unit: at least 0 */
    const uint64_t *reads;  /* by unit: a set of values */
    const uint64_t *writes; /* by unit: a set of values */
    const uint64_t *needs;  /* by unit: the units that must have run before it */
    const uint64_t *after;  /* by unit: the units that may not run any more once it has run */
    const uint8_t *once;    /* by unit: 1 if it may run only once */
    const int32_t *share_at, *share_old, *share_new; /* by unit: pairs of values that may share bytes where the old one dies */
    const uint64_t *born;   /* one set: the values that are there from the start */
    const uint64_t *keep;   /* one set: the values that must be there at the end */
    int32_t in_order;       /* 1: units run for the first time in the order of their numbers */
} lzd_small;

/* Bytes of memory that lzd_cheapest takes. */
size_t lzd_cheapest_bytes(int32_t node_limit);

/* The schedule of least cost whose contention bound is within the budget, in bytes. Returns LZD_YES: it has *length steps;
   LZD_NO: there is none; LZD_NOT_DECIDED: node_limit states or `most` steps were not enough. *nodes: how many states it saw.
   memory: aligned to 16. */
int lzd_cheapest(const lzd_small *entry, int64_t budget, int32_t node_limit, int32_t *schedule, int32_t most, int32_t *length,
                 int32_t *nodes, void *memory);

/* A chain of stages (memory/recompute/chain.py), numbered 0 .. stages-1. All bytes are in slots. Where an array goes by
   stage * 2 + h, h says that the stage's input must stay; by stage * 4 + h + 2 * o, o says that its output is there already. */
typedef struct lzd_chain {
    int32_t stages;
    int32_t classes; /* of stretches first..last; equal ones share a class; a stretch has a higher one than its parts */
    int32_t slots;   /* the budget */
    int32_t variants; /* of costs: 4, by h + 2 * o; or 1, if no way back reads its stage's output */
    const int32_t *of;    /* by first * stages + last: the class */
    const int32_t *first; /* by class: one stretch of it */
    const int32_t *last;
    const int32_t *input;     /* by stage: what enters it, forwards */
    const int32_t *gradient;  /* by stage: what enters it, backwards */
    const int32_t *leaving;   /* by stage: what leaves it, forwards */
    const uint8_t *output;    /* by stage: 1 if its way back reads that */
    const int32_t *pass;      /* by stage * 2 + h: the most slots while it makes no more than its output */
    const int32_t *keep;      /* by stage * 2 + h: the most while it makes its output and all that its way back reads */
    const int32_t *held;      /* by stage * 2 + h: what then stays for its way back, its output not counted */
    const int32_t *back;      /* by stage * 2 + h: the most on its way back */
    const int32_t *both;      /* by stage * 4 + h + 2 * o: the most of making what its way back reads, and its way back */
    const int64_t *pass_cost; /* by stage */
    const int64_t *keep_cost; /* by stage */
    const int64_t *both_cost; /* by stage * 2 + o */
} lzd_chain;

#define LZD_NEVER ((int64_t)1 << 60) /* more than any cost */

/* cost[(class * variants + h + 2 * o) * (slots + 1) + m]: the least cost of a stretch, forwards and back, in m slots with what
   is there: its input, the gradient behind it, if o its output. LZD_NEVER or more if it does not fit. h: its input must stay.
   range: 2 * classes * variants elements of memory. */
void lzd_cross(const lzd_chain *chain, int64_t *cost, int32_t *range);

#endif
