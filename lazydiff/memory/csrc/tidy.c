/* A schedule in which units repeat: without what nobody needs, and how many bytes are alive at its steps. */
#include "lzd_remake.h"

#include <string.h>

int32_t lzd_tidy(const lzd_entry *e, const int32_t *schedule, int32_t n, int32_t without, int32_t *shorter, int32_t *memory)
{
    int32_t *wanted = memory, *left = memory + e->values, *kept = left + e->units;
    int32_t at = n;
    for (int32_t v = 0; v < e->values; v++) {
        wanted[v] = e->keep[v];
    }
    memset(left, 0, 2 * (size_t)e->units * sizeof *left);
    for (int32_t t = 0; t < n; t++) {
        left[schedule[t]] += t != without;
    }
    for (int32_t t = n - 1; t >= 0; t--) {
        const int32_t u = schedule[t];
        if (t == without) {
            continue;
        }
        int serves = --left[u] == 0 && !kept[u]; /* every unit runs once */
        for (int32_t i = e->write_at[u]; i < e->write_at[u + 1]; i++) {
            serves |= wanted[e->writes[i]];
        }
        if (!serves) {
            continue;
        }
        kept[u] = 1;
        for (int32_t i = e->write_at[u]; i < e->write_at[u + 1]; i++) {
            wanted[e->writes[i]] = 0;
        }
        for (int32_t i = e->read_at[u]; i < e->read_at[u + 1]; i++) {
            wanted[e->reads[i]] = 1;
        }
        shorter[--at] = u;
    }
    memmove(shorter, shorter + at, (size_t)(n - at) * sizeof *shorter);
    return n - at;
}

typedef struct makings {
    int32_t count;
    int32_t *value, *start, *end, *shared; /* shared: 1 it gave its bytes away, 2 it took another's, 4 it stays to the end */
} makings;

static void begin(makings *m, int32_t *newest, int32_t v, int32_t t)
{
    newest[v] = m->count;
    m->value[m->count] = v;
    m->start[m->count] = m->end[m->count] = t;
    m->shared[m->count++] = 0;
}

/* Which makings of step t take the bytes of ones that end there; makings of the step are first .. after - 1. */
static void share(const lzd_entry *e, makings *m, const int32_t *newest, int32_t u, int32_t t, int32_t first, int32_t after,
                  int64_t *alive)
{
    for (int32_t i = e->share_at[u]; i < e->share_at[u + 1]; i++) {
        const int32_t old = newest[e->share_old[i]];
        int32_t new = first;
        while (new < after && m->value[new] != e->share_new[i]) {
            new++;
        }
        if (old >= 0 && new < after && m->end[old] == t && !(m->shared[old] & 5) && !(m->shared[new] & 2)) {
            m->shared[old] |= 1;
            m->shared[new] |= 2;
            alive[t] -= e->size[m->value[new]];
        }
    }
}

int64_t lzd_peak(const lzd_entry *e, const int32_t *schedule, int32_t n, int32_t most, int64_t *alive, int32_t *memory)
{
    int32_t *newest = memory, *first = memory + e->values;
    makings m = {0, first + n + 1, first + n + 1 + most, first + n + 1 + 2 * most, first + n + 1 + 3 * most};
    int64_t peak = 0, sum = 0;
    for (int32_t v = 0; v < e->values; v++) {
        newest[v] = -1;
    }
    for (int32_t i = 0; i < e->born && m.count < most; i++) {
        begin(&m, newest, e->first[i], 0);
    }
    for (int32_t t = 0; t < n; t++) {
        const int32_t u = schedule[t];
        first[t] = m.count;
        alive[t] = 0;
        for (int32_t i = e->read_at[u]; i < e->read_at[u + 1]; i++) {
            if (newest[e->reads[i]] >= 0) {
                m.end[newest[e->reads[i]]] = t;
            }
        }
        if (m.count + e->write_at[u + 1] - e->write_at[u] > most) {
            return -1;
        }
        for (int32_t i = e->write_at[u]; i < e->write_at[u + 1]; i++) {
            begin(&m, newest, e->writes[i], t);
        }
    }
    first[n] = m.count;
    alive[n] = 0;
    for (int32_t v = 0; v < e->values; v++) {
        if (e->keep[v] && newest[v] >= 0) {
            m.end[newest[v]] = n ? n - 1 : 0;
            m.shared[newest[v]] = 4;
        }
        newest[v] = -1;
    }
    for (int32_t i = 0; i < e->born; i++) {
        newest[e->first[i]] = i;
    }
    for (int32_t i = 0; i < m.count && n; i++) {
        sum += m.start[i] == 0 ? e->size[m.value[i]] : 0;
    }
    for (int32_t i = 0; i < m.count && n; i++) { /* changes first: bytes that end after a step, then those that begin */
        alive[m.end[i] + 1] -= e->size[m.value[i]];
        if (m.start[i]) {
            alive[m.start[i]] += e->size[m.value[i]];
        }
    }
    alive[0] = n ? sum : 0;
    for (int32_t t = 1; t < n; t++) {
        alive[t] += alive[t - 1];
    }
    for (int32_t t = 0; t < n; t++) {
        share(e, &m, newest, schedule[t], t, first[t], first[t + 1], alive);
        for (int32_t k = first[t]; k < first[t + 1]; k++) {
            newest[m.value[k]] = k;
        }
        peak = alive[t] > peak ? alive[t] : peak;
    }
    return peak;
}
