"""A schedule of an entry -> the entry as it will run: a value for every making, and the values that share bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from lazydiff.memory.calls import Call, EntryCalls, Unit, Value
from lazydiff.memory.facts import Facts, facts
from lazydiff.memory.lives import lives
from lazydiff.memory.placement.place import Interval, Placement, place


@dataclass(slots=True)
class Shared:
    """Values that take turns on the same bytes."""

    values: list[Value]


@dataclass(slots=True)
class Lifetimes:
    """One entry in one order, with its shared places and its contention bound (work and io only)."""

    order: list[Unit]
    places: list[Shared]
    intervals: list[Interval]  # one for each place
    bound_bytes: int
    _placed: dict[int, Placement] = field(default_factory=dict, repr=False)  # by what is low enough

    @property
    def steps(self) -> int:
        """How many units there are."""
        return max(1, len(self.order))

    def placed(self, enough: int = 0) -> Placement:
        """The places' offsets, as placement/place.py gives them; searched for once, which may take long."""
        enough = max(enough, self.bound_bytes)  # nothing is searched below the bound
        if enough not in self._placed:
            self._placed[enough] = place(self.intervals, self.steps, enough)
        return self._placed[enough]


def lifetimes(entry: EntryCalls, order: Sequence[Unit], unit_bytes: int) -> Lifetimes:
    """Who lives when, in this order of the units, each of which stands in it once."""
    known, values = facts(entry, order, unit_bytes)
    return living(known, values, range(len(order)), order)


def living(known: Facts, values: Sequence[Value], schedule: Sequence[int], order: Sequence[Unit]) -> Lifetimes:
    """Who lives when in a schedule without repeats, by facts and the values that they number; `order` has its units."""
    found = lives(known, schedule)
    places = [Shared([values[found.makings[n].value] for n in place]) for place in found.places]
    return Lifetimes(list(order), places, found.intervals, found.bound_bytes)


def unroll(entry: EntryCalls, units: Sequence[Unit], schedule: Sequence[int]) -> tuple[EntryCalls, list[Unit]]:
    """The entry with a unit of its own for each place in the schedule: what is made again gets values of its own."""
    newest: dict[int, Value] = {}
    seen: set[int] = set()
    order = []
    copies: dict[int, list[Unit]] = {}
    for u in schedule:
        unit = units[u]
        if u in seen:
            again = {id(v): replace(v, label=v.label) for v in unit.writes}
            for v in again.values():  # a tile in the place of another
                v.replaces = again.get(id(v.replaces), v.replaces)
            newest |= again
            unit = Unit([_copy(c, newest, again) for c in unit.calls], set(unit.after))
        else:
            newest |= {id(v): v for v in unit.writes}
            other = any(newest.get(id(v), v) is not v for v in unit.reads)
            unit = Unit([_copy(c, newest, {}) for c in unit.calls] if other else unit.calls, set(unit.after))
        seen.add(u)
        copies.setdefault(u, []).append(unit)
        order.append(unit)
    of = {id(units[u]): made for u, made in copies.items()}
    for unit in order:
        unit.after = {c for a in unit.after for c in of[id(a)]}
    outputs = {k: v._replace(value=newest.get(id(v.value), v.value)) for k, v in entry.outputs.items()}
    return replace(entry, units=order, outputs=outputs), order


def _copy(call: Call, newest: dict[int, Value], again: dict[int, Value]) -> Call:
    reads = [newest.get(id(v), v) for v in call.reads]
    return replace(call, reads=reads, writes=[again.get(id(v), v) for v in call.writes])
