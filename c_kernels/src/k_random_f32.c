#include "lzd_f32.h"
#include "k_random.h"
