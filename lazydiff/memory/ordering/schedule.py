"""Orders the units of an entry: whatever must come before comes before, and the most bytes alive at once are few."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence

from lazydiff.memory.calls import Unit, Value
from lazydiff.memory.facts import Facts


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


def orders(facts: Facts) -> list[list[int]]:
    """Candidate schedules, each valid: as written (ready units first come first), and greedy for few live bytes.

    The caller keeps the one with the lowest bound.
    """
    return [as_written(facts), _list_schedule(facts, greedy=True)]


def as_written(facts: Facts) -> list[int]:
    """The schedule in the order of the graph: of the units that may run, always the first."""
    return _list_schedule(facts, greedy=False)


def _list_schedule(facts: Facts, greedy: bool) -> list[int]:
    """Of the units that may run, always the one with the least growth (greedy), then the first as written.

    A unit's growth is the bytes alive after it minus before: what it makes for others minus what it is the last to
    read. It can only fall, when another reader has run; then the unit joins the queue once more, further ahead.
    """
    waits = [set(n) for n in facts.needs()]
    blocks: list[list[int]] = [[] for _ in waits]
    for u, needs in enumerate(waits):
        for n in needs:
            blocks[n].append(u)
    users: dict[int, set[int]] = {}
    for u, reads in enumerate(facts.reads):
        for v in reads:
            users.setdefault(v, set()).add(u)
    growth = [0] * len(waits)
    for u in range(len(waits)) if greedy else ():
        made = sum(facts.sizes[v] for v in facts.writes[u] if v in users or v in facts.keep)
        freed = sum(facts.sizes[v] for v in facts.reads[u] if len(users[v]) == 1 and v not in facts.keep)
        growth[u] = made - freed
    queue = [(growth[u], u) for u, needs in enumerate(waits) if not needs]
    heapq.heapify(queue)
    done: dict[int, None] = {}
    while queue:
        u = heapq.heappop(queue)[1]
        if u in done:
            continue
        done[u] = None
        for v in facts.reads[u]:
            left = users[v]
            left.discard(u)
            if greedy and len(left) == 1 and v not in facts.keep:
                (last,) = left
                growth[last] -= facts.sizes[v]
                if not waits[last]:
                    heapq.heappush(queue, (growth[last], last))
        for w in blocks[u]:
            waits[w].discard(u)
            if not waits[w]:
                heapq.heappush(queue, (growth[w], w))
    assert len(done) == len(waits), "the units of an entry wait for each other"
    return list(done)
