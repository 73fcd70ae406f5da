/* How elements come into a block of the wide `map` kernel and leave it: casts, and rows gathered from strided inputs. */
#ifndef K_MAP_MOVE_H
#define K_MAP_MOVE_H

#include "k_map_slots.h"

#include <string.h>

#define EACH(type, expression) \
    for (uint32_t i = 0; i < n; i++) { \
        const type x = ((const type *)from)[(ptrdiff_t)i * stride]; \
        d[i] = (expression); \
    }
#define LOAD_EACH(type, expression) \
    if (stride == 1) { \
        stride = 1; \
        EACH(type, expression) \
    } else { \
        EACH(type, expression) \
    }

/* A bit of each byte of a word of eight: the q-th bit of the q-th byte in memory, and of the q-th from the end. */
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define RISING 0x0102040810204080u
#define FALLING 0x8040201008040201u
#else
#define RISING 0x8040201008040201u
#define FALLING 0x0102040810204080u
#endif

/* Eight bits of a byte as eight bytes, the lowest first: 0 or not. */
LZD_INLINE void spread(uint8_t *to, uint8_t byte)
{
    const uint64_t each = byte * (uint64_t)0x0101010101010101u & (uint64_t)RISING;
    memcpy(to, &each, sizeof each);
}

/* Eight bytes of 0 or 1 as the bits of a byte, the first the lowest: the product moves the q-th to bit 56 + q. */
LZD_INLINE uint8_t gathered(const uint8_t *from)
{
    uint64_t each;
    memcpy(&each, from, sizeof each);
    return (uint8_t)(each * (uint64_t)FALLING >> 56);
}

enum { FLAGS = 256 }; /* bits that are bytes for a while */

static void load_bits(T *d, const slot *a, uint32_t n)
{
    uint8_t flags[FLAGS];
    uint32_t done = 0;
    while (a->stride == 1 && a->bit == 0u && n - done >= 8u) {
        const uint32_t part = n - done < FLAGS ? (n - done) / 8u * 8u : FLAGS;
        for (uint32_t i = 0; i < part; i += 8u) {
            spread(flags + i, a->at[(done + i) / 8u]);
        }
        T *const to = d + done;
        for (uint32_t i = 0; i < part; i++) {
            to[i] = flags[i] != 0u ? (T)1 : (T)0;
        }
        done += part;
    }
    for (; done < n; done++) {
        d[done] = (T)get_bit(a->at, a->bit + (ptrdiff_t)done * a->stride);
    }
}

/* Casts n elements of any dtype to T. */
static void load(T *d, const slot *a, uint32_t n)
{
    const void *const from = a->at;
    ptrdiff_t stride = a->stride;
    switch (a->dtype) {
    case BITS: load_bits(d, a, n); break;
    case F32: LOAD_EACH(float, (T)x) break;
    case F64: LOAD_EACH(double, (T)x) break;
    case I32: LOAD_EACH(int32_t, (T)x) break;
    case U8: LOAD_EACH(uint8_t, (T)x) break;
    case I8: LOAD_EACH(int8_t, (T)x) break;
    default: LOAD_EACH(uint8_t, x != 0u ? (T)1 : (T)0) break;
    }
}

static void store_bits(const slot *d, const T *a, int32_t stride, uint32_t n)
{
    uint8_t flags[FLAGS];
    uint32_t done = 0;
    while (stride == 1 && d->bit == 0u && n - done >= 8u) {
        const uint32_t part = n - done < FLAGS ? (n - done) / 8u * 8u : FLAGS;
        const T *const from = a + done;
        for (uint32_t i = 0; i < part; i++) {
            flags[i] = from[i] != (T)0;
        }
        for (uint32_t i = 0; i < part; i += 8u) {
            d->at[(done + i) / 8u] = gathered(flags + i);
        }
        done += part;
    }
    for (; done < n; done++) {
        set_bit(d->at, (size_t)d->bit + done, a[(ptrdiff_t)done * stride] != (T)0);
    }
}

#define STORE_EACH(type, expression) \
    for (uint32_t i = 0; i < n; i++) { \
        const T x = a[(ptrdiff_t)i * stride]; \
        ((type *)to)[i] = (expression); \
    }

static void store(const slot *d, const T *a, int32_t stride, uint32_t n)
{
    void *const to = d->at;
    switch (d->dtype) {
    case BITS: store_bits(d, a, stride, n); break;
    case F32: STORE_EACH(float, (float)x) break;
    case F64: STORE_EACH(double, (double)x) break;
    case I32: STORE_EACH(int32_t, truncated(x, INT32_MIN, INT32_MAX)) break;
    case U8: STORE_EACH(uint8_t, (uint8_t)truncated(x, 0, 255)) break;
    case I8: STORE_EACH(int8_t, (int8_t)truncated(x, -128, 127)) break;
    default: STORE_EACH(uint8_t, x != (T)0) break;
    }
}

#define COPY_EACH(type) \
    for (uint32_t i = 0; i < n; i++) { \
        memcpy(to + i * sizeof(type), from + (ptrdiff_t)i * stride * (ptrdiff_t)sizeof(type), sizeof(type)); \
    }

/* Moves n elements of `size` bytes each, as they are. */
static void copy(uint8_t *to, const uint8_t *from, ptrdiff_t stride, uint32_t size, uint32_t n)
{
    if (stride == 1) {
        memcpy(to, from, (size_t)n * size);
    } else if (size == 4u) {
        COPY_EACH(uint32_t)
    } else if (size == 8u) {
        COPY_EACH(uint64_t)
    } else {
        COPY_EACH(uint8_t)
    }
}

