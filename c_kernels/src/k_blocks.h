/* Blocks of sums whose numbers stay in the registers of a small core: four rows by four columns, one by four, one by sixteen. */
#include "k_four.h"
#include "k_sums.h"
#include "k_vector.h"

static const T none[16] = {0};

LZD_INLINE void add_row(T *sum, T a, T b0, T b1, T b2, T b3)
{
    sum[0] = FMA(a, b0, sum[0]), sum[1] = FMA(a, b1, sum[1]), sum[2] = FMA(a, b2, sum[2]), sum[3] = FMA(a, b3, sum[3]);
}

/* One run of terms of one by one sums. */
LZD_INLINE void add_one(T *sum, const T *a, const T *b, const sums *s)
{
    for (uint32_t k = s->terms; k != 0u; k--, a += s->a_step, b += s->b_step) {
        *sum = FMA(*a, *b, *sum);
    }
}

/* One by four, the columns of b apart: the next four terms of each. */
#define ADD_FOUR_TERMS(sum, a, q0, q1, q2, q3) \
    do { \
        TAKE_FOUR(a, x0, x1, x2, x3, s20, s21, s22, s23); \
        TAKE_FOUR(q0, u0, u1, u2, u3, s4, s5, s6, s7); \
        TAKE_FOUR(q1, v0, v1, v2, v3, s8, s9, s10, s11); \
        TAKE_FOUR(q2, w0, w1, w2, w3, s12, s13, s14, s15); \
        TAKE_FOUR(q3, y0, y1, y2, y3, s16, s17, s18, s19); \
        add_row(sum, x0, u0, v0, w0, y0); \
        add_row(sum, x1, u1, v1, w1, y1); \
        add_row(sum, x2, u2, v2, w2, y2); \
        add_row(sum, x3, u3, v3, w3, y3); \
    } while (0)

/* One by four, the columns of b apart: four terms at a time. */
LZD_INLINE void add_row_across(T *sum, const T *a, const T *b, const sums *s)
{
    const T *q0 = b, *q1 = b + s->b_column, *q2 = b + 2 * s->b_column, *q3 = b + 3 * s->b_column;
    for (uint32_t k = s->terms / 4u; k != 0u; k--) {
        ADD_FOUR_TERMS(sum, a, q0, q1, q2, q3);
    }
    for (uint32_t k = s->terms % 4u; k != 0u; k--) {
        add_row(sum, *a++, *q0++, *q1++, *q2++, *q3++);
    }
}

/* Two terms of one row of four by four: x from p, and the columns' numbers of each term. */
#define TWO_TERMS(r, p, u0, u1, u2, u3, v0, v1, v2, v3) \
    do { \
        TAKE_TWO(p, x0, x1, s24, s25); \
        add_row(sum + 4 * (r), x0, u0, u1, u2, u3); \
        add_row(sum + 4 * (r), x1, v0, v1, v2, v3); \
    } while (0)
#define TWO_TERMS_OF_ALL(...) \
    do { \
        TWO_TERMS(0, p0, __VA_ARGS__); \
        TWO_TERMS(1, p1, __VA_ARGS__); \
        TWO_TERMS(2, p2, __VA_ARGS__); \
        TWO_TERMS(3, p3, __VA_ARGS__); \
    } while (0)

LZD_INLINE void add_rows(T *sum, T x0, T x1, T x2, T x3, T w0, T w1, T w2, T w3)
{
    add_row(sum, x0, w0, w1, w2, w3);
    add_row(sum + 4, x1, w0, w1, w2, w3);
    add_row(sum + 8, x2, w0, w1, w2, w3);
    add_row(sum + 12, x3, w0, w1, w2, w3);
}

/* Four by four, the columns of b apart: two terms at a time. */
LZD_INLINE void add_rows_across(T *sum, const T *a, const T *b, const sums *s)
{
    const T *p0 = a, *p1 = a + s->a_row, *p2 = a + 2 * s->a_row, *p3 = a + 3 * s->a_row;
    const T *q0 = b, *q1 = b + s->b_column, *q2 = b + 2 * s->b_column, *q3 = b + 3 * s->b_column;
    for (uint32_t k = s->terms / 2u; k != 0u; k--) {
        TAKE_TWO(q0, u0, v0, s16, s17);
        TAKE_TWO(q1, u1, v1, s18, s19);
        TAKE_TWO(q2, u2, v2, s20, s21);
        TAKE_TWO(q3, u3, v3, s22, s23);
        TWO_TERMS_OF_ALL(u0, u1, u2, u3, v0, v1, v2, v3);
    }
    if (s->terms % 2u != 0u) {
        add_rows(sum, *p0, *p1, *p2, *p3, *q0, *q1, *q2, *q3);
    }
}

