"""Calls -> chains that run together, a few rows at a time: a product, the map behind it, what pools or sums its rows.

What a chain hands on exists a range at a time, in a tile. The kernels at its end must make each row of an image of its
own, or add the images up. A pooling whose windows neither overlap nor leave the image from above does, once each row of
windows is called an image; so does a reduction of rows; a sum over all rows adds them up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

from lazydiff.kernels.pool import max_pool_index, pool_gather
from lazydiff.kernels.reduce import argmax, reduce_max, reduce_min, reduce_sum, sum_rows
from lazydiff.kernels.table import KERNELS
from lazydiff.memory.calls import Call, Value, View
from lazydiff.plan.model import Kind

TILE_ELEMENTS = 64  # a tile has at least this many elements, if the product has

Readers: TypeAlias = "dict[int, list[Call]]"


def chains(calls: Sequence[Call], readers: Readers, kept: set[int]) -> list[list[Call]]:
    """The chains among the calls, made ready; `kept` are ids of values that must exist whole."""
    position = {id(c): n for n, c in enumerate(calls)}
    maker = {id(v): c for c in calls for v in c.writes}
    found, taken = [], set[int]()
    for c in calls:
        if _images(c) and c.reads[0].kind == Kind.WORK:
            chain = _chain(c.reads[0], readers, maker, kept)
            apart = chain is not None and taken.isdisjoint(map(id, (*chain[0], *chain[1])))
            if chain is not None and apart and _free(chain, position, maker):
                _tile(*chain)
                found.append([*chain[0], *chain[1]])
                taken |= {id(c) for c in found[-1]}
    return found


Chain: TypeAlias = "tuple[list[Call], list[Call]]"  # what makes the rows, and what makes images of them


def _chain(rows: Value, readers: Readers, maker: dict[int, Call], kept: set[int]) -> Chain | None:
    last = maker.get(id(rows))
    ends = readers[id(rows)]
    if last is None or id(rows) in kept:
        return None
    if any(c.reads[0] is not rows or c.reads.count(rows) != 1 for c in ends) or len({*map(_images, ends)}) != 1:
        return None
    if last.program is None:
        return ([last], ends) if _divides(last, ends[0]) else None
    if len(last.results) != 1 or len({id(v) for v in last.reads}) != len(last.reads):
        return None
    for at, v in enumerate(last.reads):
        product = maker.get(id(v))
        item, dims = last.program.inputs[at], last.program.dims
        straight = View(v, dims, item.strides, item.offset, item.window).contiguous
        alone = v.kind == Kind.WORK and readers[id(v)] == [last] and id(v) not in kept
        if product is not None and product.program is None and straight and alone and _divides(product, ends[0]):
            return [product, last], ends
    free = not _pools(ends[0]) and _in_place(last, readers, kept)
    return None if free or rows.elements % _images(ends[0]) else ([last], ends)


def _in_place(call: Call, readers: Readers, kept: set[int]) -> bool:
    """True if a map may write over an input that nobody else reads: its result takes no bytes, where a tile would."""
    alone = [v for v in call.reads if v.kind in (Kind.WORK, Kind.IO) and readers[id(v)] == [call] and id(v) not in kept]
    return any(call.may_replace(v, call.results[0]) for v in alone)


def _pools(call: Call) -> bool:
    return call.kernel in (max_pool_index.number, pool_gather.number)


def _images(call: Call) -> int:
    """How many images a call takes, each for a row of its own or to be added to the others; 0 if it takes none."""
    v = dict(zip((a.name for a in KERNELS[call.kernel].attrs), call.attrs, strict=False))
    if _pools(call):  # a row of windows sees rows that no other sees
        return v["n"] * v["oh"] if v["h"] == v["oh"] * v["sh"] and v["kh"] <= v["sh"] and v["ph"] == 0 else 0
    if call.reads[0].elements <= TILE_ELEMENTS:
        return 0
    if call.kernel == reduce_sum.number and v["outer"] == 1 and v["inner"] > 1:
        return v["red"]
    rows = call.kernel in (k.number for k in (reduce_sum, reduce_max, reduce_min, argmax)) and v["outer"] > 1
    return v["outer"] if rows else 0


def _divides(product: Call, pool: Call) -> bool:
    rows = product.rows if product.program is None else 0
    return bool(rows) and rows % _images(pool) == 0 and len(product.writes) == 1


def _free(chain: Chain, position: dict[int, int], maker: dict[int, Call]) -> bool:
    """True if what the ends read besides is there before the chain begins, or made by one of them."""
    rows, ends = chain
    begin = position[id(rows[0])]
    made = {id(v) for c in ends for v in c.writes} | {id(v) for v in rows[-1].writes}
    besides = [v for c in ends for v in c.reads if id(v) not in made]
    return all(id(v) not in maker or position[id(maker[id(v)])] < begin for v in besides)


def _tile(rows: list[Call], ends: list[Call]) -> None:
    images = _images(ends[0])
    whole = rows[-1].results[0].elements
    count = min(images, max(1, math.ceil(TILE_ELEMENTS * images / whole)))  # of images in a range
    for c in rows:
        value = c.results[0]
        elements = value.elements // images * count
        c.tile_rows = c.rows // images * count
        value.elements, value.label = elements, "tile"
        if c.program is not None:
            c.program = replace(c.program, tiles=True)
    for c in ends:
        if _pools(c):
            n, _, w, channels, oh, *rest = c.attrs
            c.attrs = (n * oh, rest[3], w, channels, 1, *rest)
        elif c.attrs[0] == 1:
            c.kernel, c.attrs = sum_rows.number, c.attrs[1:]
        c.tile_rows = 0 if c is ends[-1] else count
    if len(rows) == 2:
        _eat(rows[1], rows[0].results[0])


def _eat(user: Call, tile: Value) -> None:
    """Let the map read the tile as such, and write over it where it may."""
    assert user.program is not None
    user.program = program = replace(user.program, tile=user.reads.index(tile))
    value = user.results[0]
    first = min(k for k, i in enumerate(program.instructions) if i.dst == len(program.inputs))
    late = any(program.tile in i.arguments for i in program.instructions[first + 1 :])
    if value.dtype == tile.dtype and not late:
        value.replaces = tile
