/* Exact placement: a depth-first search for offsets below a capacity, after the published ideas of MiniMalloc.

   M. D. Moffitt, "MiniMalloc: A Lightweight Memory Allocator for Hardware-Accelerated Machine Learning", ASPLOS 2023.

   If there is a placement, there is one of least weighted sum of offsets, whatever the positive weights: in it no buffer could
   lie lower. Only such placements are looked for, bottom up:
   - canonical order: offsets never fall; at equal offsets the buffer numbers rise. So a buffer goes on top of all that is
     placed beside it, at its `lowest`, and one place is left to try for each buffer;
   - a buffer that was passed over can only lie on top of something that will be put under it (`reach`), in its way;
   - sections: in each, the lowest buffer still to come must leave room for all the others there;
   - nothing goes above the lowest possible top of a buffer not yet placed: that one would have been lower;
   - alike: of two buffers with the same life, one right on top of the other, the lower number is below (a choice of weights);
   - parts: stretches of time that no buffer joins any more are searched one after the other; when one fails, the choice that
     made it fails, whatever was found for the others.
   Numbering the buffers well is the caller's task, and starting again with another numbering (memory/placement/search.py). */
#include "search_state.h"

static int live_in(const lzd_buffers *in, int32_t b, int32_t section)
{
    return in->first[b] <= section && section < in->end[b];
}

static int live_together(const lzd_buffers *in, int32_t a, int32_t b)
{
    return in->first[a] < in->end[b] && in->first[b] < in->end[a];
}

/* The lowest place for b, from `at` up, that no fixed buffer is in. */
static int64_t past_fixed(const lzd_buffers *in, int32_t b, int64_t at)
{
    for (int32_t i = 0; i < in->fixed; i++) {
        const int32_t f = in->count + i;
        if (live_together(in, b, f) && at < in->at[i] + in->size[f] && in->at[i] < at + in->size[b]) {
            at = in->at[i] + in->size[f];
            i = -1; /* those before it may be in the way now */
        }
    }
    return at;
}

/* How much of the bytes below `at` is not a fixed buffer's, in this section. */
static int64_t free_below(const lzd_buffers *in, int32_t section, int64_t at)
{
    int64_t taken = 0;
    for (int32_t i = 0; i < in->fixed; i++) {
        const int32_t f = in->count + i;
        if (live_in(in, f, section) && in->at[i] < at) {
            taken += in->at[i] + in->size[f] < at ? in->size[f] : at - in->at[i];
        }
    }
    return at - taken;
}

/* Is (at, b) not after (than_at, than) in canonical order? */
static int passed(int64_t at, int32_t b, int64_t than_at, int32_t than)
{
    return at < than_at || (at == than_at && b <= than);
}

/* A lower bound of where b, not yet placed, can lie if all that comes is after (at, last). */
static int64_t reach(search *s, int32_t b, int64_t at, int32_t last)
{
    if (!passed(s->lowest[b], b, at, last)) {
        return s->lowest[b];
    }
    if (s->reach_node[b] == s->nodes) {
        return s->reach_of[b];
    }
    const int64_t top = s->lowest[b] + s->in->size[b];
    int64_t best = NOWHERE;
    int in_the_way = 0;
    for (int64_t i = s->beside_from[b]; i < s->beside_from[b + 1]; i++) {
        const int32_t c = s->beside[i];
        if (!s->placed[c]) {
            const int64_t low = s->lowest[c] > at ? s->lowest[c] : at;
            in_the_way |= low < top;
            if (low + s->in->size[c] < best) {
                best = low + s->in->size[c];
            }
        }
    }
    s->reach_node[b] = s->nodes;
    return s->reach_of[b] = in_the_way ? best : NOWHERE;
}

static void change_to(search *s, int32_t where, int64_t *what, int64_t new)
{
    s->trail[s->n_trail].where = where;
    s->trail[s->n_trail++].old = *what;
    *what = new;
}

/* Puts b at its lowest place. 0 if another buffer then has none below the capacity. */
static int put(search *s, int32_t b)
{
    const lzd_buffers *in = s->in;
    const int64_t top = s->lowest[b] + in->size[b];
    s->offset[b] = s->lowest[b];
    s->placed[b] = 1;
    s->next[s->previous[b]] = s->next[b];
    s->previous[s->next[b]] = s->previous[b];
    for (int32_t t = in->first[b]; t < in->end[b]; t++) {
        change_to(s, in->count + t, &s->floor[t], top);
        s->left[t] -= in->size[b];
        s->to_come[t]--;
        s->bridges[t] -= t > in->first[b];
    }
    int fits = 1;
    for (int64_t i = s->beside_from[b]; i < s->beside_from[b + 1]; i++) {
        const int32_t c = s->beside[i];
        if (!s->placed[c] && s->lowest[c] < top) {
            change_to(s, c, &s->lowest[c], in->fixed ? past_fixed(in, c, top) : top);
            fits &= s->lowest[c] + in->size[c] <= s->capacity;
        }
    }
    return fits;
}

