/* The worst error of one of the runtime's functions over a range of arguments, in units of the last place of the true result.
 *
 * Of float (the default) argument number i is the float with the bits i; of double (-DDOUBLE) one drawn from i: half of all
 * bit patterns alike, half with an exponent near 0. The truth is the C library's function in the next wider type. Usage:
 * accuracy NAME FIRST COUNT EVERY, prints the worst error and its argument; without arguments the names. accuracy.py runs it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef DOUBLE
#include "lzd_f64.h"
typedef long double wide;
#define WIDE(f) f##l
#else
#include "lzd_f32.h"
typedef double wide;
#define WIDE(f) f
#endif

static wide wide_logistic(wide x) { return 1 / (1 + WIDE(exp)(-x)); }

typedef struct {
    const char *name;
    T (*own)(T);
    wide (*truth)(wide);
} function;

#define ROW(name, own, truth) \
    static T own_##name(T a) { return own(a); } \
    static wide wide_##name(wide a) { return truth(a); }
#include "accuracy_rows.h"
#undef ROW

static const function FUNCTIONS[] = {
#define ROW(name, own, truth) {#name, own_##name, wide_##name},
#include "accuracy_rows.h"
#undef ROW
};

static T argument(uint64_t i)
{
#ifdef DOUBLE
    uint64_t z = (i + 1) * 0x9E3779B97F4A7C15u; /* splitmix64 */
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    const uint64_t exponent = 1023 - 24 + (z >> 52 & 31);
    return from_bits(i % 2 ? z : (z & ~((uint64_t)0x7FF << 52)) | exponent << 52);
#else
    return from_bits((uint32_t)i);
#endif
}

/* In units of the last place of the truth. Infinity counts as the number that follows the largest one. */
static double error(T found, wide truth)
{
    const wide unit_of_largest = (wide)from_bits(INFINITY_BITS - 1u) - (wide)from_bits(INFINITY_BITS - 2u);
    const wide end = (wide)from_bits(INFINITY_BITS - 1u) + unit_of_largest;
    if (found != found || truth != truth) {
        return found != found && truth != truth ? 0 : INFINITY;
    }
    wide x = (wide)found;
    x = x > end ? end : x < -end ? -end : x;
    truth = truth > end ? end : truth < -end ? -end : truth;
    const U size = bits_of(ABS((T)truth));
    const wide unit = size < INFINITY_BITS - 1u ? (wide)from_bits(size + 1u) - (wide)from_bits(size) : unit_of_largest;
    const wide gap = x > truth ? x - truth : truth - x;
    return (double)(gap / unit);
}

int main(int argc, char **argv)
{
    for (size_t f = 0; f < sizeof FUNCTIONS / sizeof *FUNCTIONS; f++) {
        if (argc != 5) {
            puts(FUNCTIONS[f].name);
        } else if (strcmp(FUNCTIONS[f].name, argv[1]) == 0) {
            const uint64_t first = strtoull(argv[2], NULL, 0);
            const uint64_t count = strtoull(argv[3], NULL, 0);
            const uint64_t every = strtoull(argv[4], NULL, 0);
            double worst = 0;
            T where = 0;
            for (uint64_t i = first; i < first + count; i += every) {
                const T x = argument(i);
                const double e = error(FUNCTIONS[f].own(x), FUNCTIONS[f].truth((wide)x));
                if (e > worst) {
                    worst = e;
                    where = x;
                }
            }
            printf("%.4f %.17g\n", worst, (double)where);
        }
    }
    return 0;
}
