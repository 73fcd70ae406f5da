/* The order of an entry's units for few bytes alive at once: host only, as lzd_place.h. Explained in memory/ordering/order.py.

   The bytes in use while a unit runs depend on the set of units that ran before it, and on nothing else:
       alive before + what it writes - what it writes over an operand that dies with it.
   A value is alive from the unit that makes it until all that read it have run, or to the end if it is kept. */
#ifndef LZD_ORDER_H
#define LZD_ORDER_H

#include <stddef.h>
#include <stdint.h>

#define LZD_MAKER_NONE (-1)

/* Lists by unit or value: those of number n are list[from[n]] .. list[from[n + 1] - 1]. */
typedef struct lzd_units {
    int32_t units;
    int32_t values;
    const int64_t *size;      /* by value: 0 if it takes no bytes here; the sum below 2^62 */
    const uint8_t *kept;      /* by value: alive to the end */
    const int32_t *maker;     /* by value: its unit, or LZD_MAKER_NONE: alive from the start */
    const int32_t *read_from; /* by unit: the values it reads, each once */
    const int32_t *read;
    const int32_t *write_from;
    const int32_t *write;
    const int32_t *reader_from; /* by value: the units that read it */
    const int32_t *reader;
    const int32_t *need_from; /* by unit: the units that must have run before it */
    const int32_t *need;
    const int32_t *next_from; /* by unit: the units that need it */
    const int32_t *next;
    const int32_t *pair_from; /* by unit: (old, new) of equal size that may share bytes; the first that can, do */
    const int32_t *pair;      /* two numbers each */
} lzd_units;

/* Bytes in use at each step of an order of all units (usage: by step), and the most. memory: 16 * (values + units) bytes. */
int64_t lzd_usage(const lzd_units *units, const int32_t *order, int64_t *usage, void *memory);

/* An order by rule, of the units that are ready always one. memory: 16 * values + 24 * units bytes.
   0: the one after which the fewest bytes are alive; 1: from the end, the one before which the fewest are alive. Of several the
   one that got ready last. */
void lzd_list(const lzd_units *units, int from_the_end, int32_t *order, void *memory);

/* The order that takes, of the units that are ready, always the first by number; greedy: the one of the least growth, then the first.
   A unit's growth is the bytes alive after it minus those before. memory: as lzd_first_bytes says, aligned to 8. Returns how many
   units are in the order: fewer than there are if some wait for each other. */
int32_t lzd_first(const lzd_units *units, int greedy, int32_t *order, void *memory);
size_t lzd_first_bytes(const lzd_units *units);

/* No order has a peak below this, in bytes; `order` is any that is valid. memory: lzd_window_bytes(units, units->units, 0). */
int64_t lzd_least(const lzd_units *units, const int32_t *order, void *memory);

/* Bytes of memory that lzd_window takes for so many steps. */
size_t lzd_window_bytes(const lzd_units *units, int32_t length, int32_t node_limit);

/* Searches the orders of steps first..last-1 of an order, the others fixed, for the lowest peak in the window. Peaks up to `start`
   count as equal (0: none do). Stores at most node_limit sets of units and looks at units work_limit times.
   LZD_YES: an order with a lower peak was found, and is in `order`; LZD_NO: there is none; LZD_NOT_DECIDED.
   *proved: no order of the window has a peak below this; before, 0 or what lzd_least says of the window. memory: aligned to 8. */
int lzd_window(const lzd_units *units, int32_t *order, int32_t first, int32_t last, int64_t start, int32_t node_limit,
               int64_t work_limit, int64_t *proved, void *memory);

/* Moves units away from the highest steps of an order as long as that helps, then from seeded changes on; the order is never left
   with a higher peak. Looks at about `limit` steps in all. Returns the peak. memory: lzd_moves_bytes, aligned to 8. */
int64_t lzd_moves(const lzd_units *units, int32_t *order, int32_t seed, int64_t limit, void *memory);
size_t lzd_moves_bytes(const lzd_units *units);

#endif
