"""An entry as it will run -> what each stage of the planner saved: the contention bound without it, minus with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from lazydiff.memory.calls import EntryCalls
from lazydiff.memory.facts import Facts, facts
from lazydiff.memory.lives import lives, peak
from lazydiff.memory.ordering.order import best_order
from lazydiff.memory.ordering.schedule import as_written, orders


class Versions(Protocol):
    """Selects an entry's calls afresh, each way to write it, with some stages off."""

    def __call__(
        self, *, fused: bool = True, repeated: bool = True, divided: bool = True, spared: bool = True
    ) -> Sequence[EntryCalls]:
        """Without `fused` each map is alone, without `repeated` all is computed once, without `divided` one batch.

        Without `spared` there are no masks of a bit an element, and no state is updated before its parameter.
        """


def savings(run: EntryCalls, unit_bytes: int, versions: Versions, divided: bool) -> dict[str, int]:
    """Bytes by stage, in the planner's order; less than 0 where a stage cost some. `divided`: in micro-batches.

    "fusion", "saving less", "order" and "batch split" are judged before anything is repeated to meet a budget: each
    alone is off, all others on. "sharing" (writing a result over an operand that dies) and "recomputation" are judged
    on the entry as it runs. The scratch of faster kernels (memory/variants.py), which takes only room that is free, is
    left out.
    """
    known, _ = facts(run, run.units, unit_bytes)
    now = range(len(run.units))
    bound = peak(known, now)

    def best(made: Sequence[EntryCalls], schedules: Callable[[Facts], Sequence[Sequence[int]]] = _best) -> int:
        every = [facts(e, e.units, unit_bytes)[0] for e in made]
        return min(peak(each, s) for each in every for s in schedules(each))

    plain = versions()
    free = best(plain)
    return {
        "fusion": best(versions(fused=False)) - free,
        "saving less": best(versions(spared=False)) - free,
        "sharing": lives(known, now, in_place=False).bound_bytes - bound,
        "order": best(plain, lambda each: [as_written(each)]) - free,
        "recomputation": best(versions(repeated=False)) - bound,
        "batch split": best(versions(divided=False)) - free if divided else 0,
    }


def work(run: EntryCalls, unit_bytes: int, versions: Versions) -> tuple[int, int]:
    """Multiply-adds of the entry with nothing computed twice, and as it runs."""
    once, *_ = versions(repeated=False, spared=False)
    first, second = (sum(facts(e, e.units, unit_bytes)[0].cost) for e in (once, run))
    return first, second


def _best(known: Facts) -> list[list[int]]:
    return [best_order(known, orders(known))]
