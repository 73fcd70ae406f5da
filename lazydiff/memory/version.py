"""A version of an entry: its calls, the integers that every stage judges it by, and orders of its units, found once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from lazydiff.memory.calls import EntryCalls
from lazydiff.memory.facts import facts
from lazydiff.memory.lives import peak
from lazydiff.memory.ordering.bindings import Units
from lazydiff.memory.ordering.order import best_first
from lazydiff.memory.ordering.schedule import by_rule


class Version:
    """One way to compute an entry. Orders by rule are cheap and made at once; the best is looked for when asked for.

    `values` are the facts' by number, `units` the facts as C reads them, `rules` the orders by rule, the lowest peak
    first, which is `rules_peak`.
    With `remake`, what ld.recompute hints at is computed again.
    """

    def __init__(self, entry: EntryCalls, unit_bytes: int, remake: bool) -> None:
        self.entry, self.unit_bytes, self.remake = entry, unit_bytes, remake
        self.facts, self.values = facts(entry, entry.units, unit_bytes)
        self.units = Units(self.facts)
        self.rules_peak, self.rules = ranked(self.units)

    @cached_property
    def orders(self) -> list[list[int]]:
        """Orders of its units, the lowest peak that is found first."""
        return best_first(self.units, self.rules)

    @cached_property
    def plain(self) -> list[int]:
        """The schedule without a budget: repeats only what ld.recompute hints at."""
        if self.facts.anew and self.remake:
            from lazydiff.memory.recompute.portfolio import lowest  # half of the planner, which few compilations need

            return lowest(self.facts, self.orders, self.facts.anew)
        return self.orders[0]

    @cached_property
    def peak(self) -> int:
        """The contention bound of the schedule without a budget, in bytes."""
        return peak(self.facts, self.plain) if self.facts.anew else self.units.peak(self.plain)

    @property
    def work(self) -> int:
        """The work of the schedule without a budget."""
        return self.facts.work(self.plain) if self.facts.anew else sum(self.facts.cost)

    @cached_property
    def least(self) -> int:
        """No schedule without a budget has a peak below this, in bytes."""
        return 0 if self.facts.anew else self.units.least(self.rules[0])


def ranked(units: Units) -> tuple[int, list[list[int]]]:
    """The orders by rule, the lowest peak first, and that peak."""
    found = sorted((units.peak(s), n, s) for n, s in enumerate(by_rule(units)))
    return found[0][0], [s for _, _, s in found]


def lowest_version(versions: Sequence[Version]) -> Version:
    """The version of the lowest peak, the first of equals. What can't be lower than one found is not searched."""
    if len(versions) == 1:
        return versions[0]
    best = None
    for least, n in sorted((v.least, n) for n, v in enumerate(versions)):
        if best is None or (least, n) < best:
            found = versions[n].peak, n
            best = min(best or found, found)
    assert best is not None
    return versions[best[1]]
