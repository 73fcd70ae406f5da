"""Placed entries -> Plan: buffers numbered, symbols named, constants and first values packed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from lazydiff.dtypes import Dtype, f64
from lazydiff.graph.node import Tensor
from lazydiff.memory.budgets.ram import Ram
from lazydiff.memory.buffers import Lifetimes
from lazydiff.memory.calls import Call, EntryCalls, Value, View
from lazydiff.memory.layout import Layout
from lazydiff.plan.model import RAM_REGIONS, Buffer, Check, Entry, Kind, Plan, Region, Step, Symbol

ALIGN = 16


class Store:
    """Values that every entry shares: parameters, state, constants. Names are unique; equal constants are one."""

    def __init__(self, updated: set[int]) -> None:
        self._updated = updated  # ids of the leaves that some entry updates; the others live in flash
        self.leaves: dict[int, tuple[Value, Tensor]] = {}
        self.literals: dict[tuple[Dtype, bytes], Value] = {}

    def leaf(self, node: Tensor) -> Value:
        """The value of a parameter, state or constant (inputs get one for each entry)."""
        if node.op.name == "input":
            return Value(node.dtype, node.size, Kind.IO, node.name)
        if node.op.name == "const":
            assert node.data is not None
            key = node.dtype, node.data.tobytes()
            return self.literals.setdefault(key, Value(node.dtype, node.size, Kind.CONST, "const"))
        if id(node) not in self.leaves:
            kind = Kind.PARAMS if node.op.name == "param" else Kind.STATE
            value = Value(node.dtype, node.size, kind, node.name)
            self.leaves[id(node)] = value, node
        return self.leaves[id(node)][0]

    def in_flash(self, node: Tensor) -> bool:
        """True for a parameter or state that nothing updates."""
        return id(node) not in self._updated

    @property
    def kept(self) -> list[Value]:
        """The parameters and state that lie in RAM, in the order of their names."""
        return [v for v, node in sorted(self.leaves.values(), key=lambda p: p[0].label) if not self.in_flash(node)]

    def kept_bytes(self, unit: int) -> int:
        """Bytes of RAM that parameters and state take."""
        return sum(-(-v.size_bytes // unit) * unit for v in self.kept)


def alignment_unit(values: Iterable[Value]) -> int:
    """Bytes that every place is a multiple of: 8 if any value in RAM is f64, else 4."""
    return 8 if any(v.dtype is f64 for v in values) else 4


def lower(store: Store, entries: Sequence[tuple[EntryCalls, Lifetimes]], layout: Layout, ram: Ram) -> Plan:
    """The plan of entries whose values lie where the layout says."""
    buffers: list[Buffer] = []
    number: dict[int, int] = {}
    consts, init = bytearray(), bytearray()

    def put(value: Value, buffer: Buffer) -> int:
        if id(value) not in number:
            number[id(value)] = len(buffers)
            buffers.append(buffer)
        return number[id(value)]

    def pack(section: bytearray, data: bytes, dtype: Dtype) -> int:
        section += bytes(-len(section) % dtype.itemsize)
        section += data
        return len(section) - len(data)

    state = []
    kept = iter(layout.kept)
    for value, node in sorted(store.leaves.values(), key=lambda pair: pair[0].label):
        assert node.data is not None
        data, first = node.data.tobytes(), None
        if store.in_flash(node):
            at, region = pack(consts, data, value.dtype), Region.CONST
        else:
            place, at = next(kept)
            region = RAM_REGIONS[place]
            first = pack(init, data, value.dtype) if any(data) else None
        buffer = put(value, Buffer(region, value.kind, value.dtype, at, value.size_bytes, node.name))
        state.append(Symbol(node.name, buffer, node.shape, first))
    for (dtype, data), value in store.literals.items():
        at = pack(consts, data, dtype)
        put(value, Buffer(Region.CONST, Kind.CONST, value.dtype, at, value.size_bytes, "const"))

    spaces: dict[int, tuple[Region, int]] = {}
    for (_, lives), places in zip(entries, layout.entries, strict=True):
        opened = {id(v) for u in lives.order for c in u.calls for v in c.opens}
        for shared, (place, offset) in zip(lives.places, places, strict=True):
            for v in shared.values:
                if id(v) in opened:
                    spaces[id(v)] = RAM_REGIONS[place], offset
                else:
                    put(v, Buffer(RAM_REGIONS[place], v.kind, v.dtype, offset, v.size_bytes, v.label))

    def operand(v: Value) -> int:
        if id(v) not in number and v.within is not None:
            space, at = v.within
            region, offset = spaces[id(space)]
            put(v, Buffer(region, v.kind, v.dtype, offset + at, v.size_bytes, v.label))
        if id(v) not in number:  # the new value of a state, in its place
            assert v.replaces is not None
            old = buffers[number[id(v.replaces)]]
            put(v, Buffer(old.region, old.kind, old.dtype, old.offset, old.size_bytes, v.label))
        return number[id(v)]

    def step(c: Call) -> Step:
        words = c.program.words() if c.program else c.attrs
        operands = tuple(operand(v) for v in (*c.reads, *c.writes))
        return Step(c.kernel, c.dtype, operands, words, c.tile_rows, c.label, c.source)

    def input_symbol(name: str, view: View, entry: EntryCalls) -> Symbol:
        plain = Symbol(name, operand(view.value), view.shape)
        if name not in entry.checks:
            return plain
        limits = entry.checks[name]
        if limits is None:
            return replace(plain, check=Check.FINITE)
        return replace(plain, check=Check.RANGE, low=limits[0], high=limits[1])

    made = []
    for entry, lives in entries:
        steps = tuple(step(c) for u in lives.order for c in u.calls)
        inputs = tuple(input_symbol(n, v, entry) for n, v in entry.inputs.items())
        outputs = []
        for n, view in entry.outputs.items():
            if view.value.kind == Kind.CONST and not view.value.elements:  # zeros: no bytes anywhere
                size = math.prod(view.shape) * view.value.dtype.itemsize
                put(view.value, Buffer(Region.ZERO, Kind.IO, view.value.dtype, 0, size, n))
            outputs.append(Symbol(n, operand(view.value), view.shape))
        updates = tuple((number[id(old)], number[id(new)]) for old, new in entry.updates)
        made.append(Entry(entry.name, inputs, tuple(outputs), steps, updates))
    blobs = bytes(consts), bytes(init)
    return Plan(sum(layout.used), ALIGN, tuple(buffers), tuple(state), tuple(made), *blobs, ram.named(layout.used))
