/* What one core can do: multiply-adds a second, and bytes a second read and written at each level of the caches. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifndef LANES
#define LANES 16 /* of 4 bytes; the compiler splits a vector that the machine has not */
#endif
typedef float vector __attribute__((vector_size(4 * LANES)));
typedef double vector64 __attribute__((vector_size(4 * LANES)));

/* Twelve chains hide the latency of two multiply-add units. Returns how many multiply-adds were done. */
#define PEAK(name, type, vec)                                                  \
    double name(int64_t times, type *out) {                                    \
        vec sum[12], a = {0}, b = {0};                                         \
        for (int k = 0; k < 12; k++) {                                         \
            sum[k] = a + (type)k;                                              \
        }                                                                      \
        a += (type)0.999999;                                                   \
        b += (type)1e-6;                                                       \
        for (int64_t i = 0; i < times; i++) {                                  \
            _Pragma("GCC unroll 12") for (int k = 0; k < 12; k++) {            \
                sum[k] = sum[k] * a + b;                                       \
            }                                                                  \
        }                                                                      \
        for (int k = 1; k < 12; k++) {                                         \
            sum[0] += sum[k];                                                  \
        }                                                                      \
        *out = sum[0][0];                                                      \
        return (double)times * 12.0 * (double)(sizeof(vec) / sizeof(type));    \
    }
PEAK(peak_f32, float, vector)
PEAK(peak_f64, double, vector64)

/* x += y over `bytes` of x and of y: two reads and a write. Returns the bytes moved. */
double stream(float *x, const float *y, size_t bytes, int64_t times) {
    const size_t n = bytes / sizeof(float);
    for (int64_t i = 0; i < times; i++) {
        for (size_t k = 0; k + 4 * LANES <= n; k += 4 * LANES) {
            _Pragma("GCC unroll 4") for (size_t u = 0; u < 4 * LANES; u += LANES) {
                vector a, b;
                memcpy(&a, x + k + u, sizeof a);
                memcpy(&b, y + k + u, sizeof b);
                a += b;
                memcpy(x + k + u, &a, sizeof a);
            }
        }
        __asm__ volatile("" ::: "memory");
    }
    return 3.0 * (double)bytes * (double)times;
}
