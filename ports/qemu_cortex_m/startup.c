/* From reset to main on a Cortex-M: FPU on where there is one, stack painted and fenced, .data copied, .bss cleared. */
#include "harness.h"

extern uint32_t __stack_limit[], __stack_top[];
extern uint32_t __data_start[], __data_end[], __data_load[];
extern uint32_t __bss_start[], __bss_end[];

int main(void);
void Reset_Handler(void);
void Fault_Handler(void);
void start(void);
void report_fault(void);

#define PAINT 0xC5C5C5C5u

#if __ARM_ARCH == 7 /* others: ARMv6-M faults below RAM, ARMv8-M has a register for the stack's limit */
/* The MPU. Below RAM these machines swallow writes and read zeros (a real part faults): forbid the 64 KiB below it, so that a
 * stack that overflows stops the program instead of computing nonsense. */
#define MPU_CTRL (*(volatile uint32_t *)0xE000ED94u)
#define MPU_RBAR (*(volatile uint32_t *)0xE000ED9Cu)
#define MPU_RASR (*(volatile uint32_t *)0xE000EDA0u)
enum { MPU_ENABLE = 1, MPU_DEFAULT_MAP = 4, REGION_VALID = 0x10, REGION_ENABLE = 1, REGION_64K = 15 << 1, NEVER_EXECUTE = 1 << 28 };

static void fence_stack(void) {
    MPU_RBAR = ((uint32_t)(uintptr_t)__stack_limit - 0x10000u) | REGION_VALID;
    MPU_RASR = NEVER_EXECUTE | REGION_64K | REGION_ENABLE; /* no access at all */
    MPU_CTRL = MPU_ENABLE | MPU_DEFAULT_MAP;
    __asm volatile("dsb\nisb" ::: "memory");
}
#elif __ARM_ARCH == 8
static void fence_stack(void) { __asm volatile("msr msplim, %0" : : "r"(__stack_limit)); }
#else
static void fence_stack(void) {}
#endif

/* The initial stack pointer, then the 15 exceptions of the architecture. No device interrupt is used. */
typedef void (*handler)(void);
__attribute__((used, section(".vectors"))) static const struct {
    uint32_t *stack;
    handler handlers[15];
} vectors = {
    __stack_top,
    {Reset_Handler, Fault_Handler, Fault_Handler, Fault_Handler, Fault_Handler, Fault_Handler, Fault_Handler, 0, 0, 0,
     Fault_Handler, Fault_Handler, 0, Fault_Handler, Fault_Handler},
};

uint32_t stack_size_bytes(void) { return (uint32_t)((uintptr_t)__stack_top - (uintptr_t)__stack_limit); }

uint32_t stack_high_water_bytes(void) {
    const volatile uint32_t *word = __stack_limit;
    while ((uintptr_t)word < (uintptr_t)__stack_top && *word == PAINT) {
        word++;
    }
    return (uint32_t)((uintptr_t)__stack_top - (uintptr_t)word);
}

static inline uintptr_t stack_pointer(void) {
    uintptr_t sp;
    __asm volatile("mov %0, sp" : "=r"(sp));
    return sp;
}

__attribute__((noinline)) uint32_t stack_depth_bytes(void) {
    return (uint32_t)((uintptr_t)__stack_top - stack_pointer());
}

__attribute__((noinline)) void stack_paint(void) {
    const uintptr_t end = stack_pointer() - 32u; /* what this very function may still push */
    for (volatile uint32_t *word = __stack_limit; (uintptr_t)word < end; word++) {
        *word = PAINT;
    }
}

__attribute__((used, noreturn)) void report_fault(void) {
    uint32_t exception;
    __asm volatile("mrs %0, ipsr" : "=r"(exception));
    put_text("fault: exception ");
    put_decimal(exception);
    put_text(" (3 or 4: most often the stack, it lies at the bottom of RAM)\n");
    end_run(100u + exception);
}

/* The stack may be what is broken: begin again at its top before any C runs. */
__attribute__((naked)) void Fault_Handler(void) {
    __asm volatile("ldr r0, =__stack_top\n"
                   "mov sp, r0\n"
                   "bl  report_fault\n"
                   ".ltorg\n");
}

__attribute__((used, noreturn)) void start(void) {
    const uint32_t *from = __data_load;
    for (uint32_t *to = __data_start; to < __data_end; to++) {
        *to = *from++;
    }
    for (uint32_t *word = __bss_start; word < __bss_end; word++) {
        *word = 0;
    }
    fence_stack();
    end_run((uint32_t)main());
}

/* Naked, because this must be done before the first C frame: CPACR gives access to the FPU, and the stack is painted. */
__attribute__((naked, noreturn)) void Reset_Handler(void) {
    __asm volatile(".syntax unified\n"
#if defined(__ARM_FP)
                   "ldr  r0, =0xE000ED88\n"
                   "ldr  r1, [r0]\n"
                   "orr  r1, r1, #0x00F00000\n"
                   "str  r1, [r0]\n"
                   "dsb\n"
                   "isb\n"
#endif
                   "ldr  r0, =__stack_limit\n"
                   "ldr  r1, =__stack_top\n"
                   "ldr  r2, =0xC5C5C5C5\n"
                   "1: cmp r0, r1\n"
                   "bhs  2f\n"
                   "str  r2, [r0]\n"
                   "adds r0, #4\n"
                   "b    1b\n"
                   "2: mov sp, r1\n"
                   "bl   start\n"
                   ".ltorg\n");
}