/* One by four or by sixteen, the columns of b beside each other. */
LZD_INLINE void add_row_beside(T *sum, const T *a, const T *b, const sums *s, uint32_t columns)
{
    const ptrdiff_t a_step = s->a_step, b_on = s->b_step - STEP(columns);
    for (uint32_t k = s->terms; k != 0u; k--) {
        const T x = *a;
        a += a_step;
        if (columns == 4u) {
            TAKE_FOUR(b, w0, w1, w2, w3, s16, s17, s18, s19);
            add_row(sum, x, w0, w1, w2, w3);
        } else {
            UNROLL for (uint32_t j = 0; j < 16u; j += 8u) {
                TAKE_EIGHT(b, w0, w1, w2, w3, w4, w5, w6, w7, s16, s17, s18, s19, s20, s21, s22, s23);
                add_row(sum + j, x, w0, w1, w2, w3);
                add_row(sum + j + 4u, x, w4, w5, w6, w7);
            }
        }
        b += b_on;
    }
}

/* Four by four, the columns of b beside each other: two terms at a time. */
LZD_INLINE void add_rows_beside(T *sum, const T *a, const T *b, const sums *s)
{
    const T *p0 = a, *p1 = a + s->a_row, *p2 = a + 2 * s->a_row, *p3 = a + 3 * s->a_row;
    const ptrdiff_t b_on = s->b_step - 4;
    for (uint32_t k = s->terms / 2u; k != 0u; k--) {
        TAKE_FOUR(b, u0, u1, u2, u3, s16, s17, s18, s19);
        b += b_on;
        TAKE_FOUR(b, v0, v1, v2, v3, s20, s21, s22, s23);
        b += b_on;
        TWO_TERMS_OF_ALL(u0, u1, u2, u3, v0, v1, v2, v3);
    }
    if (s->terms % 2u != 0u) {
        add_rows(sum, *p0, *p1, *p2, *p3, b[0], b[1], b[2], b[3]);
    }
}

/* Four by four, the columns of b beside each other, and the rows of a too. */
LZD_INLINE void add_rows_packed(T *sum, const T *a, const T *b, const sums *s)
{
    const ptrdiff_t a_on = s->a_step - 4, b_on = s->b_step - 4;
    for (uint32_t k = s->terms; k != 0u; k--) {
        TAKE_FOUR(b, w0, w1, w2, w3, s16, s17, s18, s19);
        b += b_on;
        TAKE_FOUR(a, x0, x1, x2, x3, s20, s21, s22, s23);
        a += a_on;
        add_rows(sum, x0, x1, x2, x3, w0, w1, w2, w3);
    }
}

/* `rows` by four, each column with an a of its own. */
LZD_INLINE void add_own(T *sum, const T *a, const T *b, const sums *s, uint32_t rows)
{
    const ptrdiff_t a_step = s->a_step, a_row = s->a_row - 4, b_on = s->b_step - 4;
    for (uint32_t k = s->terms; k != 0u; k--, a += a_step) {
        const T *p = a;
        TAKE_FOUR(b, w0, w1, w2, w3, s16, s17, s18, s19);
        b += b_on;
        UNROLL for (uint32_t r = 0; r < 4u * rows; r += 4u, p += a_row) {
            TAKE_FOUR(p, x0, x1, x2, x3, s20, s21, s22, s23);
            sum[r] = FMA(x0, w0, sum[r]), sum[r + 1u] = FMA(x1, w1, sum[r + 1u]);
            sum[r + 2u] = FMA(x2, w2, sum[r + 2u]), sum[r + 3u] = FMA(x3, w3, sum[r + 3u]);
        }
    }
}

/* One function for all ways to lie: loading and storing sixteen sums is as much code as the loop between. */
LZD_INLINE void block(T *out, const T *a, const T *b, const sums *s, uint32_t rows, uint32_t columns, lie how)
{
    T sum[16];
    const bool onto = LZD_UNPOOL && s->onto;
    const T *from = onto ? out : none;
    const ptrdiff_t from_row = onto ? s->out_row - 4 : 0, out_row = s->out_row - 4;
    uint32_t group = s->group;
#define FROM(r, ...) \
    do { \
        TAKE_FOUR(from, t0, t1, t2, t3, __VA_ARGS__); \
        sum[4 * (r)] = t0, sum[4 * (r) + 1] = t1, sum[4 * (r) + 2] = t2, sum[4 * (r) + 3] = t3; \
    } while (0)
#define TO(r, ...) PUT_FOUR(out, sum[4 * (r)], sum[4 * (r) + 1], sum[4 * (r) + 2], sum[4 * (r) + 3], __VA_ARGS__)
    if (columns == 1u) {
        sum[0] = *from;
    } else {
        FROM(0, s0, s1, s2, s3);
    }
    if (rows == 4u || columns == 16u) {
        const ptrdiff_t on = columns == 16u ? 0 : from_row;
        from += on;
        FROM(1, s4, s5, s6, s7);
        from += on;
        FROM(2, s8, s9, s10, s11);
        from += on;
        FROM(3, s12, s13, s14, s15);
    }
    for (uint32_t left = s->runs; left != 0u; left--) {
        if (columns == 1u) {
            add_one(sum, a, b, s);
        } else if (columns == 4u && how == ACROSS) {
            if (rows == 1u) {
                add_row_across(sum, a, b, s);
            } else {
                add_rows_across(sum, a, b, s);
            }
        } else if (LZD_DEPTHWISE && columns == 4u && how == OWN) {
            add_own(sum, a, b, s, rows);
        } else if (rows == 1u) {
            add_row_beside(sum, a, b, s, columns);
        } else if (how == PACKED) {
            add_rows_packed(sum, a, b, s);
        } else {
            add_rows_beside(sum, a, b, s);
        }
        a += s->a_run, b += s->b_run;
        if (--group == 0u) {
            group = s->group, a += s->a_group, b += s->b_group;
        }
    }
    if (columns == 1u) {
        *out = sum[0];
    } else {
        TO(0, s0, s1, s2, s3);
    }
    if (rows == 4u || columns == 16u) {
        const ptrdiff_t on = columns == 16u ? 0 : out_row;
        out += on;
        TO(1, s4, s5, s6, s7);
        out += on;
        TO(2, s8, s9, s10, s11);
        out += on;
        TO(3, s12, s13, s14, s15);
    }
#undef FROM
#undef TO
}

