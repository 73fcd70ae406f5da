"""What the loops of a map depend on (loops.py), and which maps have loops at all."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from lazydiff.dtypes import Dtype, bits
from lazydiff.kernels.opcodes import BY_NAME, OPCODES
from lazydiff.kernels.program import MapInput, Program

ONE, FLAT, TILE, ROWS = "one", "flat", "tile", "rows"
_SCALAR = {code.number for code in OPCODES.values() if code.near} | {BY_NAME["fmod"].number}
_MOST, _LEAST = 256, 64  # elements of a block
_SPACE = 32768  # the bytes of the stack for what is gathered or unpacked in one
_SHORT = 64  # rows from here on are looped over one by one
_VECTOR = 64  # bytes
_HEAD_WORDS = 7  # before a program's dimensions: kernels/program.py


@dataclass(frozen=True, slots=True)
class Shape:
    """A program without what makes no difference to its loops: dimensions of 1, or that one index goes along, are gone.

    `offsets` are the words of a step's attributes that hold its inputs' offsets; -1 where that is 0.
    """

    dtype: Dtype
    program: Program
    offsets: tuple[int, ...]

    def reach(self, number: int) -> str:
        """How an input is read: `one` element for all, `flat` as they lie, a `tile` of those, or found by `rows`."""
        dims, strides = self.program.dims, self.program.inputs[number].strides
        if number == self.program.tile:
            return TILE
        if not any(strides):
            return ONE
        return FLAT if strides == tuple(math.prod(dims[k + 1 :]) for k in range(len(dims))) else ROWS

    @property
    def width(self) -> int:
        """The elements of a row; 0 if no input is found by rows."""
        found = any(self.reach(k) == ROWS for k in range(len(self.program.inputs)))
        return self.program.dims[-1] if found else 0

    @property
    def gathers(self) -> bool:
        """True if several rows are gathered for a loop: so short that what is left over of a vector would matter."""
        short = 0 < self.width < min(_SHORT, self.program.elements)
        return short and self.width % (_VECTOR // self.dtype.itemsize) != 0

    @property
    def packed(self) -> bool:
        """True if bits are unpacked before a loop, or packed behind it."""
        return bits in (*self.program.outputs, *(i.dtype for i in self.program.inputs))

    @property
    def block(self) -> int:
        """How many elements are gathered or unpacked at a time."""
        inputs = [i.dtype for k, i in enumerate(self.program.inputs) if i.dtype is bits or self.reach(k) == ROWS]
        sizes = [self.dtype.itemsize if d is bits else d.itemsize for d in (*inputs, *self.program.outputs)]
        most = min(_MOST, _SPACE // sum(sizes))
        return most // self.width * self.width if self.gathers else most

    @property
    def vectorises(self) -> bool:
        """True if a compiler makes vector loops of it, and loops.py has words for its inputs."""
        program = self.program
        return (
            program.elements > 0
            and not any(i.opcode in _SCALAR for i in program.instructions)
            and not any(i.dtype is bits and self.reach(k) == ROWS for k, i in enumerate(program.inputs))
            and self.block >= _LEAST // 2
        )


def shape_of(program: Program, dtype: Dtype) -> Shape | None:
    """The shape of a step's program; None if it has no loops and is for the interpreter."""
    if any(i.window for i in program.inputs):
        return None
    rank = len(program.dims)
    words = [_HEAD_WORDS + rank + k * (2 + rank) + 1 for k in range(len(program.inputs))]
    offsets = tuple(w if i.offset else -1 for w, i in zip(words, program.inputs, strict=True))
    dims: list[int] = []
    strides: list[list[int]] = [[] for _ in program.inputs]
    for d in reversed(range(rank)):
        size, steps = program.dims[d], [i.strides[d] for i in program.inputs]
        if size == 1:
            continue
        if dims and all(s == have[0] * dims[0] for s, have in zip(steps, strides, strict=True)):
            dims[0] *= size
            continue
        dims.insert(0, size)
        for have, s in zip(strides, steps, strict=True):
            have.insert(0, s)
    inputs = tuple(MapInput(i.dtype, 0, tuple(s)) for i, s in zip(program.inputs, strides, strict=True))
    found = Shape(dtype, replace(program, dims=tuple(dims), inputs=inputs, block=0), offsets)
    return found if found.vectorises else None
