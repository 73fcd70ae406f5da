"""Offline eviction: a schedule walked under a budget; what is dropped on the way is made again before it is read.

1. Every value with a place in the shared area is in memory or not. Before a unit runs, its reads are brought back:
   the makers of those that are gone run again, deepest first. What waits to be read stays.
2. When a unit's new bytes do not fit, the value whose score is least is dropped, among those that can be made again in
   time: (work to make it again from what is in memory) / (bytes x steps until it is read next). The lower number wins.
3. A value without a further read in the base schedule stays as long as there is room: it may serve to make another.
   Small values are dropped only when nothing else is left.
4. A unit may be repeated until a unit runs that must come after all of its makings, and never if it may run but once.
5. `trim` then takes back every repeat that the budget does not need, dearest first.

A rule may leave out work or distance; weights, one for each value, multiply its score. The C is memory/csrc/evict.c.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lazydiff.memory.compiled import extension, flat, pointer
from lazydiff.memory.facts import Facts

Schedule = npt.NDArray[np.int32]

MOST_REPEATS = 4  # a schedule may have so many times the steps of its base
PATIENCE = 10_000_000  # looks at values and units in one walk, about 20 ms
SMALL = 256  # a value of the largest one's bytes divided by this is small


@dataclass(frozen=True, slots=True)
class Rule:
    """What a score is made of."""

    work: bool = True  # of all that must run again; else of the maker alone
    distance: bool = True


class Ground:
    """One base schedule, in which every unit stands once, as the C wants it; walks over it, and judgements."""

    def __init__(self, facts: Facts, base: Sequence[int], only: frozenset[int] | None = None) -> None:
        """Where `only` is given, no other value is dropped while something reads it again."""
        self.facts, self.base, self.plain = facts, list(base), np.array(base, np.int32)
        c = extension()
        uses, until = _uses(facts, base), _until(facts, base)
        use_at, use = flat(uses)
        read_at, reads = flat(facts.reads)
        write_at, writes = flat(facts.writes)
        share_at, old = flat([[o for o, _ in pairs] for pairs in facts.in_place])
        _, new = flat([[n for _, n in pairs] for pairs in facts.in_place])
        maker = np.full(len(facts.sizes), -1, np.int32)
        for v, u in facts.maker.items():
            maker[v] = u
        keep, stay = np.zeros((2, len(facts.sizes)), np.uint8)
        keep[list(facts.keep)] = 1
        stay[list(facts.stay if only is None else {*range(len(stay))} - only)] = 1
        arrays = [
            *(pointer("int64_t", np.array(a, np.int64)) for a in (facts.sizes, facts.cost)),
            *(pointer("int32_t", a) for a in (maker, read_at, reads, write_at, writes, share_at, old, new)),
            pointer("int32_t", np.array(facts.born, np.int32)),
            pointer("uint8_t", keep),
            *(pointer("int32_t", a) for a in (np.array(base, np.int32), use_at, use, until)),
            pointer("uint8_t", stay),
        ]
        counts = len(facts.sizes), len(facts.reads), len(base), len(facts.born)
        self._arrays = arrays  # the struct only points at them
        self._entry = c.ffi.new("lzd_entry *", [*counts, *arrays])
        self._most = MOST_REPEATS * len(base) + 64
        self._makings = MOST_REPEATS * len(writes) + len(facts.born) + 64
        cells = 8 * counts[0] + 4 * counts[1] + self._most + 4 * self._makings + 64
        self._memory = pointer("int32_t", np.zeros(cells, np.int32))
        self._alive = pointer("int64_t", np.zeros(self._most + 1, np.int64))
        self._out = np.zeros(self._most, np.int32)
        self.cost = np.array(facts.cost, np.int64)
        self._small = max(facts.sizes, default=0) // SMALL
        self.weights = np.full(len(facts.sizes), 16, np.int32)
        self.weights[list(facts.anew)] = 1

    def walk(self, rule: Rule, budget: int, weights: npt.NDArray[np.int32] | None = None) -> Schedule | None:
        """The schedule of a walk without its useless repeats; None if it grew or took too long. `weights`: in 16ths."""
        c = extension()
        weight = pointer("int32_t", self.weights if weights is None else weights)
        struct = c.ffi.new("lzd_rule *", [budget, self._small, PATIENCE, rule.work, rule.distance, weight])
        n = c.lib.lzd_evict(self._entry, struct, pointer("int32_t", self._out), self._most, self._memory)
        return self.tidy(self._out[:n].copy()) if n >= 0 else None

    def tidy(self, schedule: Schedule, without: int = -1) -> Schedule:
        """Without the step at `without`, and then without repeats that make nothing that is read."""
        c, out = extension(), np.empty(len(schedule), np.int32)
        n = c.lib.lzd_tidy(
            self._entry, pointer("int32_t", schedule), len(schedule), without, pointer("int32_t", out), self._memory
        )
        return out[:n]

    def peak(self, schedule: Schedule) -> int:
        """The contention bound, as memory/lives.py has it; above every budget where there are too many makings."""
        c = extension()
        found = c.lib.lzd_peak(
            self._entry, pointer("int32_t", schedule), len(schedule), self._makings, self._alive, self._memory
        )
        return int(found) if found >= 0 else 1 << 62

    def work(self, schedule: Schedule) -> int:
        """The work of a schedule, repeats included."""
        return int(self.cost[schedule].sum())


def trim(ground: Ground, schedule: Schedule, budget: int, trials: int) -> Schedule:
    """Without the repeats that the budget does not need: each is left out on trial, with what then serves nobody."""
    changed = True
    while changed:
        changed = False
        _, first = np.unique(schedule, return_index=True)
        repeats = np.setdiff1d(np.arange(len(schedule)), first)
        order = repeats[np.lexsort((-repeats, -ground.cost[schedule[repeats]]))]
        for t in order.tolist():
            trials -= 1
            if trials < 0:
                return schedule
            shorter = ground.tidy(schedule, t)
            if ground.peak(shorter) <= budget:
                schedule = shorter
                changed = True
                break
    return schedule


def _uses(facts: Facts, base: Sequence[int]) -> list[list[int]]:
    """By value: the base steps that read it, and the step behind the last where it is kept."""
    uses: list[list[int]] = [[] for _ in facts.sizes]
    for t, u in enumerate(base):
        for v in facts.reads[u]:
            uses[v].append(t)
    for v in facts.keep:
        uses[v].append(len(base))
    return uses


def _until(facts: Facts, base: Sequence[int]) -> npt.NDArray[np.int32]:
    """By value: the last base step before which it can be made again, or -1.

    That is until a unit runs that must come after its maker, or after one that makes what the maker reads. A value that
    can't be made again is there until its last read.
    """
    uses, maker, end = _uses(facts, base), facts.maker, len(base)
    last = [end] * len(facts.reads)
    for t, u in enumerate(base):
        for a in facts.after[u]:
            last[a] = min(last[a], t)
    until = np.full(len(facts.sizes), end, np.int32)
    for u in base:
        reach = -1 if facts.once[u] else last[u]
        for v in facts.reads[u]:
            if v in maker and until[v] < 0:
                reach = min(reach, uses[v][-1])
            elif v in maker:
                reach = min(reach, int(until[v]))
        for v in facts.writes[u]:
            until[v] = reach
    return until
