"""Gives intervals places in memory, so that no two alive at once share a byte: the lowest height that is found.

First fit in many orders, and in these orders mended, until one meets the contention bound; if none did, exact search
(search.py) for a placement at the bound and between it and the best, under a limit of work. No clock: the same places
on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from lazydiff.memory.placement.packing import Buffers, Decision, first_fit
from lazydiff.memory.placement.search import decide
from lazydiff.memory.placement.sections import Ints, contention, most_over_life, sections

SEARCH_WORK = 200_000_000  # of one exact search: nodes times intervals and sections
FIT_WORK = 1_000_000_000  # of first fit, in pairs: past it only the first orders are tried


@dataclass(frozen=True, slots=True)
class Interval:
    """Bytes needed at steps start..end, both included, rounded up to the alignment; `at`: at this offset."""

    size_bytes: int
    start: int
    end: int
    at: int | None = None


@dataclass(frozen=True, slots=True)
class Placement:
    """Offsets, by interval, the height they reach, and the contention bound below which no height is possible."""

    offsets: list[int]
    height: int
    bound: int
    refuted: int  # a height (at least bound - 1) that is proved too small

    @property
    def verdict(self) -> str:
        """How good the height is: "bound met", "proved" (exhaustive search found nothing lower) or "best found"."""
        if self.height <= self.bound:
            return "bound met"
        return "proved" if self.refuted >= self.height - 1 else "best found"


@dataclass(frozen=True, slots=True)
class Instance:
    """The intervals that take bytes, in units of a common divisor, those at a fixed offset last."""

    buffers: Buffers
    start: Ints
    length: Ints  # in steps
    which: list[int]  # the intervals' numbers
    unit: int


def lower_bound(intervals: Sequence[Interval], steps: int) -> int:
    """The contention bound: the most bytes alive at one step. No placement of these intervals can be smaller."""
    return max([*alive_bytes(intervals, steps), *(i.at + i.size_bytes for i in intervals if i.at is not None)])


def alive_bytes(intervals: Sequence[Interval], steps: int) -> list[int]:
    """By step: the bytes alive there. At least one step, which none may be alive at."""
    change = [0] * (steps + 2)
    for i in intervals:
        change[i.start] += i.size_bytes
        change[i.end + 1] -= i.size_bytes
    return list(accumulate(change))[: steps + 1]


def place(intervals: Sequence[Interval], steps: int, enough: int = 0, work: int = SEARCH_WORK) -> Placement:
    """The lowest placement found. Where the bound is below `enough`, a height of `enough` is not searched below.

    Of placements of equal height the first found is taken. Raises ValueError if two intervals of fixed offsets overlap.
    """
    bound = lower_bound(intervals, steps)
    case = instance(intervals)
    least = bound // case.unit
    low = max(least, enough // case.unit)
    offsets, height = _first_fits(case, least, low)
    refuted = least - 1
    if height > low:
        offsets, height, refuted = _searched(case, offsets, height, least, work)
    whole = [i.at or 0 for i in intervals]
    for n, offset in zip(case.which, offsets, strict=False):  # the fixed ones come last, and stay
        whole[n] = int(offset) * case.unit
    return Placement(whole, height * case.unit, bound, refuted * case.unit)


def fits(intervals: Sequence[Interval], capacity: int, node_limit: int) -> tuple[Decision, list[int], int]:
    """Can the intervals be placed below a capacity, in bytes? The answer, the offsets if YES, and the nodes visited.

    NOT_DECIDED if `node_limit` placements of one interval did not tell.
    """
    case = instance(intervals)
    found = decide(case.buffers, case.length, capacity // case.unit, node_limit)
    whole = [i.at or 0 for i in intervals]
    for n, offset in zip(case.which, found.offsets, strict=False):
        whole[n] = int(offset) * case.unit
    return found.decision, whole if found.decision == Decision.YES else [], found.nodes


def instance(intervals: Sequence[Interval]) -> Instance:
    """What first fit and exact search work on. Raises ValueError if two intervals of fixed offsets overlap."""
    taking = [n for n, i in enumerate(intervals) if i.size_bytes > 0]
    which = sorted(taking, key=lambda n: intervals[n].at is not None)
    fixed = [n for n in which if intervals[n].at is not None]
    _require_apart([intervals[n] for n in fixed])
    unit = math.gcd(*(i.size_bytes for i in intervals), *(i.at for i in intervals if i.at is not None)) or 1
    size = np.array([intervals[n].size_bytes // unit for n in which], np.int64)
    at = np.array([(intervals[n].at or 0) // unit for n in fixed], np.int64)
    start = np.array([intervals[n].start for n in which], np.int64)
    end = np.array([intervals[n].end for n in which], np.int64)
    first, after, count = sections(start.tolist(), end.tolist())
    return Instance(Buffers(size, first, after, count, at), start, end - start + 1, which, unit)


def _require_apart(fixed: Sequence[Interval]) -> None:
    for n, a in enumerate(fixed):
        for b in fixed[:n]:
            assert a.at is not None
            assert b.at is not None
            if a.start <= b.end and b.start <= a.end and a.at < b.at + b.size_bytes and b.at < a.at + a.size_bytes:
                raise ValueError(f"intervals fixed at {b.at} and {a.at} overlap")


def orders(case: Instance) -> list[tuple[Ints, ...]]:
    """Keys of the orders, the most telling first; equals stand by number. One line is one order."""
    free = slice(case.buffers.count)
    size, start, length = case.buffers.size[free], case.start[free], case.length[free]
    end, area = start + length, size * length
    b = case.buffers
    total = most_over_life(contention(b.size, b.first, b.after, b.sections), b.first, b.after)[free]
    return [
        (-size, start),
        (-area, start),
        (-length, -size),
        (start, -size),
        (-end, -size),
        (start, -length),
        (-total, -area),
        (-total, -length, -area),
        (-total, -size),
        (-total, start),
        (-length, start),
        (end, -size),
    ]


def _first_fits(case: Instance, least: int, enough: int) -> tuple[Ints, int]:
    """The best of first fit in every order and by both gap rules; stops at the first that meets the bound.

    Then, unless the best is low enough, of each of these orders with what lay above the bound before all else.
    """
    at_most = max(6, FIT_WORK // (len(case.which) ** 2 + 1))
    tries = [(np.lexsort(key[::-1]), tightest) for tightest in (False, True) for key in orders(case)][:at_most]
    size, once = case.buffers.size[: case.buffers.count], len(tries)
    best: tuple[Ints, int] | None = None
    for n in range(min(at_most, 2 * once)):
        if n == once and best is not None and best[1] <= enough:
            break
        order, tightest = tries[n]
        offsets, height = first_fit(case.buffers, order, tightest)
        if best is None or height < best[1]:
            best = offsets, height
        if height <= least:
            break
        beyond = (offsets + size > least)[order]
        tries.append((np.concatenate((order[beyond], order[~beyond])), tightest))
    assert best is not None
    return best


def _searched(case: Instance, offsets: Ints, height: int, least: int, work: int) -> tuple[Ints, int, int]:
    """Bisects between the bound and a placement's height by exact search: the best placement, and what was refuted."""
    buffers = case.buffers
    nodes = work // (len(case.which) + buffers.sections)
    top_of_fixed = int((buffers.at + buffers.size[buffers.count :]).max(initial=0))
    low, refuted = least, least - 1  # no placement below `low` is looked for any more
    capacity = least
    while low < height and nodes > 0:
        found = decide(buffers, case.length, capacity, nodes // 2 + 1)
        nodes -= found.nodes + 1
        if found.decision == Decision.YES:
            offsets = found.offsets
            height = max(top_of_fixed, int((offsets + buffers.size[: buffers.count]).max(initial=0)))
        else:
            low = capacity + 1
            refuted = capacity if found.decision == Decision.NO else refuted
        capacity = (low + height - 1) // 2
    return offsets, height, refuted
