/* Exact order of a window of steps: a search over the sets of units that have run, best bound first.

   The peak of a way to a set is the most bytes in use on it; of the ways to a set only the lowest counts. Sets are taken up in
   the order of that peak, the largest set first, so that the first way that has run all units is the lowest. What keeps the
   sets few is in window_set.c. */
#include "window.h"
#include "lzd_place.h"

static size_t lay_out(window *s, const lzd_units *in, int32_t length, int32_t node_limit, void *memory)
{
    uintptr_t at = (uintptr_t)memory + walk_bytes(in);
    s->length = length;
    s->words = (length + 63) / 64;
    for (s->n_slots = 2; s->n_slots < 2 * node_limit; s->n_slots *= 2) {
    }
    s->order = walk_take(&at, length, sizeof(int32_t));
    s->where = walk_take(&at, in->units, sizeof(int32_t));
    s->waits = walk_take(&at, length, sizeof(int32_t));
    s->log = walk_take(&at, length, sizeof(int32_t));
    s->log_alive = walk_take(&at, length, sizeof(int64_t));
    s->done = walk_take(&at, length, 1);
    s->ready = walk_take(&at, s->words, sizeof(uint64_t));
    s->left_before = walk_take(&at, in->values, sizeof(int32_t));
    s->nodes = walk_take(&at, node_limit, sizeof(node));
    s->sets = walk_take(&at, (int64_t)node_limit * s->words, sizeof(uint64_t));
    s->heap = walk_take(&at, node_limit, sizeof(int32_t));
    s->slots = walk_take(&at, s->n_slots, sizeof(int32_t));
    /* window_least() is done with its sets of ancestors and descendants before there are nodes */
    uintptr_t sets = (uintptr_t)s->nodes;
    (void)walk_take(&sets, 2 * (int64_t)length * s->words + s->words, sizeof(uint64_t));
    (void)walk_take(&sets, length, sizeof(int64_t));
    return (size_t)((at > sets ? at : sets) - (uintptr_t)memory);
}

/* Is a to be taken up before b? */
static int sooner(const window *s, int32_t a, int32_t b)
{
    const node *x = s->nodes + a, *y = s->nodes + b;
    if (x->peak != y->peak) {
        return x->peak < y->peak;
    }
    if (x->ran != y->ran) {
        return x->ran > y->ran;
    }
    return x->alive != y->alive ? x->alive < y->alive : a < b;
}

static void push(window *s, int32_t n)
{
    int32_t at = s->n_heap++;
    for (; at && sooner(s, n, s->heap[(at - 1) / 2]); at = (at - 1) / 2) {
        s->heap[at] = s->heap[(at - 1) / 2];
    }
    s->heap[at] = n;
}

static int32_t pop(window *s)
{
    const int32_t top = s->heap[0], last = s->heap[--s->n_heap];
    int32_t at = 0;
    for (int32_t child = 1; child < s->n_heap; child = 2 * at + 1) {
        child += child + 1 < s->n_heap && sooner(s, s->heap[child + 1], s->heap[child]);
        if (!sooner(s, s->heap[child], last)) {
            break;
        }
        s->heap[at] = s->heap[child];
        at = child;
    }
    s->heap[at] = last;
    return top;
}

/* Stores the set that has run now, unless it is known with as low a peak. */
static void store(window *s, int64_t peak, int32_t parent, int32_t unit)
{
    uint64_t *set = s->sets + (int64_t)s->n_nodes * s->words, hash = 0;
    for (int32_t k = 0; k < s->words; k++) {
        set[k] = 0;
    }
    for (int32_t i = 0; i < s->n_log; i++) {
        set[window_word(s->log[i])] |= window_bit(s->log[i]);
    }
    for (int32_t k = 0; k < s->words; k++) {
        hash = (hash ^ set[k]) * 0x9E3779B97F4A7C15u;
        hash ^= hash >> 32;
    }
    int32_t slot = (int32_t)(hash & (uint64_t)(s->n_slots - 1));
    for (; s->slots[slot] != NONE; slot = (slot + 1) & (s->n_slots - 1)) {
        const int32_t other = s->slots[slot];
        const uint64_t *its = s->sets + (int64_t)other * s->words;
        int32_t k = 0;
        while (k < s->words && its[k] == set[k]) {
            k++;
        }
        if (k == s->words) {
            if (s->nodes[other].peak <= peak) {
                return;
            }
            s->nodes[other].stale = 1;
            break;
        }
    }
    s->slots[slot] = s->n_nodes;
    s->nodes[s->n_nodes] = (node){peak, s->w.alive, s->n_log, parent, unit, 0};
    push(s, s->n_nodes++);
}

/* Makes the set of a node the one that has run, from none. */
static void load(window *s, int32_t n)
{
    window_load(s, s->sets + (int64_t)n * s->words);
    s->work += s->length;
    s->w.alive = s->nodes[n].alive;
}

