/* Reductions over the middle axis of (outer, red, inner); contracts in lzd_attrs.h. */
#include "k_columns.h"
#include "k_four.h"

/* GCC would take a loop of eight apart into scalars before its vectoriser sees it. */
#if defined(__GNUC__) && !defined(__clang__)
#define TOGETHER _Pragma("GCC unroll 1")
#else
#define TOGETHER
#endif

/* A tree that is fixed, over eight lanes. */
#define SUM_OF_LANES(l) ((((l)[0] + (l)[4]) + ((l)[2] + (l)[6])) + (((l)[1] + (l)[5]) + ((l)[3] + (l)[7])))

#if LZD_SMALL
/* Eight lanes, lane r mod 8, which stay in registers. */
LZD_INLINE T sum_lanes(const T *x, uint32_t red, size_t behind)
{
    (void)behind;
    T l[8] = {0};
    for (; red >= 8u; red -= 8u) {
        TAKE_8A(x, x0, x1, x2, x3, x4, x5, x6, x7);
        l[0] += x0, l[1] += x1, l[2] += x2, l[3] += x3, l[4] += x4, l[5] += x5, l[6] += x6, l[7] += x7;
    }
#define REST(q) \
    if (red == (q)) { \
        break; \
    } \
    l[q] += x[q];
    do { /* written out: no compiler has to be asked to keep the lanes in registers */
        REST(0u) REST(1u) REST(2u) REST(3u) REST(4u) REST(5u) REST(6u)
    } while (false);
#undef REST
    return SUM_OF_LANES(l);
}
#else
/* l[q] += x[q] for q < n, n at most 7. Where eight elements may be read the other lanes add +0, which changes no bit of a lane
 * that began with +0. */
LZD_INLINE void add_rest(T *l, const T *x, uint32_t n, bool eight)
{
    if (eight) {
        TOGETHER for (uint32_t q = 0; q < 8u; q++) {
            l[q] += from_bits(bits_of(x[q]) & ((U)0 - (U)(q < n)));
        }
    } else {
        for (uint32_t q = 0; q < n; q++) {
            l[q] += x[q];
        }
    }
}

/* Eight lanes, lane r mod 8. `behind`: elements that follow the row in the same array. */
LZD_INLINE T sum_lanes(const T *x, uint32_t red, size_t behind)
{
    T l[8] = {0};
    for (; red >= 8u; red -= 8u, x += 8) {
        TOGETHER for (uint32_t q = 0; q < 8u; q++) {
            l[q] += x[q];
        }
    }
    add_rest(l, x, red, behind >= 8u);
    return SUM_OF_LANES(l);
}
#endif

#if LZD_SMALL
/* Four columns at a time, then one. */
static void sum_rows(T *out, const T *x, uint32_t rows, uint32_t columns, bool from_zero)
{
    uint32_t i = 0;
    for (; i + 4u <= columns; i += 4u) {
        const T *from = x + i;
        T a = 0, b = 0, c = 0, d = 0;
        if (!from_zero) {
            a = out[i], b = out[i + 1u], c = out[i + 2u], d = out[i + 3u];
        }
        for (uint32_t r = rows; r != 0u; r--, from += columns - 4u) {
            TAKE_4A(from, first, second, third, last);
            a += first, b += second, c += third, d += last;
        }
        out[i] = a, out[i + 1u] = b, out[i + 2u] = c, out[i + 3u] = d;
    }
    for (; i < columns; i++) {
        T sum = from_zero ? (T)0 : out[i];
        for (uint32_t r = 0; r < rows; r++) {
            sum += x[(size_t)r * columns + i];
        }
        out[i] = sum;
    }
}
#else
/* The sums of some columns, which stay in registers. */
LZD_INLINE void sum_some(T *out, const T *x, uint32_t rows, ptrdiff_t row, uint32_t full, uint32_t rest, part m, bool from_zero)
{
    totals sum;
    if (from_zero) {
        clear_totals(&sum, 1u, full, rest);
    } else {
        load_totals(&sum, out, 0, 1u, full, rest, m);
    }
    ONE_BY_ONE for (uint32_t r = 0; r < rows; r++, x += row) {
        UNROLL for (uint32_t v = 0; v < full; v++) {
            sum.of[v] = v_add(sum.of[v], load_last(x + v * LANES, LAST_IN_PART && is_last(v, full, rest), m));
        }
        if (rest != 0u) {
            sum.rest[0] = n_add(sum.rest[0], n_load_part(x + full * LANES, m));
        }
    }
    store_totals(out, 0, &sum, 1u, full, rest, m, false);
}

