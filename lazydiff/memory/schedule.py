"""Orders the units of an entry: whatever must come before comes before, and the most bytes alive at once are few."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence

from lazydiff.memory.calls import Unit, Value


def add_update_order(units: Sequence[Unit], updates: Sequence[tuple[Value, Value]]) -> list[tuple[Value, Value]]:
    """Make each unit that writes over a state value wait for the other readers of the old one.

    Returns the updates that can't be in place (two that wait for each other, or a kernel that can't write over what it
    reads): their new values need a place of their own and a copy at the end.
    """
    maker = {id(v): u for u in units for v in u.writes}
    inputs = {id(u): _inputs(u, maker) for u in units}
    readers: dict[int, list[Unit]] = {}
    for u in units:
        for v in dict.fromkeys(u.reads):
            readers.setdefault(id(v), []).append(u)
    refused = []
    for old, new in updates:
        writer = maker[id(new)]
        call = next(c for c in writer.calls if new in c.writes)
        waits = [u for u in readers.get(id(old), ()) if u is not writer]
        others = [c for c in writer.calls if c is not call and old in c.reads]
        if others or not call.may_replace(old, new) or _one_depends(waits, writer, inputs):
            refused.append((old, new))
        else:
            writer.after.update(waits)
    return refused


def _inputs(unit: Unit, maker: dict[int, Unit]) -> list[Unit]:
    return [maker[id(v)] for v in unit.reads if id(v) in maker and maker[id(v)] is not unit]


def _one_depends(units: Iterable[Unit], on: Unit, inputs: dict[int, list[Unit]]) -> bool:
    """True if one of the units (none of which is `on`) can only run after `on`."""
    stack = list(units)
    seen = {id(u) for u in stack}
    while stack:
        unit = stack.pop()
        for u in (*inputs[id(unit)], *unit.after):
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
    """Of the units that may run, always the one with the least growth (greedy), then the first as written.

    A unit's growth is the bytes alive after it minus before: what it makes for others minus what it is the last to
    read. It can only fall, when another reader has run; then the unit joins the queue once more, further ahead.
    """
    maker = {id(v): u for u in units for v in u.writes}
    position = {id(u): n for n, u in enumerate(units)}
    needs = {id(u): {id(x) for x in (*_inputs(u, maker), *u.after)} for u in units}
    reads = {id(u): dict.fromkeys(u.reads) for u in units}
    users: dict[int, dict[int, Unit]] = {}
    blocks: dict[int, list[Unit]] = {}
    for u in units:
        for v in reads[id(u)]:
            users.setdefault(id(v), {})[id(u)] = u
        for n in needs[id(u)]:
            blocks.setdefault(n, []).append(u)
    growth = dict.fromkeys(position, 0)
    for u in units if greedy else ():
        made = sum(v.size_bytes for v in u.writes if (id(v) in users or id(v) in keep) and v.replaces is None)
        freed = sum(v.size_bytes for v in reads[id(u)] if len(users[id(v)]) == 1 and id(v) not in keep)
        growth[id(u)] = made - freed
    queue = [(growth[id(u)], position[id(u)]) for u in units if not needs[id(u)]]
    heapq.heapify(queue)
    done: dict[int, Unit] = {}
    while queue:
        pick = units[heapq.heappop(queue)[1]]
        if id(pick) in done:
            continue
        done[id(pick)] = pick
        for v in reads[id(pick)]:
            left = users[id(v)]
            del left[id(pick)]
            if greedy and len(left) == 1 and id(v) not in keep:
                (last,) = left.values()
                growth[id(last)] -= v.size_bytes
                if not needs[id(last)]:
                    heapq.heappush(queue, (growth[id(last)], position[id(last)]))
        for u in blocks.get(id(pick), ()):
            needs[id(u)].discard(id(pick))
            if not needs[id(u)]:
                heapq.heappush(queue, (growth[id(u)], position[id(u)]))
    assert len(done) == len(units), "the units of an entry wait for each other"
    return list(done.values())
