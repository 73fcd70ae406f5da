/* Sums of products on a small core, for every product and convolution: k_blocks.h has the code, once in a program. */
#ifndef K_SUMS_H
#define K_SUMS_H

#include "lzd_attrs.h"

#include <stddef.h>

/* How the operands of sums lie. OWN: each column has an a of its own, a[.. + j]. */
typedef enum lie {
    BESIDE, /* columns of b beside each other */
    ACROSS, /* terms of a and of b beside each other: columns of b lie apart */
    PACKED, /* rows of a and columns of b beside each other */
    OWN     /* columns of a and of b beside each other */
} lie;

/* out[r * out_row + j] = sum of a[r * a_row + ..] * b[j * b_column + ..] from 0 or from itself, one fma a term, r < rows, j < columns. The terms
 * are `runs` runs of `terms` terms; from one term to the next both operands move by a_step and b_step, from one run to the next by
 * a_run and b_run, and after every `group` runs by a_group and b_group too. */
typedef struct sums {
    T *out;
    const T *a, *b;
    uint32_t rows, columns, terms, runs, group;
    ptrdiff_t out_row, a_row, b_column, a_step, b_step, a_run, b_run, a_group, b_group;
    bool onto; /* from what is in out, and not from 0 */
} sums;

/* Some sums may be made twice, so out must not lie where a or b do. */
void SUFFIX(lzd_sums)(const sums *s, lie how);

/* A product of `rows` x k by k x n. Where b lies across, b_column is not 1, and b_step is. */
typedef struct factors {
    const T *a, *b;
    ptrdiff_t a_row, a_step, b_step, b_column;
    uint32_t rows, k, n;
} factors;

/* The same sums of a product of one row, a's terms beside each other, with two columns at least, or four that lie across. */
void SUFFIX(lzd_one_row)(T *out, const factors *f);

#endif
