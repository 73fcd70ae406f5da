/* Compares lzd_soft_fma and lzd_soft_sqrt with this machine's own on awkward numbers; prints the first that differ and how many do.
 * WIDTH: 32 or 64. */
#if WIDTH == 64
#include "lzd_f64.h"
#define OWN_FMA fma
#define OWN_SQRT sqrt
#else
#include "lzd_f32.h"
#define OWN_FMA fmaf
#define OWN_SQRT sqrtf
#endif
#include "k_soft.h"

#include <math.h>
#include <stdio.h>

static uint64_t state = 88172645463325252u;
static uint64_t drawn(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* All bits at random; or of a middling exponent, with few digits, subnormal, not finite, 0. */
static T number(void)
{
    const U exponents = (U)(2u * BIAS + 1u) << MANTISSA_BITS;
    const uint64_t kind = drawn();
    U u = (U)(drawn() >> (64 - WIDTH));
    if (kind % 2u == 0u) {
        u = (u & ~exponents) | (U)(BIAS - MANTISSA_BITS + drawn() % (2u * MANTISSA_BITS)) << MANTISSA_BITS;
    }
    if (kind % 7u == 0u) {
        u &= ~(((U)1 << drawn() % MANTISSA_BITS) - 1u);
    }
    u = kind % 11u == 0u ? u & ~exponents : kind % 101u == 0u ? u | exponents : kind % 103u == 0u ? u & SIGN_BIT : u;
    return from_bits(u);
}

static unsigned long wrong;
static void expect(const char *what, T x, T y, T z, T found, T wanted)
{
    if (bits_of(found) != bits_of(wanted) && !(found != found && wanted != wanted) && wrong++ < 5u) {
        printf("%s(%a, %a, %a) = %a, not %a\n", what, (double)x, (double)y, (double)z, (double)found, (double)wanted);
    }
}

int main(void)
{
    for (uint32_t k = 0; k < 3000000u; k++) {
        const T x = number(), y = number();
        const T beside = (T)1 + (T)((int)(drawn() % 5u) - 2) / (T)((U)1 << MANTISSA_BITS);
        const T z = k % 3u == 0u ? -(x * y) * beside : number(); /* nearly nothing left */
        expect("fma", x, y, z, SUFFIX(lzd_soft_fma)(x, y, z), OWN_FMA(x, y, z));
        expect("sqrt", x, 0, 0, SUFFIX(lzd_soft_sqrt)(x), OWN_SQRT(x));
    }
    printf("%lu wrong\n", wrong);
    return 0;
}
