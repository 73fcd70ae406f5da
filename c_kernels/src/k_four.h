/* Two, four or eight numbers from memory into registers in one instruction, and back, the pointer moving on: for the loops of generated
 * maps (lazydiff/export/map_loops.py), for sums of products and of rows; LOOK leaves the pointer where it is. A small core has such an instruction, for registers in a
 * row, and compilers do not find it. */
#ifndef K_FOUR_H
#define K_FOUR_H

#if !LZD_T_IS_F64 && defined(__GNUC__) && defined(__thumb2__) && defined(__ARM_FP)
/* Volatile, so that none passes another, and none a store of C. */
#define TAKE_FOUR(from, x0, x1, x2, x3, s0, s1, s2, s3) \
    T x0, x1, x2, x3; \
    do { \
        register T r0 __asm(#s0), r1 __asm(#s1), r2 __asm(#s2), r3 __asm(#s3); \
        __asm volatile("vldmia %4!, {" #s0 "-" #s3 "}" : "=t"(r0), "=t"(r1), "=t"(r2), "=t"(r3), "+r"(from) : : "memory"); \
        x0 = r0, x1 = r1, x2 = r2, x3 = r3; \
    } while (0)
#define TAKE_TWO(from, x0, x1, s0, s1) \
    T x0, x1; \
    do { \
        register T r0 __asm(#s0), r1 __asm(#s1); \
        __asm volatile("vldmia %2!, {" #s0 "-" #s1 "}" : "=t"(r0), "=t"(r1), "+r"(from) : : "memory"); \
        x0 = r0, x1 = r1; \
    } while (0)
#define LOOK_TWO(at, x0, x1, s0, s1) \
    T x0, x1; \
    do { \
        register T r0 __asm(#s0), r1 __asm(#s1); \
        __asm volatile("vldmia %2, {" #s0 "-" #s1 "}" : "=t"(r0), "=t"(r1) : "r"(at) : "memory"); \
        x0 = r0, x1 = r1; \
    } while (0)
#define PUT_TWO(to, y0, y1, s0, s1) \
    do { \
        register T r0 __asm(#s0) = y0, r1 __asm(#s1) = y1; \
        __asm volatile("vstmia %0!, {" #s0 "-" #s1 "}" : "+r"(to) : "t"(r0), "t"(r1) : "memory"); \
    } while (0)
#define PUT_FOUR(to, y0, y1, y2, y3, s0, s1, s2, s3) \
    do { \
        register T r0 __asm(#s0) = y0, r1 __asm(#s1) = y1, r2 __asm(#s2) = y2, r3 __asm(#s3) = y3; \
        __asm volatile("vstmia %0!, {" #s0 "-" #s3 "}" : "+r"(to) : "t"(r0), "t"(r1), "t"(r2), "t"(r3) : "memory"); \
    } while (0)
#define TAKE_EIGHT(from, x0, x1, x2, x3, x4, x5, x6, x7, s0, s1, s2, s3, s4, s5, s6, s7) \
    T x0, x1, x2, x3, x4, x5, x6, x7; \
    do { \
        register T r0 __asm(#s0), r1 __asm(#s1), r2 __asm(#s2), r3 __asm(#s3), r4 __asm(#s4), r5 __asm(#s5), r6 __asm(#s6), \
            r7 __asm(#s7); \
        __asm volatile("vldmia %8!, {" #s0 "-" #s7 "}" \
                       : "=t"(r0), "=t"(r1), "=t"(r2), "=t"(r3), "=t"(r4), "=t"(r5), "=t"(r6), "=t"(r7), "+r"(from) : : "memory"); \
        x0 = r0, x1 = r1, x2 = r2, x3 = r3, x4 = r4, x5 = r5, x6 = r6, x7 = r7; \
    } while (0)
#define LOOK_EIGHT(at, x0, x1, x2, x3, x4, x5, x6, x7, s0, s1, s2, s3, s4, s5, s6, s7) \
    T x0, x1, x2, x3, x4, x5, x6, x7; \
    do { \
        register T r0 __asm(#s0), r1 __asm(#s1), r2 __asm(#s2), r3 __asm(#s3), r4 __asm(#s4), r5 __asm(#s5), r6 __asm(#s6), \
            r7 __asm(#s7); \
        __asm volatile("vldmia %8, {" #s0 "-" #s7 "}" \
                       : "=t"(r0), "=t"(r1), "=t"(r2), "=t"(r3), "=t"(r4), "=t"(r5), "=t"(r6), "=t"(r7) : "r"(at) : "memory"); \
        x0 = r0, x1 = r1, x2 = r2, x3 = r3, x4 = r4, x5 = r5, x6 = r6, x7 = r7; \
    } while (0)
#define PUT_EIGHT(to, y0, y1, y2, y3, y4, y5, y6, y7, s0, s1, s2, s3, s4, s5, s6, s7) \
    do { \
        register T r0 __asm(#s0) = y0, r1 __asm(#s1) = y1, r2 __asm(#s2) = y2, r3 __asm(#s3) = y3, r4 __asm(#s4) = y4, \
            r5 __asm(#s5) = y5, r6 __asm(#s6) = y6, r7 __asm(#s7) = y7; \
        __asm volatile("vstmia %0!, {" #s0 "-" #s7 "}" \
                       : "+r"(to) : "t"(r0), "t"(r1), "t"(r2), "t"(r3), "t"(r4), "t"(r5), "t"(r6), "t"(r7) : "memory"); \
    } while (0)
#else
#define TAKE_TWO(from, x0, x1, s0, s1) \
    const T x0 = (from)[0], x1 = (from)[1]; \
    (from) += 2
#define LOOK_TWO(at, x0, x1, s0, s1) const T x0 = (at)[0], x1 = (at)[1]
#define PUT_TWO(to, y0, y1, s0, s1) ((to)[0] = y0, (to)[1] = y1, (to) += 2)
#define TAKE_FOUR(from, x0, x1, x2, x3, s0, s1, s2, s3) \
    const T x0 = (from)[0], x1 = (from)[1], x2 = (from)[2], x3 = (from)[3]; \
    (from) += 4
#define PUT_FOUR(to, y0, y1, y2, y3, s0, s1, s2, s3) ((to)[0] = y0, (to)[1] = y1, (to)[2] = y2, (to)[3] = y3, (to) += 4)
#define TAKE_EIGHT(from, x0, x1, x2, x3, x4, x5, x6, x7, s0, s1, s2, s3, s4, s5, s6, s7) \
    TAKE_FOUR(from, x0, x1, x2, x3, s0, s1, s2, s3); \
    TAKE_FOUR(from, x4, x5, x6, x7, s4, s5, s6, s7)
#define LOOK_EIGHT(at, x0, x1, x2, x3, x4, x5, x6, x7, s0, s1, s2, s3, s4, s5, s6, s7) \
    const T x0 = (at)[0], x1 = (at)[1], x2 = (at)[2], x3 = (at)[3], x4 = (at)[4], x5 = (at)[5], x6 = (at)[6], x7 = (at)[7]
#define PUT_EIGHT(to, y0, y1, y2, y3, y4, y5, y6, y7, s0, s1, s2, s3, s4, s5, s6, s7) \
    PUT_FOUR(to, y0, y1, y2, y3, s0, s1, s2, s3), PUT_FOUR(to, y4, y5, y6, y7, s4, s5, s6, s7)
#endif

/* Of four, registers that a function need not keep for its caller. */
#define TAKE_2A(from, ...) TAKE_TWO_OF(from, __VA_ARGS__, s0, s1)
#define TAKE_2B(from, ...) TAKE_TWO_OF(from, __VA_ARGS__, s8, s9)
#define LOOK_2A(at, ...) LOOK_TWO_OF(at, __VA_ARGS__, s0, s1)
#define LOOK_2B(at, ...) LOOK_TWO_OF(at, __VA_ARGS__, s8, s9)
#define PUT_2A(to, ...) PUT_TWO_OF(to, __VA_ARGS__, s0, s1)
#define PUT_2B(to, ...) PUT_TWO_OF(to, __VA_ARGS__, s8, s9)
#define PUT_2C(to, ...) PUT_TWO_OF(to, __VA_ARGS__, s16, s17)
#define TAKE_4A(from, ...) TAKE_FOUR_OF(from, __VA_ARGS__, s0, s1, s2, s3)
#define TAKE_4B(from, ...) TAKE_FOUR_OF(from, __VA_ARGS__, s4, s5, s6, s7)
#define TAKE_4C(from, ...) TAKE_FOUR_OF(from, __VA_ARGS__, s8, s9, s10, s11)
#define PUT_4A(to, ...) PUT_FOUR_OF(to, __VA_ARGS__, s0, s1, s2, s3)
#define PUT_4B(to, ...) PUT_FOUR_OF(to, __VA_ARGS__, s4, s5, s6, s7)
#define PUT_4C(to, ...) PUT_FOUR_OF(to, __VA_ARGS__, s8, s9, s10, s11)
#define TAKE_8A(from, ...) TAKE_EIGHT_OF(from, __VA_ARGS__, s0, s1, s2, s3, s4, s5, s6, s7)
#define TAKE_8B(from, ...) TAKE_EIGHT_OF(from, __VA_ARGS__, s8, s9, s10, s11, s12, s13, s14, s15)
#define TAKE_8C(from, ...) TAKE_EIGHT_OF(from, __VA_ARGS__, s16, s17, s18, s19, s20, s21, s22, s23)
#define LOOK_8A(at, ...) LOOK_EIGHT_OF(at, __VA_ARGS__, s0, s1, s2, s3, s4, s5, s6, s7)
#define LOOK_8B(at, ...) LOOK_EIGHT_OF(at, __VA_ARGS__, s8, s9, s10, s11, s12, s13, s14, s15)
#define PUT_8A(to, ...) PUT_EIGHT_OF(to, __VA_ARGS__, s0, s1, s2, s3, s4, s5, s6, s7)
#define PUT_8B(to, ...) PUT_EIGHT_OF(to, __VA_ARGS__, s8, s9, s10, s11, s12, s13, s14, s15)
#define PUT_8C(to, ...) PUT_EIGHT_OF(to, __VA_ARGS__, s16, s17, s18, s19, s20, s21, s22, s23)
#define TAKE_TWO_OF(...) TAKE_TWO(__VA_ARGS__)
#define LOOK_TWO_OF(...) LOOK_TWO(__VA_ARGS__)
#define PUT_TWO_OF(...) PUT_TWO(__VA_ARGS__)
#define TAKE_FOUR_OF(...) TAKE_FOUR(__VA_ARGS__)
#define PUT_FOUR_OF(...) PUT_FOUR(__VA_ARGS__)
#define TAKE_EIGHT_OF(...) TAKE_EIGHT(__VA_ARGS__)
#define LOOK_EIGHT_OF(...) LOOK_EIGHT(__VA_ARGS__)
#define PUT_EIGHT_OF(...) PUT_EIGHT(__VA_ARGS__)

#endif
