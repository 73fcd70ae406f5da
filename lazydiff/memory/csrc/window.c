/* Exact order of a window of steps: a search over the sets of units that have run, best bound first.

   The peak of a way to a set is the most bytes in use on it; of the ways to a set only the lowest counts. Sets are taken up in
   the order of that peak, the largest set first, so that the first way that has run all units is the lowest.
   What makes this small enough: the bytes alive are a submodular function of the set that ran. So if a unit, or a chain of units
   of which each needs the one before, fits under the peak so far, and leaves no more alive than there was before it, or at any
   point within it, then running it at once is as good as anything, and nothing else is tried. */
#include "order_walk.h"
#include "lzd_place.h"

#define NONE (-1)
#define CHAIN 24 /* the longest chain that is looked at */

typedef struct node { /* a set of units that ran; its bits are in `sets` */
    int64_t peak, alive;
    int32_t ran;
    int32_t parent;
    int32_t unit; /* ran after the parent's set, before what was as good as anything */
    int32_t stale;
} node;

typedef struct search {
    walk w;
    int32_t *order; /* by place in the window: the unit */
    int32_t length, words, before;
    int32_t *where; /* by unit: its place, or NONE */
    int32_t *waits; /* by place: units of the window that it needs and that have not run */
    int32_t *log;   /* places that ran, in order */
    int64_t *log_alive; /* bytes alive before each */
    uint8_t *done;
    int32_t *left_before; /* by value: readers that have not run when the window begins */
    int64_t alive_before;
    int64_t work;
    node *nodes;
    uint64_t *sets;
    int32_t *heap, *slots;
    int32_t n_log, n_nodes, n_heap, n_slots;
} search;

/* Takes the next bytes of memory, or only counts them. */
static void *take(uintptr_t *at, int64_t count, size_t size)
{
    const uintptr_t here = *at;
    *at += ((size_t)count * size + 7u) & ~(uintptr_t)7u;
    return (void *)here;
}

static size_t lay_out(search *s, const lzd_units *in, int32_t length, int32_t node_limit, void *memory)
{
    uintptr_t at = (uintptr_t)memory + 16u * (size_t)in->values;
    s->length = length;
    s->words = (length + 63) / 64;
    for (s->n_slots = 2; s->n_slots < 2 * node_limit; s->n_slots *= 2) {
    }
    s->order = take(&at, length, sizeof(int32_t));
    s->where = take(&at, in->units, sizeof(int32_t));
    s->waits = take(&at, length, sizeof(int32_t));
    s->log = take(&at, length, sizeof(int32_t));
    s->log_alive = take(&at, length, sizeof(int64_t));
    s->done = take(&at, length, 1);
    s->left_before = take(&at, in->values, sizeof(int32_t));
    s->nodes = take(&at, node_limit, sizeof(node));
    s->sets = take(&at, (int64_t)node_limit * s->words, sizeof(uint64_t));
    s->heap = take(&at, node_limit, sizeof(int32_t));
    s->slots = take(&at, s->n_slots, sizeof(int32_t));
    /* least() is done with its sets of ancestors and descendants before there are nodes */
    uintptr_t sets = (uintptr_t)s->nodes;
    (void)take(&sets, 2 * (int64_t)length * s->words + s->words, sizeof(uint64_t));
    (void)take(&sets, length, sizeof(int64_t));
    return (size_t)((at > sets ? at : sets) - (uintptr_t)memory);
}

static void run(search *s, int32_t place, int64_t after)
{
    const lzd_units *in = s->w.in;
    const int32_t u = s->order[place];
    s->log[s->n_log] = place;
    s->log_alive[s->n_log++] = s->w.alive;
    s->done[place] = 1;
    walk_run(&s->w, u, after);
    for (int32_t i = in->next_from[u]; i < in->next_from[u + 1]; i++) {
        if (s->where[in->next[i]] != NONE) {
            s->waits[s->where[in->next[i]]]--;
        }
    }
}

static void back(search *s, int32_t to)
{
    const lzd_units *in = s->w.in;
    while (s->n_log > to) {
        const int32_t place = s->log[--s->n_log], u = s->order[place];
        s->done[place] = 0;
        walk_back(&s->w, u, s->log_alive[s->n_log]);
        for (int32_t i = in->next_from[u]; i < in->next_from[u + 1]; i++) {
            if (s->where[in->next[i]] != NONE) {
                s->waits[s->where[in->next[i]]]++;
            }
        }
    }
}

static int64_t look(search *s, int32_t place, int64_t *after)
{
    s->work++;
    return walk_look(&s->w, s->order[place], after);
}

static int ready(const search *s, int32_t place)
{
    return !s->done[place] && !s->waits[place];
}

