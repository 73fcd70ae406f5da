"""Orders the units of an entry: whatever must come before comes before, and the most bytes alive at once are few."""

from __future__ import annotations

from collections.abc import Sequence

from lazydiff.memory.calls import Unit, Value


def add_update_order(units: Sequence[Unit], updates: Sequence[tuple[Value, Value]]) -> list[tuple[Value, Value]]:
    """Make each unit that writes over a state value wait for the other readers of the old one.

    Returns the updates that can't be in place (two that wait for each other, or a kernel that can't write over what it
    reads): their new values need a place of their own and a copy at the end.
    """
    maker = {id(v): u for u in units for v in u.writes}
    refused = []
    for old, new in updates:
        writer = maker[id(new)]
        call = next(c for c in writer.calls if new in c.writes)
        waits = [u for u in units if u is not writer and old in u.reads]
        others = [c for c in writer.calls if c is not call and old in c.reads]
        if others or not call.may_replace(old, new) or any(_depends(u, writer, maker) for u in waits):
            refused.append((old, new))
        else:
            writer.after.update(waits)
    return refused


def _needs(unit: Unit, maker: dict[int, Unit]) -> list[Unit]:
    return [maker[id(v)] for v in unit.reads if id(v) in maker and maker[id(v)] is not unit] + list(unit.after)


def _depends(unit: Unit, on: Unit, maker: dict[int, Unit]) -> bool:
    stack, seen = [unit], {id(unit)}
    while stack:
        for u in _needs(stack.pop(), maker):
            if u is on:
                return True
            if id(u) not in seen:
                seen.add(id(u))
                stack.append(u)
    return False


def orders(units: Sequence[Unit], keep: set[int]) -> list[list[Unit]]:
    """Candidate orders, each valid: as written (ready units first come first), and greedy for few live bytes.

    `keep` are ids of values that outlive the entry. The caller keeps the order with the lowest bound.
    """
    return [_list_schedule(units, keep, greedy=False), _list_schedule(units, keep, greedy=True)]


def _list_schedule(units: Sequence[Unit], keep: set[int], greedy: bool) -> list[Unit]:
    maker = {id(v): u for u in units for v in u.writes}
    position = {id(u): n for n, u in enumerate(units)}
    needs = {id(u): {id(x) for x in _needs(u, maker)} for u in units}
    users: dict[int, set[int]] = {}
    for u in units:
        for v in u.reads:
            users.setdefault(id(v), set()).add(id(u))
    blocks: dict[int, list[Unit]] = {}
    for u in units:
        for n in needs[id(u)]:
            blocks.setdefault(n, []).append(u)
    ready = [u for u in units if not needs[id(u)]]
    done: list[Unit] = []

    def growth(u: Unit) -> int:
        """Bytes alive after the unit minus before: what it makes for others minus what it is the last to read."""
        freed = sum(v.size_bytes for v in set(u.reads) if users[id(v)] == {id(u)} and id(v) not in keep)
        made = sum(v.size_bytes for v in u.writes if (id(v) in users or id(v) in keep) and v.replaces is None)
        return made - freed

    while ready:
        pick = min(ready, key=lambda u: (growth(u), position[id(u)]) if greedy else (0, position[id(u)]))
        ready.remove(pick)
        done.append(pick)
        for v in pick.reads:
            users[id(v)].discard(id(pick))
        for u in blocks.get(id(pick), ()):
            needs[id(u)].discard(id(pick))
            if not needs[id(u)]:
                ready.append(u)
    assert len(done) == len(units), "the units of an entry wait for each other"
    return done
