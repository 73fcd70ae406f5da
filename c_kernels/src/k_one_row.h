/* Products of one row on a small core, where what a block costs beside its terms matters as much as they do: sixteen, eight, four or
 * two sums at a time whose columns lie beside each other, four where they lie across. Included by k_blocks.h. */

/* Adds a term of `columns` sums; b moves on to the next one's. */
#define EIGHT_OF_ROW(j, x) \
    do { \
        TAKE_EIGHT(b, w0, w1, w2, w3, w4, w5, w6, w7, s16, s17, s18, s19, s20, s21, s22, s23); \
        add_row(sum + (j), x, w0, w1, w2, w3); \
        add_row(sum + (j) + 4, x, w4, w5, w6, w7); \
    } while (0)
#define TERM_OF_ROW(x) \
    do { \
        if (columns == 2u) { \
            TAKE_TWO(b, w0, w1, s16, s17); \
            sum[0] = FMA(x, w0, sum[0]), sum[1] = FMA(x, w1, sum[1]); \
        } else if (columns == 4u) { \
            TAKE_FOUR(b, w0, w1, w2, w3, s16, s17, s18, s19); \
            add_row(sum, x, w0, w1, w2, w3); \
        } else { \
            EIGHT_OF_ROW(0, x); \
        } \
        if (columns == 16u) { \
            EIGHT_OF_ROW(8, x); \
        } \
        b += b_on; \
    } while (0)

/* `columns` sums, the columns of b beside each other: two terms at a time. */
LZD_INLINE void row_beside(T *out, const T *b, const factors *f, uint32_t columns)
{
    const ptrdiff_t b_on = f->b_step - STEP(columns);
    const T *a = f->a;
    T sum[16] = {0};
    for (uint32_t k = f->k / 2u; k != 0u; k--) {
        TAKE_TWO(a, x0, x1, s24, s25);
        TERM_OF_ROW(x0);
        TERM_OF_ROW(x1);
    }
    if (f->k % 2u != 0u) {
        TERM_OF_ROW(*a);
    }
    if (columns == 2u) {
        out[0] = sum[0], out[1] = sum[1];
        return;
    }
    PUT_FOUR(out, sum[0], sum[1], sum[2], sum[3], s0, s1, s2, s3);
    if (columns >= 8u) {
        PUT_FOUR(out, sum[4], sum[5], sum[6], sum[7], s4, s5, s6, s7);
    }
    if (columns == 16u) {
        PUT_EIGHT(out, sum[8], sum[9], sum[10], sum[11], sum[12], sum[13], sum[14], sum[15], s8, s9, s10, s11, s12, s13, s14, s15);
    }
}
#undef EIGHT_OF_ROW
#undef TERM_OF_ROW

#define ROW_BESIDE(columns) \
    static LZD_APART void row_of_##columns(T *out, const T *b, const factors *f) { row_beside(out, b, f, columns##u); }
ROW_BESIDE(2)
ROW_BESIDE(4)
ROW_BESIDE(8)
ROW_BESIDE(16)
#undef ROW_BESIDE

/* The terms of a and of b beside each other: four columns and four terms at a time. */
static LZD_APART void row_across(T *out, const factors *f)
{
    const ptrdiff_t column = f->b_column;
    const T *b = f->b;
    for (uint32_t left = f->n;;) {
        const T *a = f->a, *q0 = b, *q1 = q0 + column, *q2 = q1 + column, *q3 = q2 + column;
        T sum[4] = {0};
        for (uint32_t k = f->k / 4u; k != 0u; k--) {
            ADD_FOUR_TERMS(sum, a, q0, q1, q2, q3);
        }
        if ((f->k & 2u) != 0u) {
            TAKE_TWO(a, x0, x1, s20, s21);
            TAKE_TWO(q0, u0, u1, s4, s5);
            TAKE_TWO(q1, v0, v1, s8, s9);
            TAKE_TWO(q2, w0, w1, s12, s13);
            TAKE_TWO(q3, y0, y1, s16, s17);
            add_row(sum, x0, u0, v0, w0, y0);
            add_row(sum, x1, u1, v1, w1, y1);
        }
        if ((f->k & 1u) != 0u) {
            add_row(sum, *a, *q0, *q1, *q2, *q3);
        }
        PUT_FOUR(out, sum[0], sum[1], sum[2], sum[3], s0, s1, s2, s3);
        left -= 4u;
        if (left == 0u) {
            return;
        }
        b += 4 * column;
        if (left < 4u) { /* the last four, of which some are made again */
            const ptrdiff_t back = 4 - STEP(left);
            b -= back * column, out -= back;
            left = 4u;
        }
    }
}

void SUFFIX(lzd_one_row)(T *out, const factors *f)
{
    if (f->b_column != 1) {
        row_across(out, f);
        return;
    }
    const T *b = f->b;
    uint32_t left = f->n;
    for (; left >= 16u; left -= 16u, out += 16, b += 16) {
        row_of_16(out, b, f);
    }
    if (left >= 8u) {
        row_of_8(out, b, f);
        left -= 8u, out += 8, b += 8;
    }
    if (left >= 4u) {
        row_of_4(out, b, f);
        left -= 4u, out += 4, b += 4;
    }
    if (left >= 2u) {
        row_of_2(out, b, f);
        left -= 2u, out += 2, b += 2;
    }
    if (left != 0u) { /* the last two, of which one is made again */
        row_of_2(out - 1, b - 1, f);
    }
}
