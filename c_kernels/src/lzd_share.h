/* What the pool of threads (lzd_threads.c) asks of who cuts steps into pieces (lzd_share.c). */
#ifndef LZD_SHARE_H
#define LZD_SHARE_H

#include "lzd_internal.h"

#if LZD_THREADS

enum { LZD_LINE = 64 /* bytes of a cache line */ };

/* A step or a group, cut into pieces. Written before any piece can be taken, and only read until all are finished. */
typedef struct lzd_job {
    lzd_places at;
    lzd_group group; /* tile 0: a step alone */
    const uint32_t *behind; /* the step behind it */
    uint32_t *buffers; /* the plan's records, but for what each further thread has of its own, which lies in REGION_OWN */
    size_t row_bytes[LZD_MAX_EXTENTS]; /* of a step alone, by operand: of an output that begins with the piece's first row; else 0 */
    uint32_t unit, units, pieces;      /* pieces are whole units of so many rows */
} lzd_job;

/* Cuts what begins at a step for n threads. Returns the step behind it; NULL if it can't be cut, or does less than `least_work`. */
const uint32_t *lzd_cut(lzd_job *job, const lzd_places *at, const uint32_t *first, uint32_t n, uint32_t least_work);
void lzd_run_piece(const lzd_job *job, uint32_t piece, uint8_t *scratch); /* scratch: a further thread's own bytes; NULL: the plan's */
void lzd_put_back(lzd_job *job); /* the records of `buffers` are the plan's again */
size_t lzd_own_bytes(lzd_job *job, const uint32_t *plan); /* the most that a thread needs of its own; `buffers` are the plan's records */

#endif
#endif
