#include "lzd_f32.h"
#include "k_unpool.h"
