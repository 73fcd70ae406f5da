"""Parts that a map puts together, made where it wants them: what it writes then takes no bytes beside theirs.

A space as large as the map's result is taken when its first part is made. Each part is written at its place in it, and
the result over them all (plan/SPEC.md, rule 3). So the other parts' bytes lie idle for a while: it is a version of the
entry, and the lower bound decides.
"""

from __future__ import annotations

import math
from dataclasses import replace

from lazydiff.dtypes import bits
from lazydiff.kernels.opcodes import BY_NAME
from lazydiff.kernels.program import MapInput
from lazydiff.memory.calls import Call, EntryCalls, Unit, Value, row_major
from lazydiff.plan.model import Kind

_JOIN = BY_NAME["join"].number


def in_parts(entry: EntryCalls) -> EntryCalls | None:
    """The entry with parts made in their places wherever that can be; None if there are none."""
    if not any(_puts_together(c) for u in entry.units if len(u.calls) == 1 for c in u.calls):
        return None
    found = _Parts(_copied(entry))
    for unit in list(found.entry.units):
        found.place(unit)
    return found.entry if found.placed else None


def _copied(entry: EntryCalls) -> EntryCalls:
    """The entry with units, calls and values of its own; states and constants stay."""
    own: dict[int, Value] = {}
    for u in entry.units:
        for v in u.writes:
            own[id(v)] = replace(v)
    for v in own.values():
        v.replaces = own.get(id(v.replaces), v.replaces)

    def of(values: list[Value]) -> list[Value]:
        return [own.get(id(v), v) for v in values]

    units = {id(u): Unit([replace(c, reads=of(c.reads), writes=of(c.writes)) for c in u.calls]) for u in entry.units}
    for u in entry.units:
        units[id(u)].after = {units[id(a)] for a in u.after}
    return replace(
        entry,
        units=list(units.values()),
        outputs={k: v._replace(value=own.get(id(v.value), v.value)) for k, v in entry.outputs.items()},
        updates=[(old, own.get(id(new), new)) for old, new in entry.updates],
        hints=[(own.get(id(v), v), hint) for v, hint in entry.hints],
    )


