/* The loops around one opcode of `map`: UNARY, BINARY and TERNARY make its block function from an expression in a, b, c. */
#ifndef LZD_OPS_H
#define LZD_OPS_H

/* An output lies apart from an argument or is the very same elements, so no element waits for another. */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wpass-failed" /* a loop it leaves scalar is right too */
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define INDEPENDENT _Pragma("GCC ivdep")
#else
#define INDEPENDENT
#endif

#define ELEMENTS(load, expression) \
    INDEPENDENT for (uint32_t i = 0; i < n; i++) { load d[i] = (expression); }

#define ARGUMENTS T *d, const T *pa, int32_t sa, const T *pb, int32_t sb, const T *pc, int32_t sc, uint32_t n
#define LOAD_A(s) const T a = pa[(ptrdiff_t)i * (s)];
#define LOAD_B(s) const T b = pb[(ptrdiff_t)i * (s)];
#define LOAD_C(s) const T c = pc[(ptrdiff_t)i * (s)];

#if LZD_FAST_STRIDES
#define UNARY_LOOPS(expression) \
    if (sa == 1) { ELEMENTS(LOAD_A(1), expression) } else { ELEMENTS(LOAD_A(sa), expression) }
#define BINARY_LOOPS(expression) \
    if (sa == 1 && sb == 1) { ELEMENTS(LOAD_A(1) LOAD_B(1), expression) } \
    else if (sa == 1 && sb == 0) { const T b = *pb; ELEMENTS(LOAD_A(1), expression) } \
    else if (sa == 0 && sb == 1) { const T a = *pa; ELEMENTS(LOAD_B(1), expression) } \
    else { ELEMENTS(LOAD_A(sa) LOAD_B(sb), expression) }
#define TERNARY_LOOPS(expression) \
    if (sa == 1 && sb == 1 && sc == 1) { ELEMENTS(LOAD_A(1) LOAD_B(1) LOAD_C(1), expression) } \
    else if (sa == 0 && sb == 1 && sc == 1) { const T a = *pa; ELEMENTS(LOAD_B(1) LOAD_C(1), expression) } \
    else if (sa == 1 && sb == 0 && sc == 1) { const T b = *pb; ELEMENTS(LOAD_A(1) LOAD_C(1), expression) } \
    else if (sa == 1 && sb == 1 && sc == 0) { const T c = *pc; ELEMENTS(LOAD_A(1) LOAD_B(1), expression) } \
    else if (sa == 1 && sb == 0 && sc == 0) { const T b = *pb, c = *pc; ELEMENTS(LOAD_A(1), expression) } \
    else if (sa == 0 && sb == 1 && sc == 0) { const T a = *pa, c = *pc; ELEMENTS(LOAD_B(1), expression) } \
    else if (sa == 0 && sb == 0 && sc == 1) { const T a = *pa, b = *pb; ELEMENTS(LOAD_C(1), expression) } \
    else { ELEMENTS(LOAD_A(sa) LOAD_B(sb) LOAD_C(sc), expression) }
#else
#define UNARY_LOOPS(expression) ELEMENTS(LOAD_A(sa), expression)
#define BINARY_LOOPS(expression) ELEMENTS(LOAD_A(sa) LOAD_B(sb), expression)
#define TERNARY_LOOPS(expression) ELEMENTS(LOAD_A(sa) LOAD_B(sb) LOAD_C(sc), expression)
#endif

#define UNARY(name, expression) \
    void SUFFIX(lzd_op_##name)(ARGUMENTS) \
    { \
        (void)pb, (void)sb, (void)pc, (void)sc; \
        UNARY_LOOPS(expression) \
    }

/* `near` is the expression's value where |a| <= ANGLE_LIMIT, and vectorises: most blocks have no other arguments. */
#if LZD_FAST_STRIDES
#define UNARY_NEAR(name, near, expression) \
    void SUFFIX(lzd_op_##name)(ARGUMENTS) \
    { \
        U far = 0; \
        (void)pb, (void)sb, (void)pc, (void)sc; \
        for (uint32_t i = 0; i < n; i++) { \
            far |= ABS(pa[(ptrdiff_t)i * sa]) <= ANGLE_LIMIT ? 0u : 1u; \
        } \
        if (far == 0u) { \
            UNARY_LOOPS(near) \
        } else { \
            ELEMENTS(LOAD_A(sa), expression) \
        } \
    }
#else
#define UNARY_NEAR(name, near, expression) UNARY(name, expression)
#endif

#define BINARY(name, expression) \
    void SUFFIX(lzd_op_##name)(ARGUMENTS) \
    { \
        (void)pc, (void)sc; \
        BINARY_LOOPS(expression) \
    }

#define TERNARY(name, expression) \
    void SUFFIX(lzd_op_##name)(ARGUMENTS) \
    { \
        TERNARY_LOOPS(expression) \
    }

#endif