/* Writes the way to a node, which has run everything, to the order. */
static void write_way(window *s, int32_t goal, int64_t start, int32_t *order)
{
    int32_t count = 0; /* of the nodes on the way; the heap is not needed any more */
    for (int32_t n = goal; n != NONE; n = s->nodes[n].parent) {
        s->heap[count++] = n;
    }
    window_back(s, 0);
    s->w.alive = s->alive_before;
    window_close(s, start);
    while (--count > 0) {
        const node *n = s->nodes + s->heap[count - 1];
        int64_t after;
        (void)window_look(s, n->unit, &after);
        window_run(s, n->unit, after);
        window_close(s, n->peak);
    }
    for (int32_t i = 0; i < s->length; i++) {
        order[i] = s->order[s->log[i]];
    }
}

/* Tries every unit that can run after the set of a node, to peaks below `below`. Says whether a limit ended it. */
static int expand(window *s, int32_t parent, int64_t below, int32_t node_limit, int64_t work_limit)
{
    load(s, parent);
    const int64_t peak = s->nodes[parent].peak;
    const int32_t from = s->n_log;
    for (int32_t p = window_next(s, 0); p < s->length; p = window_next(s, p + 1)) {
        int64_t after;
        const int64_t use = window_look(s, p, &after), higher = use > peak ? use : peak;
        if (higher < below) {
            if (s->n_nodes == node_limit || s->work > work_limit) {
                return 1;
            }
            window_run(s, p, after);
            window_close(s, higher);
            store(s, higher, parent, p);
            window_back(s, from);
        }
    }
    return 0;
}

size_t lzd_window_bytes(const lzd_units *units, int32_t length, int32_t node_limit)
{
    window s;
    return lay_out(&s, units, length, node_limit, 0);
}

/* The window's units in a copy of the order, and what has run before it. Returns the window's peak in this order. */
static int64_t set_out(window *s, const lzd_units *in, const int32_t *order, int32_t first)
{
    int64_t peak = 0, after;
    walk_begin(&s->w, in, s->w.mark);
    for (int32_t u = 0; u < in->units; u++) {
        s->where[u] = NONE;
    }
    for (int32_t t = 0; t < first; t++) {
        (void)walk_look(&s->w, order[t], &after);
        walk_run(&s->w, order[t], after);
    }
    s->alive_before = s->w.alive;
    for (int32_t v = 0; v < in->values; v++) {
        s->left_before[v] = s->w.left[v];
    }
    for (int32_t p = 0; p < s->length; p++) {
        s->order[p] = order[first + p];
        s->where[s->order[p]] = p;
        s->done[p] = 0;
    }
    for (int32_t k = 0; k < s->words; k++) {
        s->ready[k] = 0;
    }
    for (int32_t p = 0; p < s->length; p++) {
        s->waits[p] = 0;
        for (int32_t i = in->need_from[s->order[p]]; i < in->need_from[s->order[p] + 1]; i++) {
            s->waits[p] += s->where[in->need[i]] != NONE;
        }
        s->ready[p / 64] |= (uint64_t)!s->waits[p] << (p % 64);
    }
    s->n_log = s->n_nodes = s->n_heap = 0;
    s->work = 0;
    for (int32_t p = 0; p < s->length; p++) {
        const int64_t use = walk_look(&s->w, s->order[p], &after);
        peak = use > peak ? use : peak;
        window_run(s, p, after);
    }
    window_back(s, 0);
    return peak;
}

int64_t lzd_least(const lzd_units *units, const int32_t *order, void *memory)
{
    window s;
    s.w.mark = memory;
    (void)lay_out(&s, units, units->units, 0, memory);
    (void)set_out(&s, units, order, 0);
    return window_least(&s);
}

int lzd_window(const lzd_units *units, int32_t *order, int32_t first, int32_t last, int64_t start, int32_t node_limit,
               int64_t work_limit, int64_t *proved, void *memory)
{
    window s;
    s.w.mark = memory;
    (void)lay_out(&s, units, last - first, node_limit, memory);
    int64_t below = set_out(&s, units, order, first);
    const int64_t bound = *proved ? *proved : window_least(&s);
    *proved = bound;
    if (bound >= below) {
        return LZD_NO;
    }
    for (int32_t i = 0; i < s.n_slots; i++) {
        s.slots[i] = NONE;
    }
    const int exact = start <= bound;
    start = exact ? bound : start;
    if (start >= below) {
        start = below - 1;
    }
    window_close(&s, start);
    store(&s, start, NONE, NONE);
    int limited = 0;
    while (s.n_heap) {
        const int32_t n = pop(&s);
        const int64_t peak = s.nodes[n].peak;
        if (s.nodes[n].stale) {
            continue;
        }
        if (!limited && exact) {
            *proved = peak;
        }
        if (s.nodes[n].ran == s.length) {
            write_way(&s, n, start, order + first);
            return LZD_YES;
        }
        if (limited) {
            return LZD_NOT_DECIDED;
        }
        limited = expand(&s, n, below, node_limit, work_limit);
    }
    if (limited) {
        return LZD_NOT_DECIDED;
    }
    *proved = below;
    return LZD_NO;
}