static void take_back(search *s, int32_t b, int64_t trail)
{
    const lzd_buffers *in = s->in;
    while (s->n_trail > trail) {
        const change *c = &s->trail[--s->n_trail];
        *(c->where < in->count ? &s->lowest[c->where] : &s->floor[c->where - in->count]) = c->old;
    }
    s->placed[b] = 0;
    s->next[s->previous[b]] = b;
    s->previous[s->next[b]] = b;
    for (int32_t t = in->first[b]; t < in->end[b]; t++) {
        s->left[t] += in->size[b];
        s->to_come[t]++;
        s->bridges[t] += t > in->first[b];
    }
}

/* Can one of the section's buffers lie low enough for the others to go on top? */
static int section_fits(search *s, int32_t section, int64_t at, int32_t last)
{
    const lzd_buffers *in = s->in;
    const int64_t limit = s->capacity - s->left[section];
    const int32_t known = s->witness[section];
    if (!in->fixed && !s->placed[known] && s->lowest[known] <= limit && !passed(s->lowest[known], known, at, last)) {
        return 1;
    }
    if ((in->fixed ? free_below(in, section, at) : at) > limit) {
        return 0;
    }
    for (int64_t i = s->live_from[section]; i < s->live_from[section + 1]; i++) {
        const int32_t b = s->live[i];
        if (!s->placed[b]) {
            const int64_t low = reach(s, b, at, last);
            if (low < NOWHERE && (in->fixed ? free_below(in, section, low) : low) <= limit) {
                s->witness[section] = b;
                return 1;
            }
        }
    }
    return 0;
}

static int sections_fit(search *s, int32_t low, int32_t high, int64_t at, int32_t last)
{
    for (int32_t t = low; t < high; t++) {
        if (s->to_come[t] && !section_fits(s, t, at, last)) {
            s->failed[t]++;
            return 0;
        }
    }
    return 1;
}

/* Starts on a part. Without a place for one of its buffers, it has no candidates. */
static void open(search *s, frame *f, const part *p)
{
    const lzd_buffers *in = s->in;
    f->of = *p;
    f->tried_at = p->at;
    f->tried = p->last;
    f->below = NOWHERE;
    for (int32_t b = s->next[in->count]; b != in->count; b = s->next[b]) {
        if (in->first[b] < p->low || in->end[b] > p->high) {
            continue;
        }
        if (reach(s, b, p->at, p->last) + in->size[b] > s->capacity) {
            s->failed[in->first[b]]++;
            f->below = 0;
            return;
        }
        if (s->lowest[b] + in->size[b] < f->below) {
            f->below = s->lowest[b] + in->size[b];
        }
    }
    for (int32_t t = p->low; t < p->high && !in->fixed; t++) {
        const int64_t limit = s->capacity - s->left[t];
        if (s->to_come[t] && limit < f->below) {
            f->below = limit + 1;
        }
    }
}

/* Does b, at its lowest place, lie right on one of the same life and a higher number? */
static int out_of_order(const search *s, int32_t b)
{
    for (int32_t a = s->alike[b]; a != b; a = s->alike[a]) {
        if (a > b && s->placed[a] && s->offset[a] + s->in->size[a] == s->lowest[b]) {
            return 1;
        }
    }
    return 0;
}

/* The next candidate in canonical order, or NONE. */
static int32_t candidate(const search *s, const frame *f)
{
    const lzd_buffers *in = s->in;
    int64_t best_at = f->below;
    int32_t best = NONE;
    for (int32_t b = s->next[in->count]; b != in->count; b = s->next[b]) {
        const int64_t at = s->lowest[b];
        if (at < best_at && !passed(at, b, f->tried_at, f->tried) && in->first[b] >= f->of.low && in->end[b] <= f->of.high &&
            !out_of_order(s, b)) {
            best_at = at;
            best = b;
        }
    }
    return best;
}

/* Links the parts that low..high-1 has fallen into, with `then` behind them, and returns the first. */
static int32_t split(search *s, int32_t low, int32_t high, int64_t at, int32_t last, int32_t then, int32_t parent)
{
    int32_t begin = NONE, first = then;
    part *before = NULL;
    for (int32_t t = low; t <= high; t++) {
        const int live = t < high && s->to_come[t];
        if (begin != NONE && (!live || !s->bridges[t])) {
            *(before ? &before->then : &first) = s->n_parts;
            before = &s->parts[s->n_parts++];
            *before = (part){begin, t, last, at, then, parent};
            begin = NONE;
        }
        if (live && begin == NONE) {
            begin = t;
        }
    }
    return first;
}

