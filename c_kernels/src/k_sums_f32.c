#include "lzd_f32.h"
#if LZD_SMALL
#include "k_blocks.h"
#endif
