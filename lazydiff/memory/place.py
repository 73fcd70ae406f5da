"""Gives intervals places in memory, so that no two alive at once share a byte: best of several first-fit orders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

_ZERO = np.zeros(1, np.int64)


@dataclass(frozen=True, slots=True)
class Interval:
    """Bytes that are needed at steps start..end, both included. `size_bytes` is already rounded to the alignment."""

    size_bytes: int
    start: int
    end: int


def lower_bound(intervals: Sequence[Interval], steps: int) -> int:
    """The contention bound: the most bytes alive at one step. No placement of these intervals can be smaller."""
    change = [0] * (steps + 2)
    for i in intervals:
        change[i.start] += i.size_bytes
        change[i.end + 1] -= i.size_bytes
    most = alive = 0
    for c in change:
        alive += c
        most = max(most, alive)
    return most


_ORDERS: tuple[Callable[[Interval], tuple[int, ...]], ...] = (
    lambda i: (-i.size_bytes, i.start),
    lambda i: (-i.size_bytes * (i.end - i.start + 1), i.start),
    lambda i: (-(i.end - i.start), -i.size_bytes),
    lambda i: (i.start, -i.size_bytes),
    lambda i: (-i.end, -i.size_bytes),
    lambda i: (i.start, -(i.end - i.start)),
)


def place(intervals: Sequence[Interval], steps: int) -> tuple[list[int], int]:
    """Offsets (from 0) of the intervals and the height reached; stops at the first order that meets the bound."""
    bound = lower_bound(intervals, steps)
    best: tuple[int, list[int]] | None = None
    for order in _ORDERS:
        offsets = _first_fit(intervals, sorted(range(len(intervals)), key=lambda n: (order(intervals[n]), n)))
        height = max((o + i.size_bytes for o, i in zip(offsets, intervals, strict=True)), default=0)
        if best is None or height < best[0]:
            best = height, offsets
        if height <= bound:
            break
    assert best is not None
    return best[1], best[0]


def _first_fit(intervals: Sequence[Interval], order: Sequence[int]) -> list[int]:
    """Each interval at the lowest offset where it fits below, between or above those before it in the order."""
    offsets = [0] * len(intervals)
    placed = np.zeros((4, len(intervals)), np.int64)  # low, high (bytes), start, end (steps), by rising low
    for count, n in enumerate(order):
        mine = intervals[n]
        low, high, start, end = placed[:, :count]
        beside = (start <= mine.end) & (end >= mine.start)
        floor = np.concatenate((_ZERO, np.maximum.accumulate(high[beside])))  # up to here it is taken, below each low
        gaps = np.flatnonzero(low[beside] - floor[:-1] >= mine.size_bytes)
        at = int(floor[gaps[0] if gaps.size else -1])
        offsets[n] = at
        slot = int(np.searchsorted(low, at))
        placed[:, slot + 1 : count + 1] = placed[:, slot:count]
        placed[:, slot] = at, at + mine.size_bytes, mine.start, mine.end
    return offsets