/* out[i] = the sum of x[r][i] over r ascending, from 0 or from out[i]. */
static void sum_rows(T *out, const T *x, uint32_t rows, uint32_t columns, bool from_zero)
{
#define BLOCK(first, full, rest, lanes) \
    sum_some(out + (first), x + (first), rows, STEP(columns), full, rest, part_of(lanes), from_zero)
    BLOCKS_OF_COLUMNS(columns, 4u, LAST_IN_PART, BLOCK)
#undef BLOCK
}
#endif

void SUFFIX(lzd_k_reduce_sum)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    const T *x = p[LZD_REDUCE_SUM_P_X]; /* (outer, red, inner) */
    T *out = p[LZD_REDUCE_SUM_P_OUT];   /* (outer, inner) */
    const uint32_t red = v[LZD_REDUCE_SUM_RED], inner = v[LZD_REDUCE_SUM_INNER];
    x += (size_t)begin * red * inner;
    for (uint32_t o = begin; o < end; o++, x += (size_t)red * inner, out += inner) {
        if (inner == 1u) {
            *out = sum_lanes(x, red, (size_t)(end - o - 1u) * red);
        } else {
            sum_rows(out, x, red, inner, true);
        }
    }
}

void SUFFIX(lzd_k_sum_rows)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    const T *x = p[LZD_SUM_ROWS_P_X]; /* (end - begin, columns) */
    sum_rows(p[LZD_SUM_ROWS_P_OUT], x, end - begin, v[LZD_SUM_ROWS_COLUMNS], begin == 0u);
}

/* The better of the two; a NaN is, and stays. Over the innermost axis one waits for the one before; else vectors of columns do. */
#define EXTREME(name, NAME, better, no_better) \
    LZD_INLINE T name##_of(T best, T a) { return (best == best) & ((a better best) | (a != a)) ? a : best; } \
    void SUFFIX(lzd_k_reduce_##name)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end) \
    { \
        const T *x = p[LZD_REDUCE_##NAME##_P_X]; \
        T *out = p[LZD_REDUCE_##NAME##_P_OUT]; \
        const uint32_t red = v[LZD_REDUCE_##NAME##_RED], inner = v[LZD_REDUCE_##NAME##_INNER]; \
        x += (size_t)begin * red * inner; \
        for (uint32_t o = begin; o < end; o++, x += (size_t)red * inner, out += inner) { \
            if (!LZD_SMALL && inner > 1u) { /* row by row, in vectors */ \
                for (uint32_t i = 0; i < inner; i++) { \
                    out[i] = x[i]; \
                } \
                for (uint32_t r = 1; r < red; r++) { \
                    for (uint32_t i = 0; i < inner; i++) { \
                        out[i] = name##_of(out[i], x[(size_t)r * inner + i]); \
                    } \
                } \
                continue; \
            } \
            for (uint32_t i = 0; i < inner; i++) { \
                const T *from = x + i; \
                T best = *from; \
                for (uint32_t left = best == best ? red - 1u : 0u; left != 0u; left--) { \
                    const T a = *(from += inner); \
                    if (!(a no_better best)) { \
                        best = a; \
                        if (a != a) { \
                            break; \
                        } \
                    } \
                } \
                out[i] = best; \
            } \
        } \
    }

EXTREME(max, MAX, >, <=)
EXTREME(min, MIN, <, >=)

void SUFFIX(lzd_k_argmax)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    const T *x = p[LZD_ARGMAX_P_X];
    int32_t *out = p[LZD_ARGMAX_P_OUT];
    const uint32_t red = v[LZD_ARGMAX_RED], inner = v[LZD_ARGMAX_INNER];
    x += (size_t)begin * red * inner;
    for (uint32_t o = begin; o < end; o++, x += (size_t)red * inner) {
        for (uint32_t i = 0; i < inner; i++) {
            T best = x[i];
            uint32_t at = 0;
            for (uint32_t r = 1; r < red && best == best; r++) {
                const T a = x[(size_t)r * inner + i];
                if (a > best || a != a) {
                    best = a;
                    at = r;
                }
            }
            *out++ = (int32_t)at;
        }
    }
}
