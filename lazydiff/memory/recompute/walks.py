"""Many walks under a budget: every rule, tighter and looser, then weights moved at random; the best of them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lazydiff.memory.facts import Facts
from lazydiff.memory.lives import peak
from lazydiff.memory.recompute.evict import Ground, Rule, Schedule, trim

RULES = (Rule(), Rule(distance=False), Rule(work=False), Rule(work=False, distance=False))
TARGETS = (100, 95, 88, 75)  # percent of the budget that walks keep to: a tighter walk leaves more to trim
EFFORT = 400_000  # steps of the base schedule that are walked, by each of the three parts: a fixed count, no clock
MOST_MOVES = 300  # of one search
TRIMMED = 4  # schedules of the rules' walks, the best ones


@dataclass(frozen=True, slots=True)
class Walked:
    """A walk and what came out; `over`: bytes above the budget."""

    over: int
    work: int
    number: int  # of the walk, so that equals keep their order
    ground: Ground
    rule: Rule
    target: int
    weights: npt.NDArray[np.int32]
    schedule: Schedule

    @property
    def key(self) -> tuple[int, int, int]:
        """Less is better."""
        return self.over, self.work, self.number


def grounds_of(facts: Facts, schedules: Sequence[Sequence[int]], only: frozenset[int] | None = None) -> list[Ground]:
    """Base schedules worth a walk: those whose own peak is not far above the lowest."""
    if not facts.reads:
        return []
    peaks = [peak(facts, base) for base in schedules]
    return [Ground(facts, b, only) for b, p in zip(schedules, peaks, strict=True) if 2 * p <= 3 * min(peaks)]


def walks(
    grounds: Sequence[Ground], budget: int, rules: Sequence[Rule] = RULES, targets: Sequence[int] = TARGETS
) -> Iterator[Walked]:
    """Walks by the rules, with the targets in percent of the budget, over each ground; as many as EFFORT allows."""
    left = max([EFFORT, *(len(g.base) for g in grounds)])
    number = 0
    for rule in rules:
        for percent in targets:
            for ground in grounds:
                if left < len(ground.base):
                    return
                left -= len(ground.base)
                number += 1
                found = _walk(number, ground, rule, budget * percent // 100, ground.weights, budget)
                if found is not None:
                    yield found


def _walk(
    number: int, ground: Ground, rule: Rule, target: int, weights: npt.NDArray[np.int32], budget: int
) -> Walked | None:
    schedule = ground.walk(rule, target, weights)
    if schedule is None:
        return None
    over = max(0, ground.peak(schedule) - budget)
    return Walked(over, ground.work(schedule), number, ground, rule, target, weights, schedule)


def _trimmed(found: Walked, budget: int, effort: int) -> Walked:
    if found.over:
        return found
    schedule = trim(found.ground, found.schedule, budget, effort // len(found.schedule))
    work = found.ground.work(schedule)
    return Walked(0, work, found.number, found.ground, found.rule, found.target, found.weights, schedule)


def moved(best: Walked, budget: int) -> Walked:
    """The best of walks with some values' weights changed at random (seeded): each starts from the best so far."""
    ground, dice = best.ground, random.Random(0)
    sizes = np.array(ground.facts.sizes)
    large = np.flatnonzero(sizes * 64 >= sizes.max()).tolist()
    tries = min(MOST_MOVES, 8 * len(ground.base), EFFORT // len(ground.base))
    for number in range(tries if large else 0):
        weights = best.weights.copy()
        for _ in range(1 + dice.getrandbits(2)):
            v = large[dice.getrandbits(30) % len(large)]
            weights[v] = (1, 4, 64, 256, 4096)[dice.getrandbits(30) % 5]
        target = best.target if dice.getrandbits(2) else budget * (70 + dice.getrandbits(5)) // 100
        found = _walk(number, ground, best.rule, target, weights, budget)
        if found is None or found.over > best.over or (not found.over and found.work > best.work + best.work // 8):
            continue
        found = _trimmed(found, budget, EFFORT // 64)
        if found.key[:2] < best.key[:2]:
            best = found
    return best


def cheapest_walk(grounds: Sequence[Ground], budget: int) -> Walked | None:
    """The walk of least work within the budget, trimmed and moved; None if none keeps to it."""
    walked = sorted(walks(grounds, budget), key=lambda w: w.key)
    if not walked:
        return None
    best = min((_trimmed(w, budget, EFFORT // TRIMMED) for w in walked[:TRIMMED]), key=lambda w: w.key)
    best = moved(best, budget)
    return None if best.over else best
