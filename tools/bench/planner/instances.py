"""Placement instances from CSV files, and the check of a placement that shares no code with the planner."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from lazydiff.memory.placement.place import Interval

FOLDER = Path(__file__).resolve().parents[3] / "tests/memory/instances"
MINIMALLOC = tuple("ABCDEFGHIJK")
CAPACITY = 1_048_576  # of the MiniMalloc instances
IDEALLOC = ("somas_resnet50", "iopddl_G_1")


def read(path: Path) -> list[Interval]:
    """The intervals of a file in MiniMalloc's format: id,lower,upper,size, alive on [lower, upper)."""
    with path.open(newline="") as file:
        return [Interval(int(r["size"]), int(r["lower"]), int(r["upper"]) - 1) for r in csv.DictReader(file)]


def minimalloc(name: str) -> list[Interval]:
    return read(FOLDER / f"minimalloc/{name}.{CAPACITY}.csv")


def idealloc(name: str) -> list[Interval]:
    return read(FOLDER / f"idealloc/{name}.csv")


def steps(intervals: Sequence[Interval]) -> int:
    return max(i.end for i in intervals) + 1


def checked_height(intervals: Sequence[Interval], offsets: Sequence[int]) -> int:
    """The height that the offsets reach. Raises ValueError where two intervals alive at once share a byte."""
    events = sorted(
        [(i.start, 1, n) for n, i in enumerate(intervals)] + [(i.end + 1, 0, n) for n, i in enumerate(intervals)]
    )
    alive: set[int] = set()
    for _, starts, n in events:  # at equal steps the ends come first
        if not starts:
            alive.remove(n)
            continue
        low, high = offsets[n], offsets[n] + intervals[n].size_bytes
        for other in alive:
            if low < offsets[other] + intervals[other].size_bytes and offsets[other] < high:
                raise ValueError(f"intervals {other} and {n} are alive at once and overlap")
        alive.add(n)
    if min(offsets, default=0) < 0:
        raise ValueError("an offset is negative")
    return max((o + i.size_bytes for o, i in zip(offsets, intervals, strict=True)), default=0)
