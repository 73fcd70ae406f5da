/* The schedule of least cost under a budget, by A* over states (units that have run, values in memory).

   1. Values are dropped only when the next unit's bytes do not fit, and then a set of which each is needed for that; all such
      sets are tried. Values that nobody can need any more leave at once.
   2. What a state must still cost: the units that have not run, and the makers of all values that those need and that are
      gone, each once. It never falls by more than a step costs, so the first end that comes up is the cheapest.
   3. A unit that does no harm now (it frees as many bytes that had to stay until it runs as it makes) runs at once. */
#include "lzd_exact.h"
#include "lzd_place.h"
#include "set.h"

#define NONE (-1)

typedef struct node {
    set done, live;
    int64_t cost;
    int32_t parent, unit;
} node;

typedef struct entry {
    int64_t total, cost;
    int32_t node;
} entry;

typedef struct search {
    const lzd_small *e;
    int64_t budget;
    node *nodes;
    entry *heap;
    int32_t *table; /* of nodes, by hash; a power of two */
    uint32_t mask;
    int32_t count, limit, waiting, heap_limit;
    int full;
    int64_t *sum; /* scratch: bytes of the candidates from here on */
    int32_t *list, *taken;
    int32_t *maker; /* by value, or NONE */
} search;

static int64_t bytes(const lzd_small *e, set a)
{
    int64_t total = 0;
    for (int32_t v = 0; v < e->values; v++)
        if (has(a, v))
            total += e->size[v];
    return total;
}

/* The units that may be repeated. */
static set repeatable(const lzd_small *e, set done)
{
    set free_to = {{0}}, stopped = {{0}};
    for (int32_t u = 0; u < e->units; u++)
        if (has(done, u)) {
            stopped = either(stopped, of(e->after, u));
            if (!e->once[u])
                add(&free_to, u);
        }
    return without(free_to, stopped);
}

/* The values that some unit may still read, or that must be kept. */
static set useful(const lzd_small *e, set done, set again)
{
    set use = of(e->keep, 0);
    for (int32_t u = e->units - 1; u >= 0; u--)
        if (!has(done, u) || (has(again, u) && !empty(both(of(e->writes, u), use))))
            use = either(use, of(e->reads, u));
    return use;
}

/* The least that a state must still cost; LZD_NEVER if a value that is needed can't be made again. */
static int64_t ahead(const search *s, set done, set live, set again)
{
    const lzd_small *e = s->e;
    int64_t total = 0;
    set need = of(e->keep, 0), met = {{0}};
    int32_t depth = 0;
    for (int32_t u = 0; u < e->units; u++)
        if (!has(done, u)) {
            total += e->cost[u];
            need = either(need, of(e->reads, u));
        }
    for (set want = without(need, live);;) {
        for (int32_t v = 0; v < e->values; v++) {
            if (!has(want, v))
                continue;
            const int32_t u = s->maker[v];
            if (u == NONE || (has(done, u) && !has(again, u)))
                return LZD_NEVER;
            if (has(done, u) && !has(met, u)) {
                add(&met, u);
                total += e->cost[u];
                s->list[depth++] = u;
            }
        }
        if (!depth)
            return total;
        want = without(of(e->reads, s->list[--depth]), live);
    }
}

static uint32_t hash(set done, set live)
{
    uint64_t h = 0x9e3779b97f4a7c15u;
    for (int i = 0; i < LZD_WORDS; i++) {
        h = (h ^ done.w[i]) * 0xbf58476d1ce4e5b9u;
        h ^= h >> 29;
        h = (h ^ live.w[i]) * 0x94d049bb133111ebu;
        h ^= h >> 32;
    }
    return (uint32_t)(h ^ h >> 16);
}

/* The cheaper one first; then the one that has more behind it; then the newer one. */
static int before(entry a, entry b)
{
    if (a.total != b.total)
        return a.total < b.total;
    if (a.cost != b.cost)
        return a.cost > b.cost;
    return a.node > b.node;
}

