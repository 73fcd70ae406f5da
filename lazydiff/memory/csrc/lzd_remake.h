/* Recomputation for the planner: host only, never part of the device library. C99; no heap, no recursion, no clock.

   An entry is that of memory/facts.py, in arrays. Lists of lists lie one behind the other: those of unit u are elements
   x_at[u] .. x_at[u + 1] - 1. A schedule is a list of unit numbers, in which a unit may stand several times. */
#ifndef LZD_REMAKE_H
#define LZD_REMAKE_H

#include <stdint.h>

typedef struct lzd_entry {
    int32_t values;
    int32_t units;
    int32_t steps; /* of the base schedule */
    int32_t born;  /* how many values are there from the start */
    const int64_t *size;   /* by value: bytes in the shared area, or 0 */
    const int64_t *cost;   /* by unit */
    const int32_t *maker;  /* by value: the unit that makes it, or -1 */
    const int32_t *read_at, *reads;
    const int32_t *write_at, *writes;
    const int32_t *share_at, *share_old, *share_new; /* by unit: values of which the new may take the old one's bytes */
    const int32_t *first;  /* the values that are there from the start */
    const uint8_t *keep;   /* by value: 1 if it must be there at the end */
    const int32_t *base;   /* the base schedule */
    const int32_t *use_at, *uses; /* by value: the base steps that read it, rising; `steps` where it is kept */
    const int32_t *until;  /* by value: the last base step before which it can be made again, or -1 */
    const uint8_t *stay;   /* by value: 1 if it is not dropped while it is read again */
} lzd_entry;

typedef struct lzd_rule {
    int64_t budget;       /* bytes */
    int64_t small;        /* values below this size are dropped only when nothing else is left */
    int64_t patience;     /* so many looks at values and units, then the walk is given up */
    int32_t work;         /* a score counts all units that must run again; else the maker alone */
    int32_t distance;     /* a score counts the base steps until the next read */
    const int32_t *weight; /* by value, in 16ths, below 2^16: what its score is multiplied with */
} lzd_rule;

/* Walks the base schedule as memory/recompute/evict.py says. Returns how many steps were written to `schedule`, or -1 if
   they were more than most, or patience ran out. memory: 4 * (8 * values + 4 * units + 8) bytes. */
int32_t lzd_evict(const lzd_entry *entry, const lzd_rule *rule, int32_t *schedule, int32_t most, int32_t *memory);

/* The schedule of n steps without the one at `without` (-1: with all) and then without repeats that make nothing that is
   read. Returns the length. memory: 4 * (values + 2 * units) bytes. */
int32_t lzd_tidy(const lzd_entry *entry, const int32_t *schedule, int32_t n, int32_t without, int32_t *shorter, int32_t *memory);

/* The contention bound of a schedule of n steps (memory/lives.py), or -1 if it has more than `most` makings.
   alive: 8 * (n + 1) bytes. memory: 4 * (values + n + 1 + 4 * most) bytes. */
int64_t lzd_peak(const lzd_entry *entry, const int32_t *schedule, int32_t n, int32_t most, int64_t *alive, int32_t *memory);

#endif
