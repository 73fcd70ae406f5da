"""Facts, base schedules and a budget -> the schedule of least work whose peak fits: the best of several methods."""

from __future__ import annotations

from collections.abc import Sequence

from lazydiff.memory.facts import Facts
from lazydiff.memory.lives import peak
from lazydiff.memory.recompute.array import Answer, exact
from lazydiff.memory.recompute.crossings import Case, crossings
from lazydiff.memory.recompute.walks import RULES, TARGETS, cheapest_walk, grounds_of, moved, walks

NODES = 30_000  # of all exact searches together, about 30 ms
PROOF_NODES = 300_000  # where nothing fits, and a proof is wanted


def recompute(facts: Facts, schedules: Sequence[Sequence[int]], budget: int) -> list[int] | None:
    """The schedule of least work whose contention bound is within the budget, in bytes; None if none was found.

    `schedules`: base schedules, in which every unit stands once.
    """
    found = cheapest([(facts, schedules)], budget)
    return found[1] if found else None


def cheapest(cases: Sequence[Case], budget: int) -> tuple[int, list[int]] | None:
    """Of several ways to compute the same: the number of the one that needs the least work within the budget, and how.

    None if none was found. Entries small enough for exact search (memory/recompute/array.py) get the optimum.
    """
    found: list[tuple[int, int, list[int]]] = []  # work, case, schedule
    for n, (facts, schedules) in enumerate(cases):
        fitting = [list(base) for base in schedules if peak(facts, base) <= budget]
        found += [(sum(facts.cost), n, base) for base in fitting[:1]]
    if found:
        return min(found)[1:]
    answers = [_exact(case, budget, NODES // len(cases)) for case in cases]
    for n, answer in enumerate(answers):
        if answer.schedule is not None:
            found.append((cases[n][0].work(answer.schedule), n, answer.schedule))
    grounds = {g: n for n, case in enumerate(cases) if not answers[n].proved for g in grounds_of(*case)}
    walked = cheapest_walk(list(grounds), budget)
    if walked is not None:
        found.append((walked.work, grounds[walked.ground], [int(u) for u in walked.schedule]))
    hinted = [bool(facts.stay or facts.anew) for facts, _ in cases]  # crossings know nothing of hints
    left = {n: case for n, case in enumerate(cases) if not answers[n].proved and not hinted[n]}
    found += [(cases[n][0].work(schedule), n, schedule) for n, schedule in crossings(left, budget)]
    return min(found)[1:] if found else None


def impossible(cases: Sequence[Case], budget: int) -> bool:
    """True if it is proved that no schedule of any case has a peak within the budget."""
    answers = (_exact(case, budget, PROOF_NODES // len(cases)) for case in cases)
    return all(answer.proved and answer.schedule is None for answer in answers)


def lowest(
    facts: Facts, schedules: Sequence[Sequence[int]], only: frozenset[int] | None = None, moves: bool = True
) -> list[int]:
    """A schedule whose peak is as low as any method gets it, whatever the work; `only` these values are dropped.

    Local moves are the last method, which takes longest; `moves=False` leaves them out.
    """
    if not facts.reads:
        return list(schedules[0])
    grounds = grounds_of(facts, schedules, only)
    high, n = min((g.peak(g.plain), n) for n, g in enumerate(grounds))
    best = grounds[n].plain
    low = needed(facts)[0]
    while high - low > high // 64:
        target = (low + high) // 2
        found = min(walks(grounds, target, RULES[:2], TARGETS[:1]), key=lambda w: w.key, default=None)
        if found is not None and target + found.over < high:
            high, best = target + found.over, found.schedule
        if found is None or found.over:
            low = target + 1
    found = min(walks(grounds, high - 1), key=lambda w: w.key, default=None) if moves and only is None else None
    if found is not None:
        found = moved(found, needed(facts)[0])
        if found.ground.peak(found.schedule) < high:
            best = found.schedule
    return [int(u) for u in best]


def needed(facts: Facts) -> tuple[int, int]:
    """Bytes that every schedule needs at once, and the unit that needs them (-1: none): a proven lower bound."""
    sizes = [(sum(facts.sizes[v] for v in values), u) for values, u in held(facts)]
    return max(sizes, key=lambda found: found[0])


def held(facts: Facts) -> list[tuple[frozenset[int], int]]:
    """By unit, the values that every schedule has alive at once, and the unit (-1: the inputs, at the start).

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
    found: list[tuple[frozenset[int], int]] = [(frozenset(facts.born), -1)]
    for u in range(len(needs)):
        alive = {*facts.reads[u], *facts.writes[u]} | {v for v, bit in inputs.items() if later[u] & bit}
        found.append((frozenset(alive - {new for _, new in facts.in_place[u]}), u))
    return found


def _exact(case: Case, budget: int, nodes: int) -> Answer:
    """The answer of exact search; hints are no part of it, so with them there is none."""
    facts, schedules = case
    if not facts.reads or needed(facts)[0] > budget:
        return Answer(None, True)
    if facts.stay or facts.anew:
        return Answer(None, False)
    return exact(facts, schedules[0], budget, nodes)
