#include "lzd_f32.h"
#include "k_conv2d.h"
#include "k_conv2d_grad_x.h"
#include "k_conv2d_grad_w.h"
