"""Facts, base schedules and a budget -> the best crossings of the deepest chains: what eviction has to beat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from lazydiff.memory.facts import Facts
from lazydiff.memory.recompute.chain import chain
from lazydiff.memory.recompute.evict import MOST_REPEATS, Ground, trim
from lazydiff.memory.recompute.stages import stages

DEEP = 12  # stages of a chain that is crossed: in a shorter one, eviction finds as good a way
CROSSED = 2  # chains: the deepest ones
EFFORT = 50_000_000  # of each
TRIALS = 200  # of taking a repeat back

Case = tuple[Facts, Sequence[Sequence[int]]]  # one way to compute an entry, and base schedules of it


def crossings(cases: Mapping[int, Case], budget: int) -> Iterator[tuple[int, list[int]]]:
    """Schedules within the budget, in bytes, each with the number of its case."""
    deep = []
    for n, (facts, schedules) in cases.items():
        for k, base in enumerate(schedules):
            known = stages(facts, base, len(base))
            if known is not None and len(known.stages) >= DEEP:
                deep.append((-len(known.stages), n, k))
    for _, n, k in sorted(deep)[:CROSSED]:
        facts, base = cases[n][0], cases[n][1][k]
        found = chain(facts, base, budget, EFFORT).schedule
        if found is not None:
            yield n, _trimmed(facts, base, found, budget)


def _trimmed(facts: Facts, base: Sequence[int], schedule: list[int], budget: int) -> list[int]:
    if len(schedule) > MOST_REPEATS * len(base):
        return schedule
    ground = Ground(facts, base)
    shorter = trim(ground, np.array(schedule, np.int32), budget, TRIALS)
    return [int(u) for u in shorter] if ground.peak(shorter) <= budget else schedule
