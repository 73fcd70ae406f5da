/* Offline eviction: a base schedule walked under a budget, values dropped on the way and made again before they are read. */
#include "lzd_remake.h"

#include <string.h>

#define MOST_WORK ((int64_t)1 << 42) /* of a score, so that it fits 64 bits */

typedef struct walk {
    const lzd_entry *e;
    const lzd_rule *rule;
    int64_t bytes; /* in memory */
    int32_t now;   /* base step */
    int32_t present;
    int32_t *list;  /* values in memory, `present` of them */
    int32_t *slot;  /* by value: where it stands in the list, or -1 */
    int32_t *used;  /* by value: uses that have passed */
    int32_t *pins;  /* by value: who waits for it; while there is one it stays */
    int32_t *fresh; /* by value: scratch of run_unit */
    int32_t *wait;  /* units that wait for what they read, deepest last */
    int32_t *open;  /* by unit: 1 while it waits */
    int32_t *stack; /* of work_of */
    int32_t *seen;  /* by unit: the number of the last search that met it */
    int32_t search;
    int64_t patience; /* looks at values and units that are left */
    int32_t *schedule;
    int32_t most, steps;
} walk;

static int gone(const walk *w, int32_t v)
{
    return w->e->size[v] && w->slot[v] < 0 && w->e->maker[v] >= 0;
}

static void put(walk *w, int32_t v)
{
    w->slot[v] = w->present;
    w->list[w->present++] = v;
    w->bytes += w->e->size[v];
}

static void drop(walk *w, int32_t v)
{
    const int32_t last = w->list[--w->present];
    w->list[w->slot[v]] = last;
    w->slot[last] = w->slot[v];
    w->slot[v] = -1;
    w->bytes -= w->e->size[v];
}

/* The base step of the next read; -1 if there is none. */
static int32_t next_use(const walk *w, int32_t v)
{
    const int32_t at = w->e->use_at[v] + w->used[v];
    return at < w->e->use_at[v + 1] ? w->e->uses[at] : -1;
}

/* The work of all units that must run to make v again, or a part of it that is more than `enough`. */
static int64_t work_of(walk *w, int32_t v, int64_t enough)
{
    const lzd_entry *e = w->e;
    int64_t total = 0;
    int32_t depth = 1;
    w->stack[0] = e->maker[v];
    w->seen[e->maker[v]] = ++w->search;
    while (depth && total <= enough) {
        const int32_t u = w->stack[--depth];
        w->patience--;
        total += e->cost[u];
        for (int32_t i = e->read_at[u]; i < e->read_at[u + 1]; i++) {
            const int32_t r = e->reads[i];
            if (gone(w, r) && w->seen[e->maker[r]] != w->search) {
                w->seen[e->maker[r]] = w->search;
                w->stack[depth++] = e->maker[r];
            }
        }
    }
    return total;
}

/* How dear it is to drop v; -1 if nobody reads it any more, INT64_MAX if it must stay. Exact where it is at most `best`. */
static int64_t score(walk *w, int32_t v, int64_t best)
{
    const int32_t next = next_use(w, v);
    if (w->pins[v] || (w->e->maker[v] < 0 && next >= 0)) {
        return INT64_MAX;
    }
    if (next < 0) {
        return w->e->maker[v] < 0 ? INT64_MAX - 1 : -1; /* an input that may serve to make another goes last */
    }
    if (w->e->until[v] < next || w->e->stay[v]) {
        return INT64_MAX;
    }
    const int64_t gain = w->e->size[v] * (w->rule->distance ? next - w->now + 1 : 1), weight = w->rule->weight[v];
    int64_t enough = MOST_WORK; /* more work than this is a score above best */
    if (best < (MOST_WORK << 20) / gain) {
        const int64_t weighted = ((best + 1) * gain + (1 << 20) - 1) >> 20;
        enough = ((weighted << 4) + weight - 1) / weight - 1;
    }
    int64_t work = w->rule->work ? work_of(w, v, enough) : w->e->cost[w->e->maker[v]];
    work = (work < MOST_WORK ? work : MOST_WORK) * weight >> 4;
    work = work < MOST_WORK ? work : MOST_WORK;
    return (work << 20) / gain;
}

/* Bytes of all small values that can be dropped. */
static int64_t small_bytes(walk *w)
{
    int64_t sum = 0;
    for (int32_t i = 0; i < w->present; i++) {
        const int32_t v = w->list[i];
        sum += w->e->size[v] < w->rule->small && score(w, v, 0) != INT64_MAX ? w->e->size[v] : 0;
    }
    return sum;
}

/* Drops values until there are `need` bytes, or nothing can be dropped. */
static void make_room(walk *w, int64_t need)
{
    while (w->bytes + need > w->rule->budget && w->patience > 0) {
        int64_t best = INT64_MAX;
        int32_t victim = -1;
        w->patience -= w->present;
        for (int small = 0; small < 2 && victim < 0; small++) {
            if (small && w->bytes + need - small_bytes(w) > w->rule->budget) {
                return; /* what is dropped in vain must be made again all the same */
            }
            for (int32_t i = 0; i < w->present; i++) {
                const int32_t v = w->list[i];
                if ((w->e->size[v] < w->rule->small) == small) {
                    const int64_t s = score(w, v, best);
                    if (s < best || (s == best && s != INT64_MAX && v < victim)) {
                        best = s;
                        victim = v;
                    }
                }
            }
        }
        if (victim < 0) {
            return;
        }
        drop(w, victim);
    }
}

