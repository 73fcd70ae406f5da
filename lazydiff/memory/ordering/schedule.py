"""Orders the units of an entry: whatever must come before comes before, and the most bytes alive at once are few."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lazydiff.memory.calls import Unit, Value
from lazydiff.memory.facts import Facts
from lazydiff.memory.ordering.bindings import Units


def add_update_order(units: Sequence[Unit], updates: Sequence[tuple[Value, Value]]) -> list[tuple[Value, Value]]:
    """Make each unit that writes over a state value wait for the other readers of the old one.

    Returns the updates that can't be in place (two that wait for each other, or a kernel that can't write over what it
    reads): their new values need a place of their own and a copy at the end.
    """
    maker = {id(v): u for u in units for v in u.writes}
    inputs = {id(u): _inputs(u, maker) for u in units}
    readers: dict[int, list[Unit]] = {}
    for u in units:
        for v in dict.fromkeys(u.reads):
            readers.setdefault(id(v), []).append(u)
    refused = []
    for old, new in updates:
        writer = maker[id(new)]
        call = next(c for c in writer.calls if new in c.writes)
        waits = [u for u in readers.get(id(old), ()) if u is not writer]
        others = [c for c in writer.calls if c is not call and old in c.reads]
        if others or not call.may_replace(old, new) or _one_depends(waits, writer, inputs):
            refused.append((old, new))
        else:
            writer.after.update(waits)
    return refused


def _inputs(unit: Unit, maker: dict[int, Unit]) -> list[Unit]:
    return [maker[id(v)] for v in unit.reads if id(v) in maker and maker[id(v)] is not unit]


def _one_depends(units: Iterable[Unit], on: Unit, inputs: dict[int, list[Unit]]) -> bool:
    """True if one of the units (none of which is `on`) can only run after `on`."""
    stack = list(units)
    seen = {id(u) for u in stack}
    while stack:
        unit = stack.pop()
        for u in (*inputs[id(unit)], *unit.after):
            if u is on:
                return True
            if id(u) not in seen:
                seen.add(id(u))
                stack.append(u)
    return False


def orders(facts: Facts) -> list[list[int]]:
    """by_rule of an entry's facts."""
    return by_rule(Units(facts))


def by_rule(units: Units) -> list[list[int]]:
    """Candidate schedules, each valid: as written (ready units first come first), and greedy for few live bytes.

    The caller keeps the one with the lowest bound.
    """
    return [units.first(), units.first(greedy=True)]


def as_written(facts: Facts) -> list[int]:
    """The schedule in the order of the graph: of the units that may run, always the first."""
    return Units(facts).first()
