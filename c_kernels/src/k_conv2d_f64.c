#include "lzd_f64.h"
#include "k_conv2d.h"
#include "k_conv2d_grad_x.h"
#include "k_conv2d_grad_w.h"
