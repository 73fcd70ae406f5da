"""Which gradients get a buffer of their own: a tile of a gradient is the fewest bytes, but its product then runs late.

A product whose rows an update eats runs when the parameter may change, after whoever reads the old one, and keeps its
operands until then. Where that makes the peak, a whole gradient made early and kept until the update takes less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lazydiff.kernels.program import NO_TILE
from lazydiff.memory.calls import EntryCalls, Unit
from lazydiff.memory.lives import lives
from lazydiff.memory.placement.place import alive_bytes
from lazydiff.memory.version import Version

TRIES = 24  # orders of an entry of up to UNITS units; fewer of a longer one
UNITS = 100


def apart(versions: Sequence[Version]) -> list[Version]:
    """The versions in which gradients apart lower the bound, with as many apart as lower it further.

    In rounds: the one that helps most is taken, then the next is looked for. Judged by their orders by rule.
    """
    found = [(v, _lowered(v, TRIES // len(versions))) for v in versions]
    return [low for v, low in found if low is not v]


def _lowered(best: Version, most_tries: int) -> Version:
    tries = most_tries * UNITS // max(UNITS, len(best.entry.units))
    while tries > 0:
        suspects = [best.entry.units[n] for n in _suspects(best)[:tries]]
        found = [Version(_split(best.entry, unit), best.unit_bytes, best.remake) for unit in suspects]
        tries -= len(found)
        least = min(found, key=lambda f: f.rules_peak, default=best)
        if least.rules_peak >= best.rules_peak:
            break
        best = least
    return best


def _suspects(version: Version) -> list[int]:
    """Tiled units that run at the peak or later and read values alive at it, the one with the most such bytes first."""
    units, known, schedule = version.entry.units, version.facts, version.rules[0]
    found = lives(known, schedule)
    alive = alive_bytes(found.intervals, found.steps)
    at = alive.index(max(alive))
    held = {m.value for m in found.makings if m.start <= at <= m.end}
    late = [n for n in schedule[at:] if len(units[n].calls) == 2 and _eaten(units[n])]
    sizes = {n: sum(known.sizes[v] for v in known.reads[n] if v in held) for n in late}
    return sorted((n for n in late if sizes[n]), key=lambda n: (-sizes[n], n))


def _eaten(unit: Unit) -> bool:
    """True for a product and the map that eats its rows."""
    program = unit.calls[1].program
    return program is not None and program.tile != NO_TILE


def _split(entry: EntryCalls, tiled: Unit) -> EntryCalls:
    """The entry with this unit as two: the whole product, then the map that reads it."""
    product, user = tiled.calls
    *scratch, tile = product.writes
    value = replace(tile, elements=product.rows * tile.elements // product.tile_rows, label="gradient")
    whole = Unit([replace(product, writes=[*scratch, value], tile_rows=0)])
    assert user.program is not None
    reads = [value if v is tile else v for v in user.reads]
    last = Unit([replace(user, reads=reads, program=replace(user.program, tile=NO_TILE))])
    new = {id(u): Unit(u.calls) for u in entry.units} | {id(tiled): last}
    for u in entry.units:
        new[id(u)].after = {new[id(a)] for a in u.after}
    first = {id(v) for v in product.after}
    whole.after = {new[id(u)] for u in entry.units if any(id(v) in first for v in u.writes)}
    units = []
    for u in entry.units:
        units += [whole, last] if u is tiled else [new[id(u)]]
    return replace(entry, units=units)
