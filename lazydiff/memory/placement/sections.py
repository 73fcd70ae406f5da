"""Steps -> sections: the stretches of time in which the set of live intervals is largest: all that placement needs.

A set of live intervals that is part of its neighbour's set says nothing new on what may overlap or how much must fit,
so it is dropped. At most as many sections as intervals are left; two intervals share a section where they share a step.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Indices = npt.NDArray[np.int32]


def sections(starts: Sequence[int], ends: Sequence[int]) -> tuple[Indices, Indices, int]:
    """By interval, alive at steps starts[i]..ends[i]: its first section, and the one after its last; how many.

    Raises ValueError if an interval ends before it starts.
    """
    for n, (start, end) in enumerate(zip(starts, ends, strict=True)):
        if start > end:
            raise ValueError(f"interval {n} starts at step {start} and ends before it, at step {end}")
    first = np.zeros(len(starts), np.int32)
    after = np.zeros(len(starts), np.int32)
    # A start at a step comes before an end at it. A section is closed by the first end after a start.
    events = sorted([(s, 0, n) for n, s in enumerate(starts)] + [(e, 1, n) for n, e in enumerate(ends)])
    count = 0
    started = False
    for _, is_end, n in events:
        if is_end:
            count += started
            after[n] = count
        else:
            first[n] = count
        started = not is_end
    return first, after, count


def contention(sizes: Ints, first: Indices, after: Indices, count: int) -> Ints:
    """By section: the sum of the sizes alive there."""
    change = np.zeros(count + 1, np.int64)
    np.add.at(change, first, sizes)
    np.add.at(change, after, -sizes)
    return np.cumsum(change)[:count]


def most_over_life(by_section: Ints, first: Indices, after: Indices) -> Ints:
    """By interval: the largest of these numbers over its sections."""
    if not first.size:
        return np.zeros(0, np.int64)
    padded = np.append(by_section, 0)  # a pair of ends takes the maximum between them; the last end must be an index
    most: Ints = np.maximum.reduceat(padded, np.stack((first, after), axis=1).ravel())[::2]
    return most
