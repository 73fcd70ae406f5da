"""Placement, as rows of the planner's table: published instances, and training steps of our own networks."""

from __future__ import annotations

import time
from collections.abc import Iterator

from lazydiff.memory.placement.packing import Decision
from lazydiff.memory.placement.place import fits, lower_bound, place
from tools.bench.planner import families
from tools.bench.planner.instances import CAPACITY, IDEALLOC, MINIMALLOC, checked_height, idealloc, minimalloc, steps

Row = dict[str, object]
NODES = 50_000_000  # of the search for one instance


def challenging() -> Iterator[Row]:
    """MiniMalloc's hard set: a place for every buffer below the capacity."""
    for name in MINIMALLOC:
        intervals = minimalloc(name)
        start = time.process_time()
        decision, offsets, nodes = fits(intervals, CAPACITY, NODES)
        seconds = time.process_time() - start
        found = decision == Decision.YES and checked_height(intervals, offsets) <= CAPACITY
        yield {
            "what": f"MiniMalloc {name}, {len(intervals)} buffers below {CAPACITY:,}",
            "goal": "yes, 10 s",
            "ours": f"{'yes' if found else 'NOT FOUND'}, {nodes:,} nodes",
            "seconds": seconds,
            "met": found and seconds < 10,
        }


def published() -> Iterator[Row]:
    """Two training graphs that idealloc's authors published."""
    for name in IDEALLOC:
        intervals = idealloc(name)
        start = time.process_time()
        placed = place(intervals, steps(intervals))
        seconds = time.process_time() - start
        height = checked_height(intervals, placed.offsets)
        yield {
            "what": f"{name}, {len(intervals)} buffers",
            "goal": "at the bound, 2 s",
            "ours": f"{height / placed.bound:.4f} of the bound",
            "seconds": seconds,
            "met": height == placed.bound and seconds < 2,
        }


def training() -> Iterator[Row]:
    """Nine families of networks under three rules; a large one."""
    for name, rule, intervals, count in families.instances():
        start = time.process_time()
        placed = place(intervals, count)
        seconds = time.process_time() - start
        height, bound = checked_height(intervals, placed.offsets), lower_bound(intervals, count)
        limit = 5 if name in families.LARGE else 1
        yield {
            "what": f"{name}, {rule}: {len(intervals)} places",
            "goal": f"at the bound, {limit} s",
            "ours": f"{height / bound:.4f} of the bound, {placed.verdict}",
            "seconds": seconds,
            "met": height == bound and seconds < limit,
        }


def rows() -> list[Row]:
    """All of them."""
    return [*challenging(), *published(), *training()]
