"""Offline eviction: a schedule walked under a budget; what is dropped on the way is made again before it is read.

1. Every value with a place in the shared area is in memory or not. Before a unit runs, its reads are brought back:
   the makers of those that are gone run again, deepest first.
2. When a unit's new bytes do not fit, the value whose score is least is dropped, among those that can be made again in
   time: (work to make it again from what is in memory) / (bytes x steps until it is read next).
3. A value without a further read in the base schedule stays as long as there is room: it may serve to make another.
4. A unit may be repeated until a unit runs that must come after all of its makings, and never if it may run but once.
5. `trim` then takes back every repeat that is not needed for the budget, dearest first.

What a rule leaves out (work, distance) makes it another rule; weights, one for each value, make others yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lazydiff.memory.facts import Facts
from lazydiff.memory.lives import peak

FAR = 1 << 20  # the distance of a read that never comes


@dataclass(frozen=True, slots=True)
class Rule:
    """What a score is made of."""

    work: bool = True  # of all that must run again; else of the maker alone
    distance: bool = True
    weights: tuple[int, ...] = ()  # by value, in 16ths; none: all the same


@dataclass(frozen=True, slots=True)
class Ground:
    """What every walk over one base schedule needs to know."""

    facts: Facts
    base: tuple[int, ...]
    maker: dict[int, int]
    uses: tuple[tuple[int, ...], ...]  # by value: the base steps that read it, the end included where it is kept
    until: tuple[int, ...]  # by value: the last base step before which it can still be made again, or -1

    @staticmethod
    def of(facts: Facts, base: Sequence[int]) -> Ground:
        """The ground of a base schedule, in which every unit stands once."""
        uses: list[list[int]] = [[] for _ in facts.sizes]
        ends = len(base)
        last = [ends] * len(base)  # by unit
        for t, u in enumerate(base):
            for v in facts.reads[u]:
                uses[v].append(t)
            for a in facts.after[u]:
                last[a] = min(last[a], t)
        for v in facts.keep:
            uses[v].append(ends)
        maker = facts.maker
        until = [-1 if facts.sizes[v] and v in maker else ends for v in range(len(facts.sizes))]
        for u in base:
            if facts.once[u]:
                for v in facts.writes[u]:
                    until[v] = -1
                continue
            reach = last[u]
            for v in facts.reads[u]:
                if v in maker and until[v] < 0:  # not to be had again: until its own last read it is there
                    reach = min(reach, uses[v][-1] if uses[v] else -1)
                elif v in maker:
                    reach = min(reach, until[v])
            for v in facts.writes[u]:
                until[v] = reach
        return Ground(facts, tuple(base), maker, tuple(map(tuple, uses)), tuple(until))


class Walk:
    """One walk; `schedule` is what came out."""

    def __init__(self, ground: Ground, rule: Rule, budget: int) -> None:
        self.g, self.rule, self.budget = ground, rule, budget
        f = ground.facts
        self.schedule: list[int] = []
        self.here: dict[int, None] = dict.fromkeys(v for v in f.born if f.sizes[v])
        self.bytes = sum(f.sizes[v] for v in self.here)
        self.read = [0] * len(f.sizes)  # how many uses of each value have passed
        self.pins: dict[int, int] = {}
        self.now = 0
        for self.now, u in enumerate(ground.base):
            self._bring(f.reads[u])
            for v in f.reads[u]:
                self.read[v] += 1
            self._run(u)
            for v in f.reads[u]:
                self._unpin(v)
        self.now = len(ground.base)
        self._bring(tuple(sorted(f.keep)))

    def _next(self, v: int) -> int | None:
        uses = self.g.uses[v]
        return uses[self.read[v]] if self.read[v] < len(uses) else None

    def _gone(self, v: int) -> bool:
        return bool(self.g.facts.sizes[v]) and v not in self.here and v in self.g.maker

    def _pin(self, v: int) -> None:
        self.pins[v] = self.pins.get(v, 0) + 1

    def _unpin(self, v: int) -> None:
        self.pins[v] -= 1
        if not self.pins[v]:
            del self.pins[v]

    def _bring(self, values: Sequence[int]) -> None:
        """All of these in memory, and pinned."""
        f = self.g.facts
        for v in values:
            self._pin(v)  # also of what is yet to come: once made, it stays
        for v in values:
            if not self._gone(v):
                continue
            stack = [self.g.maker[v]]
            opened: set[int] = set()
            while stack:
                u = stack[-1]
                if u not in opened:
                    opened.add(u)
                    for r in f.reads[u]:
                        self._pin(r)
                missing = next((r for r in f.reads[u] if self._gone(r)), None)
                if missing is not None:
                    stack.append(self.g.maker[missing])
                    continue
                stack.pop()
                opened.discard(u)
                self._run(u)
                for r in f.reads[u]:
                    self._unpin(r)

    def _run(self, u: int) -> None:
        f = self.g.facts
        fresh = [v for v in f.writes[u] if f.sizes[v] and v not in self.here]
        need = sum(f.sizes[v] for v in fresh)
        given: set[int] = set()
        taken: set[int] = set()
        for old, new in f.in_place[u]:
            free = old in self.here and old not in given and self._next(old) is None and self.pins.get(old, 0) < 2
            if free and new in fresh and new not in taken:
                need -= f.sizes[new]
                given.add(old)
                taken.add(new)
        self._room(need, {*f.reads[u]})
        for v in given:
            self._drop(v)
        self.schedule.append(u)
        for v in fresh:
            self.here[v] = None
            self.bytes += f.sizes[v]

    def _drop(self, v: int) -> None:
        if v in self.here:
            del self.here[v]
            self.bytes -= self.g.facts.sizes[v]

    def _room(self, need: int, reads: set[int]) -> None:
        while self.bytes + need > self.budget:
            best: tuple[int, int] | None = None
            for v in self.here:
                score = self._score(v) if v not in self.pins and v not in reads else None
                if score is not None and (best is None or (score, v) < best):
                    best = score, v
            if best is None:
                return
            self._drop(best[1])

    def _score(self, v: int) -> int | None:
        """Work per byte and step; None if it must stay."""
        following = self._next(v)
        if following is None:
            return -1 if v in self.g.maker else None  # an input may serve to make another
        if v not in self.g.maker or self.g.until[v] < following:
            return None
        work = self._work(v) if self.rule.work else self.g.facts.cost[self.g.maker[v]]
        if self.rule.weights:
            work = work * self.rule.weights[v] >> 4
        distance = following - self.now + 1 if self.rule.distance else 1
        return (work << 20) // (self.g.facts.sizes[v] * distance)

    def _work(self, v: int) -> int:
        f, total = self.g.facts, 0
        stack, seen = [self.g.maker[v]], {self.g.maker[v]}
        while stack:
            u = stack.pop()
            total += f.cost[u]
            for r in f.reads[u]:
                if self._gone(r) and self.g.maker[r] not in seen:
                    seen.add(self.g.maker[r])
                    stack.append(self.g.maker[r])
        return total


def work(facts: Facts, schedule: Sequence[int]) -> int:
    """The work of a schedule, repeats included."""
    return sum(facts.cost[u] for u in schedule)


def trim(facts: Facts, schedule: Sequence[int], budget: int, trials: int) -> list[int]:
    """Without the repeats that the budget does not need: each is left out on trial, with what then serves nobody."""
    best = without_unread(facts, schedule)
    tried: set[tuple[int, ...]] = set()
    while True:
        seen: dict[int, int] = {}
        spots = []
        for t, u in enumerate(best):
            if u in seen:
                spots.append((-facts.cost[u], -t))
            seen[u] = t
        for _, t in sorted(spots):
            trials -= 1
            if trials < 0:
                return best
            shorter = without_unread(facts, [*best[:-t], *best[1 - t :]])
            if tuple(shorter) not in tried and peak(facts, shorter) <= budget:
                best = shorter
                break
            tried.add(tuple(shorter))
        else:
            return best


def without_unread(facts: Facts, schedule: Sequence[int]) -> list[int]:
    """Without repeats that make nothing that is read."""
    wanted = set(facts.keep)
    left: dict[int, int] = {}
    for u in schedule:
        left[u] = left.get(u, 0) + 1
    out: dict[int, list[int]] = {}
    for t in range(len(schedule) - 1, -1, -1):
        u = schedule[t]
        left[u] -= 1
        if any(v in wanted for v in facts.writes[u]) or (not left[u] and u not in out):
            out.setdefault(u, []).append(t)
            wanted.difference_update(facts.writes[u])
            wanted.update(facts.reads[u])
    return [schedule[t] for t in sorted(t for spots in out.values() for t in spots)]
