/* The cheapest way through a chain of stages, forwards and back, for all budgets at once: dynamic programming.

   A stretch first..last of stages is done in one of three ways:
   1. one stage: what its way back reads is made, and then the way back;
   2. the first stage keeps all that its way back reads; then the stages behind it; then its way back;
   3. forwards to stage s, whose input is kept; then stages s..last; then first..s-1, again from its input. The input of stage s
      may stay for the way back of stage s-1, where that reads it.

   The cost of a stretch never rises with m. Below `least` it does not fit, and from `full` on it stays the same; only what lies
   between is added up. */
#include "lzd_exact.h"

static int32_t larger(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

typedef struct row {
    const int64_t *cost; /* by m */
    int32_t least, full;
} row;

static ptrdiff_t number(const lzd_chain *c, int32_t class, int32_t variant)
{
    return (ptrdiff_t)class * c->variants + variant;
}

static row of(const lzd_chain *c, const int64_t *cost, const int32_t *range, int32_t first, int32_t last, int32_t variant)
{
    const ptrdiff_t n = number(c, c->of[first * c->stages + last], variant);
    return (row){cost + n * (c->slots + 1), range[2 * n], range[2 * n + 1]};
}

static void stretch(const lzd_chain *c, int32_t k, int32_t h, int32_t o, int64_t *cost, const int32_t *range)
{
    const int32_t slots = c->slots, i = c->first[k], j = c->last[k], input = c->input[i];
    const int32_t beside = c->gradient[j] + (o ? c->leaving[j] : 0), held = c->held[i * 2 + h];
    int64_t *best = cost + number(c, k, h + 2 * o) * (slots + 1);
    if (o && !c->output[j])
        return;
    if (i == j) {
        if (c->both[i * 4 + h + 2 * o] <= slots)
            best[c->both[i * 4 + h + 2 * o]] = c->both_cost[i * 2 + o];
        return;
    }
    const row rest = of(c, cost, range, i + 1, j, c->output[i] + 2 * o);
    const int32_t keep = larger(held + rest.least, larger(c->keep[i * 2 + h] + beside, c->back[i * 2 + h]));
    for (int32_t m = keep; m <= slots; m++) {
        best[m] = c->keep_cost[i] + rest.cost[m - held];
        if (m - held >= rest.full)
            break;
    }
    int64_t forward = 0;
    int32_t most = input;
    for (int32_t s = i + 1; s <= j; s++) {
        most = larger(most, beside + (s - 1 == i ? c->pass[i * 2 + 1] : input + c->pass[(s - 1) * 2]));
        forward += c->pass_cost[s - 1];
        for (int32_t stay = 0; stay <= c->output[s - 1]; stay++) {
            const row behind = of(c, cost, range, s, j, stay + 2 * o), again = of(c, cost, range, i, s - 1, h + 2 * stay);
            const int32_t low = larger(most, larger(input + behind.least, again.least));
            const int32_t full = larger(low, larger(input + behind.full, again.full)), high = full < slots ? full : slots;
            const int64_t *const x = behind.cost, *const y = again.cost;
            for (int32_t m = low; m <= high; m++) {
                const int64_t total = forward + x[m - input] + y[m];
                best[m] = total < best[m] ? total : best[m];
            }
        }
    }
}

void lzd_cross(const lzd_chain *c, int64_t *cost, int32_t *range)
{
    const int32_t slots = c->slots;
    for (int32_t k = 0; k < c->classes; k++)
        for (int32_t variant = 0; variant < c->variants; variant++) {
            const ptrdiff_t n = number(c, k, variant);
            int64_t *best = cost + n * (slots + 1);
            for (int32_t m = 0; m <= slots; m++)
                best[m] = LZD_NEVER;
            stretch(c, k, variant & 1, variant >> 1, cost, range);
            range[2 * n] = slots + 1;
            range[2 * n + 1] = slots + 1;
            for (int32_t m = 0; m <= slots; m++) {
                if (m && best[m - 1] < best[m])
                    best[m] = best[m - 1];
                if (best[m] < LZD_NEVER && range[2 * n] > slots)
                    range[2 * n] = m;
                if (best[m] < LZD_NEVER && (!m || best[m] < best[m - 1]))
                    range[2 * n + 1] = m;
            }
        }
}
