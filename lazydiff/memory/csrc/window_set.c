/* Sets of units: what may run at once, and what no order can avoid.

   The bytes alive are a submodular function of the set that ran. So if a unit, or a chain of units of which each needs the one
   before, fits under the peak so far, and leaves no more alive than there was before it, or at any point within it, then
   running it at once is as good as anything, and nothing else is tried. */
#include "window.h"

#define CHAIN 24 /* the longest chain that is looked at */

void window_run(window *s, int32_t place, int64_t after)
{
    const lzd_units *in = s->w.in;
    const int32_t u = s->order[place];
    s->log[s->n_log] = place;
    s->log_alive[s->n_log++] = s->w.alive;
    s->done[place] = 1;
    s->ready[window_word(place)] &= ~window_bit(place);
    walk_run(&s->w, u, after);
    for (int32_t i = in->next_from[u]; i < in->next_from[u + 1]; i++) {
        const int32_t next = s->where[in->next[i]];
        if (next != NONE && !--s->waits[next]) {
            s->ready[window_word(next)] |= window_bit(next);
        }
    }
}

/* Takes back one that ran, after which so many bytes were alive before it; the log is the caller's. */
static void take_back(window *s, int32_t place, int64_t before)
{
    const lzd_units *in = s->w.in;
    const int32_t u = s->order[place];
    s->done[place] = 0;
    if (!s->waits[place]) {
        s->ready[window_word(place)] |= window_bit(place);
    }
    walk_back(&s->w, u, before);
    for (int32_t i = in->next_from[u]; i < in->next_from[u + 1]; i++) {
        const int32_t next = s->where[in->next[i]];
        if (next != NONE && !s->waits[next]++) {
            s->ready[window_word(next)] &= ~window_bit(next);
        }
    }
}

void window_back(window *s, int32_t to)
{
    while (s->n_log > to) {
        s->n_log--;
        take_back(s, s->log[s->n_log], s->log_alive[s->n_log]);
    }
}

void window_load(window *s, const uint64_t *set)
{
    int32_t kept = 0;
    for (int32_t i = 0; i < s->n_log; i++) {
        const int32_t place = s->log[i];
        if (set[window_word(place)] & window_bit(place)) {
            s->log[kept++] = place;
        } else {
            take_back(s, place, 0);
        }
    }
    s->n_log = kept;
    for (int32_t p = 0; p < s->length; p++) {
        if (!s->done[p] && (set[window_word(p)] & window_bit(p))) {
            window_run(s, p, 0);
        }
    }
}

int64_t window_look(window *s, int32_t place, int64_t *after)
{
    s->work++;
    return walk_look(&s->w, s->order[place], after);
}

/* Runs a chain of units from this one on if it is as good as anything; says whether. */
static int run_chain(window *s, int32_t place, int64_t peak)
{
    const lzd_units *in = s->w.in;
    const int32_t from = s->n_log;
    const int64_t alive = s->w.alive;
    int64_t after;
    if (window_look(s, place, &after) > peak) {
        return 0;
    }
    window_run(s, place, after);
    while (s->w.alive > alive && s->n_log - from < CHAIN) {
        const int32_t u = s->order[s->log[s->n_log - 1]];
        int64_t least = INT64_MAX;
        int32_t best = NONE;
        for (int32_t i = in->next_from[u]; i < in->next_from[u + 1]; i++) {
            const int32_t next = s->where[in->next[i]];
            if (next != NONE && window_ready(s, next) && window_look(s, next, &after) <= peak && after < least) {
                least = after;
                best = next;
            }
        }
        if (best == NONE) {
            break;
        }
        window_run(s, best, least);
    }
    if (s->w.alive <= alive) {
        return 1;
    }
    window_back(s, from);
    return 0;
}

void window_close(window *s, int64_t peak)
{
    for (int again = 1; again;) {
        again = 0;
        s->work += s->length / 32;
        for (int32_t p = window_next(s, 0); p < s->length; p = window_next(s, p + 1)) {
            int64_t after;
            if (window_look(s, p, &after) <= peak && after <= s->w.alive) {
                window_run(s, p, after);
                again = 1;
            }
        }
        for (int32_t p = window_next(s, 0); p < s->length; p = window_next(s, p + 1)) {
            again |= run_chain(s, p, peak);
        }
    }
}

int64_t window_least(window *s)
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
        for (int64_t k = 0; in->size[v] && k < words; k++) {
            uint64_t alive = stays ? ~(uint64_t)0 : both[k];
            alive |= maker != NONE && maker / 64 == k ? (uint64_t)1 << (maker % 64) : 0;
            alive &= maker == NONE ? ~(uint64_t)0 : after[maker * words + k];
            alive &= 64 * k + 64 > length ? ~(uint64_t)0 >> (64 * k + 64 - length) : ~(uint64_t)0;
            for (int64_t p = 64 * k; alive; p++, alive >>= 1) {
                use[p] += in->size[v] & -(int64_t)(alive & 1);
            }
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

