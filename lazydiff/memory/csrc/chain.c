/* The cheapest way through a chain of stages, forwards and back, for all budgets at once: dynamic programming.

   A stretch first..last of stages is done in one of three ways:
   1. one stage: what its way back reads is made, and then the way back;
   2. split at k: forwards to stage k, of which the input is kept; stages k..last; then first..k-1 from its input again;
   3. the first stage keeps all that its way back reads; the stages behind it; then its way back. */
#include "lzd_exact.h"

void lzd_chain(const lzd_stages *c, int64_t *cost)
{
    const int32_t row = c->slots + 1;
    for (int32_t k = 0; k < c->classes; k++) {
        const int32_t i = c->first[k], j = c->last[k], behind = c->gradient[j];
        for (int32_t h = 0; h < 2; h++) {
            int64_t *best = cost + ((ptrdiff_t)k * 2 + h) * row;
            for (int32_t m = 0; m < row; m++)
                best[m] = LZD_NEVER;
            if (i == j) {
                for (int32_t m = c->both[i * 2 + h]; m < row; m++)
                    best[m] = c->both_cost[i];
                continue;
            }
            const int32_t held = c->held[i * 2 + h], back = c->back[i * 2 + h];
            const int32_t keep = c->keep[i] + behind > back ? c->keep[i] + behind : back;
            const int64_t *rest = cost + ((ptrdiff_t)c->of[(i + 1) * c->stages + j] * 2 + c->output[i]) * row;
            for (int32_t m = keep > held ? keep : held; m < row; m++)
                if (rest[m - held] < LZD_NEVER)
                    best[m] = c->keep_cost[i] + rest[m - held];
            int64_t forward = 0;
            int32_t most = 0;
            for (int32_t s = i + 1; s <= j; s++) {
                const int32_t step = c->pass[s - 1] + behind + (s - 1 > i ? c->input[i] : 0);
                const int64_t *high = cost + (ptrdiff_t)c->of[s * c->stages + j] * 2 * row;
                const int64_t *low = cost + ((ptrdiff_t)c->of[i * c->stages + s - 1] * 2 + h) * row;
                forward += c->pass_cost[s - 1];
                most = step > most ? step : most;
                for (int32_t m = most > c->input[i] ? most : c->input[i]; m < row; m++) {
                    const int64_t total = forward + high[m - c->input[i]] + low[m];
                    best[m] = total < best[m] ? total : best[m];
                }
            }
        }
    }
}
