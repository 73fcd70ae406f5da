"""Facts, base schedules and a budget -> the schedule of least work whose peak fits: the best of several methods."""

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
class _Walked:
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


Case = tuple[Facts, Sequence[Sequence[int]]]  # one way to compute an entry, and base schedules of it


def recompute(facts: Facts, schedules: Sequence[Sequence[int]], budget: int) -> list[int] | None:
    """The schedule of least work whose contention bound is within the budget, in bytes; None if none was found.

    `schedules`: base schedules, in which every unit stands once.
    """
    found = cheapest([(facts, schedules)], budget)
    return found[1] if found else None


def cheapest(cases: Sequence[Case], budget: int) -> tuple[int, list[int]] | None:
    """Of several ways to compute the same: the number of the one that needs the least work within the budget, and how.

    None if none was found.
    """
    for n, (facts, schedules) in enumerate(cases):
        for base in schedules:
            if peak(facts, base) <= budget:
                return n, list(base)
    grounds = {
        ground: n
        for n, (facts, schedules) in enumerate(cases)
        if facts.reads and needed(facts)[0] <= budget
        for ground in _grounds(facts, schedules)
    }
    walked = sorted(_walks(list(grounds), budget), key=lambda w: w.key)
    if not walked:
        return None
    best = min((_trimmed(w, budget, EFFORT // TRIMMED) for w in walked[:TRIMMED]), key=lambda w: w.key)
    best = _moved(best, budget)
    return None if best.over else (grounds[best.ground], [int(u) for u in best.schedule])


def lowest(facts: Facts, schedules: Sequence[Sequence[int]], only: frozenset[int] | None = None) -> list[int]:
    """A schedule whose peak is as low as any method gets it, whatever the work; `only` these values are dropped."""
    if not facts.reads:
        return list(schedules[0])
    grounds = _grounds(facts, schedules, only)
    high, n = min((g.peak(g.plain), n) for n, g in enumerate(grounds))
    best = grounds[n].plain
    low = needed(facts)[0]
    while high - low > high // 64:
        target = (low + high) // 2
        found = min(_walks(grounds, target, RULES[:2], TARGETS[:1]), key=lambda w: w.key, default=None)
        if found is not None and target + found.over < high:
            high, best = target + found.over, found.schedule
        if found is None or found.over:
            low = target + 1
    found = min(_walks(grounds, high - 1), key=lambda w: w.key, default=None)
    if found is not None and only is None:
        found = _moved(found, needed(facts)[0])
        if found.ground.peak(found.schedule) < high:
            best = found.schedule
    return [int(u) for u in best]


def needed(facts: Facts) -> tuple[int, int]:
    """Bytes that every schedule needs at once, and the unit that needs them (-1: none): a proven lower bound.

    When a unit first runs, what it reads and makes is alive, and of the entry's inputs those that units which must
    come later read. A value that it may make in the place of another counts once.
    """
    inputs = {v: 1 << n for n, v in enumerate(facts.born)}
    needs = facts.needs()
    later = [0] * len(needs)  # by unit: inputs that it reads, or a unit does that needs it
    users: list[list[int]] = [[] for _ in needs]
    waits = [0] * len(needs)  # users that have not been seen
    for u, makers in enumerate(needs):
        for n in makers:
            users[n].append(u)
            waits[n] += 1
    ready = [u for u, count in enumerate(waits) if not count]
    while ready:
        u = ready.pop()
        later[u] = sum({inputs[v] for v in facts.reads[u] if v in inputs})
        for w in users[u]:
            later[u] |= later[w]
        for n in needs[u]:
            waits[n] -= 1
            if not waits[n]:
                ready.append(n)
    best = sum(facts.sizes[v] for v in facts.born), -1
    for u in range(len(needs)):
        held = {*facts.reads[u], *facts.writes[u]} | {v for v, bit in inputs.items() if later[u] & bit}
        shared = {new for _, new in facts.in_place[u]}
        best = max(best, (sum(facts.sizes[v] for v in held - shared), u), key=lambda found: found[0])
    return best


def _grounds(facts: Facts, schedules: Sequence[Sequence[int]], only: frozenset[int] | None = None) -> list[Ground]:
    """Base schedules worth a walk: those whose own peak is not far above the lowest."""
    peaks = [peak(facts, base) for base in schedules]
    return [Ground(facts, b, only) for b, p in zip(schedules, peaks, strict=True) if 2 * p <= 3 * min(peaks)]


def _walks(
    grounds: Sequence[Ground], budget: int, rules: Sequence[Rule] = RULES, targets: Sequence[int] = TARGETS
) -> Iterator[_Walked]:
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
) -> _Walked | None:
    schedule = ground.walk(rule, target, weights)
    if schedule is None:
        return None
    over = max(0, ground.peak(schedule) - budget)
    return _Walked(over, ground.work(schedule), number, ground, rule, target, weights, schedule)


def _trimmed(found: _Walked, budget: int, effort: int) -> _Walked:
    if found.over:
        return found
    schedule = trim(found.ground, found.schedule, budget, effort // len(found.schedule))
    work = found.ground.work(schedule)
    return _Walked(0, work, found.number, found.ground, found.rule, found.target, found.weights, schedule)


def _moved(best: _Walked, budget: int) -> _Walked:
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
