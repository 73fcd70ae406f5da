#include "lzd_f64.h"
#define LZD_COMPUTE_DTYPE F64
#include "k_map.h"
