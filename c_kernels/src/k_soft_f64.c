#include "lzd_f64.h"
#if LZD_SOFT_F64
#include "k_soft.h"
#endif
