/* The C that the planner calls, all of it; explained in the headers of memory/csrc. */
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

typedef struct lzd_entry {
    int32_t values;
    int32_t units;
    int32_t steps;
    int32_t born;
    const int64_t *size;
    const int64_t *cost;
    const int32_t *maker;
    const int32_t *read_at;
    const int32_t *reads;
    const int32_t *write_at;
    const int32_t *writes;
    const int32_t *share_at;
    const int32_t *share_old;
    const int32_t *share_new;
    const int32_t *first;
    const uint8_t *keep;
    const int32_t *base;
    const int32_t *use_at;
    const int32_t *uses;
    const int32_t *until;
    const uint8_t *stay;
} lzd_entry;

typedef struct lzd_rule {
    int64_t budget;
    int64_t small;
    int64_t patience;
    int32_t work;
    int32_t distance;
    const int32_t *weight;
} lzd_rule;

int32_t lzd_evict(const lzd_entry *entry, const lzd_rule *rule, int32_t *schedule, int32_t most, int32_t *memory);
int32_t lzd_tidy(const lzd_entry *entry, const int32_t *schedule, int32_t n, int32_t without, int32_t *shorter, int32_t *memory);
int64_t lzd_peak(const lzd_entry *entry, const int32_t *schedule, int32_t n, int32_t most, int64_t *alive, int32_t *memory);

#define LZD_WORDS ...

typedef struct lzd_small {
    int32_t values;
    int32_t units;
    const int64_t *size;
    const int64_t *cost;
    const uint64_t *reads;
    const uint64_t *writes;
    const uint64_t *needs;
    const uint64_t *after;
    const uint8_t *once;
    const int32_t *share_at, *share_old, *share_new;
    const uint64_t *born;
    const uint64_t *keep;
    int32_t in_order;
} lzd_small;

size_t lzd_cheapest_bytes(int32_t node_limit);

int lzd_cheapest(const lzd_small *entry, int64_t budget, int32_t node_limit, int32_t *schedule, int32_t most, int32_t *length,
                 int32_t *nodes, void *memory);

typedef struct lzd_chain {
    int32_t stages;
    int32_t classes;
    int32_t slots;
    int32_t variants;
    const int32_t *of;
    const int32_t *first;
    const int32_t *last;
    const int32_t *input;
    const int32_t *gradient;
    const int32_t *leaving;
    const uint8_t *output;
    const int32_t *pass;
    const int32_t *keep;
    const int32_t *held;
    const int32_t *back;
    const int32_t *both;
    const int64_t *pass_cost;
    const int64_t *keep_cost;
    const int64_t *both_cost;
} lzd_chain;

#define LZD_NEVER ...

void lzd_cross(const lzd_chain *chain, int64_t *cost, int32_t *range);

typedef struct lzd_units {
    int32_t units;
    int32_t values;
    const int64_t *size;
    const uint8_t *kept;
    const int32_t *maker;
    const int32_t *read_from;
    const int32_t *read;
    const int32_t *write_from;
    const int32_t *write;
    const int32_t *reader_from;
    const int32_t *reader;
    const int32_t *need_from;
    const int32_t *need;
    const int32_t *next_from;
    const int32_t *next;
    const int32_t *pair_from;
    const int32_t *pair;
} lzd_units;

int64_t lzd_usage(const lzd_units *units, const int32_t *order, int64_t *usage, void *memory);
void lzd_list(const lzd_units *units, int from_the_end, int32_t *order, void *memory);
int32_t lzd_first(const lzd_units *units, int greedy, int32_t *order, void *memory);
size_t lzd_first_bytes(const lzd_units *units);
int64_t lzd_least(const lzd_units *units, const int32_t *order, void *memory);
size_t lzd_window_bytes(const lzd_units *units, int32_t length, int32_t node_limit);
int lzd_window(const lzd_units *units, int32_t *order, int32_t first, int32_t last, int64_t start, int32_t node_limit,
               int64_t work_limit, int64_t *proved, void *memory);
size_t lzd_moves_bytes(const lzd_units *units);
int64_t lzd_moves(const lzd_units *units, int32_t *order, int32_t seed, int64_t limit, void *memory);
