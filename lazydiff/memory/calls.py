"""Data between the graph and the plan: values (bytes), views of them, and kernel calls in single-assignment form."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from lazydiff.dtypes import Dtype
from lazydiff.kernels.program import Program
from lazydiff.kernels.table import KERNELS
from lazydiff.plan.model import Kind


@dataclass(eq=False, slots=True)
class Value:
    """Bytes that one call writes once (or that exist before the first: inputs, state, constants)."""

    dtype: Dtype
    elements: int
    kind: Kind
    label: str
    replaces: Value | None = None  # the state value in whose place this one is written
    within: tuple[Value, int] | None = (
        None  # the space that it is a part of, and where in it, in bytes (memory/parts.py)
    )

    @property
    def size_bytes(self) -> int:
        """Bytes of the value itself, without padding."""
        return self.dtype.size_bytes(self.elements)


class View(NamedTuple):  # made by the thousand
    """How a node's elements lie in a value, as a map's input does (kernels/program.py).

    Element index = offset + sum of (index[d] - low[d]) * strides[d] inside the window, 0 outside it. Without a window
    every low is 0 and nothing is outside.
    """

    value: Value
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0
    window: tuple[tuple[int, int], ...] = ()  # (low, extent) of every dimension, not empty nor all of it; or ()

    @property
    def contiguous(self) -> bool:
        """True if the view is the whole value, row-major."""
        whole = self.offset == 0 and not self.window and self.value.elements == math.prod(self.shape)
        return whole and is_row_major(self.shape, self.strides)


@lru_cache(4096)  # a network has few shapes
def row_major(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides, in elements, of a contiguous array."""
    strides, step = [], 1
    for extent in reversed(shape):
        strides.append(step)
        step *= extent
    return tuple(reversed(strides))


def is_row_major(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """True if these strides are contiguous; the stride of an extent of 1 does not matter."""
    straight = row_major(shape)
    return strides == straight or all(e == 1 or s == r for e, s, r in zip(shape, strides, straight, strict=True))


@dataclass(eq=False, slots=True)
class Call:
    """One kernel call. `program` is set for `map`, `attrs` for the rest; `after` are values that must be made first."""

    kernel: int
    dtype: Dtype
    reads: list[Value]
    writes: list[Value]
    attrs: tuple[int, ...] = ()
    program: Program | None = None
    tile_rows: int = 0
    label: str = ""
    source: str = ""
    after: tuple[Value, ...] = ()
    opens: tuple[Value, ...] = ()  # spaces in which this call, and later ones, write parts
    fills: tuple[tuple[Value, Value], ...] = ()  # (space, the result that takes its place)

    @property
    def results(self) -> list[Value]:
        """What the call writes, without the scratch of a map."""
        return self.writes[: len(self.program.outputs)] if self.program else self.writes

    @property
    def rows(self) -> int:
        """How many rows the output has, of a map its elements; 0 for a kernel without rows."""
        return self.program.elements if self.program else KERNELS[self.kernel].row_count(self.attrs)

    def may_replace(self, old: Value, new: Value) -> bool:
        """True if this call may write `new` over the very bytes of `old`, which it reads (SPEC rule 3)."""
        if old not in self.reads:
            return True
        if self.program is None or old.elements != new.elements or old.dtype is not new.dtype:
            return False
        if self.reads.count(old) != 1 or new not in self.results:
            return False
        at = self.reads.index(old)
        slot = len(self.program.inputs) + self.writes.index(new)
        item = self.program.inputs[at]
        if at == self.program.tile or item.offset or item.window or not is_row_major(self.program.dims, item.strides):
            return False
        for i in reversed(self.program.instructions):  # the one that writes it comes before one that still reads
            if i.dst == slot:
                return True
            if at in i.arguments:
                return False
        return False


@dataclass(eq=False, slots=True)
class Unit:
    """Calls that stay together: one, or a tiled call and the map that eats its rows."""

    calls: list[Call]
    after: set[Unit] = field(default_factory=set)  # units that must run before, beyond what the values say

    @property
    def reads(self) -> list[Value]:
        """Values that must exist before the unit runs."""
        if len(self.calls) == 1 and not self.calls[0].fills:
            return self.calls[0].reads
        inside = {id(v) for c in self.calls for v in c.writes}
        filled = [space for c in self.calls for space, _ in c.fills]
        return [v for c in self.calls for v in c.reads if id(v) not in inside] + filled

    @property
    def writes(self) -> list[Value]:
        """Values the unit makes, scratch and tile and the spaces of parts included."""
        if len(self.calls) == 1 and not self.calls[0].opens:
            return self.calls[0].writes
        return [v for c in self.calls for v in (*c.opens, *c.writes)]


@dataclass(slots=True)
class EntryCalls:
    """One entry between the graph and the plan. `updates` pairs (state value, new value).

    `copied` are states whose new value could not be made in their place: a last unit copies it there.
    """

    name: str
    inputs: dict[str, View]
    outputs: dict[str, View]
    checks: dict[str, tuple[int, int] | None]  # by input: (low, high), or None for finite
    units: list[Unit]
    updates: list[tuple[Value, Value]]
    hints: list[tuple[Value, str]] = field(default_factory=list)  # values that ld.keep or ld.recompute was called on
    copied: list[Value] = field(default_factory=list)
