#include "lzd_f32.h"
#define LZD_COMPUTE_DTYPE F32
#include "k_map.h"
