"""Facts, base schedules and a budget -> the schedule of least work whose peak fits: the best of several methods."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lazydiff.memory.facts import Facts
from lazydiff.memory.lives import peak
from lazydiff.memory.recompute.evict import Ground, Rule, Walk, trim, without_unread, work

RULES = (Rule(), Rule(distance=False), Rule(work=False), Rule(work=False, distance=False))
TARGETS = (100, 95, 88, 75)  # percent of the budget that walks keep to: a tighter walk may leave more to trim
WALKED_UNITS = 40_000  # of all walks together: past it, further rules are left out
TRIMMED_UNITS = 40_000  # of all schedules that a trim tries


def recompute(facts: Facts, schedules: Sequence[Sequence[int]], budget: int) -> list[int] | None:
    """The schedule of least work whose contention bound is within the budget, in bytes; None if none was found.

    `schedules`: base schedules, in which every unit stands once; the best first.
    """
    found: list[tuple[int, int, list[int]]] = []
    for base in schedules:
        if peak(facts, base) <= budget:
            return list(base)
    for schedule in _walks(facts, schedules, budget):
        if peak(facts, schedule) <= budget:
            found.append((work(facts, schedule), len(found), schedule))
    trimmed = [trim(facts, schedule, budget, TRIMMED_UNITS // len(facts.reads)) for _, _, schedule in sorted(found)[:3]]
    return min(trimmed, key=lambda s: work(facts, s), default=None)


def lowest(facts: Facts, schedules: Sequence[Sequence[int]]) -> list[int]:
    """A schedule whose peak is as low as any method gets it, whatever the work."""
    best = min(schedules, key=lambda s: peak(facts, s))
    low, high = needed(facts)[0], peak(facts, best)
    for _ in range(5):
        for schedule in _walks(facts, schedules, (low + high) // 2):
            if peak(facts, schedule) < peak(facts, best):
                best = schedule
        if peak(facts, best) < high:
            high = peak(facts, best)
        else:
            low = (low + high) // 2
    return list(best)


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


def _walks(facts: Facts, schedules: Sequence[Sequence[int]], budget: int) -> Iterator[list[int]]:
    left = max(WALKED_UNITS, len(facts.reads))
    grounds = [Ground.of(facts, base) for base in schedules]
    for rule in RULES:
        for percent in TARGETS:
            for ground in grounds:
                if left < len(facts.reads):
                    return
                left -= len(facts.reads)
                yield without_unread(facts, Walk(ground, rule, budget * percent // 100).schedule)