class _Parts:
    """An entry, and who makes and reads what in it."""

    def __init__(self, entry: EntryCalls) -> None:
        self.entry, self.placed = entry, 0
        self.maker = {id(v): u for u in entry.units for v in u.writes}
        self.readers: dict[int, list[tuple[Unit, int]]] = {}  # (unit, number of its call)
        for u in entry.units:
            for n, c in enumerate(u.calls):
                for v in c.reads:
                    self.readers.setdefault(id(v), []).append((u, n))
        shown = {id(view.value) for view in entry.outputs.values()} | {id(v) for v, _ in entry.hints}
        self.fixed = shown | {id(new) for _, new in entry.updates}

    def place(self, unit: Unit) -> None:
        """Make the parts of the unit's map, if it is alone and has some, in the place of its result."""
        call = unit.calls[0]
        program = call.program
        if len(unit.calls) != 1 or program is None or program.tiles or len(program.outputs) != 1:
            return
        (result,) = call.results
        if result.replaces is not None or result.within is not None or result.dtype == bits:
            return
        space = Value(result.dtype, result.elements, Kind.WORK, "space")
        taken: list[tuple[int, int]] = []
        makers: list[Unit] = []
        for value, item in list(zip(call.reads, program.inputs, strict=True)):
            at = _place_of(item, program.dims, value, result)
            if at is None or any(at < end and begin < at + value.size_bytes for begin, end in taken):
                continue
            if _read_in_time(call, value) and self._moves(value, unit, at):
                taken.append((at, at + value.size_bytes))
                makers += self._put(value, space, at)
        if not makers:
            return
        first = next(u for u in makers if not any(o is not u and self._needs(u, o) for o in makers))
        for other in makers:
            if other is not first:
                other.after.add(first)
        first.calls[-1].opens += (space,)
        call.fills = ((space, result),)
        self.maker[id(space)] = first
        self.placed += 1

    def _put(self, value: Value | None, space: Value, at: int) -> list[Unit]:
        """Lay a value into a space, and in a chain of maps what each writes over; gives their makers."""
        makers = []
        while value is not None:
            under = self._under(value)
            value.within = space, at
            makers.append(self.maker[id(value)])
            value = under
        return makers

    def _moves(self, value: Value, joined: Unit, at: int) -> bool:
        """True if a value may lie in a space: whoever else reads it does so before, or now reads the result instead."""
        if not self._free(value):
            return False
        (result,) = joined.calls[0].results
        others = [(u, u.calls[n]) for u, n in self.readers[id(value)] if u is not joined]
        late = [(u, c) for u, c in others if self._needs(u, joined)]
        if late and not (_joins(joined.calls[0]) and all(_reads_a_view(c, value) for _, c in late)):
            return False
        for unit, call in others:
            if (unit, call) not in late:
                joined.after.add(unit)
            else:
                _read_in(call, value, result, at // value.dtype.itemsize)
        return True

    def _free(self, value: Value) -> bool:
        """True for work space that a unit's last call makes, whole, and nobody has laid down."""
        if id(value) not in self.maker or id(value) in self.fixed:
            return False
        call = self.maker[id(value)].calls[-1]
        plain = value.kind == Kind.WORK and value.replaces is None and value.within is None
        return plain and value in call.results and not call.fills

    def _under(self, value: Value) -> Value | None:
        """What the map that makes a value reads last, and may write it over."""
        call = self.maker[id(value)].calls[-1]
        for old in call.reads if call.program else ():
            fits = old.size_bytes == value.size_bytes and len(self.readers[id(old)]) == 1
            if fits and self._free(old) and call.may_replace(old, value):
                return old
        return None

    def _needs(self, unit: Unit, other: Unit) -> bool:
        """True if a unit can only run after another."""
        stack, seen = [unit], {id(unit)}
        while stack:
            now = stack.pop()
            if now is other:
                return True
            for before in (*(self.maker[id(v)] for v in now.reads if id(v) in self.maker), *now.after):
                if id(before) not in seen:
                    seen.add(id(before))
                    stack.append(before)
        return False


def _puts_together(call: Call) -> bool:
    """True for a map that reads a whole value as a part of what it makes."""
    if call.program is None or all(not item.window for item in call.program.inputs):
        return False
    result, dims = call.results[0], call.program.dims
    both = zip(call.reads, call.program.inputs, strict=True)
    return any(_place_of(item, dims, value, result) is not None for value, item in both)


def _place_of(item: MapInput, dims: tuple[int, ...], value: Value, result: Value) -> int | None:
    """Where in the result the elements lie that are made of a whole value read through a window; None if apart."""
    if not item.window or item.offset or value.dtype != result.dtype:
        return None
    extents = tuple(extent for _, extent in item.window)
    steps = row_major(dims)
    if 0 in extents or value.elements != math.prod(extents):
        return None
    if any(e > 1 and s != step for e, s, step in zip(extents, item.strides, steps, strict=True)):
        return None
    return sum(low * step for (low, _), step in zip(item.window, steps, strict=True)) * value.dtype.itemsize


def _read_in_time(call: Call, value: Value) -> bool:
    """True if a map reads a value as one input, and not after it has written its output."""
    assert call.program is not None
    at, code = call.reads.index(value), call.program.instructions
    first = min(k for k, i in enumerate(code) if i.dst == len(call.program.inputs))
    return call.reads.count(value) == 1 and not any(at in i.arguments for i in code[first + 1 :])


def _joins(call: Call) -> bool:
    """True for a map that only puts parts together: each of its elements has the bits of the one part that is there."""
    return call.program is not None and all(i.opcode == _JOIN for i in call.program.instructions)


def _reads_a_view(call: Call, value: Value) -> bool:
    """True if a map reads a value as one input that may as well be a part of another value."""
    return call.program is not None and call.reads.count(value) == 1 and call.reads.index(value) != call.program.tile


def _read_in(call: Call, value: Value, whole: Value, first: int) -> None:
    """Let a map read a value from its place in another, whose element number `first` is its own first one."""
    assert call.program is not None
    at = call.reads.index(value)
    inputs = list(call.program.inputs)
    inputs[at] = inputs[at]._replace(offset=inputs[at].offset + first)
    call.reads[at] = whole
    call.program = replace(call.program, inputs=tuple(inputs))
