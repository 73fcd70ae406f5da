#include "lzd_f64.h"
#include "k_unpool.h"
