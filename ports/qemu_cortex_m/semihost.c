/* Text and exit through Arm semihosting: BKPT 0xAB with the operation in r0 and its argument in r1. */
#include "harness.h"

enum { SYS_WRITE0 = 0x04, SYS_EXIT_EXTENDED = 0x20 };
#define ADP_STOPPED_APPLICATION_EXIT 0x20026u

static void semihost(uint32_t operation, uintptr_t argument) {
    register uintptr_t r0 __asm("r0") = operation;
    register uintptr_t r1 __asm("r1") = argument;
    __asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

void put_text(const char *text) { semihost(SYS_WRITE0, (uintptr_t)text); }

void end_run(uint32_t status) {
    const uint32_t block[2] = {ADP_STOPPED_APPLICATION_EXIT, status};
    for (;;) {
        semihost(SYS_EXIT_EXTENDED, (uintptr_t)block);
    }
}

void put_decimal(uint32_t value) {
    char text[11];
    uint32_t at = sizeof text - 1u;
    text[at] = '\0';
    do {
        text[--at] = (char)('0' + (char)(value % 10u));
        value /= 10u;
    } while (value != 0u);
    put_text(&text[at]);
}

static void put_digits(uint32_t value, uint32_t digits) {
    char text[9];
    text[digits] = '\0';
    for (uint32_t at = digits; at > 0u; value >>= 4) {
        text[--at] = "0123456789abcdef"[value & 15u];
    }
    put_text(text);
}

void put_hex(uint32_t value) { put_digits(value, 8); }

void put_hex_float(uint32_t bits) {
    const uint32_t exponent = bits >> 23 & 255u;
    uint32_t fraction = (bits & 0x7FFFFFu) << 1, digits = 6; /* 23 bits: six hex digits */
    put_text(bits >> 31 != 0u ? "-" : "");
    if (exponent == 255u) {
        put_text(fraction != 0u ? "nan" : "inf");
        return;
    }
    put_text(exponent == 0u ? "0x0" : "0x1");
    if (fraction != 0u) {
        for (; (fraction & 15u) == 0u; fraction >>= 4) {
            digits--;
        }
        put_text(".");
        put_digits(fraction, digits);
    }
    const int32_t power = exponent != 0u ? (int32_t)exponent - 127 : (bits << 1) != 0u ? -126 : 0;
    put_text(power < 0 ? "p-" : "p+");
    put_decimal((uint32_t)(power < 0 ? -power : power));
}
