/* The `map` kernel: an elementwise program, a block of elements at a time; contract in lzd_attrs.h. */
#include "lzd_attrs.h"

#if LZD_T_IS_F64
#define OPS LZD_NAMED(lzd_ops_f64)
#else
#define OPS LZD_NAMED(lzd_ops_f32)
#endif

/* Where the block that starts at element `at` lies in one slot, and its stride. */
typedef struct slot {
    uint8_t *at;
    int32_t stride;
    uint8_t dtype, bit; /* `bit`: of BITS, where in its byte the first element is */
} slot;

static inline bool get_bit(const uint8_t *from, ptrdiff_t at)
{
    return (from[(at - (at & 7)) / 8] >> (at & 7) & 1) != 0;
}
static inline void set_bit(uint8_t *to, size_t at, bool value)
{
    to[at / 8u] = (uint8_t)((to[at / 8u] & ~(1u << at % 8u)) | (uint32_t)value << at % 8u);
}

/* Casts n elements of any dtype to T. */
static void load(T *d, const slot *a, uint32_t n)
{
    const void *const from = a->at;
    for (uint32_t i = 0; i < n; i++) {
        const ptrdiff_t at = (ptrdiff_t)i * a->stride;
        switch (a->dtype) {
        case BITS: d[i] = (T)get_bit(a->at, a->bit + at); break;
        case F32: d[i] = (T)((const float *)from)[at]; break;
        case F64: d[i] = (T)((const double *)from)[at]; break;
        case I32: d[i] = (T)((const int32_t *)from)[at]; break;
        case U8: d[i] = (T)((const uint8_t *)from)[at]; break;
        case I8: d[i] = (T)((const int8_t *)from)[at]; break;
        default: d[i] = ((const uint8_t *)from)[at] != 0u ? (T)1 : (T)0; break;
        }
    }
}

/* The integer nearest to a towards zero within low .. high; 0 for NaN. low and high are exact in T or out of its reach. */
static inline int32_t truncated(T a, int32_t low, int32_t high)
{
    return a != a ? 0 : a <= (T)low ? low : a >= (T)high ? high : (int32_t)a;
}

static void store(const slot *d, const T *a, int32_t stride, uint32_t n)
{
    void *const to = d->at;
    for (uint32_t i = 0; i < n; i++) {
        const T value = a[(ptrdiff_t)i * stride];
        switch (d->dtype) {
        case BITS: set_bit(d->at, (size_t)d->bit + i, value != (T)0); break;
        case F32: ((float *)to)[i] = (float)value; break;
        case F64: ((double *)to)[i] = (double)value; break;
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
    const lzd_map *map;
    void *const *p;
    uint32_t at, begin;             /* first element of the block; first element of the rows being computed */
    uint32_t index[MAX_RANK];       /* its coordinates */
} block;

static const double zero = 0.0; /* what an input is outside its window, in every dtype */

static inline slot find(const block *b, uint32_t number)
{
    const lzd_map *m = b->map;
    slot s = {NULL, 1, LZD_COMPUTE_DTYPE, 0};
    uint32_t operand = number;
    int64_t element = b->at;
    if (number < m->n_in) {
        const uint32_t *item = m->inputs + (size_t)number * (2u + m->rank);
        s.dtype = (uint8_t)item[0];
        s.stride = m->rank != 0u ? (int32_t)item[1u + m->rank] : 0;
        element = item[1];
        if (number == m->tile) {
            s.stride = 1;
            element = b->at - b->begin;
        } else if (item[0] >> 8 == 0u) {
            for (uint32_t d = 0; d < m->rank; d++) {
                element += (int64_t)b->index[d] * (int32_t)item[2u + d];
            }
        } else {
            const uint32_t *window = m->windows + 2u * (size_t)m->rank * ((item[0] >> 8) - 1u);
            for (uint32_t d = 0; d < m->rank; d++, window += 2) {
                if (b->index[d] - window[0] >= window[1]) { /* below it the difference wraps round, beyond any extent */
                    s.at = (uint8_t *)(uintptr_t)&zero;
                    s.stride = 0;
                    return s;
                }
                element += (int64_t)(b->index[d] - window[0]) * (int32_t)item[2u + d];
            }
        }
    } else if (number < m->n_in + m->n_out) {
        s.dtype = (uint8_t)m->outputs[number - m->n_in];
    } else {
        operand = m->n_in + m->n_out;
        element = (int64_t)(number - operand) * m->block;
    }
    s.bit = (uint8_t)(element & 7);
    s.at = (uint8_t *)b->p[operand] + (s.dtype == BITS ? element >> 3 : element * (int64_t)lzd_itemsize(s.dtype));
    return s;
}

static void run_block(const block *b, uint32_t n)
{
    for (uint32_t k = 0; k < b->map->n_instr; k++) {
        const uint32_t word = b->map->code[2u * k], op = word & 0xFFu, arity = LZD_NAMED(lzd_op_arity)[op];
        const slot d = find(b, word >> 8 & 0xFFu), a = find(b, word >> 16 & 0xFFu);
        if (op == OP_LOAD) {
            load((T *)(void *)d.at, &a, n);
        } else if (op == OP_STORE && a.dtype != LZD_COMPUTE_DTYPE) {
            copy(d.at, a.at, a.stride, lzd_itemsize(d.dtype), n);
        } else if (op == OP_STORE) {
            store(&d, (const T *)(const void *)a.at, a.stride, n);
        } else {
            const slot second = arity > 1u ? find(b, word >> 24) : a;
            const slot third = arity > 2u ? find(b, b->map->code[2u * k + 1u]) : a;
            OPS[op]((T *)(void *)d.at, (const T *)(const void *)a.at, a.stride, (const T *)(const void *)second.at,
                    second.stride, (const T *)(const void *)third.at, third.stride, n);
        }
    }
}

/* How many of n elements from `column` on come before the next border of the innermost window (low, extent). */
static uint32_t before_border(const uint32_t *window, uint32_t column, uint32_t n)
{
    uint32_t left = window[0] - column;
    if (column >= window[0]) {
        left = window[0] + window[1] - column;
        if (column - window[0] >= window[1]) {
            return n;
        }
    }
    return left < n ? left : n;
}

void SUFFIX(lzd_k_map)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    lzd_map map;
    (void)lzd_map_words(v, LZD_NONE, &map);
    block b = {&map, p, begin, begin, {0}};
    const uint32_t width = map.rank != 0u ? map.dims[map.rank - 1u] : 1u; /* a block never leaves its innermost row */
    uint32_t rest = begin;
    for (uint32_t d = map.rank; d-- > 0u;) {
        b.index[d] = rest % map.dims[d];
        rest /= map.dims[d];
    }
    while (b.at < end) {
        const uint32_t column = map.rank != 0u ? b.index[map.rank - 1u] : 0u;
        uint32_t n = width - column;
        n = n < map.block ? n : map.block;
        n = n < end - b.at ? n : end - b.at;
        for (const uint32_t *w = map.windows; w < map.outputs; w += 2u * map.rank) { /* it lies inside each window or outside */
            n = before_border(w + 2u * (map.rank - 1u), column, n);
        }
        run_block(&b, n);
        b.at += n;
        if (map.rank != 0u) {
            uint32_t d = map.rank - 1u;
            b.index[d] += n;
            while (d > 0u && b.index[d] == map.dims[d]) {
                b.index[d--] = 0;
                b.index[d]++;
            }
        }
    }
}
