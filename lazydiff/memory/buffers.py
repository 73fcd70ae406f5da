"""An ordered entry -> intervals of bytes: lifetimes, and values that are written in place of dying ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lazydiff.memory.calls import EntryCalls, Unit, Value
from lazydiff.memory.place import Interval, lower_bound
from lazydiff.plan.model import Kind

_PERSISTENT = (Kind.CONST, Kind.PARAMS, Kind.STATE)


@dataclass(slots=True)
class Shared:
    """Values that take turns on the same bytes, and the steps from the first's birth to the last's death."""

    values: list[Value]
    start: int
    end: int

    def interval(self, unit_bytes: int) -> Interval:
        """The bytes needed, rounded up to whole units of alignment."""
        size = max(v.size_bytes for v in self.values)
        return Interval(-(-size // unit_bytes) * unit_bytes, self.start, self.end)


@dataclass(slots=True)
class Lifetimes:
    """One entry in one order, with its shared places and its contention bound (work and io only)."""

    order: list[Unit]
    places: list[Shared]
    intervals: list[Interval]  # one for each place
    bound_bytes: int

    @property
    def steps(self) -> int:
        """How many units there are."""
        return max(1, len(self.order))


def lifetimes(entry: EntryCalls, order: Sequence[Unit], unit_bytes: int) -> Lifetimes:
    """Who lives when, in this order; every work value shares the bytes of a dying one where its kernel allows it."""
    finish = max(0, len(order) - 1)
    last: dict[int, int] = {}
    for at, unit in enumerate(order):
        for call in unit.calls:
            for v in (*call.reads, *call.writes):
                last[id(v)] = at
    forever = {id(view.value) for view in entry.outputs.values()}
    for number in forever:
        last[number] = finish
    where: dict[int, Shared] = {}
    places: list[Shared] = []

    def give(v: Value, start: int) -> None:
        where[id(v)] = Shared([v], start, last.get(id(v), start))
        places.append(where[id(v)])

    for view in entry.inputs.values():
        give(view.value, 0)
    for at, unit in enumerate(order):
        for call in unit.calls:
            taken: set[int] = set()
            for new in call.writes:
                if new.replaces is not None:
                    continue
                old = None
                if len(unit.calls) == 1:
                    old = next(
                        (
                            v
                            for v in call.reads
                            if v.kind not in _PERSISTENT
                            and last[id(v)] == at
                            and id(v) not in forever
                            and id(v) not in taken
                            and call.may_replace(v, new)
                        ),
                        None,
                    )
                if old is None:
                    give(new, at)
                else:
                    taken.add(id(old))
                    place = where[id(new)] = where[id(old)]
                    place.values.append(new)
                    place.end = max(place.end, last.get(id(new), at))
    intervals = [p.interval(unit_bytes) for p in places]
    return Lifetimes(list(order), places, intervals, lower_bound(intervals, max(1, len(order))))
