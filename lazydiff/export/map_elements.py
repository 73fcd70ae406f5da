"""How many elements of a map are computed together in C, and which of its operations are functions of their own."""

from __future__ import annotations

import re

from lazydiff.dtypes import f32
from lazydiff.export.map_forms import Form
from lazydiff.kernels.opcodes import OPCODES, Opcode

TOGETHER = 4  # elements loaded, computed and stored together: a load waits for none of the stores before it
_CHEAP = 6  # instructions of a program whose loop is written out
_SHORT = 2  # those of one whose loop is written out twice as long
_PLAIN = re.compile(r"\b(?!(?:FMA|SQRT|ABS|JOIN)\b)[A-Z][A-Z0-9_]+\(")  # calls beside these are functions of their own
_ONE = {
    "add",
    "subtract",
    "multiply",
    "neg",
    "abs",
    "fma",
    "relu",
    "gate",
}  # few instructions of a floating-point unit each
FOUR_ROWS = 1024  # elements of an outer product from which on a loop over four rows is worth its half KB
TAKEN_UP = {"fma": 2, "where": 1, "gate": 1}  # the argument in whose place a result is made


def is_function(code: Opcode) -> bool:
    """True for an opcode that is more than a few instructions, such as exp: its C stands in a function, once."""
    return code.arity > 0 and bool(_PLAIN.search(code.c))


def step_of(form: Form, most: int) -> int:
    """How many elements one round of the inner loop computes, where the largest step of this form has `most`."""
    if form.windowed or form.single or most < 8 * TOGETHER:
        return 1
    if form.whole_bytes:
        return 8
    codes = [OPCODES[i.opcode] for i in form.code]
    if form.dtype != f32 or len(codes) > _CHEAP or any(map(is_function, codes)):
        return 1
    short = len(codes) <= _SHORT and all(code.name in _ONE for code in codes)
    return 2 * TOGETHER if short else TOGETHER
