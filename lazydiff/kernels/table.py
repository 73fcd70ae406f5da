"""The registry of kernels: what a machine can do, each declared once with its numpy meaning.

A declaration is a decorated function. Its name is the kernel's name, its docstring the contract (the order of the
floating-point operations included), its body the numpy meaning: `meaning(p, v, begin, end)` gets the operands as flat
arrays in `p` (by name), the attributes as integers in `v` (by name), and computes the rows begin..end-1 of its output
into the *start* of `p["out"]`. `tools/generate.py` turns the registry into the C and MicroPython tables.

Part of every contract, in the C builds: subnormal numbers are computed with, never flushed; infinities and the signs of
zeros are those of IEEE 754, rounded to nearest; a result is NaN in all builds or in none, but its sign and payload are
the machine's. The mode of the floating-point unit (rounding, flushing, traps) is left as it is found, on each thread;
under another mode the bits are that mode's. Exception flags may be raised (`tests/kernels/test_every_build.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lazydiff.dtypes import FLOATS, Dtype
from lazydiff.kernels.signature import Attr, Operand, extent_elements, parse

# Raised when a kernel, an opcode or a dtype is added, or tiles or maps learn more; newer tables' plans are refused.
TABLE_VERSION = 7
MAX_OPERANDS = 32
MAX_RANK = 8
Meaning = Callable[[Mapping[str, np.ndarray], Mapping[str, int], int, int], None]


@dataclass(frozen=True, slots=True)
class Kernel:
    """One kernel. `number` is for ever.

    `rows` is the extent that counts the rows of its first output, or "" for a kernel that can't be run a few rows
    at a time. `opcode`-driven kernels (only `map`) have no fixed operands: see kernels/program.py. `work` is how many
    multiply-adds at full speed a call takes, as an expression like an extent; "" where that is about the elements it
    touches. `images`: each operand is `n` images (the first attribute), one after the other, so that the rows of some
    images, where each makes one row, can be made of those images alone; but for operands of mode `add`.
    """

    number: int
    name: str
    operands: tuple[Operand, ...]
    attrs: tuple[Attr, ...]
    rows: str
    dtypes: tuple[Dtype, ...]
    ports: tuple[str, ...]
    contract: str
    meaning: Meaning
    work: str = ""
    images: bool = False

    def row_count(self, attrs: Sequence[int]) -> int:
        """How many rows the output has, given the attributes in order; 0 for a kernel without rows."""
        values = dict(zip((a.name for a in self.attrs), attrs, strict=True))
        return extent_elements(self.rows, values) if self.rows else 0

    def c_symbol(self, dtype: Dtype) -> str:
        """The C function's name for one compute dtype."""
        return f"lzd_k_{self.name}_{dtype.name}"


KERNELS: dict[int, Kernel] = {}


def kernel(
    number: int,
    signature: str = "",
    *,
    rows: str = "",
    dtypes: tuple[Dtype, ...] = FLOATS,
    ports: tuple[str, ...] = ("c", "micropython"),
    work: str = "",
    images: bool = False,
) -> Callable[[Meaning], Kernel]:
    """Declare a kernel; see the module's docstring. Raises ValueError when a number is taken."""

    def declare(meaning: Meaning) -> Kernel:
        if number in KERNELS:
            raise ValueError(f"kernel number {number} is {KERNELS[number].name}'s")
        operands, attrs = parse(signature)
        contract = " ".join((meaning.__doc__ or "").split())
        what = number, meaning.__name__, operands, attrs, rows, dtypes, ports, contract, meaning, work
        KERNELS[number] = Kernel(*what, images)
        return KERNELS[number]

    return declare
