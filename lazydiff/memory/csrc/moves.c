/* Local changes of an order: units move away from its highest steps.

   At a step of the peak, a value that is alive there, and that the step itself does not touch, need not be: its last readers may
   run before (pulled, with all that they need), or its maker after (pushed, with all that need it). A change is taken if the
   peak falls, or stays and the bytes above a floor below it do, summed over steps. */
#include "order_walk.h"

#define TRIED 48    /* values of a step, the largest first */
#define FAR 64      /* steps that a better place is looked for beyond the peak */
#define ROUNDS 1000 /* seeded changes at most */

typedef struct moves {
    walk w;
    int32_t *order; /* the caller's */
    int32_t *best;  /* the best order so far */
    int32_t *other; /* a stretch of the order, changed */
    int32_t *where; /* by unit: its step */
    int32_t *last;  /* by value: the last step that reads it; -1: none */
    int64_t *use;   /* by step */
    int64_t *alive; /* by step: bytes alive before it */
    int64_t *over_from; /* by step: the sum of use above the floor from there on */
    int32_t *aside; /* units, kept for a while */
    int32_t *moved; /* by unit: the last change it is part of (`change`) */
    int32_t *counted; /* by value: the last change that its readers were counted for */
    int32_t change;
    int64_t peak, floor, over; /* over: sum of use above the floor */
    int64_t looked;
    uint64_t seed;
} moves;

static size_t lay_out(moves *m, const lzd_units *in, void *memory)
{
    uintptr_t at = (uintptr_t)memory + walk_bytes(in);
    m->best = walk_take(&at, in->units, sizeof(int32_t));
    m->other = walk_take(&at, in->units, sizeof(int32_t));
    m->where = walk_take(&at, in->units, sizeof(int32_t));
    m->last = walk_take(&at, in->values, sizeof(int32_t));
    m->use = walk_take(&at, in->units, sizeof(int64_t));
    m->alive = walk_take(&at, in->units, sizeof(int64_t));
    m->over_from = walk_take(&at, in->units + 1, sizeof(int64_t));
    m->aside = walk_take(&at, in->units, sizeof(int32_t));
    m->moved = walk_take(&at, in->units, sizeof(int32_t));
    m->counted = walk_take(&at, in->values, sizeof(int32_t));
    return (size_t)(at - (uintptr_t)memory);
}

size_t lzd_moves_bytes(const lzd_units *units)
{
    moves m;
    return lay_out(&m, units, 0);
}

static int64_t above(const moves *m, int64_t use)
{
    return use > m->floor ? use - m->floor : 0;
}

/* All that is known of the order, afresh. */
static void judge(moves *m)
{
    const lzd_units *in = m->w.in;
    int64_t after;
    (void)walk_begin(&m->w, in, m->w.mark);
    m->peak = 0;
    for (int32_t v = 0; v < in->values; v++) {
        m->last[v] = -1;
    }
    for (int32_t t = 0; t < in->units; t++) {
        const int32_t u = m->order[t];
        m->where[u] = t;
        m->alive[t] = m->w.alive;
        m->use[t] = walk_look(&m->w, u, &after);
        m->peak = m->use[t] > m->peak ? m->use[t] : m->peak;
        walk_run(&m->w, u, after);
        for (int32_t i = in->read_from[u]; i < in->read_from[u + 1]; i++) {
            m->last[in->read[i]] = t;
        }
    }
    m->floor = m->peak - m->peak / 8;
    m->over_from[in->units] = 0;
    for (int32_t t = in->units - 1; t >= 0; t--) {
        m->over_from[t] = m->over_from[t + 1] + above(m, m->use[t]);
    }
    m->over = m->over_from[0];
    m->looked += in->units;
}

