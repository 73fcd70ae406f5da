"""Entries in their versions -> what every plan of them needs, whatever its order and however much it computes again."""

from __future__ import annotations

from collections.abc import Sequence

from lazydiff.memory.budgets.ram import Ram
from lazydiff.memory.calls import EntryCalls, Value
from lazydiff.memory.facts import Facts
from lazydiff.memory.placement.packing import Decision
from lazydiff.memory.placement.place import Interval
from lazydiff.memory.placement.regions import spread
from lazydiff.memory.recompute.portfolio import held, needed

Case = tuple[EntryCalls, Facts]  # a version of an entry
_WORK = 1_000_000  # of one exact search: a few buffers at one step


def enough_bytes(entries: Sequence[Sequence[Case]], kept_bytes: int) -> tuple[int, str]:
    """Bytes that every plan of these versions needs, the `kept_bytes` of all entries included, and why."""
    best = 0, ""
    for versions in entries:
        least: tuple[int, str] | None = None
        for entry, facts in versions:
            size, unit = needed(facts)
            words = f"what {_where(entry, unit)} reads and writes takes {size:,} B, with parameters and state"
            least = min(least or (size + 1, ""), (size, words))
        assert least is not None
        best = max(best, least, key=lambda found: found[0])
    return best[0] + kept_bytes, f"{best[1]} {best[0] + kept_bytes:,} B"


def enough_places(entries: Sequence[Sequence[Case]], kept: Sequence[Value], unit: int, ram: Ram) -> str:
    """The proof that some call's operands have no places in the regions, beside parameters and state; else ""."""
    rooms = ram.rooms()
    for versions in entries:
        whys = [_no_places(entry, facts, kept, unit, rooms) for entry, facts in versions]
        if all(whys):
            return f"{whys[0]} has no place in the regions, beside parameters and state"
    return ""


def _no_places(entry: EntryCalls, facts: Facts, kept: Sequence[Value], unit: int, rooms: Sequence[int]) -> str:
    """The call of most bytes for which there are no places, in words."""
    together = held(facts)
    by_size = sorted(together, key=lambda each: (-sum(facts.sizes[v] for v in each[0]), each[1]))
    for values, at in by_size[:16]:
        sizes = [facts.sizes[v] for v in values if facts.sizes[v]] + [-(-v.size_bytes // unit) * unit for v in kept]
        once = [Interval(size, 0, 0) for size in sizes]
        if spread(once, 1, rooms, [1] * len(once), _WORK).decision == Decision.NO:
            return f"what {_where(entry, at)} reads and writes"
    return ""


def _where(entry: EntryCalls, unit: int) -> str:
    call = entry.units[unit].calls[-1] if unit >= 0 else None
    return f"{call.label or 'a step'} ({call.source}) of `{entry.name}`" if call else f"the inputs of `{entry.name}`"
