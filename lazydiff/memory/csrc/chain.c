/* The cheapest way through a chain of stages, forwards and back, for all budgets at once: dynamic programming.

   A stretch first..last of stages is done in one of three ways:
   1. one stage: what its way back reads is made, and then the way back;
   2. the first stage keeps all that its way back reads; then the stages behind it; then its way back;
   3. forwards to stage s, whose input is kept; then stages s..last; then first..s-1, again from its input. The input of stage s
      may stay for the way back of stage s-1, where that reads it. */
#include "lzd_exact.h"

static int32_t larger(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

static const int64_t *costs(const lzd_chain *c, const int64_t *cost, int32_t first, int32_t last, int32_t variant)
{
    return cost + ((ptrdiff_t)c->of[first * c->stages + last] * c->variants + variant) * (c->slots + 1);
}

static void stretch(const lzd_chain *c, int32_t k, int32_t h, int32_t o, int64_t *cost)
{
    const int32_t row = c->slots + 1, i = c->first[k], j = c->last[k], input = c->input[i];
    const int32_t beside = c->gradient[j] + (o ? c->leaving[j] : 0), held = c->held[i * 2 + h];
    int64_t *best = cost + ((ptrdiff_t)k * c->variants + h + 2 * o) * row;
    for (int32_t m = 0; m < row; m++)
        best[m] = LZD_NEVER;
    if (o && !c->output[j])
        return;
    if (i == j) {
        for (int32_t m = c->both[i * 4 + h + 2 * o]; m < row; m++)
            best[m] = c->both_cost[i * 2 + o];
        return;
    }
    const int64_t *rest = costs(c, cost, i + 1, j, c->output[i] + 2 * o);
    for (int32_t m = larger(held, larger(c->keep[i * 2 + h] + beside, c->back[i * 2 + h])); m < row; m++)
        if (rest[m - held] < LZD_NEVER)
            best[m] = c->keep_cost[i] + rest[m - held];
    int64_t forward = 0;
    int32_t most = input;
    for (int32_t s = i + 1; s <= j; s++) {
        most = larger(most, beside + (s - 1 == i ? c->pass[i * 2 + 1] : input + c->pass[(s - 1) * 2]));
        forward += c->pass_cost[s - 1];
        for (int32_t stay = 0; stay <= c->output[s - 1]; stay++) {
            const int64_t *behind = costs(c, cost, s, j, stay + 2 * o);
            const int64_t *again = costs(c, cost, i, s - 1, h + 2 * stay);
            for (int32_t m = most; m < row; m++) {
                const int64_t total = forward + behind[m - input] + again[m];
                best[m] = total < best[m] ? total : best[m];
            }
        }
    }
}

void lzd_cross(const lzd_chain *c, int64_t *cost)
{
    for (int32_t k = 0; k < c->classes; k++)
        for (int32_t variant = 0; variant < c->variants; variant++)
            stretch(c, k, variant & 1, variant >> 1, cost);
}
