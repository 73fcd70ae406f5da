/* All of the C that the planner calls. */
#ifndef LZD_PLANNER_H
#define LZD_PLANNER_H

#include "lzd_exact.h"
#include "lzd_order.h"
#include "lzd_place.h"
#include "lzd_remake.h"

#endif
