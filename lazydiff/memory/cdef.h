/* The C that the planner calls, all of it; explained in memory/csrc/lzd_place.h. */
#define LZD_NO ...
#define LZD_YES ...
#define LZD_NOT_DECIDED ...

typedef struct lzd_buffers {
    int32_t count;
    int32_t fixed;
    int32_t sections;
    const int64_t *size;
    const int32_t *first;
    const int32_t *end;
    const int64_t *at;
} lzd_buffers;

int64_t lzd_first_fit(const lzd_buffers *buffers, const int32_t *order, int tightest, int64_t *offset, void *memory);
int64_t lzd_pairs(const lzd_buffers *buffers);
size_t lzd_search_bytes(const lzd_buffers *buffers, int64_t pairs);
int lzd_search(const lzd_buffers *buffers, int64_t pairs, int64_t capacity, int64_t node_limit, int64_t *offset, int64_t *failed,
               int64_t *nodes, void *memory);
