/* Four numbers from memory into registers in one instruction, and back, the pointer moving on: for the loops of generated maps
 * (lazydiff/export/map_loops.py), and for sums of rows. A small core has such an instruction, for registers in a row, and compilers do not find it. */
#ifndef K_FOUR_H
#define K_FOUR_H

#if !LZD_T_IS_F64 && defined(__GNUC__) && defined(__thumb2__) && defined(__ARM_FP)
#define TAKE_FOUR(from, x0, x1, x2, x3, first, second, third, last) \
    T x0, x1, x2, x3; \
    do { \
        register T r0 __asm(#first), r1 __asm(#second), r2 __asm(#third), r3 __asm(#last); \
        __asm("vldmia %4!, {" #first "-" #last "}" \
              : "=t"(r0), "=t"(r1), "=t"(r2), "=t"(r3), "+r"(from) \
              : "m"(*(const T(*)[4])(from))); \
        x0 = r0, x1 = r1, x2 = r2, x3 = r3; \
    } while (0)
#define PUT_FOUR(to, y0, y1, y2, y3, first, second, third, last) \
    do { \
        register T r0 __asm(#first) = y0, r1 __asm(#second) = y1, r2 __asm(#third) = y2, r3 __asm(#last) = y3; \
        __asm("vstmia %0!, {" #first "-" #last "}" \
              : "+r"(to), "=m"(*(T(*)[4])(to)) \
              : "t"(r0), "t"(r1), "t"(r2), "t"(r3)); \
    } while (0)
#else
#define TAKE_FOUR(from, x0, x1, x2, x3, first, second, third, last) \
    const T x0 = (from)[0], x1 = (from)[1], x2 = (from)[2], x3 = (from)[3]; \
    (from) += 4
#define PUT_FOUR(to, y0, y1, y2, y3, first, second, third, last) \
    ((to)[0] = y0, (to)[1] = y1, (to)[2] = y2, (to)[3] = y3, (to) += 4)
#endif

/* Registers that a function need not keep for its caller. */
#define TAKE_A(from, x0, x1, x2, x3) TAKE_FOUR(from, x0, x1, x2, x3, s0, s1, s2, s3)
#define TAKE_B(from, x0, x1, x2, x3) TAKE_FOUR(from, x0, x1, x2, x3, s4, s5, s6, s7)
#define TAKE_C(from, x0, x1, x2, x3) TAKE_FOUR(from, x0, x1, x2, x3, s8, s9, s10, s11)
#define PUT_A(to, y0, y1, y2, y3) PUT_FOUR(to, y0, y1, y2, y3, s0, s1, s2, s3)
#define PUT_B(to, y0, y1, y2, y3) PUT_FOUR(to, y0, y1, y2, y3, s4, s5, s6, s7)
#define PUT_C(to, y0, y1, y2, y3) PUT_FOUR(to, y0, y1, y2, y3, s8, s9, s10, s11)

#endif
