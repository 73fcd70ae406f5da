/* Depthwise sums on a small core: three taps a row of four pixels and four channels, or one row of eight channels. A pixel's second
 * tap is the next one's first, so a row of taps reads six pixels for twelve terms; sums, weights and a pixel fill all 32 registers,
 * which compilers do not manage, so that the loops are written out where there is a float32 FPU. Elsewhere the same sums in C. */
#ifndef K_OWN_H
#define K_OWN_H

#if !LZD_T_IS_F64 && defined(__GNUC__) && defined(__thumb2__) && defined(__ARM_FP)
#define FMAS(t0, t1, t2, t3, w0, w1, w2, w3) \
    "vfma.f32 " #t0 ", s28, " #w0 "\n\tvfma.f32 " #t1 ", s29, " #w1 "\n\t" \
    "vfma.f32 " #t2 ", s30, " #w2 "\n\tvfma.f32 " #t3 ", s31, " #w3 "\n\t"
#define FMAS_OF(...) FMAS(__VA_ARGS__)
#define PIXEL_0(...) FMAS_OF(s0, s1, s2, s3, __VA_ARGS__)
#define PIXEL_1(...) FMAS_OF(s4, s5, s6, s7, __VA_ARGS__)
#define PIXEL_2(...) FMAS_OF(s8, s9, s10, s11, __VA_ARGS__)
#define PIXEL_3(...) FMAS_OF(s12, s13, s14, s15, __VA_ARGS__)
#define TAP_0 s16, s17, s18, s19
#define TAP_1 s20, s21, s22, s23
#define TAP_2 s24, s25, s26, s27
#define NEXT_PIXEL "vldmia %[x], {s28-s31}\n\tadd %[x], %[x], %[step]\n\t"
#define PUT_PIXEL(quad) "vstmia %[out], {" quad "}\n\tadd %[out], %[out], %[out_row]\n\t"

/* Every length is in bytes; `step` is from one pixel and from one term of x to the next. */
LZD_INLINE void three_taps(T *out, const T *x, const T *weight, const sums *s, ptrdiff_t step, ptrdiff_t out_row)
{
    const ptrdiff_t size = (ptrdiff_t)sizeof(T), tap = s->b_step * size;
    const ptrdiff_t x_on = (s->a_run + s->a_group) * size - 6 * step, weight_on = (s->b_run + s->b_group) * size - 3 * tap;
    uint32_t runs = s->runs;
    __asm volatile(
        "vldmia %[none], {s0-s15}\n"
        "1:\n\t"
        "vldmia %[weight], {s16-s19}\n\tadd %[weight], %[weight], %[tap]\n\t"
        "vldmia %[weight], {s20-s23}\n\tadd %[weight], %[weight], %[tap]\n\t"
        "vldmia %[weight], {s24-s27}\n\tadd %[weight], %[weight], %[tap]\n\t"
        NEXT_PIXEL PIXEL_0(TAP_0)
        NEXT_PIXEL PIXEL_0(TAP_1) PIXEL_1(TAP_0)
        NEXT_PIXEL PIXEL_0(TAP_2) PIXEL_1(TAP_1) PIXEL_2(TAP_0)
        NEXT_PIXEL PIXEL_1(TAP_2) PIXEL_2(TAP_1) PIXEL_3(TAP_0)
        NEXT_PIXEL PIXEL_2(TAP_2) PIXEL_3(TAP_1)
        NEXT_PIXEL PIXEL_3(TAP_2)
        "add %[x], %[x], %[x_on]\n\tadd %[weight], %[weight], %[weight_on]\n\t"
        "subs %[runs], %[runs], #1\n\tbne 1b\n\t"
        PUT_PIXEL("s0-s3") PUT_PIXEL("s4-s7") PUT_PIXEL("s8-s11") PUT_PIXEL("s12-s15")
        : [out] "+r"(out), [x] "+r"(x), [weight] "+r"(weight), [runs] "+r"(runs)
        : [none] "r"(none), [step] "r"(step), [tap] "r"(tap), [x_on] "r"(x_on), [weight_on] "r"(weight_on),
          [out_row] "r"(out_row * size)
        : "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "s12", "s13", "s14", "s15", "s16", "s17",
          "s18", "s19", "s20", "s21", "s22", "s23", "s24", "s25", "s26", "s27", "s28", "s29", "s30", "s31", "cc", "memory");
}

