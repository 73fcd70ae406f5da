"""Longer blocks for maps where their temporaries have room: the same bits sooner, never a byte more than planned.

An instruction of a map costs about as much as 64 elements of it whatever the block, so four times the elements a block
take most of that away; beyond, the temporaries of a long program would leave the first cache.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from lazydiff.memory.buffers import Lifetimes, lifetimes
from lazydiff.memory.calls import Call, EntryCalls, Unit
from lazydiff.memory.placement.place import alive_bytes

LONG_BLOCK = 256  # elements


def faster(
    entry: EntryCalls, lives: Lifetimes, room_bytes: int, unit_bytes: int, fits: Callable[[Lifetimes], bool]
) -> tuple[EntryCalls, Lifetimes]:
    """The entry with long blocks in each unit where they fit `room_bytes` beside who is alive there.

    Where it does not fit any more with all of them, the half with most instructions to run is tried, and so on.
    """
    alive = alive_bytes(lives.intervals, lives.steps)
    found = []
    for at, unit in enumerate(lives.order):
        calls = [_longer(c) for c in unit.calls]
        more = sum(
            _scratch(new, unit_bytes) - _scratch(old, unit_bytes) for new, old in zip(calls, unit.calls, strict=True)
        )
        if more and alive[at] + more <= room_bytes:
            found.append((sum(map(_instructions, unit.calls)), at, calls))
    found.sort(key=lambda item: (-item[0], item[1]))
    while found:
        chosen = {at: calls for _, at, calls in found}
        order = [Unit(chosen.get(at, unit.calls)) for at, unit in enumerate(lives.order)]
        new = dict(zip(map(id, lives.order), order, strict=True))
        for old, unit in zip(lives.order, order, strict=True):
            unit.after = {new[id(u)] for u in old.after}
        wide = lifetimes(entry, order, unit_bytes)
        if fits(wide):
            return replace(entry, units=order), wide
        found = found[: len(found) // 2]
    return entry, lives


def _instructions(call: Call) -> int:
    """How many instructions a call runs, counted by element."""
    return math.prod(call.program.dims) * len(call.program.instructions) if call.program else 0


def _scratch(call: Call, unit_bytes: int) -> int:
    """Bytes of a map's temporaries, rounded up."""
    return -(-call.writes[-1].size_bytes // unit_bytes) * unit_bytes if call.program and call.program.n_temps else 0


def _longer(call: Call) -> Call:
    """The call with a long block, if it is a map with temporaries and that many elements; else as it is."""
    program = call.program
    block = min(LONG_BLOCK, math.prod(program.dims)) if program else 0
    if program is None or not program.n_temps or block <= program.block:
        return call
    scratch = replace(call.writes[-1], elements=program.n_temps * block)
    return replace(call, writes=[*call.writes[:-1], scratch], program=replace(program, block=block))
