"""Elementwise nodes -> one `map` program: inputs collected, slots numbered, temporaries reused, dimensions joined."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Container, Sequence
from functools import lru_cache

from lazydiff.dtypes import Dtype, bits, f32
from lazydiff.graph.node import Tensor
from lazydiff.graph.walk import is_zero
from lazydiff.kernels.opcodes import LOAD, MOVE, STORE
from lazydiff.kernels.program import NO_TILE, Instruction, MapInput, Program
from lazydiff.memory.calls import Call, Value, View
from lazydiff.memory.selection.views import collapse
from lazydiff.plan.model import MAP, Kind

LEAST_BLOCK, BLOCK = 2, 64  # elements each temporary of a map holds; more where there is room (memory/variants.py)
MOST_BLOCKS = 128  # of a map whose blocks are shorter than BLOCK: each costs an interpreter as much as 64 elements

Key = tuple[str, int]  # (in | out | tmp | load, number): a slot before it is numbered
Line = tuple[int, Key, tuple[Key, ...]]  # opcode, dst key, argument keys


class MapBuilder:
    """Collects a map's inputs and instructions, then numbers the slots and reuses temporaries."""

    def __init__(self, dtype: Dtype, shape: tuple[int, ...], outputs: Sequence[Dtype]) -> None:
        self.dtype, self.shape, self.outputs = dtype, shape, list(outputs)
        self.items: dict[tuple[Value, MapInput], int] = {}
        self.code: list[Line] = []
        self._results: dict[int, Key] = {}
        self.loads: dict[int, Key] = {}

    def input(self, view: View, load: bool = True) -> Key:
        """The key of an input slot; an input of another dtype is loaded into a temporary first, unless not `load`."""
        value, _, strides, offset, window = view
        dtype = value.dtype
        at = self.items.setdefault((value, MapInput(dtype, offset, strides, window)), len(self.items))
        if dtype is self.dtype or not load:
            return ("in", at)
        if at not in self.loads:
            self.loads[at] = ("load", at)
            self.code.append((LOAD.number, ("load", at), (("in", at),)))
        return self.loads[at]

    def result(self, node: int) -> Key:
        """The key of an earlier node's result."""
        return self._results[node]

    def emit(self, node: int, opcode: int, args: Sequence[Key], out: int | None) -> None:
        """One node: its result goes to an output slot, or to a temporary."""
        keys = tuple(args)
        if out is None or not (self.outputs[out] is self.dtype or opcode == STORE.number):
            key: Key = ("tmp", len(self.code))
            self.code.append((opcode, key, keys))
            if out is not None:
                self.code.append((STORE.number, ("out", out), (key,)))
        else:
            key = ("out", out)
            self.code.append((opcode, key, keys))
        self._results[node] = key

    def finish(self, results: list[Value], label: str, source: str) -> Call:
        """The call of the program, which writes `results`."""
        items = tuple([i for _, i in self.items])
        dims, inputs, n_temps, instructions = _numbered(self.shape, items, len(self.outputs), tuple(self.code))
        row = dims[-1] if dims else 1  # no block leaves its innermost row
        elements = math.prod(dims)
        short = min(BLOCK, max(LEAST_BLOCK, elements // MOST_BLOCKS))
        block = min(short, row) if n_temps else min(elements, 1 << 16)
        program = Program(dims, inputs, tuple(self.outputs), n_temps, block, NO_TILE, instructions)
        scratch = [Value(self.dtype, n_temps * block, Kind.WORK, "scratch")] if n_temps else []
        reads = [v for v, _ in self.items]
        return Call(MAP, self.dtype, reads, results + scratch, program=program, label=label, source=source)


@lru_cache(1024)  # the layers of a network have many maps in common, and the versions of an entry most
def _numbered(
    shape: tuple[int, ...], items: tuple[MapInput, ...], n_out: int, code: tuple[Line, ...]
) -> tuple[tuple[int, ...], tuple[MapInput, ...], int, tuple[Instruction, ...]]:
    """The dimensions, the inputs over them, how many temporaries there are, the instructions with slots by number."""
    dims, strides, windows = collapse(shape, [i.strides for i in items], [i.window for i in items])
    views = zip(items, strides, windows, strict=True)
    inputs = tuple([MapInput(i.dtype, i.offset, s, w) for i, s, w in views])
    last = {k: n for n, (_, _, args) in enumerate(code) for k in args}
    slots: dict[Key, int] = {("in", n): n for n in range(len(items))}
    slots |= {("out", n): len(items) + n for n in range(n_out)}
    first = len(slots)
    free: list[int] = []
    n_temps = 0
    instructions = []
    for n, (opcode, key, args) in enumerate(code):
        numbers = [slots[a] for a in args]
        for a in dict.fromkeys(args):
            if a[0] in ("tmp", "load") and last[a] == n:
                free.append(slots[a])
        if key[0] in ("tmp", "load"):
            if not free:
                free.append(first + n_temps)
                n_temps += 1
            slots[key] = free.pop()
        instructions.append(Instruction(opcode, slots[key], *numbers))
    return dims, inputs, n_temps, tuple(instructions)


def copy_call(view: View, label: str, source: str, into: Value | None = None) -> Call:
    """The call that copies a view into a contiguous value (a new one without `into`); of integers, byte for byte."""
    dtype = view.value.dtype
    builder = MapBuilder(dtype if dtype.is_float else f32, view.shape, [dtype])
    opcode = MOVE if dtype.is_float else STORE
    builder.emit(0, opcode.number, [builder.input(view, load=opcode is MOVE or dtype is bits)], 0)
    return builder.finish([into or Value(dtype, math.prod(view.shape), Kind.WORK, label)], label, source)


def gates(nodes: Sequence[Tensor], wanted: Container[int]) -> dict[int, Tensor]:
    """Each where(0 < x, y, 0) of a map, by id, and its test, which nobody else reads: one instruction, no temporary."""
    tests = [n for n in nodes if n.op.name == "where"]
    if not tests:
        return {}
    reads = Counter([id(i) for n in nodes for i in n.inputs])
    inside = {id(n) for n in nodes if n.op.name == "less" and id(n) not in wanted and reads[id(n)] == 1}
    found = {}
    for node in tests:
        test, _, other = node.inputs
        if id(test) in inside and is_zero(test.inputs[0]) and is_zero(other):
            found[id(node)] = test
    return found
