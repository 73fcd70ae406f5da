"""The attributes of the `map` kernel: an elementwise program over strided inputs, as an object and as plan words.

Words: n_in n_out n_temp n_instr block tile rank|n_windows<<8 dims[rank], then for each input dtype|window<<8 offset
strides[rank] (strides are signed elements, 0 repeats), for each window low, extent of each dimension, for each output
dtype, for each instruction two words: opcode | dst<<8 | a<<16 | b<<24, c.

An input with a window (its number counts from 1; 0 is none) reads bytes only where low <= index < low + extent in every
dimension; elsewhere it is +0, whatever its dtype. Zero padding is thus a view. The offset of such an input is that of
the first element inside; an empty window reads nothing.

Slots count inputs, then outputs, then temporaries. Outputs are contiguous. `tile` is the input that holds only the
elements being computed (NO_TILE: none). With 256 added to it, or 511 for none, the outputs too hold only those. `block`
is how many elements each temporary holds; the operand after the outputs is the temporaries' scratch of n_temp * block
elements, present when n_temp > 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from lazydiff.dtypes import BY_CODE, Dtype, bits, bool_
from lazydiff.kernels.opcodes import LOAD, OPCODES, STORE
from lazydiff.kernels.table import MAX_RANK, kernel

NO_TILE = 0xFFFFFFFF
MAX_SLOTS = 255


class MapInput(NamedTuple):  # as instructions are, for they are made by the thousand
    """How one input is read: element = offset + sum of (index[d] - low[d]) * strides[d]; low is 0 without a window."""

    dtype: Dtype
    offset: int
    strides: tuple[int, ...]
    window: tuple[tuple[int, int], ...] = ()  # (low, extent) of every dimension, or () for no window


class Instruction(NamedTuple):
    """dst = opcode(a, b, c); unused arguments are 0."""

    opcode: int
    dst: int
    a: int
    b: int = 0
    c: int = 0

    @property
    def arguments(self) -> tuple[int, ...]:
        """The slots this instruction reads."""
        return self[2 : 2 + OPCODES[self.opcode].arity]


@dataclass(frozen=True, slots=True)
class Program:
    """One elementwise program; see the module's docstring."""

    dims: tuple[int, ...]
    inputs: tuple[MapInput, ...]
    outputs: tuple[Dtype, ...]
    n_temps: int
    block: int
    tile: int
    instructions: tuple[Instruction, ...]
    tiles: bool = False  # each output holds only the elements being computed

    @property
    def elements(self) -> int:
        """How many elements each output has."""
        return math.prod(self.dims)

    def words(self) -> tuple[int, ...]:
        """The plan words, each an unsigned 32-bit integer."""
        tile = self.tile & 255 | 256 if self.tiles else self.tile
        head = [len(self.inputs), len(self.outputs), self.n_temps, len(self.instructions), self.block, tile]
        windows = list(dict.fromkeys(item.window for item in self.inputs if item.window))
        out = [*head, len(self.dims) | len(windows) << 8, *self.dims]
        for item in self.inputs:
            window = windows.index(item.window) + 1 if item.window else 0
            out += [item.dtype.code | window << 8, item.offset, *(s & 0xFFFFFFFF for s in item.strides)]
        out += [word for window in windows for pair in window for word in pair]
        out += [d.code for d in self.outputs]
        for i in self.instructions:
            out += [i.opcode | i.dst << 8 | i.a << 16 | i.b << 24, i.c]
        return tuple(out)

    @staticmethod
    def from_words(words: Sequence[int]) -> Program:
        """Read the words back. Raises ValueError, IndexError or KeyError on words that are no program."""
        return _read(tuple(words))


