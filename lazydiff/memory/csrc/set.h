/* Sets of up to 64 * LZD_WORDS numbers, for exact.c. */
#ifndef LZD_SET_H
#define LZD_SET_H

#include "lzd_exact.h"

#include <string.h>

typedef struct set {
    uint64_t w[LZD_WORDS];
} set;

static inline set of(const uint64_t *sets, int32_t n)
{
    set s;
    memcpy(s.w, sets + (ptrdiff_t)n * LZD_WORDS, sizeof s.w);
    return s;
}

static inline set either(set a, set b)
{
    for (int i = 0; i < LZD_WORDS; i++)
        a.w[i] |= b.w[i];
    return a;
}

static inline set both(set a, set b)
{
    for (int i = 0; i < LZD_WORDS; i++)
        a.w[i] &= b.w[i];
    return a;
}

static inline set without(set a, set b)
{
    for (int i = 0; i < LZD_WORDS; i++)
        a.w[i] &= ~b.w[i];
    return a;
}

static inline int empty(set a)
{
    uint64_t any = 0;
    for (int i = 0; i < LZD_WORDS; i++)
        any |= a.w[i];
    return !any;
}

static inline int same(set a, set b)
{
    return !memcmp(a.w, b.w, sizeof a.w);
}

static inline int has(set a, int32_t n)
{
    return (int)(a.w[n >> 6] >> (n & 63) & 1);
}

static inline void add(set *a, int32_t n)
{
    a->w[n >> 6] |= (uint64_t)1 << (n & 63);
}

static inline void remove_one(set *a, int32_t n)
{
    a->w[n >> 6] &= ~((uint64_t)1 << (n & 63));
}

#endif
