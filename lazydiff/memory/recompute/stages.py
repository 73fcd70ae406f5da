"""Facts and a base schedule -> a chain of stages: the forward part cut where one value crosses, and the way back.

1. The forward part ends where the most values wait to be read.
2. It is cut where, of the values made before, one alone is read behind. Small values may cross too: they then stay for
   good ("fixed"), like the entry's inputs and outputs.
3. A unit of the way back belongs to the earliest stage whose values it needs. It may read what its stage made, what
   entered it and what left it, and gradients; where it reads more, the stages between are made one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lazydiff.memory.facts import Facts

SMALL = 256  # a value of the largest one's bytes divided by this is small


@dataclass(frozen=True, slots=True)
class Stage:
    """A stretch of the forward part, and its way back. Units in the order of the base schedule."""

    source: int  # the value that enters it, or -1
    target: int  # the value that leaves it, or -1
    forward: tuple[int, ...]
    back: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Stages:
    """A chain of stages, first to last."""

    stages: tuple[Stage, ...]
    fixed: frozenset[int]  # values that are never dropped once they are there


def stages(facts: Facts, base: Sequence[int], most: int) -> Stages | None:
    """The stages of a base schedule, at most so many; None if it has no cut."""
    turn = _turn(facts, base)
    forward, back = base[:turn], base[turn:]
    cuts, fixed = _cuts(facts, forward)
    while cuts:
        if len(cuts) >= most:
            cuts = cuts[1::2]
            continue
        starts = [0, *(at for at, _ in cuts)]
        stage_of = {u: n for n, at in enumerate(starts) for u in forward[at : [*starts, turn][n + 1]]}
        placed, joined = _way_back(facts, back, stage_of, {v: n for n, (_, v) in enumerate(cuts)}, fixed)
        if not joined:
            ways: list[list[int]] = [[] for _ in starts]
            for u in back:
                ways[placed[u]].append(u)
            values = [-1, *(v for _, v in cuts), -1]
            ends = [*starts, turn]
            return Stages(
                tuple(
                    Stage(values[n], values[n + 1], tuple(forward[ends[n] : ends[n + 1]]), tuple(ways[n]))
                    for n in range(len(starts))
                ),
                fixed,
            )
        cuts = [cut for n, cut in enumerate(cuts) if n not in joined]
    return None


def _turn(facts: Facts, base: Sequence[int]) -> int:
    """The first position at which the most values wait to be read."""
    change = [0] * (len(base) + 1)
    made = dict.fromkeys(facts.born, 0)
    made |= {v: t + 1 for t, u in enumerate(base) for v in facts.writes[u]}
    last = {v: t for t, u in enumerate(base) for v in facts.reads[u]}
    for v, t in last.items():
        if facts.sizes[v] and v in made:
            change[made[v]] += 1
            change[t + 1] -= 1
    best, turn, waiting = -1, 0, 0
    for t, by in enumerate(change):
        waiting += by
        if waiting > best:
            best, turn = waiting, t
    return turn


def _cuts(facts: Facts, forward: Sequence[int]) -> tuple[list[tuple[int, int]], frozenset[int]]:
    """Positions before which the forward part may be cut, each with the value that crosses, and the fixed values."""
    lasting = facts.keep | facts.stay
    made = {v: t + 1 for t, u in enumerate(forward) for v in facts.writes[u] if facts.sizes[v] and v not in lasting}
    last = {v: t for t, u in enumerate(forward) for v in facts.reads[u] if v in made}
    small = max(facts.sizes, default=0) // SMALL
    crossing: list[list[int]] = [[] for _ in range(len(forward) + 1)]
    for v, end in last.items():
        if facts.sizes[v] > small:
            for t in range(made[v], end + 1):
                crossing[t].append(v)
    cuts: list[tuple[int, int]] = []
    for t in range(1, len(forward)):
        if len(crossing[t]) == 1 and (not cuts or cuts[-1][1] != crossing[t][0]):
            cuts.append((t, crossing[t][0]))
    fixed = {*facts.born, *facts.keep, *facts.stay}
    at = [t for t, _ in cuts]
    for v, end in last.items():
        if facts.sizes[v] <= small and any(made[v] <= t <= end for t in at):
            fixed.add(v)
    return cuts, frozenset(fixed)


def _way_back(
    facts: Facts, back: Sequence[int], stage_of: dict[int, int], cut_of: dict[int, int], fixed: frozenset[int]
) -> tuple[dict[int, int], set[int]]:
    """The stage of each unit of the way back, and the cuts that may not be."""
    maker = facts.maker
    placed: dict[int, int] = {}
    last = max(stage_of.values())
    joined: set[int] = set()
    for u in back:
        stage = last
        inner: list[tuple[int, int]] = []  # the stages at which a value is there
        for v in facts.reads[u]:
            m = maker.get(v)
            if m in placed:
                stage = min(stage, placed[m])
            elif v in cut_of and v not in fixed:
                inner.append((cut_of[v], cut_of[v] + 1))
            elif m is not None and v not in fixed and facts.sizes[v]:
                inner.append((stage_of[m], stage_of[m]))
        for a in facts.after[u]:
            stage = min(stage, placed[a] if a in placed else stage_of.get(a, stage))
        stage = min([stage, *(high for _, high in inner)])
        for low, high in inner:
            if not low <= stage <= high:
                joined |= set(range(stage, low))
        placed[u] = stage
    return placed, joined


def closure(facts: Facts, units: Sequence[int], targets: Iterable[int], there: frozenset[int]) -> set[int]:
    """Of these units, in order, those that make the targets if some values are there."""
    need, found = set(targets) - there, set()
    for u in reversed(units):
        if not need.isdisjoint(facts.writes[u]):
            found.add(u)
            need |= set(facts.reads[u]) - there
    return found


def height(facts: Facts, sizes: Sequence[int], units: Sequence[int], start: set[int], end: set[int]) -> int:
    """The most bytes at once while the units run: `start` is there before them, `end` behind. As memory/lives.py."""
    last = {v: t for t, u in enumerate(units) for v in facts.reads[u]}
    last |= dict.fromkeys(end, len(units))
    there = {v for v in start if last.get(v, -1) >= 0}
    most = sum(sizes[v] for v in start)
    for t, u in enumerate(units):
        there |= set(facts.writes[u])
        taken: set[int] = set()
        given: set[int] = set()
        for old, new in facts.in_place[u]:
            if last.get(old) == t and sizes[old] and old not in taken and new not in given:
                taken.add(old)
                given.add(new)
        most = max(most, sum(sizes[v] for v in there) - sum(sizes[v] for v in given))
        there = {v for v in there if last.get(v, -1) > t}
    return most