#define FILL_WITH(type) \
    { \
        type x; \
        memcpy(&x, from, sizeof x); \
        for (uint32_t i = 0; i < n * (uint32_t)sizeof x; i += MARGIN) { \
            for (uint32_t q = 0; q < MARGIN; q += (uint32_t)sizeof x) { \
                memcpy(to + i + q, &x, sizeof x); \
            } \
        } \
    }

enum { MARGIN = 32 }; /* bytes that `fill` may write beyond the end */

/* n times the element of `size` bytes, in whole vectors. */
LZD_INLINE void fill(uint8_t *to, const uint8_t *from, uint32_t size, uint32_t n)
{
    if (size == 4u) {
        FILL_WITH(uint32_t)
    } else if (size == 8u) {
        FILL_WITH(uint64_t)
    } else {
        FILL_WITH(uint8_t)
    }
}

static inline const uint32_t *input_words(const lzd_map *m, uint32_t number) { return m->inputs + (size_t)number * (2u + m->rank); }

static inline const uint32_t *window_of(const lzd_map *m, const uint32_t *item)
{
    return item[0] >> 8 != 0u ? m->windows + 2u * (size_t)m->rank * ((item[0] >> 8) - 1u) : NULL;
}

/* The element at a row's column 0 (with a window: at its first column), or false where the row is outside the window. */
static inline bool row_of(const lzd_map *m, const uint32_t *item, const uint32_t *index, int64_t *element)
{
    const uint32_t *window = window_of(m, item);
    *element = item[1];
    for (uint32_t d = 0; d + 1u < m->rank; d++) {
        uint32_t at = index[d];
        if (window != NULL) {
            at -= window[2u * d];
            if (at >= window[2u * d + 1u]) { /* below the window the difference wraps round, beyond any extent */
                return false;
            }
        }
        *element += (int64_t)at * (int32_t)item[2u + d];
    }
    return true;
}

/* Elements of one row into the place of a gathered input, as they are (of bits: a byte each). */
static void gather_part(uint8_t *to, const uint8_t *base, int64_t element, int32_t stride, uint32_t dtype, uint32_t n)
{
    if (dtype == BITS) {
        for (uint32_t i = 0; i < n; i++, element += stride) {
            to[i] = get_bit(base, (ptrdiff_t)element);
        }
    } else {
        copy(to, base + element * (int64_t)lzd_itemsize(dtype), stride, lzd_itemsize(dtype), n);
    }
}

/* n elements of a strided input from `index` on, row by row. */
static void gather(const lzd_map *m, const uint32_t *item, const uint8_t *base, const uint32_t *first, uint8_t *to, uint32_t n)
{
    const uint32_t last = m->rank - 1u, width = m->dims[last], dtype = item[0] & 0xFFu, size = lzd_itemsize(dtype);
    const uint32_t *window = window_of(m, item);
    const uint32_t low = window != NULL ? window[2u * last] : 0u, extent = window != NULL ? window[2u * last + 1u] : width;
    const int32_t stride = (int32_t)item[2u + last];
    uint32_t index[MAX_RANK] = {0};
    for (uint32_t d = 0; d <= last; d++) {
        index[d] = first[d];
    }
    while (n != 0u) {
        int64_t element;
        const uint32_t column = index[last], part = width - column < n ? width - column : n;
        uint32_t begin = column < low ? low - column : 0u; /* begin .. end-1 of the part lie inside */
        uint32_t end = low + extent > column ? low + extent - column : 0u;
        begin = begin < part ? begin : part;
        end = end < part ? end : part;
        if (!row_of(m, item, index, &element) || begin >= end) {
            memset(to, 0, (size_t)part * size);
        } else {
            if (end - begin != part) {
                memset(to, 0, (size_t)part * size);
            }
            element += ((int64_t)column + begin - low) * stride;
            gather_part(to + (size_t)begin * size, base, element, stride, dtype, end - begin);
        }
        to += (size_t)part * size;
        n -= part;
        index[last] = 0;
        for (uint32_t d = last; d-- > 0u;) {
            if (++index[d] != m->dims[d]) {
                break;
            }
            index[d] = 0;
        }
    }
}

/* The same of an input without a window, whose elements are whole bytes; from a row's first column on, in whole rows. */
static void gather_rows(const lzd_map *m, const uint32_t *item, const uint8_t *base, const uint32_t *first, uint8_t *to, uint32_t n)
{
    const uint32_t last = m->rank - 1u, width = m->dims[last], size = lzd_itemsize(item[0] & 0xFFu);
    const int32_t stride = (int32_t)item[2u + last];
    int64_t element;
    uint32_t index[MAX_RANK] = {0};
    (void)row_of(m, item, first, &element);
    for (uint32_t d = 0; d < last; d++) {
        index[d] = first[d];
    }
    for (; n != 0u; n -= width, to += (size_t)width * size) {
        const uint8_t *from = base + element * (int64_t)size;
        if (stride == 0) {
            fill(to, from, size, width);
        } else {
            copy(to, from, stride, size, width);
        }
        for (uint32_t d = last; d-- > 0u;) {
            element += (int32_t)item[2u + d];
            if (++index[d] != m->dims[d]) {
                break;
            }
            element -= (int64_t)m->dims[d] * (int32_t)item[2u + d];
            index[d] = 0;
        }
    }
}

#endif
