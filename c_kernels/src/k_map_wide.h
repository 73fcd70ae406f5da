/* The `map` kernel where there are caches, wide vectors and a stack of some KiB; contract in lzd_attrs.h, k_map.h does the same.
 *
 * Slots are found once a call and move on from block to block. A block is as long as what it computes with fits the fastest
 * cache; temporaries lie on the stack, not in the plan's scratch. Inputs that are read in another order than their elements
 * lie in (a row or a column repeated, a transpose, a window) are gathered there, so that a block may have several rows. */
#include "k_map_move.h"

enum { SPACE = 24576, LINE = 64, MOST = 1024 / sizeof(T) }; /* bytes of temporaries and gathered inputs; elements of a block */

typedef struct strided {
    const uint32_t *item; /* the input's words */
    const uint8_t *base;
    uint8_t *place;   /* where it is gathered */
    uint32_t ready;   /* a row that repeats: how many elements are there since the last block */
    uint8_t number;
    bool repeats;
} strided;

typedef struct state { /* of a call */
    lzd_map map;
    uint32_t n_strided, n_moving;
    uint32_t index[MAX_RANK]; /* the coordinates of the block's first element, if there are strided inputs */
    slot slots[256];
    strided strided[256];
    uint8_t moving[256]; /* the slots that move on with the block */
} state;

static inline void put(slot *s, uint8_t *base, int64_t element, int32_t stride, uint32_t dtype)
{
    s->stride = stride;
    s->dtype = (uint8_t)dtype;
    s->bit = (uint8_t)(element & 7);
    s->at = base + (dtype == BITS ? element >> 3 : element * (int64_t)lzd_itemsize(dtype));
}

/* One input's slot at element `begin`; a strided one only gets into the list of those. */
static inline void find_input(state *s, uint32_t number, uint8_t *base, uint32_t begin)
{
    const lzd_map *m = &s->map;
    const uint32_t *item = input_words(m, number), dtype = item[0] & 0xFFu;
    bool same = true, plain = item[0] >> 8 == 0u, outer = plain; /* all strides 0; as the elements lie; all but the last 0 */
    if (number == m->tile) {
        same = false;
        begin = 0;
    } else {
        uint32_t step = 1;
        for (uint32_t d = m->rank; d-- > 0u;) {
            if (m->dims[d] != 1u) {
                same = same && item[2u + d] == 0u;
                plain = plain && item[2u + d] == step;
                outer = outer && (item[2u + d] == 0u || d + 1u == m->rank);
                step *= m->dims[d];
            }
        }
    }
    if (same && item[0] >> 8 == 0u) {
        put(&s->slots[number], base, item[1], 0, dtype);
    } else if (plain) {
        put(&s->slots[number], base, (int64_t)item[1] + begin, 1, dtype);
        s->moving[s->n_moving++] = (uint8_t)number;
    } else {
        const strided found = {item, base, NULL, 0, (uint8_t)number, outer};
        s->strided[s->n_strided++] = found;
    }
}

/* Every slot at element `begin`, temporaries and gathered inputs in `space`. Returns how long blocks are. */
static inline uint32_t find_slots(state *s, void *const *p, uint32_t begin, uint8_t *space)
{
    const lzd_map *m = &s->map;
    uint32_t bytes = m->n_temp * (uint32_t)sizeof(T), number = 0;
    for (; number < m->n_in; number++) {
        find_input(s, number, p[number], begin);
    }
    for (uint32_t k = 0; k < m->n_out; k++, number++) {
        put(&s->slots[number], p[number], m->tiles ? 0u : begin, 1, m->outputs[k]);
        s->moving[s->n_moving++] = (uint8_t)number;
    }
    for (uint32_t k = 0; k < s->n_strided; k++) {
        bytes += lzd_itemsize(s->strided[k].item[0] & 0xFFu);
    }
    uint32_t block = MOST;
    if (bytes > SPACE / MOST) {
        block = SPACE / bytes / 8u * 8u; /* at least 8: there are no more than 255 slots */
    } else if (m->n_instr == 1u && s->n_strided == 0u) {
        block = LZD_NONE; /* nothing waits in the cache for a second instruction */
    }
    space += -(uintptr_t)space % LINE;
    for (uint32_t k = 0; k < m->n_temp; k++, number++, space += (size_t)block * sizeof(T)) {
        put(&s->slots[number], space, 0, 1, LZD_COMPUTE_DTYPE);
    }
    for (uint32_t k = 0; k < s->n_strided; k++) {
        s->strided[k].place = space;
        space += (size_t)block * lzd_itemsize(s->strided[k].item[0] & 0xFFu) + MARGIN;
    }
    return block;
}