static void prepare(search *s)
{
    const lzd_buffers *in = s->in;
    const int32_t n = in->count;
    int64_t count = 0;
    for (int32_t t = 0; t < in->sections; t++) {
        s->floor[t] = s->left[t] = 0;
        s->to_come[t] = s->bridges[t] = 0;
        s->live_from[t] = count;
        for (int32_t b = 0; b < n; b++) {
            if (live_in(in, b, t)) {
                s->witness[t] = b;
                s->live[count++] = b;
                s->left[t] += in->size[b];
                s->to_come[t]++;
                s->bridges[t] += in->first[b] < t;
            }
        }
        for (int32_t f = n; f < n + in->fixed; f++) {
            s->left[t] += live_in(in, f, t) ? in->size[f] : 0;
        }
    }
    s->live_from[in->sections] = count;
    count = 0;
    for (int32_t b = 0; b < n; b++) {
        s->lowest[b] = past_fixed(in, b, 0);
        s->placed[b] = 0;
        s->reach_node[b] = -1;
        s->alike[b] = b;
        s->beside_from[b] = count;
        for (int32_t c = 0; c < n; c++) {
            if (c != b && live_together(in, b, c)) {
                s->beside[count++] = c;
            }
        }
    }
    s->beside_from[n] = count;
    for (int32_t b = 0; b < n; b++) {
        for (int64_t i = s->beside_from[b]; i < s->beside_from[b + 1] && s->beside[i] < b; i++) {
            const int32_t a = s->beside[i];
            if (in->first[a] == in->first[b] && in->end[a] == in->end[b]) {
                s->alike[b] = s->alike[a];
                s->alike[a] = b;
                break;
            }
        }
    }
    for (int32_t b = 0; b <= n; b++) {
        s->next[b] = b == n ? 0 : b + 1;
        s->previous[b] = b ? b - 1 : n;
    }
}

int64_t lzd_pairs(const lzd_buffers *buffers)
{
    int64_t pairs = 0;
    for (int32_t a = 0; a < buffers->count; a++) {
        for (int32_t b = 0; b < a; b++) {
            pairs += live_together(buffers, a, b);
        }
    }
    return pairs;
}

size_t lzd_search_bytes(const lzd_buffers *buffers, int64_t pairs)
{
    search s;
    return lay_out(&s, buffers, pairs, NULL);
}

int lzd_search(const lzd_buffers *buffers, int64_t pairs, int64_t capacity, int64_t node_limit, int64_t *offset, int64_t *failed,
               int64_t *nodes, void *memory)
{
    search state, *s = &state;
    lay_out(s, buffers, pairs, memory);
    s->in = buffers;
    s->capacity = capacity;
    s->offset = offset;
    s->failed = failed;
    s->n_trail = s->nodes = s->n_parts = 0;
    *nodes = 0;
    prepare(s);
    for (int32_t i = 0; i < buffers->fixed; i++) {
        if (buffers->at[i] + buffers->size[buffers->count + i] > capacity) {
            return LZD_NO;
        }
    }
    if (!sections_fit(s, 0, buffers->sections, 0, NONE)) {
        return LZD_NO;
    }
    int32_t todo = split(s, 0, buffers->sections, 0, NONE, NONE, NONE);
    int32_t depth = NONE;
    while (todo != NONE) {
        depth++;
        open(s, &s->frames[depth], &s->parts[todo]);
        for (;;) {
            frame *f = &s->frames[depth];
            const int32_t b = candidate(s, f);
            if (b == NONE) { /* the part has no placement: back to the choice that made it */
                if (f->of.parent == NONE) {
                    return LZD_NO;
                }
                for (const int32_t parent = f->of.parent; depth > parent;) {
                    depth--;
                    take_back(s, s->frames[depth].tried, s->frames[depth].trail);
                }
                s->n_parts = s->frames[depth].parts;
                continue;
            }
            if (s->nodes >= node_limit) {
                return LZD_NOT_DECIDED;
            }
            *nodes = ++s->nodes;
            f->tried = b;
            f->tried_at = s->lowest[b];
            f->trail = s->n_trail;
            f->parts = s->n_parts;
            if (put(s, b) && sections_fit(s, f->of.low, f->of.high, f->tried_at, b)) {
                todo = split(s, f->of.low, f->of.high, f->tried_at, b, f->of.then, depth);
                break;
            }
            take_back(s, b, f->trail);
        }
    }
    return LZD_YES;
}
