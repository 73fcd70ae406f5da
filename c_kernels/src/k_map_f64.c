#include "lzd_f64.h"
#define LZD_COMPUTE_DTYPE F64
#if !LZD_SMALL
#include "k_map_wide.h"
#else
#include "k_map.h"
#endif