/* Runs a chain of units from this one on if it is as good as anything; says whether. */
static int run_chain(search *s, int32_t place, int64_t peak)
{
    const lzd_units *in = s->w.in;
    const int32_t from = s->n_log;
    const int64_t alive = s->w.alive;
    int64_t after;
    if (look(s, place, &after) > peak) {
        return 0;
    }
    run(s, place, after);
    while (s->w.alive > alive && s->n_log - from < CHAIN) {
        const int32_t u = s->order[s->log[s->n_log - 1]];
        int64_t least = INT64_MAX;
        int32_t best = NONE;
        for (int32_t i = in->next_from[u]; i < in->next_from[u + 1]; i++) {
            const int32_t next = s->where[in->next[i]];
            if (next != NONE && ready(s, next) && look(s, next, &after) <= peak && after < least) {
                least = after;
                best = next;
            }
        }
        if (best == NONE) {
            break;
        }
        run(s, best, least);
    }
    if (s->w.alive <= alive) {
        return 1;
    }
    back(s, from);
    return 0;
}

/* Runs all that is as good as anything under this peak. */
static void close_set(search *s, int64_t peak)
{
    for (int again = 1; again;) {
        again = 0;
        s->work += s->length / 32;
        for (int32_t p = 0; p < s->length; p++) {
            int64_t after;
            if (ready(s, p) && look(s, p, &after) <= peak && after <= s->w.alive) {
                run(s, p, after);
                again = 1;
            }
        }
        for (int32_t p = 0; p < s->length && !again; p++) {
            again = ready(s, p) && run_chain(s, p, peak);
        }
    }
}

/* No unit of the window runs in fewer bytes: what surely is alive with it, given only what must come before and after. */
static int64_t least(search *s)
{
    const lzd_units *in = s->w.in;
    const int64_t words = s->words, length = s->length;
    uint64_t *before = (uint64_t *)(void *)s->nodes, *after = before + length * words, *both = after + length * words;
    int64_t *use = (int64_t *)(void *)(both + words);
    for (int64_t i = 0; i < 2 * length * words; i++) {
        before[i] = 0;
    }
    for (int32_t p = 0; p < length; p++) { /* each set holds the unit itself too */
        uint64_t *set = before + p * words;
        set[p / 64] |= (uint64_t)1 << (p % 64);
        for (int32_t i = in->need_from[s->order[p]]; i < in->need_from[s->order[p] + 1]; i++) {
            const int32_t q = s->where[in->need[i]];
            for (int64_t k = 0; q != NONE && k < words; k++) {
                set[k] |= before[q * words + k];
            }
        }
    }
    for (int32_t p = s->length - 1; p >= 0; p--) {
        uint64_t *set = after + p * words;
        set[p / 64] |= (uint64_t)1 << (p % 64);
        for (int32_t i = in->next_from[s->order[p]]; i < in->next_from[s->order[p] + 1]; i++) {
            const int32_t q = s->where[in->next[i]];
            for (int64_t k = 0; q != NONE && k < words; k++) {
                set[k] |= after[q * words + k];
            }
        }
        use[p] = 0;
    }
    int64_t outside = s->alive_before;
    for (int32_t v = 0; v < in->values; v++) {
        const int32_t maker = in->maker[v] == LZD_MAKER_NONE ? NONE : s->where[in->maker[v]];
        int32_t inside = 0;
        for (int64_t k = 0; k < words; k++) {
            both[k] = 0;
        }
        for (int32_t i = in->reader_from[v]; i < in->reader_from[v + 1]; i++) {
            const int32_t q = s->where[in->reader[i]];
            inside += q != NONE;
            for (int64_t k = 0; q != NONE && k < words; k++) {
                both[k] |= before[q * words + k];
            }
        }
        if (maker == NONE && !inside) {
            continue;
        }
        outside -= maker == NONE ? in->size[v] : 0;
        const int stays = in->kept[v] || s->left_before[v] > inside;
        for (int32_t p = 0; in->size[v] && p < s->length; p++) {
            const uint64_t bit = (uint64_t)1 << (p % 64);
            const int made = maker == NONE || (after[maker * words + p / 64] & bit);
            use[p] += made && (stays || p == maker || (both[p / 64] & bit)) ? in->size[v] : 0;
        }
    }
    int64_t most = 0;
    for (int32_t p = 0; p < s->length; p++) {
        const int32_t u = s->order[p];
        s->w.stamp++;
        for (int32_t i = in->pair_from[u]; i < in->pair_from[u + 1]; i++) {
            const int32_t old = in->pair[2 * i], new = in->pair[2 * i + 1];
            if (!in->kept[old] && s->w.mark[old] != s->w.stamp && s->w.mark[new] != s->w.stamp) {
                s->w.mark[old] = s->w.mark[new] = s->w.stamp;
                use[p] -= in->size[new];
            }
        }
        most = use[p] + outside > most ? use[p] + outside : most;
    }
    return most;
}