@lru_cache(1024)  # the layers of a network have many maps in common, and each is read by whoever looks at the plan
def _read(words: tuple[int, ...]) -> Program:
    if len(words) < 7:
        raise ValueError("the words end inside the program")
    n_in, n_out, n_temp, n_instr, block, tile, shape = words[:7]
    rank, n_windows = shape & 255, shape >> 8
    if rank > MAX_RANK or n_in + n_out + n_temp > MAX_SLOTS or n_instr > len(words) or n_windows > n_in * rank:
        raise ValueError("too many dimensions, slots, windows or instructions")
    after_inputs = 7 + rank + n_in * (2 + rank)
    after_windows = after_inputs + n_windows * 2 * rank
    end = after_windows + n_out + 2 * n_instr
    if len(words) != end:
        more = len(words) > end
        raise ValueError("words are left over after the program" if more else "the words end inside the program")
    dims = tuple(words[7 : 7 + rank])
    windows: list[tuple[tuple[int, int], ...]] = [()]
    for n in range(n_windows):
        pairs = words[after_inputs + 2 * rank * n :][: 2 * rank]
        windows.append(tuple(zip(pairs[::2], pairs[1::2], strict=True)))
        if any(low + extent > dim for (low, extent), dim in zip(windows[-1], dims, strict=True)):
            raise ValueError(f"window {windows[-1]} leaves the dimensions {dims}")
    inputs = []
    for at in range(7 + rank, after_inputs, 2 + rank):
        kind, offset, *strides = words[at : at + 2 + rank]
        signed = tuple([s - (s >> 31 << 32) for s in strides])
        inputs.append(MapInput(BY_CODE[kind & 255], offset, signed, windows[kind >> 8]))
    outputs = tuple([BY_CODE[c] for c in words[after_windows : after_windows + n_out]])
    code = words[after_windows + n_out :]
    two = zip(code[::2], code[1::2], strict=True)
    instructions = [Instruction(w & 255, w >> 8 & 255, w >> 16 & 255, w >> 24, c) for w, c in two]
    tiles = tile >> 8 == 1
    tile = NO_TILE if tile in (NO_TILE, 511) else tile - 256 if tiles else tile
    return Program(dims, tuple(inputs), outputs, n_temp, block, tile, tuple(instructions), tiles)


def cast(x: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Casts as `load` and `store` do: to an integer truncating, saturating, NaN to 0; to bool x != 0."""
    if dtype == np.bool_:
        return np.asarray(x != 0)
    if dtype.kind in "iu" and x.dtype.kind == "f":
        info = np.iinfo(dtype)
        safe: np.ndarray = np.clip(np.nan_to_num(np.trunc(x.astype(np.float64)), nan=0.0), info.min, info.max)
        return safe.astype(dtype)
    return x.astype(dtype)


def run_program(
    program: Program, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray], dtype: Dtype, begin: int, end: int
) -> None:
    """The numpy meaning of `map`: compute elements begin..end-1 of every output. Arrays are flat, whole buffers."""
    slots: list[np.ndarray] = []
    index = np.unravel_index(np.arange(begin, end), program.dims) if program.dims else ()
    for number, (item, data) in enumerate(zip(program.inputs, inputs, strict=True)):
        if number == program.tile:
            slots.append(_elements(data, item.dtype)[: end - begin].copy())
        else:
            where = np.full(end - begin, item.offset, np.int64)
            inside = np.full(end - begin, True)
            window = item.window or [(0, dim) for dim in program.dims]
            for at, stride, (low, extent) in zip(index, item.strides, window, strict=True):
                inside &= (low <= at) & (at < low + extent)
                where += (at - low) * stride
            data = _elements(data, item.dtype)
            slots.append(np.where(inside, data[np.where(inside, where, 0)], data.dtype.type(0)))
    first_out = len(slots)
    slots += [np.empty(0)] * (len(outputs) + program.n_temps)
    with np.errstate(all="ignore"):
        for i in program.instructions:
            code = OPCODES[i.opcode]
            args = [slots[a] for a in i.arguments]
            if code in (LOAD, STORE):
                out = program.outputs[i.dst - first_out] if code is STORE else dtype
                slots[i.dst] = cast(args[0], bool_.numpy if out is bits else out.numpy)
            else:
                slots[i.dst] = code.numpy(*args).astype(dtype.numpy)
    for number, (data, kind) in enumerate(zip(outputs, program.outputs, strict=True)):
        whole = _elements(data, kind)
        first = 0 if program.tiles else begin
        whole[first : first + end - begin] = slots[first_out + number]
        if kind is bits:
            data[:] = np.packbits(whole, bitorder="little")


def _elements(data: np.ndarray, dtype: Dtype) -> np.ndarray:
    """The elements that lie in an array: itself, but a copy of `bits`."""
    return np.unpackbits(data, bitorder="little").view(np.bool_) if dtype is bits else data


@kernel(1)
def map(p: object, v: object, begin: int, end: int) -> None:  # noqa: A001 - the kernel's name
    """out = an elementwise program over the inputs, element by element (kernels/program.py, kernels/opcodes.py).

    Instructions run in order over a block of elements, then over the next block; an output may share bytes
    with an input each of whose elements that is read lies at the output's element that is made of it, if no instruction
    after the one that writes the output reads that input.
    """
    raise NotImplementedError("map has operands of its own: use run_program")
