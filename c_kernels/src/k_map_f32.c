#include "lzd_f32.h"
#define LZD_COMPUTE_DTYPE F32
#if !LZD_SMALL
#include "k_map_wide.h"
#else
#include "k_map.h"
#endif