/* Judges steps first..last in the order of `other`, and takes it if it is better, or `any` and not above `limit`. */
static int try_stretch(moves *m, int32_t first, int32_t last, int any, int64_t limit)
{
    const lzd_units *in = m->w.in;
    walk *w = &m->w;
    int64_t after, over = any ? INT64_MAX : m->over_from[first] - m->over_from[last + 1]; /* what the new order has to be below */
    m->looked += last - first + 1;
    if (!over) {
        return 0;
    }
    w->alive = m->alive[first];
    w->ran = first;
    for (int32_t t = first; t <= last; t++) {
        for (int32_t k = in->read_from[m->other[t]]; k < in->read_from[m->other[t] + 1]; k++) {
            const int32_t v = in->read[k], from = in->reader_from[v], to = in->reader_from[v + 1];
            if (m->counted[v] == m->change) {
                continue;
            }
            int32_t left = to - from; /* readers from the stretch on; this is one of them */
            for (int32_t i = from; m->last[v] <= last && left > 1 && i < to; i++) {
                left -= m->where[in->reader[i]] < first;
            }
            w->left[v] = m->last[v] <= last ? left : INT32_MAX; /* read behind the stretch, it does not die in it */
            m->counted[v] = m->change;
        }
        const int64_t use = walk_look(w, m->other[t], &after);
        over -= any ? 0 : above(m, use);
        if (use > (any ? limit : m->peak) || over <= 0) {
            return 0;
        }
        walk_run(w, m->other[t], after);
    }
    for (int32_t t = first; t <= last; t++) {
        m->order[t] = m->other[t];
    }
    judge(m);
    return 1;
}

/* Brings all that read v after step `at` before step `to`, with what they need. Returns the last step moved; -1: can't be. */
static int32_t pull(moves *m, int32_t v, int32_t at, int32_t to)
{
    const lzd_units *in = m->w.in;
    const int32_t last = m->last[v], change = ++m->change;
    int32_t stay = last + 1, moved = 0;
    m->looked += (last - to) / 2;
    for (int32_t i = in->reader_from[v]; i < in->reader_from[v + 1]; i++) {
        if (m->where[in->reader[i]] > at) {
            m->moved[in->reader[i]] = change;
        }
    }
    for (int32_t t = last; t >= to; t--) {
        const int32_t u = m->order[t];
        if (m->moved[u] != change) {
            m->other[--stay] = u;
            continue;
        }
        if (t == at) {
            return -1;
        }
        m->aside[moved++] = u;
        for (int32_t i = in->need_from[u]; i < in->need_from[u + 1]; i++) {
            if (m->where[in->need[i]] >= to) {
                m->moved[in->need[i]] = change;
            }
        }
    }
    for (int32_t t = to; moved; t++) {
        m->other[t] = m->aside[--moved];
    }
    return last;
}

/* Brings the maker of v, and what needs it, behind step `to`, which is not before `at`. Returns the first step; -1: can't be. */
static int32_t push(moves *m, int32_t v, int32_t at, int32_t to)
{
    const lzd_units *in = m->w.in;
    const int32_t first = m->where[in->maker[v]], change = ++m->change;
    int32_t stay = first, moved = 0;
    m->looked += (to - first) / 2;
    for (int32_t t = first; t <= to; t++) {
        const int32_t u = m->order[t];
        int moves_too = t == first;
        for (int32_t i = in->need_from[u]; !moves_too && i < in->need_from[u + 1]; i++) {
            moves_too = m->moved[in->need[i]] == change;
        }
        if (!moves_too) {
            m->other[stay++] = u;
            continue;
        }
        if (t == at) {
            return -1;
        }
        m->moved[u] = change;
        m->aside[moved++] = u;
    }
    for (int32_t k = 0; k < moved; k++) {
        m->other[stay + k] = m->aside[k];
    }
    return first;
}

/* The step after `from`, or before, up to FAR away, before which the fewest bytes are alive. */
static int32_t lowest(const moves *m, int32_t from, int32_t by)
{
    int32_t best = from;
    for (int32_t t = from, n = 0; n < FAR && t >= 0 && t < m->w.in->units; t += by, n++) {
        best = m->alive[t] < m->alive[best] ? t : best;
    }
    return best;
}