static int run_unit(walk *w, int32_t u)
{
    const lzd_entry *e = w->e;
    int64_t need = 0;
    int32_t count = 0;
    for (int32_t i = e->write_at[u]; i < e->write_at[u + 1]; i++) {
        const int32_t v = e->writes[i];
        if (e->size[v] && w->slot[v] < 0) {
            w->fresh[count++] = v;
            need += e->size[v];
        }
    }
    for (int32_t i = e->share_at[u]; i < e->share_at[u + 1]; i++) {
        const int32_t old = e->share_old[i];
        if (w->slot[old] < 0 || next_use(w, old) >= 0 || w->pins[old] > 1) {
            continue;
        }
        int32_t k = 0;
        while (k < count && w->fresh[k] != e->share_new[i]) {
            k++;
        }
        if (k < count) { /* the new value is here in the old one's place */
            drop(w, old);
            put(w, w->fresh[k]);
            w->pins[w->fresh[k]]++; /* for the rest of this unit */
            need -= e->size[w->fresh[k]];
            w->fresh[k] = -1 - w->fresh[k];
        }
    }
    make_room(w, need);
    for (int32_t k = 0; k < count; k++) {
        if (w->fresh[k] < 0) {
            w->pins[-1 - w->fresh[k]]--;
        } else {
            put(w, w->fresh[k]);
        }
    }
    if (w->steps >= w->most || w->patience <= 0) {
        return 0;
    }
    w->schedule[w->steps++] = u;
    return 1;
}

static void pin_reads(walk *w, int32_t u, int32_t by)
{
    for (int32_t i = w->e->read_at[u]; i < w->e->read_at[u + 1]; i++) {
        w->pins[w->e->reads[i]] += by;
    }
}

/* Runs the makers of v that must run, deepest first; what they read stays as long as they wait. */
static int bring(walk *w, int32_t v)
{
    const lzd_entry *e = w->e;
    int32_t depth = 0;
    if (gone(w, v)) {
        w->wait[depth++] = e->maker[v];
    }
    while (depth) {
        const int32_t u = w->wait[depth - 1];
        int32_t missing = -1;
        if (!w->open[u]) {
            w->open[u] = 1;
            pin_reads(w, u, 1);
        }
        for (int32_t i = e->read_at[u]; i < e->read_at[u + 1] && missing < 0; i++) {
            missing = gone(w, e->reads[i]) ? e->reads[i] : -1;
        }
        if (missing >= 0) {
            w->wait[depth++] = e->maker[missing];
            continue;
        }
        depth--;
        w->open[u] = 0;
        if (!run_unit(w, u)) {
            return 0;
        }
        pin_reads(w, u, -1);
    }
    return 1;
}

int32_t lzd_evict(const lzd_entry *e, const lzd_rule *rule, int32_t *schedule, int32_t most, int32_t *memory)
{
    const int32_t n = e->values + 1, m = e->units + 1;
    walk w = {e, rule, 0, 0, 0, memory, memory + n, memory + 2 * n, memory + 3 * n, memory + 4 * n, 0, 0, 0, 0, 0,
              rule->patience, schedule, most, 0};
    memory += 5 * n;
    w.wait = memory;
    w.open = memory + m;
    w.stack = memory + 2 * m;
    w.seen = memory + 3 * m;
    for (int32_t v = 0; v < e->values; v++) {
        w.slot[v] = -1;
        w.used[v] = 0;
        w.pins[v] = 0;
    }
    memset(w.open, 0, (size_t)m * sizeof *w.open);
    memset(w.seen, 0, (size_t)m * sizeof *w.seen);
    for (int32_t i = 0; i < e->born; i++) {
        if (e->size[e->first[i]]) {
            put(&w, e->first[i]);
        }
    }
    for (; w.now < e->steps; w.now++) {
        const int32_t u = e->base[w.now];
        pin_reads(&w, u, 1);
        for (int32_t i = e->read_at[u]; i < e->read_at[u + 1]; i++) {
            if (!bring(&w, e->reads[i])) {
                return -1;
            }
        }
        for (int32_t i = e->read_at[u]; i < e->read_at[u + 1]; i++) {
            w.used[e->reads[i]]++;
        }
        if (!run_unit(&w, u)) {
            return -1;
        }
        pin_reads(&w, u, -1);
    }
    for (int32_t v = 0; v < e->values; v++) {
        w.pins[v] = e->keep[v];
    }
    for (int32_t v = 0; v < e->values; v++) {
        if (e->keep[v] && !bring(&w, v)) {
            return -1;
        }
    }
    return w.steps;
}
