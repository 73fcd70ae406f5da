"""Orders the units of an entry: whatever must come before comes before, and the most bytes alive at once are few."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lazydiff.memory.calls import Unit, Value
from lazydiff.memory.facts import Facts
from lazydiff.memory.ordering.bindings import Units


def add_update_order(units: Sequence[Unit], updates: Sequence[tuple[Value, Value]]) -> list[tuple[Value, Value]]:
    """Make each unit that writes over a state value wait for the other readers of the old one.

    Returns the updates that can't be in place (two that wait for each other, or a kernel that can't write over what it
    reads): their new values need a place of their own and a copy at the end.
    """
    maker = {id(v): u for u in units for v in u.writes}
    readers: dict[int, list[Unit]] = {}
    followers: dict[int, list[Unit]] = {}  # by unit: those that must run after it, beyond what the values say
    for u in units:
        for v in dict.fromkeys(u.reads):
            readers.setdefault(id(v), []).append(u)
        for a in u.after:
            followers.setdefault(id(a), []).append(u)
    refused = []
    for old, new in updates:
        writer = maker[id(new)]
        call = next(c for c in writer.calls if new in c.writes)
        waits = [u for u in readers.get(id(old), ()) if u is not writer]
        others = [c for c in writer.calls if c is not call and old in c.reads]
        if others or not call.may_replace(old, new) or _leads_to(writer, waits, readers, followers):
            refused.append((old, new))
        else:
            writer.after.update(waits)
            for u in waits:
                followers.setdefault(id(u), []).append(writer)
    return refused


def _leads_to(
    unit: Unit, others: Iterable[Unit], readers: dict[int, list[Unit]], followers: dict[int, list[Unit]]
) -> bool:
    """True if one of the others (none of which is `unit`) can only run after `unit`."""
    goals, stack = {id(u) for u in others}, [unit]
    seen = {id(unit)}
    while stack:
        made = stack.pop()
        later = [u for v in made.writes for u in readers.get(id(v), ())]
        for u in later + followers.get(id(made), []):
            if id(u) in goals:
                return True
            if id(u) not in seen:
                seen.add(id(u))
                stack.append(u)
    return False


def orders(facts: Facts) -> list[list[int]]:
    """by_rule of an entry's facts."""
    return by_rule(Units(facts))


def by_rule(units: Units) -> list[list[int]]:
    """Candidate schedules, each valid: as written (ready units first come first), and greedy for few live bytes.

    The caller keeps the one with the lowest bound.
    """
    return [units.first(), units.first(greedy=True)]


def as_written(facts: Facts) -> list[int]:
    """The schedule in the order of the graph: of the units that may run, always the first."""
    return Units(facts).first()