/* Tries to have v away from step `at`. */
static int try_value(moves *m, int32_t v, int32_t at, int any, int64_t limit)
{
    const lzd_units *in = m->w.in;
    const int32_t near_by[2] = {at, lowest(m, at, -1)}, beyond[2] = {at, lowest(m, at, 1) - 1};
    for (int i = 0; i < 2 && !in->kept[v]; i++) {
        if (!i || near_by[1] < at) {
            const int32_t last = pull(m, v, at, near_by[i]);
            if (last >= 0 && try_stretch(m, near_by[i], last, any, limit)) {
                return 1;
            }
        }
    }
    for (int i = 0; i < 2 && in->maker[v] != LZD_MAKER_NONE; i++) {
        if (!i || beyond[1] > at) {
            const int32_t first = push(m, v, at, beyond[i]);
            if (first >= 0 && try_stretch(m, first, beyond[i], any, limit)) {
                return 1;
            }
        }
    }
    return 0;
}

/* Is v alive at the step, though the step's unit does not touch it? */
static int passes(const moves *m, int32_t v, int32_t at)
{
    const lzd_units *in = m->w.in;
    const int32_t u = m->order[at];
    if (!in->size[v] || (m->last[v] <= at && !in->kept[v]) ||
        (in->maker[v] != LZD_MAKER_NONE && m->where[in->maker[v]] >= at)) {
        return 0;
    }
    for (int32_t i = in->read_from[u]; i < in->read_from[u + 1]; i++) {
        if (in->read[i] == v) {
            return 0;
        }
    }
    return 1;
}

/* Lists the values that pass a step, the largest first; returns how many. */
static int32_t passing(const moves *m, int32_t at, int32_t *list)
{
    const lzd_units *in = m->w.in;
    int32_t count = 0;
    for (int32_t v = 0; v < in->values; v++) {
        if (passes(m, v, at) && (count < TRIED || in->size[v] > in->size[list[count - 1]])) {
            int32_t i = count < TRIED ? count++ : count - 1;
            for (; i && in->size[list[i - 1]] < in->size[v]; i--) {
                list[i] = list[i - 1];
            }
            list[i] = v;
        }
    }
    return count;
}

/* Takes what helps until nothing does. */
static void descend(moves *m, int64_t limit)
{
    int32_t list[TRIED];
    for (int better = 1; better;) {
        better = 0;
        const int64_t peak = m->peak;
        for (int32_t t = 0; t < m->w.in->units && !better; t++) {
            if (m->use[t] < peak) {
                continue;
            }
            const int32_t count = passing(m, t, list);
            m->looked += m->w.in->values / 2;
            for (int32_t i = 0; i < count && !better; i++) {
                if (m->looked > limit) {
                    return;
                }
                better = try_value(m, list[i], t, 0, 0);
            }
        }
    }
}

static int32_t draw(moves *m, int32_t below)
{
    m->seed = m->seed * 6364136223846793005u + 1442695040888963407u;
    return (int32_t)((m->seed >> 33) % (uint64_t)below);
}

int64_t lzd_moves(const lzd_units *units, int32_t *order, int32_t seed, int64_t limit, void *memory)
{
    moves m;
    int32_t list[TRIED];
    m.w.in = units;
    m.w.mark = memory;
    m.order = order;
    m.looked = 0;
    m.seed = (uint64_t)seed;
    (void)lay_out(&m, units, memory);
    m.change = 0;
    for (int32_t u = 0; u < units->units; u++) {
        m.moved[u] = 0;
    }
    for (int32_t v = 0; v < units->values; v++) {
        m.counted[v] = 0;
    }
    judge(&m);
    int64_t best = m.peak + 1, over = 0;
    for (int round = 0;; round++) {
        descend(&m, limit);
        const int better = m.peak < best || (m.peak == best && m.over < over);
        for (int32_t t = 0; t < units->units; t++) {
            *(better ? m.best + t : order + t) = better ? order[t] : m.best[t];
        }
        if (better) {
            best = m.peak;
            over = m.over;
        } else {
            judge(&m);
        }
        if (m.looked > limit || round == ROUNDS) {
            return best;
        }
        for (int changes = 1 + draw(&m, 3); changes; changes--) { /* of a step near the peak, a value goes elsewhere */
            int32_t t = draw(&m, units->units);
            for (int32_t n = 0; n < units->units && m.use[t] <= m.floor; n++) {
                t = t + 1 < units->units ? t + 1 : 0;
            }
            const int32_t count = passing(&m, t, list);
            m.looked += units->values / 2;
            if (count) {
                (void)try_value(&m, list[draw(&m, count)], t, 1, best + best / 16);
            }
        }
    }
}
