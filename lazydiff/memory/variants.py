"""Longer blocks of maps and higher tiles of products where there is room for them: the same bits sooner.

An instruction of a map costs about as much as 64 elements of it whatever the block, so four times the elements a block
take most of that away; beyond, the temporaries of a long program would leave the first cache. A product of a row or two
sums with most of a core's registers empty; of eight rows it does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lazydiff.kernels.table import KERNELS
from lazydiff.memory.buffers import Lifetimes, lifetimes
from lazydiff.memory.calls import Call, EntryCalls, Unit, Value
from lazydiff.memory.facts import work
from lazydiff.memory.placement.place import alive_bytes

LONG_BLOCK = 256  # elements
HIGH_TILE = 8  # rows
MOST_TILES = 16  # are tried, where fewer are better
LONG_RANGES = 8192, 2048, 512  # elements that a chain hands on at once


def faster(
    entry: EntryCalls, lives: Lifetimes, room_bytes: int, unit_bytes: int, fits: Callable[[Lifetimes], bool]
) -> tuple[EntryCalls, Lifetimes]:
    """The entry with high tiles and long blocks in each unit where they fit `room_bytes` beside who is alive there.

    Where it does not fit any more with all of them, the half of the units with most work is tried, and so on.
    """
    alive = alive_bytes(lives.intervals, lives.steps)
    found = []
    for at, unit in enumerate(lives.order):
        tried = [_higher(unit.calls, rows) for rows in _heights(unit.calls)]
        for calls in [each for high in tried for each in ([_longer(c) for c in high], high)]:
            more = _passing_bytes(calls, unit_bytes) - _passing_bytes(unit.calls, unit_bytes)
            if more and alive[at] + more <= room_bytes:
                found.append((sum(map(work, unit.calls)), at, calls))
                break
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


def _passing_bytes(calls: list[Call], unit_bytes: int) -> int:
    """Bytes of a unit's tiles and temporaries, rounded up: what lives while it runs, and no longer."""
    inside = {id(v): v for c in calls[:-1] for v in c.writes}
    inside |= {id(c.writes[-1]): c.writes[-1] for c in calls if c.program and c.program.n_temps}
    return sum(-(-v.size_bytes // unit_bytes) * unit_bytes for v in inside.values())


def _longer(call: Call) -> Call:
    """The call with a long block, if it is a map with temporaries and rows of that many elements; else as it is."""
    program = call.program
    if program is None or not program.n_temps or not program.dims:
        return call
    block = min(LONG_BLOCK, program.dims[-1])
    if block <= program.block:
        return call
    scratch = replace(call.writes[-1], elements=program.n_temps * block)
    return replace(call, writes=[*call.writes[:-1], scratch], program=replace(program, block=block))


def _heights(calls: list[Call]) -> list[int]:
    """Rows of the first call to try a range, the best first; the last changes nothing.

    A kernel with scratch makes the same values in it for each tile again, so the fewer tiles the better. What runs as a
    chain of kernels is looked up again for each range, so that a range should be long.
    """
    first, user = calls[0], calls[-1]
    if not first.tile_rows:
        return [0]
    kernel = KERNELS[first.kernel]
    rows = first.rows
    if user.program is None:
        row = first.results[-1].elements // first.tile_rows
        longer = [min(rows, first.tile_rows * (range_ // row // first.tile_rows)) for range_ in LONG_RANGES]
        return [*[r for r in longer if r > first.tile_rows], 0]
    if all(o.mode != "scratch" for o in kernel.operands):
        return [min(HIGH_TILE, rows), 0]
    fewer = [-(-rows // parts) for parts in range(1, MOST_TILES)]
    return [*[r for r in fewer if r > first.tile_rows], 0]


def _higher(calls: list[Call], rows: int) -> list[Call]:
    """The calls with so many rows of the first a range, if these are more, and with tiles that hold them."""
    first = calls[0]
    if rows <= first.tile_rows:
        return calls
    read = {id(v) for c in calls[1:] for v in c.reads}
    high: dict[int, Value] = {}
    found = []
    for c in calls:
        tile = c.tile_rows and c.rows * rows // first.rows
        makes_tiles = c is first or (c.program is not None and c.program.tiles)
        for v in c.writes if makes_tiles else ():
            if id(v) in read:
                above = high.get(id(v.replaces), v.replaces)
                high[id(v)] = replace(v, elements=v.elements // c.tile_rows * tile, replaces=above)
        writes, reads = ([high.get(id(v), v) for v in some] for some in (c.writes, c.reads))
        found.append(replace(c, writes=writes, reads=reads, tile_rows=tile))
    return found
