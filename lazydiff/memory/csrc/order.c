/* Bytes in use along an order, and orders by rule. */
#include "order_walk.h"

#define LOOKED_AT 512 /* of the units that are ready, the newest */

int64_t lzd_usage(const lzd_units *units, const int32_t *order, int64_t *usage, void *memory)
{
    walk w;
    int64_t peak = 0, after;
    (void)walk_begin(&w, units, memory);
    for (int32_t t = 0; t < units->units; t++) {
        usage[t] = walk_look(&w, order[t], &after);
        peak = usage[t] > peak ? usage[t] : peak;
        walk_run(&w, order[t], after);
    }
    return peak;
}

/* What running u adds to the bytes alive. */
static int64_t growth(walk *w, int32_t u)
{
    int64_t after;
    (void)walk_look(w, u, &after);
    return after - w->alive;
}

/* The same from the end, where `left` counts readers that have not been put: what putting u before all that is put adds. A value
   that u is the first to read must be alive before it; what u makes need not. */
static int64_t growth_from_the_end(const walk *w, int32_t u)
{
    const lzd_units *in = w->in;
    int64_t grown = 0;
    for (int32_t i = in->read_from[u]; i < in->read_from[u + 1]; i++) {
        const int32_t v = in->read[i];
        grown += !in->kept[v] && w->left[v] == in->reader_from[v + 1] - in->reader_from[v] ? in->size[v] : 0;
    }
    for (int32_t i = in->write_from[u]; i < in->write_from[u + 1]; i++) {
        grown -= walk_lasts(in, in->write[i]) ? in->size[in->write[i]] : 0;
    }
    return grown;
}

void lzd_list(const lzd_units *units, int from_the_end, int32_t *order, void *memory)
{
    walk w;
    int32_t *waits = walk_begin(&w, units, memory);
    int32_t *queue = waits + units->units, count = 0; /* those that are ready, the newest last */
    const int32_t *need_from = from_the_end ? units->next_from : units->need_from;
    const int32_t *next_from = from_the_end ? units->need_from : units->next_from;
    const int32_t *next = from_the_end ? units->need : units->next;
    for (int32_t i = 0; i < units->units; i++) {
        const int32_t u = from_the_end ? i : units->units - 1 - i; /* the first (or last) of those ready from the start is newest */
        waits[u] = need_from[u + 1] - need_from[u];
        if (!waits[u]) {
            queue[count++] = u;
        }
    }
    for (int32_t t = 0; t < units->units && count; t++) {
        int64_t least = INT64_MAX;
        int32_t best = count - 1;
        for (int32_t i = count - 1; i >= 0 && i >= count - LOOKED_AT; i--) {
            const int64_t grown = from_the_end ? growth_from_the_end(&w, queue[i]) : growth(&w, queue[i]);
            if (grown < least) {
                least = grown;
                best = i;
            }
        }
        const int32_t u = queue[best];
        for (int32_t i = best + 1; i < count; i++) {
            queue[i - 1] = queue[i];
        }
        count--;
        walk_run(&w, u, w.alive + least);
        order[from_the_end ? units->units - 1 - t : t] = u;
        for (int32_t i = next_from[u]; i < next_from[u + 1]; i++) {
            if (!--waits[next[i]]) {
                queue[count++] = next[i];
            }
        }
    }
}

typedef struct ready { /* a unit that may run, and its growth when it was put here: it can only fall */
    int64_t growth;
    int32_t unit;
} ready;

static int before(ready a, ready b)
{
    return a.growth != b.growth ? a.growth < b.growth : a.unit < b.unit;
}

static void put(ready *heap, int32_t *count, ready new)
{
    int32_t at = (*count)++;
    for (; at && before(new, heap[(at - 1) / 2]); at = (at - 1) / 2) {
        heap[at] = heap[(at - 1) / 2];
    }
    heap[at] = new;
}

static ready take(ready *heap, int32_t *count)
{
    const ready top = heap[0], last = heap[--*count];
    int32_t at = 0;
    for (int32_t child = 1; child < *count; child = 2 * at + 1) {
        child += child + 1 < *count && before(heap[child + 1], heap[child]);
        if (!before(heap[child], last)) {
            break;
        }
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = last;
    return top;
}

size_t lzd_first_bytes(const lzd_units *units)
{
    const size_t most = (size_t)units->units + (size_t)units->reader_from[units->values]; /* in the heap */
    return walk_bytes(units) + most * sizeof(ready) + 5u * (size_t)units->units;
}

int32_t lzd_first(const lzd_units *units, int greedy, int32_t *order, void *memory)
{
    walk w;
    ready *heap = walk_begin(&w, units, memory);
    int32_t *waits = (int32_t *)(void *)(heap + units->units + units->reader_from[units->values]), count = 0, ran = 0;
    uint8_t *done = (uint8_t *)(waits + units->units);
    for (int32_t u = 0; u < units->units; u++) {
        done[u] = 0;
        waits[u] = units->need_from[u + 1] - units->need_from[u];
        if (!waits[u]) {
            put(heap, &count, (ready){greedy ? growth(&w, u) : 0, u});
        }
    }
    while (count) {
        const int32_t u = take(heap, &count).unit;
        if (done[u]) {
            continue;
        }
        done[u] = 1;
        order[ran++] = u;
        walk_run(&w, u, 0);
        for (int32_t i = units->read_from[u]; greedy && i < units->read_from[u + 1]; i++) {
            const int32_t v = units->read[i];
            for (int32_t k = units->reader_from[v]; walk_dies(&w, v) && k < units->reader_from[v + 1]; k++) {
                const int32_t last = units->reader[k]; /* the only reader left, if it has not run: it frees v now */
                if (!done[last] && !waits[last]) {
                    put(heap, &count, (ready){growth(&w, last), last});
                }
            }
        }
        for (int32_t i = units->next_from[u]; i < units->next_from[u + 1]; i++) {
            const int32_t next = units->next[i];
            if (!--waits[next]) {
                put(heap, &count, (ready){greedy ? growth(&w, next) : 0, next});
            }
        }
    }
    return ran;
}
