"""Generates the steps of a plan made ready: what lzd_run finds out from each step's words, for one block of RAM."""

from __future__ import annotations

import struct

from lazydiff.export.c_regions import only_array
from lazydiff.export.c_text import lines
from lazydiff.plan.model import Plan, Region

_STEPS, _CONSTS = 19, 23  # words of the header: where the sections begin
_STEP_HEAD = 3  # words of a step before its operands: plan/SPEC.md

_TEXT = """
/* Each step as lzd_run takes it where the plan lies in the arrays above: the operands of all, then a row a step. Steps
 * that run together are one row without a kernel. */
static void *const operands[] = {{
{operands}}};
static const lzd_ready steps[] = {{
{steps}}};
static const uint16_t first[] = {{{first}}}; /* step of each entry, and the number of steps */
const lzd_laid lzd_laid_plan = {{{name}_plan, {ram}, steps, first}};
"""
_NONE = """
/* A plan in several blocks of RAM: its steps are made ready when they run. */
const lzd_laid lzd_laid_plan = {NULL, NULL, NULL, NULL};
"""


def ready_steps(plan: Plan, encoded: bytes, name: str) -> str:
    """The C that defines `lzd_laid_plan` (lzd_internal.h) of a plan and its bytes, to stand behind `<name>_plan`."""
    ram = only_array(plan, name)
    n_steps = sum(len(entry.steps) for entry in plan.entries)
    if ram is None or not n_steps or n_steps > 0xFFFF:
        return _NONE
    word, consts = (
        struct.unpack_from("<I", encoded, 4 * _STEPS)[0] // 4,
        struct.unpack_from("<I", encoded, 4 * _CONSTS)[0],
    )

    def place(number: int) -> str:
        b = plan.buffers[number]
        if b.region == Region.ZERO:
            return "NULL"
        return (
            f"{ram} + {b.offset}"
            if b.region == Region.RAM
            else f"(void *)((const uint8_t *){name}_plan + {consts + b.offset})"
        )

    operands: list[str] = []
    rows: list[str] = []
    first = [0]
    for entry in plan.entries:
        tiled = False
        for step in entry.steps:
            attrs = word + _STEP_HEAD + len(step.operands)
            if step.tile_rows and not tiled:
                rows.append(f"{{NULL, NULL, {name}_plan + {word}, 0u}}")
            elif not tiled:
                rows.append(
                    f"{{operands + {len(operands)}, {step.declared.c_symbol(step.dtype)}, {name}_plan + {attrs}, "
                    f"{step.rows or 1}u}}"
                )
                operands += map(place, step.operands)
            tiled = step.tile_rows != 0
            word = attrs + len(step.attrs)
        first.append(len(rows))
    return _TEXT.format(
        operands=lines(operands or ["NULL"], 6),
        steps=lines(rows, 1),
        first=", ".join(map(str, first)),
        name=name,
        ram=ram,
    )
