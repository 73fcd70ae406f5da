#include "lzd_f32.h"
#include "k_conv2d.h"