/* Makes the slot of a strided input ready for a block of n elements, in one row or in several. */
static inline void turn_to(state *s, strided *a, bool one_row, uint32_t n)
{
    const lzd_map *m = &s->map;
    const uint32_t *window = window_of(m, a->item);
    const uint32_t dtype = a->item[0] & 0xFFu, last = m->rank - 1u, column = s->index[last];
    slot *to = &s->slots[a->number];
    if (one_row) {
        const uint32_t low = window != NULL ? window[2u * last] : 0u;
        const uint32_t high = window != NULL ? low + window[2u * last + 1u] : m->dims[last];
        const int32_t stride = (int32_t)a->item[2u + last];
        int64_t element;
        if (!row_of(m, a->item, s->index, &element) || column + n <= low || column >= high) {
            put(to, (uint8_t *)(uintptr_t)&zero, 0, 0, dtype);
            return;
        }
        if (column >= low && column + n <= high) {
            put(to, (uint8_t *)(uintptr_t)a->base, element + ((int64_t)column - low) * stride, stride, dtype);
            return;
        }
    }
    put(to, a->place, 0, 1, dtype == BITS ? BOOL : dtype);
    if (!a->repeats || n > a->ready) { /* a block of several rows begins with one */
        if (window == NULL && dtype != BITS) {
            gather_rows(m, a->item, a->base, s->index, a->place, n);
        } else {
            gather(m, a->item, a->base, s->index, a->place, n);
        }
        a->ready = n;
    }
}

static inline void run_block(const state *s, uint32_t n)
{
    const uint32_t *code = s->map.code, *const end = code + 2u * s->map.n_instr;
    for (; code < end; code += 2) {
        const uint32_t op = code[0] & 0xFFu;
        const slot *d = &s->slots[code[0] >> 8 & 0xFFu], *a = &s->slots[code[0] >> 16 & 0xFFu];
        if (op > OP_STORE) {
            const slot *b = &s->slots[code[0] >> 24], *c = &s->slots[code[1] & 0xFFu]; /* those not used are slot 0 */
            OPS[op]((T *)(void *)d->at, (const T *)(const void *)a->at, a->stride, (const T *)(const void *)b->at, b->stride,
                    (const T *)(const void *)c->at, c->stride, n);
        } else if (op == OP_LOAD) {
            load((T *)(void *)d->at, a, n);
        } else if (a->dtype == LZD_COMPUTE_DTYPE) {
            store(d, (const T *)(const void *)a->at, a->stride, n);
        } else {
            copy(d->at, a->at, a->stride, lzd_itemsize(d->dtype), n);
        }
    }
}

/* The slots that lie as the elements do, n elements on. */
static inline void move_on(state *s, uint32_t n)
{
    for (uint32_t k = 0; k < s->n_moving; k++) {
        slot *a = &s->slots[s->moving[k]];
        const uint32_t bits = a->bit + n;
        if (a->dtype == BITS) {
            a->at += bits / 8u;
            a->bit = (uint8_t)(bits % 8u);
        } else {
            a->at += (size_t)n * lzd_itemsize(a->dtype);
        }
    }
}

static inline void count_on(state *s, uint32_t n)
{
    for (uint32_t d = s->map.rank; d-- > 0u && n != 0u;) {
        n += s->index[d];
        s->index[d] = n % s->map.dims[d];
        n /= s->map.dims[d];
    }
}

void SUFFIX(lzd_k_map)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    uint8_t space[SPACE + LINE + 255 * MARGIN];
    state s;
    s.n_strided = s.n_moving = 0;
    lzd_map_parts(v, &s.map);
    s.slots[0].at = NULL; /* unused arguments are read, if not used */
    s.slots[0].stride = 0;
    const uint32_t block = find_slots(&s, p, begin, space);
    const uint32_t width = s.n_strided != 0u ? s.map.dims[s.map.rank - 1u] : LZD_NONE;
    if (s.n_strided != 0u) {
        memset(s.index, 0, sizeof s.index);
        count_on(&s, begin);
    }
    while (begin < end) {
        uint32_t n = block < end - begin ? block : end - begin;
        if (s.n_strided != 0u) {
            const uint32_t left = width - s.index[s.map.rank - 1u];
            const bool one_row = n <= left || left != width || 2u * width > n; /* else whole rows, so that those that repeat stay */
            const uint32_t rows = n / width * width;
            n = !one_row ? rows : n < left ? n : left;
            for (uint32_t k = 0; k < s.n_strided; k++) {
                turn_to(&s, &s.strided[k], one_row, n);
            }
        }
        run_block(&s, n);
        begin += n;
        if (begin < end) {
            move_on(&s, n);
            if (s.n_strided != 0u) {
                count_on(&s, n);
            }
        }
    }
}
