"""A schedule -> who is alive when: makings of values, which of them share bytes, and the contention bound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lazydiff.memory.facts import Facts
from lazydiff.memory.placement.place import Interval, lower_bound


@dataclass(slots=True)
class Making:
    """One making of a value: alive from step `start` to step `end`, both included."""

    value: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Lives:
    """The makings of a schedule, in order, and the places they lie in; `places[i]` lists makings that take turns."""

    makings: list[Making]
    places: list[list[int]]
    intervals: list[Interval]  # one for each place
    bound_bytes: int

    @property
    def steps(self) -> int:
        """How many steps the intervals' ends are counted in."""
        return max((i.end for i in self.intervals), default=0) + 1


def lives(facts: Facts, schedule: Sequence[int], in_place: bool = True) -> Lives:
    """Who lives when if the units run in this order. Values of no bytes in the shared area are left out.

    A value that dies at the step that makes another of the same shape gives it its bytes where the kernel allows that
    (`in_place=False`: never, which is what sharing saves). Raises ValueError if a value is read before it is made, or
    a unit runs before one that must come first, or one that may run once runs twice.
    """
    makings, shares = _makings(facts, schedule)
    where: dict[int, list[int]] = {}
    places: list[list[int]] = []
    for n, making in enumerate(makings):
        if not facts.sizes[making.value]:
            continue
        old = shares.get(n) if in_place else None
        if old is None:
            where[n] = []
            places.append(where[n])
        else:
            where[n] = where[old]
        where[n].append(n)
    intervals = [
        Interval(facts.sizes[makings[p[0]].value], makings[p[0]].start, max(makings[n].end for n in p)) for p in places
    ]
    return Lives(makings, places, intervals, lower_bound(intervals, max(1, len(schedule))))


def peak(facts: Facts, schedule: Sequence[int]) -> int:
    """The contention bound of a schedule, in bytes."""
    return lives(facts, schedule).bound_bytes


def _makings(facts: Facts, schedule: Sequence[int]) -> tuple[list[Making], dict[int, int]]:
    """The makings, and which making (by number) each of some takes the bytes of."""
    makings = [Making(v, 0, 0) for v in facts.born]
    newest = {m.value: n for n, m in enumerate(makings)}
    made_by = facts.maker
    last: dict[int, int] = {}  # the last step of each unit so far
    first: dict[int, int] = {}
    at_step: list[tuple[int, list[int], list[int]]] = []  # unit, makings read, makings written
    for t, u in enumerate(schedule):
        if facts.once[u] and u in first:
            raise ValueError(f"unit {u} may run only once, and runs at steps {first[u]} and {t}")
        reads = []
        for v in facts.reads[u]:
            if v in newest:
                reads.append(newest[v])
                makings[newest[v]].end = t
            elif v in made_by:
                raise ValueError(f"unit {u} at step {t} reads value {v}, which is not made yet")
        written = []
        for v in facts.writes[u]:
            newest[v] = len(makings)
            written.append(len(makings))
            makings.append(Making(v, t, t))
        first.setdefault(u, t)
        last[u] = t
        at_step.append((u, reads, written))
    for u, t in first.items():
        late = [a for a in facts.after[u] if last.get(a, t) >= t]
        if late:
            raise ValueError(f"unit {u} at step {t} must run after units {late}")
    finish = max(0, len(schedule) - 1)
    kept = {newest[v] for v in facts.keep if v in newest}
    for n in kept:
        makings[n].end = finish
    shares: dict[int, int] = {}
    for t, (u, reads, written) in enumerate(at_step):
        if not facts.in_place[u]:
            continue
        old_of = {makings[n].value: n for n in reads if makings[n].end == t and n not in kept}
        new_of = {makings[n].value: n for n in written}
        taken: set[int] = set()
        for old, new in facts.in_place[u]:
            n = new_of[new]
            if old in old_of and old not in taken and n not in shares:
                taken.add(old)
                shares[n] = old_of[old]
    return makings, shares
