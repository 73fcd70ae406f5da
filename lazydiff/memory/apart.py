"""Which gradients get a buffer of their own: a tile of a gradient is the fewest bytes, but its product then runs late.

A product whose rows an update eats runs when the parameter may change, after whoever reads the old one, and keeps its
operands until then. Where that makes the peak, a whole gradient made early and kept until the update takes less.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from lazydiff.kernels.program import NO_TILE
from lazydiff.memory.calls import EntryCalls, Unit, Value
from lazydiff.memory.facts import pairs_in_place, shared_bytes
from lazydiff.memory.lives import lives
from lazydiff.memory.ordering.bindings import Units
from lazydiff.memory.placement.place import alive_bytes
from lazydiff.memory.version import Version, ranked

Numbers = tuple[int, ...]
TRIES = 24  # orders of an entry of up to UNITS units; fewer of a longer one
UNITS = 100


def apart(versions: Sequence[Version], most: int) -> list[Version]:
    """The versions in which gradients apart lower the bound, with as many apart as lower it further.

    In rounds: the one that helps most is taken, then the next is looked for. Judged by their orders by rule. The tries
    are shared out among as many versions as there are at `most`.
    """
    found = [(v, _lowered(v, TRIES // most)) for v in versions]
    return [low for v, low in found if low is not v]


def _lowered(best: Version, most_tries: int) -> Version:
    tries = most_tries * UNITS // max(UNITS, len(best.entry.units))
    while tries > 0:
        suspects = _suspects(best)[:tries]
        tries -= len(suspects)
        peak, n = min(((_peak_with(best, n), n) for n in suspects), key=lambda f: f[0], default=(best.rules_peak, 0))
        if peak >= best.rules_peak:
            break
        best = Version(_split(best.entry, best.entry.units[n]), best.unit_bytes, best.remake)
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


def _peak_with(version: Version, n: int) -> int:
    """The lowest peak of the orders by rule with this unit as two. Only what orders ask for is made anew."""
    known, tiled = version.facts, version.entry.units[n]
    whole, last = _parts(tiled)
    number = {id(v): k for k, v in enumerate(version.values)}
    tile = number[id(whole.writes[-1])] = number[id(tiled.calls[0].writes[-1])]
    makers = known.maker

    def two(some: Sequence[Numbers], first: Iterable[int], second: Iterable[int]) -> tuple[Numbers, ...]:
        return *some[:n], tuple(dict.fromkeys(first)), tuple(dict.fromkeys(second)), *some[n + 1 :]

    def numbers(values: Iterable[Value]) -> list[int]:
        return [number[id(v)] for v in values]

    early = [makers[number[id(v)]] for v in tiled.calls[0].after if number.get(id(v)) in makers]
    after = two(known.after, early, known.after[n])
    sizes = list(known.sizes)
    sizes[tile] = shared_bytes(whole.writes[-1], version.unit_bytes)
    pairs = tuple([(number[id(old)], number[id(new)]) for old, new in pairs_in_place(last)])
    split = replace(
        known,
        sizes=tuple(sizes),
        reads=two(known.reads, numbers(whole.reads), numbers(last.reads)),
        writes=two(known.writes, numbers(whole.writes), numbers(last.writes)),
        after=tuple([tuple([a + (a >= n) for a in each]) for each in after]),
        in_place=(*known.in_place[:n], (), pairs, *known.in_place[n + 1 :]),
    )
    return ranked(Units(split))[0]


def _parts(tiled: Unit) -> tuple[Unit, Unit]:
    """The unit as two: the whole product, then the map that reads it."""
    product, user = tiled.calls
    *scratch, tile = product.writes
    value = replace(tile, elements=product.rows * tile.elements // product.tile_rows, label="gradient")
    assert user.program is not None
    reads = [value if v is tile else v for v in user.reads]
    whole = replace(product, writes=[*scratch, value], tile_rows=0)
    return Unit([whole]), Unit([replace(user, reads=reads, program=replace(user.program, tile=NO_TILE))])


def _split(entry: EntryCalls, tiled: Unit) -> EntryCalls:
    """The entry with this unit as two."""
    whole, last = _parts(tiled)
    new = {id(u): Unit(u.calls) for u in entry.units} | {id(tiled): last}
    for u in entry.units:
        new[id(u)].after = {new[id(a)] for a in u.after}
    first = {id(v) for v in tiled.calls[0].after}
    whole.after = {new[id(u)] for u in entry.units if any(id(v) in first for v in u.writes)}
    units = []
    for u in entry.units:
        units += [whole, last] if u is tiled else [new[id(u)]]
    return replace(entry, units=units)
