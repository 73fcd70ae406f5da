"""Entries with lifetimes -> where everything in RAM lies: in one block, or spread over several regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from lazydiff.memory.budgets.ram import Ram
from lazydiff.memory.buffers import Lifetimes
from lazydiff.memory.calls import Call, Value
from lazydiff.memory.facts import work
from lazydiff.memory.placement.packing import Decision
from lazydiff.memory.placement.place import Interval
from lazydiff.memory.placement.regions import SEARCH_WORK, Place, spread
from lazydiff.plan.model import executor_bytes


@dataclass(frozen=True, slots=True)
class Layout:
    """Places (a region's number, an offset in it), and the bytes of each region, the executor's included.

    `beyond` says, by entry, how far its values reach behind the last region; 0 where they do not.
    """

    kept: list[Place]  # of parameters and state, which lie there for all entries
    entries: list[list[Place]]  # by entry, of each of its lifetimes' places
    used: list[int]  # multiples of 8
    beyond: list[int]


def stacked(kept: Sequence[Value], entries: Sequence[Lifetimes], unit: int) -> Layout:
    """One block: the executor, parameters and state, then one area that all entries take turns on."""
    top = executor_bytes(1)
    places = []
    for value in kept:
        places.append((0, top))
        top += _rounded(value, unit)
    least = max((lives.bound_bytes for lives in entries), default=0)
    placed = [lives.placed(least) for lives in entries]
    height = max([top, *(top + each.height for each in placed)])
    return Layout(
        places, [[(0, top + at) for at in p.offsets] for p in placed], [-(-height // 8) * 8], [0] * len(placed)
    )


def spread_out(kept: Sequence[Value], entries: Sequence[Lifetimes], unit: int, ram: Ram, search: bool) -> Layout:
    """Several regions: all entries one after the other in time, and parameters and state alive throughout.

    What is used most for its bytes lies in the first region that has room. Without `search` first fit has to do.
    """
    heat = _heat(entries)
    begins, steps = [], 0
    for lives in entries:
        begins.append(steps)
        steps += lives.steps
    last = max(1, steps) - 1
    intervals = [Interval(_rounded(v, unit), 0, last) for v in kept]
    warm = [heat.get(id(v), 0) for v in kept]
    for begin, lives in zip(begins, entries, strict=True):
        intervals += [replace(i, start=begin + i.start, end=begin + i.end) for i in lives.intervals]
        warm += [sum(heat.get(id(v), 0) for v in shared.values) for shared in lives.places]
    found = spread(intervals, last + 1, ram.rooms(), warm, SEARCH_WORK if search else 0)
    places = [(r, at + (ram.executor_bytes if r == 0 else 0)) for r, at in found.places]
    sizes = [i.size_bytes for i in intervals]
    room = ram.sizes[-1] // 8 * 8

    def beyond(first: int, after: int) -> int:
        inside = zip(places[first:after], sizes[first:after], strict=True)
        return max([0, *(at + size - room for (r, at), size in inside if r == len(ram.sizes) - 1)])

    parts = list(pairwise(accumulate((len(lives.intervals) for lives in entries), initial=len(kept))))
    common = beyond(0, len(kept))
    used = [height + (ram.executor_bytes if r == 0 else 0) for r, height in enumerate(found.heights)]
    return Layout(
        places[: len(kept)],
        [places[first:after] for first, after in parts],
        [-(-u // 8) * 8 for u in used],
        [0 if found.decision == Decision.YES else max(common, beyond(*part)) for part in parts],
    )


def _rounded(value: Value, unit: int) -> int:
    return -(-value.size_bytes // unit) * unit


def _heat(entries: Sequence[Lifetimes]) -> dict[int, int]:
    """By id of a value: how many of its elements are read or written, each time counted; of all entries together.

    A new value of a state counts for the old one, in whose place it is written.
    """
    heat: dict[int, int] = {}
    for lives in entries:
        for unit in lives.order:
            for call in unit.calls:
                for value, count in _uses(call):
                    place = value.replaces or (value.within[0] if value.within else value)
                    heat[id(place)] = heat.get(id(place), 0) + count
    return heat


def _uses(call: Call) -> list[tuple[Value, int]]:
    """A multiply-add reads an element of each operand, an element of a map one of each input."""
    reads = call.program.elements if call.program is not None else work(call)
    return [*((v, reads) for v in call.reads), *((v, v.elements) for v in call.writes)]
