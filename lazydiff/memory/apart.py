"""Which gradients get a buffer of their own: a tile of a gradient is the fewest bytes, but its product then runs late.

A product whose rows an update eats runs when the parameter may change, after whoever reads the old one, and keeps its
operands until then. Where that makes the peak, a whole gradient made early and kept until the update takes less.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from lazydiff.kernels.program import NO_TILE
from lazydiff.kernels.table import KERNELS
from lazydiff.memory.calls import EntryCalls, Unit
from lazydiff.memory.facts import Facts, facts
from lazydiff.memory.lives import lives

TRIES = 24  # orders of an entry of up to UNITS units; fewer of a longer one
UNITS = 100


def apart(entry: EntryCalls, unit_bytes: int, order: Callable[[Facts], list[int]]) -> EntryCalls:
    """The entry with gradients apart as long as that lowers the bound of its order; in rounds, the best of each."""
    tries = TRIES * UNITS // max(UNITS, len(entry.units))
    known, _ = facts(entry, entry.units, unit_bytes)
    schedule = order(known)
    bound = lives(known, schedule).bound_bytes
    while tries > 0:
        found = []
        for n in _suspects(entry, known, schedule)[:tries]:
            tries -= 1
            other = _split(entry, entry.units[n])
            facts_then, _ = facts(other, other.units, unit_bytes)
            then = order(facts_then)
            found.append((lives(facts_then, then).bound_bytes, n, other, facts_then, then))
        if not found or min(found, key=lambda f: f[:2])[0] >= bound:
            break
        bound, _, entry, known, schedule = min(found, key=lambda f: f[:2])
    return entry


def _suspects(entry: EntryCalls, known: Facts, schedule: Sequence[int]) -> list[int]:
    """Tiled units that run at the peak or later and read a value alive at it, the one with the most such bytes first."""
    found = lives(known, schedule)
    change = [0] * (found.steps + 1)
    for i in found.intervals:
        change[i.start] += i.size_bytes
        change[i.end + 1] -= i.size_bytes
    alive, most, at = 0, -1, 0
    for t, c in enumerate(change[:-1]):
        alive += c
        if alive > most:
            most, at = alive, t
    held = {m.value for m in found.makings if m.start <= at <= m.end}
    late = [n for n in schedule[at:] if len(entry.units[n].calls) > 1]
    sizes = {n: sum(known.sizes[v] for v in known.reads[n] if v in held) for n in late}
    return sorted((n for n in late if sizes[n]), key=lambda n: (-sizes[n], n))


def _split(entry: EntryCalls, tiled: Unit) -> EntryCalls:
    """The entry with this unit as two: the whole product, then the map that reads it."""
    product, user = tiled.calls
    tile = product.writes[0]
    rows = KERNELS[product.kernel].row_count(product.attrs)
    value = replace(tile, elements=rows * tile.elements // product.tile_rows, label="gradient")
    whole = Unit([replace(product, writes=[value], tile_rows=0)])
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