/* Is a to be taken up before b? */
static int sooner(const search *s, int32_t a, int32_t b)
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

static void push(search *s, int32_t n)
{
    int32_t at = s->n_heap++;
    for (; at && sooner(s, n, s->heap[(at - 1) / 2]); at = (at - 1) / 2) {
        s->heap[at] = s->heap[(at - 1) / 2];
    }
    s->heap[at] = n;
}

static int32_t pop(search *s)
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
static void store(search *s, int64_t peak, int32_t parent, int32_t unit)
{
    uint64_t *set = s->sets + (int64_t)s->n_nodes * s->words, hash = 0;
    for (int32_t k = 0; k < s->words; k++) {
        set[k] = 0;
    }
    for (int32_t i = 0; i < s->n_log; i++) {
        set[s->log[i] / 64] |= (uint64_t)1 << (s->log[i] % 64);
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
static void load(search *s, int32_t n)
{
    const uint64_t *set = s->sets + (int64_t)n * s->words;
    back(s, 0);
    for (int32_t p = 0; p < s->length; p++) {
        if (set[p / 64] >> (p % 64) & 1) {
            run(s, p, 0);
        }
    }
    s->work += s->length;
    s->w.alive = s->nodes[n].alive;
}

/* Writes the way to a node, which has run everything, to the order. */
static void write_way(search *s, int32_t goal, int64_t start, int32_t *order)
{
    int32_t count = 0; /* of the nodes on the way; the heap is not needed any more */
    for (int32_t n = goal; n != NONE; n = s->nodes[n].parent) {
        s->heap[count++] = n;
    }
    back(s, 0);
    s->w.alive = s->alive_before;
    close_set(s, start);
    while (--count > 0) {
        const node *n = s->nodes + s->heap[count - 1];
        int64_t after;
        (void)look(s, n->unit, &after);
        run(s, n->unit, after);
        close_set(s, n->peak);
    }
    for (int32_t i = 0; i < s->length; i++) {
        order[i] = s->order[s->log[i]];
    }
}

/* Tries every unit that can run after the set of a node, to peaks below `below`. */
static void expand(search *s, int32_t parent, int64_t below)
{
    load(s, parent);
    const int64_t peak = s->nodes[parent].peak;
    const int32_t from = s->n_log;
    for (int32_t p = 0; p < s->length; p++) {
        int64_t after;
        if (!ready(s, p)) {
            continue;
        }
        const int64_t use = look(s, p, &after), higher = use > peak ? use : peak;
        if (higher < below) {
            run(s, p, after);
            close_set(s, higher);
            store(s, higher, parent, p);
            back(s, from);
        }
    }
}

size_t lzd_window_bytes(const lzd_units *units, int32_t length, int32_t node_limit)
{
    search s;
    return lay_out(&s, units, length, node_limit, 0);
}

/* The window's units in a copy of the order, and what has run before it. Returns the window's peak in this order. */
static int64_t set_out(search *s, const lzd_units *in, const int32_t *order, int32_t first)
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
    for (int32_t p = 0; p < s->length; p++) {
        s->waits[p] = 0;
        for (int32_t i = in->need_from[s->order[p]]; i < in->need_from[s->order[p] + 1]; i++) {
            s->waits[p] += s->where[in->need[i]] != NONE;
        }
    }
    s->n_log = s->n_nodes = s->n_heap = 0;
    s->work = 0;
    for (int32_t p = 0; p < s->length; p++) {
        const int64_t use = walk_look(&s->w, s->order[p], &after);
        peak = use > peak ? use : peak;
        run(s, p, after);
    }
    back(s, 0);
    return peak;
}

int lzd_window(const lzd_units *units, int32_t *order, int32_t first, int32_t last, int64_t start, int32_t node_limit,
               int64_t work_limit, int64_t *proved, void *memory)
{
    search s;
    s.w.mark = memory;
    (void)lay_out(&s, units, last - first, node_limit, memory);
    int64_t below = set_out(&s, units, order, first);
    const int64_t bound = least(&s);
    int32_t goal = NONE;
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
    close_set(&s, start);
    store(&s, start, NONE, NONE);
    while (s.n_heap) {
        const int32_t n = pop(&s);
        const int64_t peak = s.nodes[n].peak;
        if (peak >= below) {
            break;
        }
        if (s.nodes[n].stale) {
            continue;
        }
        *proved = exact ? peak : bound;
        if (s.nodes[n].ran == s.length) {
            goal = n;
            write_way(&s, goal, start, order + first);
            return LZD_YES;
        }
        if (s.n_nodes + s.length > node_limit || s.work > work_limit) {
            return LZD_NOT_DECIDED;
        }
        expand(&s, n, below);
    }
    *proved = below;
    return LZD_NO;
}