/* More terms onto eight sums: `runs` runs of them, whose ends are x_on and y_on apart from the next. Neither count is 0. */
LZD_INLINE void eight_channels(T *out, const T *x, const T *y, const sums *s, uint32_t runs, ptrdiff_t x_on, ptrdiff_t y_on)
{
    const ptrdiff_t size = (ptrdiff_t)sizeof(T);
    uint32_t left;
    __asm volatile(
        "vldmia %[out], {s0-s7}\n"
        "1:\n\t"
        "mov %[left], %[terms]\n"
        "2:\n\t"
        "vldmia %[x], {s8-s15}\n\tadd %[x], %[x], %[x_step]\n\t"
        "vldmia %[y], {s16-s23}\n\tadd %[y], %[y], %[y_step]\n\t"
        "subs %[left], %[left], #1\n\t"
        "vfma.f32 s0, s8, s16\n\tvfma.f32 s1, s9, s17\n\tvfma.f32 s2, s10, s18\n\tvfma.f32 s3, s11, s19\n\t"
        "vfma.f32 s4, s12, s20\n\tvfma.f32 s5, s13, s21\n\tvfma.f32 s6, s14, s22\n\tvfma.f32 s7, s15, s23\n\t"
        "bne 2b\n\t"
        "add %[x], %[x], %[x_on]\n\tadd %[y], %[y], %[y_on]\n\t"
        "subs %[runs], %[runs], #1\n\tbne 1b\n\t"
        "vstmia %[out], {s0-s7}"
        : [x] "+r"(x), [y] "+r"(y), [runs] "+r"(runs), [left] "=&r"(left)
        : [out] "r"(out), [terms] "r"(s->terms), [x_step] "r"(s->a_step * size), [y_step] "r"(s->b_step * size),
          [x_on] "r"(x_on * size), [y_on] "r"(y_on * size)
        : "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "s12", "s13", "s14", "s15", "s16", "s17",
          "s18", "s19", "s20", "s21", "s22", "s23", "cc", "memory");
}
#else
LZD_INLINE void eight_channels(T *out, const T *x, const T *y, const sums *s, uint32_t runs, ptrdiff_t x_on, ptrdiff_t y_on)
{
    for (; runs != 0u; runs--, x += x_on, y += y_on) {
        for (uint32_t k = s->terms; k != 0u; k--, x += s->a_step, y += s->b_step) {
            for (uint32_t j = 0; j < 8u; j++) {
                out[j] = FMA(x[j], y[j], out[j]);
            }
        }
    }
}

LZD_INLINE void three_taps(T *out, const T *x, const T *weight, const sums *s, ptrdiff_t step, ptrdiff_t out_row)
{
    step /= (ptrdiff_t)sizeof(T);
    for (uint32_t r = 0; r < 4u; r++, x += step, out += out_row) {
        const T *p = x, *q = weight;
        T sum[4] = {0};
        for (uint32_t left = s->runs; left != 0u; left--, p += s->a_run + s->a_group, q += s->b_run + s->b_group) {
            for (uint32_t k = 0; k < 3u; k++) {
                for (uint32_t j = 0; j < 4u; j++) {
                    sum[j] = FMA(p[STEP(k) * step + (ptrdiff_t)j], q[STEP(k) * s->b_step + (ptrdiff_t)j], sum[j]);
                }
            }
        }
        for (uint32_t j = 0; j < 4u; j++) {
            out[j] = sum[j];
        }
    }
}
#endif

static void own_three(T *out, const T *a, const T *b, const sums *s, lie how)
{
    const bool back = s->a_step != s->a_row; /* taps go backwards: so do the rows */
    (void)how;
    three_taps(back ? out + 3 * s->out_row : out, back ? a + 3 * s->a_row : a, b, s, s->a_step * (ptrdiff_t)sizeof(T),
               back ? -s->out_row : s->out_row);
}

static void own_eight(T *out, const T *a, const T *b, const sums *s, lie how)
{
    const bool even = s->group == 1u; /* after each run the same step; else, but for the last one of a group */
    const uint32_t runs = even ? s->runs : s->group;
    const ptrdiff_t a_on = s->a_run + (even ? s->a_group : 0), b_on = s->b_run + (even ? s->b_group : 0);
    (void)how;
    for (uint32_t j = 0; j < 8u; j++) {
        out[j] = (T)0;
    }
    for (uint32_t left = s->terms != 0u ? s->runs : 0u; left != 0u; left -= runs) {
        eight_channels(out, a, b, s, runs, a_on - STEP(s->terms) * s->a_step, b_on - STEP(s->terms) * s->b_step);
        a += STEP(runs) * a_on + s->a_group, b += STEP(runs) * b_on + s->b_group;
    }
}

#endif
