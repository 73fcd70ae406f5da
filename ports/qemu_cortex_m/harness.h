/* What train_main.c needs of the board: text out and the end of the run (semihost.c), the painted stack (startup.c). */
#ifndef HARNESS_H
#define HARNESS_H

#include <stdint.h>

void put_text(const char *text);
void put_decimal(uint32_t value);
void put_hex(uint32_t value);       /* eight digits */
void put_hex_float(uint32_t bits);  /* as C99's %a, from the bits of a float */
__attribute__((noreturn)) void end_run(uint32_t status);

uint32_t stack_size_bytes(void);
uint32_t stack_high_water_bytes(void); /* the deepest word written since the last painting, from the top */
uint32_t stack_depth_bytes(void);      /* now */
void stack_paint(void);                /* paint again below the caller, to measure one call alone */

#endif