#define BLOCK(name, rows, columns) \
    static void name(T *out, const T *a, const T *b, const sums *s, lie how) { block(out, a, b, s, rows, columns, how); }
BLOCK(one, 1u, 1u)
BLOCK(row, 1u, 4u)
BLOCK(wide_row, 1u, 16u)
BLOCK(rows, 4u, 4u)

#if LZD_DEPTHWISE
#include "k_own.h"
#else
#define own_three rows
#define own_eight row
#endif

/* Can four rows of OWN sums be made three terms at a time? After each run follows the same step, as in convolutions. */
LZD_INLINE bool are_three_taps(const sums *s)
{
    return s->terms == 3u && s->runs != 0u && s->group == 1u && (s->a_step == s->a_row || s->a_step == -s->a_row);
}

typedef void (*block_fn)(T *out, const T *a, const T *b, const sums *s, lie how);

/* A block of `high` rows of which the first `made`, and of the others the first `beside` columns, have been made before and must
 * not go on from themselves again: they are put back. */
static LZD_APART void run_again(block_fn run, T *out, const T *a, const T *b, const sums *s, lie how, uint32_t high, uint32_t made,
                                uint32_t beside)
{
    T kept[16], *to = kept;
    const T *from = kept;
    for (uint32_t r = 0; r < high; r++) {
        for (uint32_t j = 0; j < (r < made ? 4u : beside); j++) {
            *to++ = out[STEP(r) * s->out_row + STEP(j)];
        }
    }
    run(out, a, b, s, how);
    for (uint32_t r = 0; r < high; r++, out += s->out_row) {
        for (uint32_t j = 0; j < (r < made ? 4u : beside); j++) {
            out[j] = *from++;
        }
    }
}

/* Where fewer are left than the last block has, it computes some again; but a row or two are blocks by themselves. */
void SUFFIX(lzd_sums)(const sums *s, lie how)
{
    const bool narrow = s->columns < 4u;
    const uint32_t high = s->rows < 4u || narrow ? 1u : 4u;
    const bool own = LZD_DEPTHWISE && how == OWN, eight = own && high == 1u && s->columns >= 8u;
    const uint32_t wide = narrow ? 1u : eight ? 8u : high == 1u && (how == BESIDE || how == PACKED) && s->columns >= 16u ? 16u : 4u;
    const bool three = own && high == 4u && are_three_taps(s);
    const block_fn run =
        narrow ? one : wide == 16u ? wide_row : eight ? own_eight : high == 1u ? row : three ? own_three : rows;
    const bool onto = LZD_UNPOOL && s->onto;
    const uint32_t left = s->rows % 4u, even = high == 4u && !own && left <= (how == ACROSS ? 2u : 1u) ? s->rows - left : s->rows;
    for (uint32_t first = 0; first < s->columns; first += wide) {
        const uint32_t j = first + wide > s->columns ? s->columns - wide : first, beside = first - j;
        const T *a = s->a + (own ? j : 0u), *b = s->b + STEP(j) * s->b_column;
        for (uint32_t next = 0; next < even; next += high) {
            const uint32_t r = next + high > even ? even - high : next, made = next - r;
            T *const out = s->out + STEP(r) * s->out_row + j;
            if (onto && (made | beside) != 0u) {
                run_again(run, out, a + STEP(r) * s->a_row, b, s, how, high, made, beside);
            } else {
                run(out, a + STEP(r) * s->a_row, b, s, how);
            }
        }
        for (uint32_t r = even; r < s->rows; r++) {
            T *const out = s->out + STEP(r) * s->out_row + j;
            if (onto && beside != 0u) {
                run_again(row, out, a + STEP(r) * s->a_row, b, s, how, 1u, 0u, beside);
            } else {
                row(out, a + STEP(r) * s->a_row, b, s, how);
            }
        }
    }
}

#if LZD_ONE_ROW
#include "k_one_row.h"
#endif
