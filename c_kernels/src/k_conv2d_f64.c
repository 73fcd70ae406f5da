#include "lzd_f64.h"
#include "k_conv2d.h"
