/* Every build option of the runtime, each with its default. Define one before including, or on the command line. */
#ifndef LZD_CONFIG_H
#define LZD_CONFIG_H

/* 1: lzd_open proves that every read sees the version it names (plan/SPEC.md, rule 5). Its time grows with the square
 * of the number of steps; a product whose plan never changes may set 0 after the desk has checked it. */
#ifndef LZD_CHECK_VERSIONS
#define LZD_CHECK_VERSIONS 1
#endif

/* 1: lzd_open computes the CRC of the plan. 0 saves time where the flash is trusted. */
#ifndef LZD_CHECK_CRC
#define LZD_CHECK_CRC 1
#endif

/* Attribute put before each kernel. On x86-64 Linux with GCC it makes a second copy for AVX2+FMA machines, chosen by the
 * dynamic linker; the order of operations, and so every bit, stays the same. Define it empty to have one copy. */
#ifndef LZD_KERNEL
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__linux__) && !defined(__SANITIZE_ADDRESS__)
#define LZD_KERNEL __attribute__((target_clones("arch=haswell", "default")))
#else
#define LZD_KERNEL
#endif
#endif

#endif
