#include "lzd_f64.h"
#if LZD_SMALL
#include "k_blocks.h"
#endif
