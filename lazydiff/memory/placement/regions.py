"""Intervals -> places in several regions of RAM: the most used values in the first, which is the fastest.

The regions lie one behind another in one space of addresses, with a wall (a fixed interval that always lives) between
each two. So first fit and exact search need to know nothing of regions, and the lowest gap is one in the fastest region
that has one. The last region has no wall behind it: what has no place reaches beyond it, and tells how much is missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import gcd

import numpy as np

from lazydiff.memory.placement.packing import Decision, first_fit
from lazydiff.memory.placement.place import FIT_WORK, Instance, Interval, instance, orders, place
from lazydiff.memory.placement.search import decide
from lazydiff.memory.placement.sections import Ints, contention

SEARCH_WORK = 50_000_000  # of one exact search, as place.py's; several may be needed to say no
Place = tuple[int, int]  # a region's number, an offset in it


@dataclass(frozen=True, slots=True)
class Spread:
    """Places, by interval, and the bytes they reach in each region.

    `decision`: YES if every region holds its own; NO if it is proved that no places do; else none were found. Without
    YES all regions but the last hold their own.
    """

    places: list[Place]
    heights: list[int]
    decision: Decision


@dataclass(frozen=True, slots=True)
class _Space:
    """The regions' rooms as one space, in units."""

    rooms: list[int]
    begins: list[int]

    @property
    def capacity(self) -> int:
        return self.begins[-1] + self.rooms[-1]

    def region_of(self, offsets: Ints) -> Ints:
        found: Ints = np.searchsorted(self.begins, offsets, side="right") - 1
        return found


def spread(
    intervals: Sequence[Interval], steps: int, rooms: Sequence[int], heat: Sequence[int], work: int = SEARCH_WORK
) -> Spread:
    """Places for intervals, none at a fixed offset, in regions of so many bytes, fastest first.

    `heat` says, by interval, how often its elements are used. First fit in many orders, the most used for their bytes
    first; of those that fit, the one that keeps most heat in the first region, then in the next. If none fits, exact
    search, under a limit of work. No clock: the same places on every machine.
    """
    unit = gcd(*(i.size_bytes for i in intervals)) or 1
    sizes = [max(0, room) // unit for room in rooms]
    space = _Space(sizes, [0, *accumulate(size + 1 for size in sizes[:-1])])
    walls = [
        Interval(unit, 0, max(1, steps) - 1, at=(begin + size) * unit)
        for begin, size in zip(space.begins[:-1], sizes, strict=False)
    ]
    case = instance([*intervals, *walls])
    warm = np.array([heat[n] for n in case.which[: case.buffers.count]], np.int64)
    offsets, decision = _found(case, space, warm, work)
    whole = np.zeros(len(intervals), np.int64)
    whole[case.which[: case.buffers.count]] = offsets
    region = space.region_of(whole)
    places = [(int(r), (int(at) - space.begins[r]) * unit) for r, at in zip(region, whole, strict=True)]
    if decision == Decision.YES:
        places = _lowered(intervals, steps, places, len(sizes), work)
    heights = [0] * len(sizes)
    for (r, at), interval in zip(places, intervals, strict=True):
        heights[r] = max(heights[r], at + interval.size_bytes)
    return Spread(places, heights, decision)


def _found(case: Instance, space: _Space, heat: Ints, work: int) -> tuple[Ints, Decision]:
    """The best of first fit, or what exact search finds; without either, the lowest."""
    b = case.buffers
    best: tuple[tuple[int, ...], Ints] | None = None
    lowest: tuple[int, Ints] | None = None
    for offsets, height in _first_fits(case, heat):
        if lowest is None or height < lowest[0]:
            lowest = height, offsets
        if height > space.capacity:
            continue
        region = space.region_of(offsets)
        warmth = [int(heat[region == r].sum()) for r in range(len(space.rooms))]
        score = *(-w for w in warmth), height
        if best is None or score < best[0]:
            best = score, offsets
        if not region.any():
            break
    if best is not None:
        return best[1], Decision.YES
    assert lowest is not None
    if int(contention(b.size, b.first, b.after, b.sections).max(initial=0)) > space.capacity:
        return lowest[1], Decision.NO
    found = decide(b, case.length, space.capacity, work // (len(case.which) + b.sections))
    return (found.offsets if found.decision == Decision.YES else lowest[1]), found.decision


def _first_fits(case: Instance, heat: Ints) -> Iterator[tuple[Ints, int]]:
    """First fit by heat, then in every order that is good for a low height: offsets and height of each."""
    size, start = case.buffers.size[: case.buffers.count], case.start[: case.buffers.count]
    dense = heat * 1024 // np.maximum(size, 1)
    about = np.array([int(d).bit_length() for d in dense], np.int64)
    hot = [(-dense, -size, start), (-about, -size, start), (-heat, -size, start)]
    tries = [(key, tight) for tight in (False, True) for key in (*([] if tight else hot), *orders(case))]
    at_most = max(6, FIT_WORK // (len(case.which) ** 2 + 1))
    for key, tight in tries[:at_most]:
        yield first_fit(case.buffers, np.lexsort(key[::-1]), tight)


def _lowered(intervals: Sequence[Interval], steps: int, places: list[Place], regions: int, work: int) -> list[Place]:
    """Each region's intervals placed as low as they go, for themselves."""
    lower = list(places)
    for r in range(regions):
        inside = [n for n, (region, _) in enumerate(places) if region == r]
        if not inside:
            continue
        found = place([intervals[n] for n in inside], steps, work=work // regions)
        if found.height < max(places[n][1] + intervals[n].size_bytes for n in inside):
            for n, at in zip(inside, found.offsets, strict=True):
                lower[n] = r, at
    return lower
