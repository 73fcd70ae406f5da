"""Facts and candidate schedules -> the order with the lowest peak that is found; where it can be, proved the lowest.

The bytes in use while a unit runs depend on the set of units that ran before it, and not on their order. So the best
order is a path through sets, on which the most bytes in use are few:

1. Two more orders by rule: greedy for few live bytes, from the start and from the end; of equals, the newest first.
2. Exact search over the sets that may have run (memory/csrc/window.c), of the whole entry where it is not too long.
   It often ends at once: a unit that leaves no more bytes alive than there were, and needs no more than the peak
   so far, may run at once, and so may a chain of them.
3. Moves of units away from the peak (memory/csrc/moves.c), then from seeded changes on.
4. Exact search again: of the whole for any order below the peak, so that more units may run at once, and of windows
   around the peak, all else fixed.

All limits are numbers of units looked at, and grow with the number of units; there is no clock.
"""

from __future__ import annotations

from collections.abc import Sequence

from lazydiff.memory.facts import Facts
from lazydiff.memory.ordering.bindings import Units
from lazydiff.memory.placement.packing import Decision

WHOLE = 8192  # units of an entry that is searched whole
WINDOWS = (24, 48, 96, 192)  # units of the windows around the peak
LOOKS = 10_000  # by unit of the entry: looks at units of all searches and moves together,
MOST_LOOKS = 4_000_000  # up to this many
SETS = 8000  # sets of units that a search stores
ROUNDS = 4  # of moves and searches in turn,
IDLE = 2  # or so many that found nothing


def best_order(facts: Facts, candidates: Sequence[Sequence[int]]) -> list[int]:
    """The schedule of the lowest peak found, each unit in it once; a candidate (the first of equals) if none beats it.

    `candidates`: at least one schedule, each valid, every unit in it once. The same answer on every machine.
    """
    return best_first(Units(facts), candidates)[0]


def best_first(units: Units, candidates: Sequence[Sequence[int]]) -> list[list[int]]:
    """best_order's answer, then the candidates, the lowest peak first."""
    ranked = sorted((units.peak(s), n) for n, s in enumerate(candidates))
    others = [list(candidates[n]) for _, n in ranked]
    best = others[0]
    if len(best) > 1:
        best = _Search(units, best).run()
    return [best, *(s for s in others if s != best)]


class _Search:
    """The best order so far, and below which peak there is proved to be none."""

    def __init__(self, units: Units, given: Sequence[int]) -> None:
        self.units = units
        self.best = list(given)
        self.peak = self.units.peak(given)
        self.proved = 0
        self.share = min(MOST_LOOKS, LOOKS * self.units.count) // (2 * ROUNDS)

    def run(self) -> list[int]:
        """The best order that all steps together find."""
        for from_the_end in (False, True):
            self._offer(self.units.listed(from_the_end))
        self._search(0, self.units.count, 0)
        idle = 0
        for seed in range(ROUNDS):
            if self.peak <= self.proved:
                break
            before = self.peak
            self._offer(self.units.moved(self.best, seed, self.share))
            self._search(0, self.units.count, self.peak - 1)
            for length in WINDOWS:
                use = self.units.usage(self.best)
                at = use.index(max(use))
                first = max(0, min(at - length // 2, self.units.count - length))
                self._search(first, min(self.units.count, first + length), 0)
            idle = idle + 1 if self.peak == before else 0
            if idle == IDLE:
                break
        return self.best

    def _offer(self, order: list[int]) -> None:
        peak_bytes = self.units.peak(order)
        if peak_bytes < self.peak:
            self.best, self.peak = order, peak_bytes

    def _search(self, first: int, after: int, start: int) -> None:
        if self.peak <= self.proved or after - first > WHOLE:
            return
        decision, order, proved = self.units.window(self.best, first, after, start, SETS, self.share // 4)
        if decision == Decision.YES:
            self._offer(order)
        if after - first == self.units.count:
            self.proved = max(self.proved, proved)
