/* Random numbers from a counter; contracts in lzd_attrs.h. Philox4x32-10 is by Salmon, Moraes, Dror and Shaw (SC 2011). */
#include "lzd_attrs.h"

LZD_INLINE void philox(uint32_t *c, uint32_t k0, uint32_t k1)
{
    for (uint32_t round = 0; round < 10u; round++) {
        const uint64_t a = (uint64_t)c[0] * 0xD2511F53u, b = (uint64_t)c[2] * 0xCD9E8D57u;
        c[0] = (uint32_t)(b >> 32) ^ c[1] ^ k0;
        c[1] = (uint32_t)b;
        c[2] = (uint32_t)(a >> 32) ^ c[3] ^ k1;
        c[3] = (uint32_t)a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

/* The q-th number of a block of words. */
LZD_INLINE T unit(const uint32_t *c, uint32_t q)
{
    if (sizeof(T) == 4u) {
        return (T)(c[q] >> 8) * (T)5.9604644775390625e-08; /* 2^-24 */
    }
    return ((T)(c[2u * q] >> 5) * (T)67108864.0 + (T)(c[2u * q + 1u] >> 6)) * (T)1.1102230246251565e-16; /* 2^26, 2^-53 */
}

void SUFFIX(lzd_k_uniform)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    const int32_t *key = p[LZD_UNIFORM_P_KEY]; /* (4) */
    T *out = p[LZD_UNIFORM_P_OUT];             /* (n) */
    const uint32_t n = v[LZD_UNIFORM_N], each = 16u / (uint32_t)sizeof(T);
    (void)begin, (void)end;
    for (uint32_t i = 0, block = 0; i < n; block++) {
        uint32_t c[4] = {block, v[LZD_UNIFORM_STREAM], (uint32_t)key[2], (uint32_t)key[3]};
        philox(c, (uint32_t)key[0], (uint32_t)key[1]);
        for (uint32_t q = 0; q < each && i < n; q++) {
            out[i++] = unit(c, q);
        }
    }
}

void SUFFIX(lzd_k_next_key)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    const uint32_t *key = p[LZD_NEXT_KEY_P_KEY]; /* (4) */
    uint32_t *out = p[LZD_NEXT_KEY_P_OUT];       /* (4) */
    const uint32_t steps = v[LZD_NEXT_KEY_STEPS];
    (void)begin, (void)end;
    out[0] = key[0];
    out[1] = key[1];
    out[2] = key[2] + steps;
    out[3] = key[3] + (out[2] < steps);
}
