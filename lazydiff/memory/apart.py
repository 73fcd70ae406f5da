"""Which gradients get a buffer of their own: a tile of a gradient is the fewest bytes, but its product then runs late.

A product whose rows an update eats runs when the parameter may change, after whoever reads the old one, and keeps its
operands until then. Where that makes the peak, a whole gradient made early and kept until the update takes less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lazydiff.kernels.program import NO_TILE
from lazydiff.memory.calls import EntryCalls, Unit
from lazydiff.memory.facts import Facts, facts
from lazydiff.memory.lives import lives
from lazydiff.memory.lower import alignment_unit
from lazydiff.memory.ordering.bindings import Units
from lazydiff.memory.ordering.schedule import orders
from lazydiff.memory.placement.place import alive_bytes

TRIES = 24  # orders of an entry of up to UNITS units; fewer of a longer one
UNITS = 100


def apart(versions: Sequence[EntryCalls]) -> list[EntryCalls]:
    """The versions in which gradients apart lower the bound, with as many apart as lower it further.

    In rounds: the one that helps most is taken, then the next is looked for.
    """
    values = [v for e in versions for u in e.units for c in u.calls for v in (*c.reads, *c.writes)]
    unit_bytes = alignment_unit(values)
    found = [(e, _lowered(e, unit_bytes, TRIES // len(versions))) for e in versions]
    return [low for e, low in found if low is not e]


def _lowered(entry: EntryCalls, unit_bytes: int, most_tries: int) -> EntryCalls:
    tries = most_tries * UNITS // max(UNITS, len(entry.units))
    if not tries:
        return entry
    best = _ordered(entry, unit_bytes)
    while tries > 0:
        found = [_ordered(_split(best.entry, best.entry.units[n]), unit_bytes) for n in _suspects(best)[:tries]]
        tries -= len(found)
        least = min(found, key=lambda f: f.bound_bytes, default=best)
        if least.bound_bytes >= best.bound_bytes:
            break
        best = least
    return best.entry


@dataclass(frozen=True, slots=True)
class _Ordered:
    """An entry in the order of the lowest bound."""

    entry: EntryCalls
    facts: Facts
    schedule: list[int]
    bound_bytes: int


def _ordered(entry: EntryCalls, unit_bytes: int) -> _Ordered:
    known, _ = facts(entry, entry.units, unit_bytes)
    units = Units(known)
    bound, _, schedule = min((units.peak(s), n, s) for n, s in enumerate(orders(known)))
    return _Ordered(entry, known, schedule, bound)


def _suspects(ordered: _Ordered) -> list[int]:
    """Tiled units that run at the peak or later and read values alive at it, the one with the most such bytes first."""
    units, known = ordered.entry.units, ordered.facts
    found = lives(known, ordered.schedule)
    alive = alive_bytes(found.intervals, found.steps)
    at = alive.index(max(alive))
    held = {m.value for m in found.makings if m.start <= at <= m.end}
    late = [n for n in ordered.schedule[at:] if len(units[n].calls) == 2 and _eaten(units[n])]
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
