#include "lzd_f32.h"
#if LZD_SOFT_F32
#include "k_soft.h"
#endif
