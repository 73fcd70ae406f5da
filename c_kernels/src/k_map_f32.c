#include "lzd_f32.h"
#define LZD_T_IS_F64 0
#define LZD_COMPUTE_DTYPE F32
#include "k_map.h"
