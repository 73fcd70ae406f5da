#include "lzd_f64.h"
#include "k_pool.h"
