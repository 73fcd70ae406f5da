/* The builds of the kernels in this library, and which of them this machine can run. All return the same bits. */
#include "lzd_internal.h"

#include <string.h>

/* What the compiler was asked for when it made the build without LZD_ISA. */
#if defined(__aarch64__)
#define BASE_NAME "neon"
#else
#define BASE_NAME "scalar"
#endif

typedef struct build {
    const char *name;
    const lzd_kernel *kernels;
    bool (*runs)(void);
} build;

static bool always(void) { return true; }

#if defined(LZD_BUILDS_X86)
extern const lzd_kernel lzd_kernels_avx2[], lzd_kernels_avx512[];

static bool has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
}
#endif

#if defined(LZD_BUILDS_SCALAR)
extern const lzd_kernel lzd_kernels_scalar[];
#endif

static const build builds[] = {
/* The fastest first. */
#if defined(LZD_BUILDS_X86)
    {"avx512", lzd_kernels_avx512, has_avx512},
    {"avx2", lzd_kernels_avx2, has_avx2},
#endif
    {BASE_NAME, lzd_kernels, always},
#if defined(LZD_BUILDS_SCALAR)
    {"scalar", lzd_kernels_scalar, always},
#endif
};
enum { N_BUILDS = sizeof builds / sizeof *builds };

const lzd_kernel *lzd_best_kernels(void)
{
    uint32_t k = 0;
    while (!builds[k].runs()) {
        k++;
    }
    return builds[k].kernels;
}

const char *lzd_simd_name(uint32_t number)
{
    for (uint32_t k = 0; k < N_BUILDS; k++) {
        if (builds[k].runs() && number-- == 0u) {
            return builds[k].name;
        }
    }
    return NULL;
}

const char *lzd_simd(const lzd_model *model)
{
    for (uint32_t k = 0; k < N_BUILDS; k++) {
        if (N_BUILDS == 1 || builds[k].kernels[1].operands == model->kernels[1].operands) { /* a copy's too (lzd_maps.h) */
            return builds[k].name;
        }
    }
    return NULL;
}

lzd_status lzd_set_simd(lzd_model *model, const char *name)
{
    for (uint32_t k = 0; k < N_BUILDS; k++) {
        if (strcmp(builds[k].name, name) == 0 && builds[k].runs()) {
            model->kernels = builds[k].kernels;
            return LZD_OK;
        }
    }
    return LZD_ERROR_SIMD;
}
