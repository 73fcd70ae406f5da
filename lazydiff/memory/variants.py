"""Longer blocks of maps and higher tiles of products where there is room for them: the same bits sooner.

An instruction of an interpreted map costs about as much as 64 elements of it whatever the block, so 256 elements a
block take most of that away; beyond, the temporaries of a long program would leave the first cache. A product of a row
or two sums with most of a core's registers empty; of eight rows it does not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain

from lazydiff.kernels.table import KERNELS
from lazydiff.memory.buffers import Lifetimes, lifetimes
from lazydiff.memory.calls import Call, EntryCalls, Unit, Value
from lazydiff.memory.facts import work
from lazydiff.memory.placement.place import alive_bytes

LONG_BLOCKS = 256, 64, 16  # elements
HIGH_TILES = 8, 4, 2  # rows of a product
MOST_TILES = 16  # are tried, where fewer are better
LONG_RANGES = 8192, 2048, 512  # elements that a chain hands on at once


def faster(
    entry: EntryCalls, lives: Lifetimes, room_bytes: int, unit_bytes: int, fits: Callable[[Lifetimes], bool]
) -> tuple[EntryCalls, Lifetimes]:
    """The entry with high tiles and long blocks in each unit where they fit `room_bytes` beside who is alive there.

    Where it does not fit any more with all of them, shorter blocks are tried, then the half of the units with most
    work, and so on.
    """
    found: dict[int, list[Call]] = {}
    for n in range(len(LONG_BLOCKS)):
        shorter = _choices(lives, room_bytes, unit_bytes, LONG_BLOCKS[n:])
        if shorter != found:
            found = shorter
            wide = _with(entry, lives, found, unit_bytes)
            if fits(wide):
                return replace(entry, units=wide.order), wide
    by_work = sorted(found, key=lambda at: (-sum(map(work, lives.order[at].calls)), at))
    while by_work := by_work[: len(by_work) // 2]:
        wide = _with(entry, lives, {at: found[at] for at in by_work}, unit_bytes)
        if fits(wide):
            return replace(entry, units=wide.order), wide
    return entry, lives


def _choices(lives: Lifetimes, room_bytes: int, unit_bytes: int, blocks: Sequence[int]) -> dict[int, list[Call]]:
    """By step: the calls with the highest tiles, and of these blocks the longest, that fit beside who is alive."""
    alive = alive_bytes(lives.intervals, lives.steps)
    found = {}
    for at, unit in enumerate(lives.order):
        tried = [_higher(unit.calls, rows) for rows in _heights(unit.calls)]
        now = _passing_bytes(unit.calls, unit_bytes)
        for calls in chain(([_longer(c, b) for c in high] for high in tried for b in blocks), tried):
            more = _passing_bytes(calls, unit_bytes) - now
            if more and alive[at] + more <= room_bytes:
                found[at] = calls
                break
    return found


def _with(entry: EntryCalls, lives: Lifetimes, chosen: dict[int, list[Call]], unit_bytes: int) -> Lifetimes:
    """Who lives when if some steps run other calls."""
    order = [Unit(chosen.get(at, unit.calls)) for at, unit in enumerate(lives.order)]
    new = dict(zip(map(id, lives.order), order, strict=True))
    for old, unit in zip(lives.order, order, strict=True):
        unit.after = {new[id(u)] for u in old.after}
    return lifetimes(entry, order, unit_bytes)


def _passing_bytes(calls: list[Call], unit_bytes: int) -> int:
    """Bytes of a unit's tiles and temporaries, rounded up: what lives while it runs, and no longer."""
    inside = {id(v): v for c in calls[:-1] for v in c.writes}
    inside |= {id(c.writes[-1]): c.writes[-1] for c in calls if c.program and c.program.n_temps}
    return sum(-(-v.size_bytes // unit_bytes) * unit_bytes for v in inside.values())


def _longer(call: Call, most: int) -> Call:
    """The call with a block of `most` elements or a row, if it is a map with temporaries and a shorter block."""
    program = call.program
    if program is None or not program.n_temps or not program.dims:
        return call
    block = min(most, program.dims[-1])
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
        higher = sorted({min(height, rows) for height in HIGH_TILES}, reverse=True)
        return [*[r for r in higher if r > first.tile_rows], 0]
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
