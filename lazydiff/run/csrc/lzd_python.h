/* What the Python binding adds to the runtime: loops of calls, bare, counted and along larger arrays. */
#ifndef LZD_PYTHON_H
#define LZD_PYTHON_H

#include <stdlib.h>

#include "lzd.h"
#include "lzd_maps.h"

/* lzd_call, `times` times with the same inputs, until one fails. */
static lzd_status lzd_repeat(lzd_model *model, uint32_t entry, const void *const *inputs, void *const *outputs, uint32_t times)
{
    lzd_status status = LZD_OK;
    for (uint32_t i = 0; i < times && status == LZD_OK; i++) {
        status = lzd_call(model, entry, inputs, outputs);
    }
    return status;
}

/* lzd_call, `times` times or until one fails, each with pointers as many bytes further on; how many succeeded is added to `done`. */
static lzd_status lzd_call_along(lzd_model *model, uint32_t entry, const void **inputs, const size_t *input_bytes, uint32_t n_inputs,
                                 void **outputs, const size_t *output_bytes, uint32_t n_outputs, uint32_t times, uint32_t *done)
{
    lzd_status status = LZD_OK;
    for (uint32_t i = 0; i < times && (status = lzd_call(model, entry, inputs, outputs)) == LZD_OK; i++) {
        for (uint32_t k = 0; k < n_inputs; k++) {
            inputs[k] = (const char *)inputs[k] + input_bytes[k];
        }
        for (uint32_t k = 0; k < n_outputs; k++) {
            outputs[k] = (char *)outputs[k] + output_bytes[k];
        }
        ++*done;
    }
    return status;
}

/* lzd_repeat, and how far count() (csrc/heapcount.c) moved meanwhile: read here, so that Python's own allocations are not in it. */
static lzd_status lzd_repeat_counted(lzd_model *model, uint32_t entry, const void *const *inputs, void *const *outputs,
                                     uint32_t times, uint64_t (*count)(void), uint64_t *counted)
{
    const uint64_t before = count();
    const lzd_status status = lzd_repeat(model, entry, inputs, outputs, times);
    *counted = count() - before;
    return status;
}

/* How far count() moves over one malloc and one free: 2, or it does not count. */
static uint64_t lzd_probe_heap(uint64_t (*count)(void))
{
    const uint64_t before = count();
    void *volatile block = malloc(1); /* volatile: the pair must not be optimised away */
    free(block);
    return count() - before;
}

#endif
