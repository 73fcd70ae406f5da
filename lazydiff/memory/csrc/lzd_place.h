/* Placement for the planner: host only, never part of the device library. C99; no heap, no recursion, no clock.

   Buffers are rectangles whose extent in time is given and whose offset is wanted. Time is counted in sections: the stretches
   in which the set of live buffers is largest (memory/placement/sections.py). Sizes and offsets are in alignment units, below 2^50. */
#ifndef LZD_PLACE_H
#define LZD_PLACE_H

#include <stddef.h>
#include <stdint.h>

#define LZD_NO 0
#define LZD_YES 1
#define LZD_NOT_DECIDED 2

typedef struct lzd_buffers {
    int32_t count;        /* buffers 0..count-1 want a place */
    int32_t fixed;        /* buffers count..count+fixed-1 have one, and do not overlap each other */
    int32_t sections;     /* of time; every section has a live buffer */
    const int64_t *size;  /* by buffer: at least 1 */
    const int32_t *first; /* by buffer: live in sections first..end-1, at least one */
    const int32_t *end;
    const int64_t *at; /* by fixed buffer: its offset */
} lzd_buffers;

/* Puts the buffers, in this order, each into the lowest gap that holds it (tightest: into the smallest one), and returns the
   height reached, fixed buffers included. offset: by buffer, count of them. memory: 32 * (count + fixed) bytes, aligned to 8. */
int64_t lzd_first_fit(const lzd_buffers *buffers, const int32_t *order, int tightest, int64_t *offset, void *memory);

/* How many pairs of buffers are live at once, the fixed ones left out. */
int64_t lzd_pairs(const lzd_buffers *buffers);

/* Bytes of memory that lzd_search takes; pairs is lzd_pairs's answer. */
size_t lzd_search_bytes(const lzd_buffers *buffers, int64_t pairs);

/* Have the buffers a place below capacity? Visits at most node_limit placements of one buffer (*nodes: how many it did).
   LZD_YES: offset holds it, by buffer. LZD_NO: there is none. Among equally low places, the lower buffer number goes first.
   failed: by section; increased whenever the section was why a placement was given up. memory: aligned to 16. */
int lzd_search(const lzd_buffers *buffers, int64_t pairs, int64_t capacity, int64_t node_limit, int64_t *offset, int64_t *failed,
               int64_t *nodes, void *memory);

#endif
