"""What the maps of a plan have in common: steps of one form run one C function (map_loops.py), whatever their extents.

A form leaves out what a function can read from the step's own words: extents, offsets, strides but 0 and 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from lazydiff.dtypes import Dtype, bits
from lazydiff.kernels.program import Instruction, Program

ONE, FLAT, TILE, ROWS, NONE = "one", "flat", "tile", "rows", "none"
HEAD = 7  # words before a program's dimensions: kernels/program.py


@dataclass(frozen=True, slots=True)
class Input:
    """How one input is read.

    `reach`: `one` element for all; `flat`, one after the other; `tile`, the same from where the range begins; `rows`,
    where `inner` is the stride within a row (2: any) and `outer` says which other dimensions move it; `none`: unread.
    """

    dtype: Dtype
    reach: str
    offset: bool = False
    inner: int = 0
    outer: tuple[bool, ...] = ()
    window: int = 0

    @property
    def steady(self) -> bool:
        """True if it does not change along a row."""
        return self.reach in (ONE, NONE) or (self.reach == ROWS and self.inner == 0 and not self.window)


@dataclass(frozen=True, slots=True)
class Form:
    """A program without its extents. `rank` counts dimensions in the step's words; a `single` one has one element."""

    dtype: Dtype
    single: bool
    rank: int
    inputs: tuple[Input, ...]
    outputs: tuple[Dtype, ...]
    tiles: bool
    code: tuple[Instruction, ...]

    @property
    def by_rows(self) -> bool:
        """True if some input has to be found again for each row."""
        return any(i.reach == ROWS for i in self.inputs)

    @property
    def windowed(self) -> bool:
        """True if some input has a window."""
        return any(i.window for i in self.inputs)

    @property
    def whole_bytes(self) -> bool:
        """True if it moves along bits, and in the order in which they lie."""
        moving = [i for i in self.inputs if i.dtype is bits and not i.steady]
        straight = all(i.reach in (FLAT, TILE) or i.inner == 1 for i in moving)
        return straight and bool(moving or bits in self.outputs)

    def offset_word(self, number: int) -> int:
        """The word that holds an input's offset; its strides follow."""
        return HEAD + self.rank + number * (2 + self.rank) + 1

    def window_word(self, number: int, d: int) -> int:
        """The word that holds where an input's window begins in dimension `d`; its extent follows."""
        first = HEAD + self.rank + len(self.inputs) * (2 + self.rank)
        return first + 2 * (self.rank * (self.inputs[number].window - 1) + d)


def _input(program: Program, number: int, window: int) -> Input:
    item = program.inputs[number]
    moving = [(d, s) for d, s in zip(program.dims, item.strides, strict=True) if d != 1]
    if number == program.tile:
        return Input(item.dtype, TILE)
    if not window and all(s == 0 for _, s in moving):
        return Input(item.dtype, ONE, item.offset != 0)
    if not window and [s for _, s in moving] == [math.prod(d for d, _ in moving[k + 1 :]) for k in range(len(moving))]:
        return Input(item.dtype, FLAT, item.offset != 0)
    strides = [0 if d == 1 else s for d, s in zip(program.dims, item.strides, strict=True)]
    inner = strides[-1] if strides[-1] in (0, 1) else 2
    return Input(item.dtype, ROWS, item.offset != 0, inner, tuple(s != 0 for s in strides[:-1]), window)


def form_of(program: Program, dtype: Dtype) -> Form:
    """The form of a step's program; its temporaries are numbered in the order in which they are first written."""
    windows = list(dict.fromkeys(item.window for item in program.inputs if item.window))
    numbers = [windows.index(i.window) + 1 if i.window else 0 for i in program.inputs]
    inputs = tuple(_input(program, k, w) for k, w in enumerate(numbers))
    single = program.elements == 1 and not windows
    if single:
        inputs = tuple(Input(i.dtype, ONE, i.offset) for i in inputs)
    first, names = len(inputs) + len(program.outputs), dict[int, int]()
    live: list[Instruction] = []
    wanted = set(range(len(inputs), first))
    for i in reversed(program.instructions):  # a compiler would warn of a result that nothing reads
        if i.dst in wanted:
            wanted = wanted - {i.dst} | set(i.arguments)
            live.insert(0, i)

    def slot(number: int) -> int:
        return number if number < first else names.setdefault(number, first + len(names))

    code = tuple(Instruction(i.opcode, slot(i.dst), *map(slot, i.arguments)) for i in live)
    inputs = tuple(i if k in wanted else Input(i.dtype, NONE) for k, i in enumerate(inputs))
    reads_words = any(i.reach == ROWS or i.offset for i in inputs)  # then it matters where they are
    rank = len(program.dims) if reads_words else 0
    return Form(dtype, single, rank, inputs, program.outputs, program.tiles and not single, code)
