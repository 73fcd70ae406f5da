/* First fit: each buffer goes into the lowest (or the tightest) gap between those before it. */
#include "lzd_place.h"

typedef struct rectangle {
    int64_t low, high;
    int32_t first, end;
} rectangle;

/* Keeps the rectangles sorted by low. */
static void insert(rectangle *placed, int32_t count, rectangle new)
{
    int32_t slot = count;
    for (; slot > 0 && placed[slot - 1].low > new.low; slot--) {
        placed[slot] = placed[slot - 1];
    }
    placed[slot] = new;
}

static int64_t gap_for(const rectangle *placed, int32_t count, int64_t size, int32_t first, int32_t end, int tightest)
{
    int64_t floor = 0, best = -1, best_gap = INT64_MAX;
    for (int32_t i = 0; i < count; i++) {
        const rectangle *p = &placed[i];
        if (p->first >= end || p->end <= first) {
            continue;
        }
        const int64_t gap = p->low - floor;
        if (gap >= size && gap < best_gap) {
            if (!tightest) {
                return floor;
            }
            best = floor;
            best_gap = gap;
        }
        if (p->high > floor) {
            floor = p->high;
        }
    }
    return best < 0 ? floor : best;
}

int64_t lzd_first_fit(const lzd_buffers *buffers, const int32_t *order, int tightest, int64_t *offset, void *memory)
{
    const int32_t n = buffers->count;
    rectangle *placed = memory;
    int64_t height = 0;
    for (int32_t i = 0; i < n + buffers->fixed; i++) {
        const int32_t b = i < buffers->fixed ? n + i : order[i - buffers->fixed];
        const int64_t size = buffers->size[b];
        const int32_t first = buffers->first[b], end = buffers->end[b];
        const int64_t low = b < n ? gap_for(placed, i, size, first, end, tightest) : buffers->at[b - n];
        if (b < n) {
            offset[b] = low;
        }
        if (low + size > height) {
            height = low + size;
        }
        insert(placed, i, (rectangle){low, low + size, first, end});
    }
    return height;
}
