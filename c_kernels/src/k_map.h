/* The `map` kernel on small cores: an elementwise program, a block of elements at a time, and little on the stack; contract in
 * lzd_attrs.h. k_map_wide.h is its like for larger ones. */
#include "k_map_slots.h"

/* Casts n elements of any dtype to T. */
static void load(T *d, const slot *a, uint32_t n)
{
    const void *const from = a->at;
    for (uint32_t i = 0; i < n; i++) {
        const ptrdiff_t at = (ptrdiff_t)i * a->stride;
        switch (a->dtype) {
        case BITS: d[i] = (T)get_bit(a->at, a->bit + at); break;
        case F32: d[i] = (T)((const float *)from)[at]; break;
#if LZD_F64
        case F64: d[i] = (T)((const double *)from)[at]; break;
#endif
        case I32: d[i] = (T)((const int32_t *)from)[at]; break;
        case U8: d[i] = (T)((const uint8_t *)from)[at]; break;
        case I8: d[i] = (T)((const int8_t *)from)[at]; break;
        default: d[i] = ((const uint8_t *)from)[at] != 0u ? (T)1 : (T)0; break;
        }
    }
}

static void store(const slot *d, const T *a, int32_t stride, uint32_t n)
{
    void *const to = d->at;
    for (uint32_t i = 0; i < n; i++) {
        const T value = a[(ptrdiff_t)i * stride];
        switch (d->dtype) {
        case BITS: set_bit(d->at, (size_t)d->bit + i, value != (T)0); break;
        case F32: ((float *)to)[i] = (float)value; break;
#if LZD_F64
        case F64: ((double *)to)[i] = (double)value; break;
#endif
        case I32: ((int32_t *)to)[i] = truncated(value, INT32_MIN, INT32_MAX); break;
        case U8: ((uint8_t *)to)[i] = (uint8_t)truncated(value, 0, 255); break;
        case I8: ((int8_t *)to)[i] = (int8_t)truncated(value, -128, 127); break;
        default: ((uint8_t *)to)[i] = value != (T)0; break;
        }
    }
}

/* Moves n elements of `size` bytes each, as they are. */
static void copy(uint8_t *to, const uint8_t *from, int32_t stride, uint32_t size, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t byte = 0; byte < size; byte++) {
            *to++ = from[(ptrdiff_t)i * stride * (ptrdiff_t)size + (ptrdiff_t)byte];
        }
    }
}

typedef struct block {
    lzd_map map;
    void *const *p;
    uint32_t at, begin;             /* first element of the block; first element of the rows being computed */
    uint32_t index[MAX_RANK];       /* its coordinates */
} block;

/* Without temporaries a block is as long as this: its values still lie in the nearest cache from one instruction to the next. */
enum { LONG_BLOCK = 1024 };

/* Where the block begins in a slot. Elements are counted modulo the machine's addresses, so a negative stride is right too. */
LZD_INLINE void find(const block *b, uint32_t number, slot *s)
{
    const lzd_map *m = &b->map;
    uint32_t operand = number;
    size_t element = b->at;
    s->stride = 1;
    s->bit = 0; /* outside a window too */
    s->dtype = LZD_COMPUTE_DTYPE;
    if (number < m->n_in) {
        const uint32_t *item = m->inputs + number * (2u + m->rank);
        const uint32_t window_number = item[0] >> 8;
        s->dtype = (uint8_t)item[0];
        if (number == m->tile) {
            element -= b->begin;
        } else {
            s->stride = (int32_t)item[1u + m->rank]; /* without dimensions there is one element, whatever is read here */
            element = item[1];
            const uint32_t *window = m->windows + 2u * (size_t)m->rank * (window_number - 1u);
            for (uint32_t d = 0; d < m->rank; d++, window += 2) {
                uint32_t index = b->index[d];
                if (window_number != 0u) {
                    index -= window[0];
                    if (index >= window[1]) { /* below it the difference wraps round, beyond any extent */
                        s->at = (uint8_t *)(uintptr_t)&zero;
                        s->stride = 0;
                        return;
                    }
                }
                element += index * (size_t)(ptrdiff_t)(int32_t)item[2u + d];
            }
        }
    } else if (number - m->n_in < m->n_out) {
        s->dtype = (uint8_t)m->outputs[number - m->n_in];
        element -= m->tiles ? b->begin : 0u;
    } else {
        operand = m->n_in + m->n_out;
        element = (size_t)(number - operand) * m->block;
    }
    if (s->dtype == BITS) {
        s->bit = (uint8_t)(element & 7u);
        element >>= 3;
    }
    s->at = (uint8_t *)b->p[operand] + (element << lzd_itemshift(s->dtype));
}

static LZD_APART void run_block(const block *b, uint32_t n)
{
    const uint32_t *const end = b->map.code + 2u * b->map.n_instr;
    for (const uint32_t *code = b->map.code; code < end; code += 2) {
        const uint32_t op = code[0] & 0xFFu, arity = LZD_ARITY(op);
        slot s[4]; /* the target and the arguments, whose numbers are a byte each */
        uint32_t numbers = code[0] >> 8 | code[1] << 24;
        for (uint32_t k = 0; k <= arity; k++, numbers >>= 8) {
            find(b, numbers & 0xFFu, &s[k]);
        }
        const slot *const second = &s[arity > 1u ? 2 : 1], *const third = &s[arity > 2u ? 3 : 1];
        if (op == OP_LOAD) {
            load((T *)(void *)s[0].at, &s[1], n);
        } else if (op == OP_STORE && s[1].dtype != LZD_COMPUTE_DTYPE) {
            copy(s[0].at, s[1].at, s[1].stride, lzd_itemsize(s[0].dtype), n);
        } else if (op == OP_STORE) {
            store(&s[0], (const T *)(const void *)s[1].at, s[1].stride, n);
        } else {
            OPS[op]((T *)(void *)s[0].at, (const T *)(const void *)s[1].at, s[1].stride, (const T *)(const void *)second->at,
                    second->stride, (const T *)(const void *)third->at, third->stride, n);
        }
    }
}

void SUFFIX(lzd_k_map)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    block b;
    const lzd_map *const m = &b.map;
    lzd_map_parts(v, &b.map);
    b.p = p;
    b.at = b.begin = begin;
    const uint32_t most = m->n_temp != 0u || m->block > LONG_BLOCK ? m->block : LONG_BLOCK;
    uint32_t rest = begin;
    for (uint32_t d = m->rank; d-- > 0u;) {
        const uint32_t above = d == 0u || rest == 0u ? 0u : rest / m->dims[d]; /* a division costs more than all the rest */
        b.index[d] = rest - above * m->dims[d];
        rest = above;
    }
    const uint32_t last = m->rank - 1u, width = m->rank != 0u ? m->dims[last] : 1u; /* a block never leaves its innermost row */
    while (b.at < end) {
        const uint32_t column = m->rank != 0u ? b.index[last] : 0u;
        uint32_t n = width - column;
        n = n < most ? n : most;
        n = n < end - b.at ? n : end - b.at;
        for (const uint32_t *w = m->windows; w < m->outputs; w += 2u * m->rank) { /* it lies inside each window or outside */
            n = before_border(w + 2u * last, column, n);
        }
        run_block(&b, n);
        b.at += n;
        if (m->rank != 0u) {
            uint32_t d = last;
            b.index[d] += n;
            while (d > 0u && b.index[d] == m->dims[d]) {
                b.index[d--] = 0;
                b.index[d]++;
            }
        }
    }
}
