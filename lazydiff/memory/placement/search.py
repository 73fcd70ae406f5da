"""Do intervals fit below a capacity? Exact searches in several orders, started again with what they learned.

A depth-first search that took a wrong turn early seldom comes back in time, while another order of the same buffers may
find a placement almost at once. So the search runs in short rounds, over a few orders in turn, under a node limit that
grows with each turn (so it ends with an answer at last). After each the sections that made it give up gain weight,
and the buffers alive there come sooner in its next round. All in integers: every machine counts the same nodes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lazydiff.memory.placement.packing import Buffers, Decision, Found, search, searchable
from lazydiff.memory.placement.sections import Ints, contention, most_over_life

FIRST_NODES = 5_000  # of a round
_WEIGHT = 1 << 20  # what one round's failures add up to


def orders(buffers: Buffers, length: Ints) -> list[npt.NDArray[np.intp]]:
    """The orders to start from. `length`: by buffer, how many steps it lives."""
    sums = contention(buffers.size, buffers.first, buffers.after, buffers.sections)
    free = slice(buffers.count)
    total = most_over_life(sums, buffers.first, buffers.after)[free]
    size, wide = buffers.size[free], length[free]
    area = size * wide
    keys: tuple[tuple[Ints, ...], ...] = (
        (total, wide, area),
        (wide, area, total),
        (total, area, wide),
        (size * (buffers.after - buffers.first)[free],),
        (area,),
    )
    return [np.lexsort(tuple(-k for k in reversed(key))) for key in keys]


def decide(buffers: Buffers, length: Ints, capacity: int, node_limit: int) -> Found:
    """Do the buffers have places below the capacity? NOT_DECIDED when node_limit placements did not tell."""
    count = buffers.count
    nodes = 0
    nothing = np.zeros(count, np.int64)
    if not searchable(buffers):
        return Found(Decision.NOT_DECIDED, nothing, nothing, 0)
    starts = orders(buffers, length)
    weights = [np.zeros(buffers.sections, np.int64) for _ in starts]
    limit = max(FIRST_NODES, 2 * count)
    while True:
        for order, weight in zip(starts, weights, strict=True):
            limit = min(limit, node_limit - nodes)
            if limit <= 0:
                return Found(Decision.NOT_DECIDED, nothing, nothing, nodes)
            now = _sooner(buffers, order, weight)
            found = search(buffers.renumbered(now), capacity, limit)
            nodes += found.nodes
            if found.decision != Decision.NOT_DECIDED:
                offsets = np.zeros(count, np.int64)
                offsets[now] = found.offsets
                return Found(found.decision, offsets, found.failed, nodes)
            weight[:] = weight * 9 // 10 + found.failed * _WEIGHT // max(1, int(found.failed.sum()))
        limit += limit // 2


def _sooner(buffers: Buffers, order: npt.NDArray[np.intp], weight: Ints) -> npt.NDArray[np.intp]:
    """The order with each buffer moved ahead by half of all places times the weight of its sections."""
    sums = np.append(0, np.cumsum(weight))
    heavy = (sums[buffers.after] - sums[buffers.first])[order]
    place = np.arange(buffers.count) * 2 * _WEIGHT - buffers.count * heavy
    return order[np.argsort(place, kind="stable")]
