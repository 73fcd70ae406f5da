/* Reads a plan, flips its bytes one at a time, and opens and runs what results. The sanitizers judge. */
#include "lzd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *aligned(size_t bytes)
{
    void *block = NULL;
    if (posix_memalign(&block, 16, bytes > 0 ? bytes : 1) != 0) {
        abort();
    }
    return block;
}

/* 1 if the plan opened (and then every entry ran), 0 if it was refused. */
static int attempt(const unsigned char *plan, size_t bytes)
{
    unsigned char *copy = aligned(bytes);
    memcpy(copy, plan, bytes);
    uint32_t sizes[LZD_MAX_REGIONS];
    const uint32_t n = lzd_regions(copy, bytes, sizes);
    lzd_block blocks[LZD_MAX_REGIONS];
    for (uint32_t k = 0; k < n; k++) {
        blocks[k].bytes = sizes[k] <= 1u << 20 ? sizes[k] : 64; /* no plan here needs more; a changed one is refused */
        blocks[k].at = aligned(blocks[k].bytes);
        memset(blocks[k].at, 0, blocks[k].bytes);
    }
    lzd_model *model;
    const int opened = lzd_open_regions(&model, copy, bytes, blocks, n) == LZD_OK;
    lzd_entry entry;
    for (uint32_t e = 0; opened && lzd_describe_entry(model, e, &entry) == LZD_OK; e++) {
        (void)lzd_find_io(model, e, "no such name"); /* reads every name */
        (void)lzd_run(model, e);
    }
    for (uint32_t k = 0; k < n; k++) {
        free(blocks[k].at);
    }
    free(copy);
    return opened;
}

int main(int argc, char **argv)
{
    static unsigned char plan[1 << 16];
    FILE *file = argc > 1 ? fopen(argv[1], "rb") : NULL;
    if (file == NULL) {
        return 2;
    }
    const size_t bytes = fread(plan, 1, sizeof plan, file);
    fclose(file);
    if (!attempt(plan, bytes)) {
        return 3;
    }
    static const unsigned char masks[] = {0x01, 0x80, 0xFF};
    unsigned refused = 0, opened = 0;
    for (size_t i = 0; i < bytes; i++) {
        for (size_t m = 0; m < sizeof masks; m++) {
            plan[i] ^= masks[m];
            if (attempt(plan, bytes)) {
                opened++;
            } else {
                refused++;
            }
            plan[i] ^= masks[m];
        }
    }
    for (size_t cut = 0; cut < bytes; cut++) {
        if (attempt(plan, cut)) {
            return 4;
        }
    }
    printf("%u %u\n", refused, opened);
    return 0;
}