static void push(search *s, entry x)
{
    int32_t at = s->waiting;
    if (at == s->heap_limit) {
        s->full = 1;
        return;
    }
    s->waiting++;
    while (at && before(x, s->heap[(at - 1) / 2])) {
        s->heap[at] = s->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    s->heap[at] = x;
}

static entry pop(search *s)
{
    const entry top = s->heap[0], x = s->heap[--s->waiting];
    int32_t at = 0;
    for (int32_t child = 1; child < s->waiting; child = 2 * at + 1) {
        if (child + 1 < s->waiting && before(s->heap[child + 1], s->heap[child]))
            child++;
        if (!before(s->heap[child], x))
            break;
        s->heap[at] = s->heap[child];
        at = child;
    }
    s->heap[at] = x;
    return top;
}

/* A state that was reached: new, or cheaper than before, it waits to be looked at. */
static void reach(search *s, set done, set live, set again, int64_t cost, int32_t parent, int32_t unit)
{
    uint32_t at = hash(done, live) & s->mask;
    int32_t n;
    for (; (n = s->table[at]) != NONE; at = (at + 1) & s->mask)
        if (same(s->nodes[n].done, done) && same(s->nodes[n].live, live))
            break;
    if (n != NONE && s->nodes[n].cost <= cost)
        return;
    const int64_t rest = ahead(s, done, live, again);
    if (rest >= LZD_NEVER)
        return;
    if (n == NONE) {
        if (s->count == s->limit) {
            s->full = 1;
            return;
        }
        n = s->count++;
        s->table[at] = n;
        s->nodes[n].done = done;
        s->nodes[n].live = live;
    }
    s->nodes[n].cost = cost;
    s->nodes[n].parent = parent;
    s->nodes[n].unit = unit;
    push(s, (entry){cost + rest, cost, n});
}

/* Bytes that need no place of their own when the values of `dying` give theirs to what unit u makes. */
static int64_t shared(const lzd_small *e, int32_t u, set dying)
{
    set given = {{0}};
    int64_t total = 0;
    for (int32_t i = e->share_at[u]; i < e->share_at[u + 1]; i++)
        if (has(dying, e->share_old[i]) && !has(given, e->share_new[i])) {
            remove_one(&dying, e->share_old[i]);
            add(&given, e->share_new[i]);
            total += e->size[e->share_new[i]];
        }
    return total;
}

/* All ways to free `lack` bytes by dropping values of `from`, none of them in vain. */
static void drop(search *s, set from, int64_t lack, set done, set live, set again, int64_t cost, int32_t parent, int32_t unit)
{
    const lzd_small *e = s->e;
    int32_t count = 0, depth = 0, next = 0;
    if (lack <= 0) {
        reach(s, done, live, again, cost, parent, unit);
        return;
    }
    for (int32_t v = 0; v < e->values; v++) /* largest first: then the last one taken is the least, and was needed */
        if (has(from, v)) {
            int32_t at = count++;
            for (; at && e->size[s->taken[at - 1]] < e->size[v]; at--)
                s->taken[at] = s->taken[at - 1];
            s->taken[at] = v;
        }
    int32_t *candidate = s->taken, *chosen = s->taken + 64 * LZD_WORDS;
    s->sum[count] = 0;
    for (int32_t i = count - 1; i >= 0; i--)
        s->sum[i] = s->sum[i + 1] + e->size[candidate[i]];
    for (;;) {
        if (!s->full && next < count && s->sum[next] >= lack) { /* take it */
            const int32_t v = candidate[next];
            if (e->size[v] < lack) {
                chosen[depth++] = next;
                lack -= e->size[v];
                remove_one(&live, v);
                next++;
                continue;
            }
            remove_one(&live, v);
            reach(s, done, live, again, cost, parent, unit);
            add(&live, v);
            next++;
            continue;
        }
        if (!depth)
            return;
        next = chosen[--depth]; /* leave it */
        lack += e->size[candidate[next]];
        add(&live, candidate[next]);
        next++;
    }
}

/* Unit u runs in a state. */
static void run(search *s, int32_t from, int32_t u)
{
    const lzd_small *e = s->e;
    const node here = s->nodes[from];
    const set reads = of(e->reads, u), writes = of(e->writes, u);
    set done = here.done, given[1 << 4], old = {{0}};
    add(&done, u);
    const set again = repeatable(e, done), use = useful(e, done, again);
    const int start = here.parent == NONE; /* what is there from the start is there in the first step */
    const set stay = start ? here.live : both(here.live, either(use, reads));
    const int64_t lack = bytes(e, either(stay, writes)) - s->budget, cost = here.cost + e->cost[u];
    const set live = both(either(stay, writes), use), dead = without(both(reads, here.live), use);
    const set from_these = start ? old : without(without(stay, reads), writes);
    int32_t ways = 1;
    if (lack - shared(e, u, dead) <= 0) {
        reach(s, done, live, again, cost, from, u);
        return;
    }
    given[0] = old;
    for (int32_t i = e->share_at[u]; i < e->share_at[u + 1] && ways < 1 << 4; i++) {
        const int32_t v = e->share_old[i];
        if (has(old, v) || !has(live, v) || has(writes, v))
            continue;
        add(&old, v);
        for (int32_t k = 0; k < ways; k++) {
            given[ways + k] = given[k];
            add(&given[ways + k], v);
        }
        ways *= 2;
    }
    for (int32_t k = 0; k < ways; k++)
        drop(s, from_these, lack - shared(e, u, either(dead, given[k])), done, without(live, given[k]), again, cost, from, u);
}

/* Does it no harm to run u, which has not run, in this state? */
static int harmless(const search *s, const node *here, set again, int32_t u)
{
    const lzd_small *e = s->e;
    const set reads = of(e->reads, u), writes = of(e->writes, u);
    set done = here->done, freed = {{0}};
    if (!empty(both(of(e->after, u), again)) || bytes(e, either(here->live, writes)) > s->budget)
        return 0;
    add(&done, u);
    const set use = useful(e, done, repeatable(e, done)), gone = without(both(reads, here->live), use);
    for (int32_t v = 0; v < e->values; v++)
        if (has(gone, v) && (s->maker[v] == NONE || !has(again, s->maker[v])))
            add(&freed, v);
    return bytes(e, both(writes, use)) <= bytes(e, freed);
}

static void expand(search *s, int32_t n)
{
    const lzd_small *e = s->e;
    const node here = s->nodes[n];
    const set again = repeatable(e, here.done), use = useful(e, here.done, again);
    set ready = {{0}};
    for (int32_t u = 0; u < e->units; u++) {
        if (!has(here.done, u)) {
            if (empty(without(of(e->reads, u), here.live)) && empty(without(of(e->needs, u), here.done))) {
                if (harmless(s, &here, again, u)) {
                    run(s, n, u);
                    return;
                }
                add(&ready, u);
            }
            if (e->in_order)
                break;
        }
    }
    for (int32_t u = 0; u < e->units && !s->full; u++) {
        const set made = without(both(of(e->writes, u), use), here.live);
        if (has(ready, u) || (has(again, u) && !empty(made) && empty(without(of(e->reads, u), here.live))))
            run(s, n, u);
    }
}

static uint32_t table_size(int32_t node_limit)
{
    uint32_t size = 1024;
    while (size < 2u * (uint32_t)node_limit)
        size *= 2;
    return size;
}

#define SCRATCH (64 * LZD_WORDS)

size_t lzd_cheapest_bytes(int32_t node_limit)
{
    const size_t nodes = (size_t)node_limit;
    return nodes * sizeof(node) + 4 * nodes * sizeof(entry) + table_size(node_limit) * sizeof(int32_t) +
           (SCRATCH + 1) * sizeof(int64_t) + 4 * SCRATCH * sizeof(int32_t);
}

int lzd_cheapest(const lzd_small *e, int64_t budget, int32_t node_limit, int32_t *schedule, int32_t most, int32_t *length,
                 int32_t *nodes, void *memory)
{
    search s = {.e = e, .budget = budget, .limit = node_limit, .heap_limit = 4 * node_limit};
    set all = {{0}}, none = {{0}};
    s.nodes = memory;
    s.heap = (entry *)(void *)(s.nodes + node_limit);
    s.sum = (int64_t *)(void *)(s.heap + s.heap_limit);
    s.table = (int32_t *)(void *)(s.sum + SCRATCH + 1);
    s.mask = table_size(node_limit) - 1;
    s.list = s.table + s.mask + 1;
    s.taken = s.list + SCRATCH;
    s.maker = s.taken + 2 * SCRATCH;
    memset(s.table, 0xff, ((size_t)s.mask + 1) * sizeof *s.table);
    for (int32_t v = 0; v < e->values; v++)
        s.maker[v] = NONE;
    for (int32_t u = 0; u < e->units; u++) {
        add(&all, u);
        for (int32_t v = 0; v < e->values; v++)
            if (has(of(e->writes, u), v))
                s.maker[v] = u;
    }
    *length = 0;
    reach(&s, none, of(e->born, 0), none, 0, NONE, NONE);
    while (s.waiting && !s.full) {
        const entry top = pop(&s);
        const node *here = s.nodes + top.node;
        if (top.cost > here->cost)
            continue; /* reached for less since */
        if (same(here->done, all) && empty(without(of(e->keep, 0), here->live))) {
            int32_t steps = 0, n = top.node;
            for (; s.nodes[n].parent != NONE; n = s.nodes[n].parent)
                steps++;
            *nodes = s.count;
            if (steps > most)
                return LZD_NOT_DECIDED;
            *length = steps;
            for (n = top.node; s.nodes[n].parent != NONE; n = s.nodes[n].parent)
                schedule[--steps] = s.nodes[n].unit;
            return LZD_YES;
        }
        expand(&s, top.node);
    }
    *nodes = s.count;
    return s.full ? LZD_NOT_DECIDED : LZD_NO;
}
