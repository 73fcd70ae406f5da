"""Calls -> units, which stay together: products run a few rows at a time into their reader, running sums in place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lazydiff.kernels.table import KERNELS
from lazydiff.memory.calls import Call, Unit, Value, View
from lazydiff.memory.selection.chains import TILE_ELEMENTS, chains
from lazydiff.plan.model import Kind


class Grouping:
    """An entry's calls in order. `sums` are ids of values that are read once more, to be added to."""

    def __init__(self, calls: Sequence[Call], sums: set[int]) -> None:
        self.calls, self.sums = calls, sums
        self.readers: dict[int, list[Call]] = {}
        for c in calls:
            for v in c.reads:
                self.readers.setdefault(id(v), []).append(c)

    def running(self, updates: Sequence[tuple[Value, Value]], out_ids: set[int]) -> set[int]:
        """Put each running sum that begins as an update of a state, and ends as its new value, in the state's place.

        That goes where nobody else reads the state or the sums on the way; gives their ids.
        """
        found: set[int] = set()
        if not self.sums:
            return found
        readers, maker = self.readers, {id(v): c for c in self.calls for v in c.writes}
        for old, new in updates:
            sums: list[Value] = []
            last, call = new, maker[id(new)]
            while call is not None and readers.get(id(old), []) != [call]:
                before = [v for v in call.reads if id(v) in self.sums and call.may_replace(v, last)]
                before = [
                    v for v in before if len(readers[id(v)]) == 1 and v.kind == Kind.WORK and id(v) not in out_ids
                ]
                if not before:
                    break
                last, call = before[0], maker[id(before[0])]
                sums.append(last)
            if sums and readers.get(id(old)) == [call] and call.may_replace(old, last):
                for v in sums:
                    v.replaces, v.kind, v.label = old, old.kind, f"{old.label} (so far)"
                    found.add(id(v))
        return found

    def units(self, kept: set[int], new_ids: set[int], fused: bool) -> list[Unit]:
        """The calls as units; of ids, `kept` values must exist whole, and `new_ids` are those that lie over a state.

        With `fused`, a product that only an update in place or a running sum reads shrinks to a tile of it, and so does
        what only a pooling of its rows reads (chains.py).
        """
        chained = chains(self.calls, self.readers, kept | self.sums) if fused else []
        inside = {id(c) for chain in chained for c in chain}
        eaten = self._eaten(kept, new_ids, inside) if fused else {}
        producers = {id(c) for c in eaten.values()}
        begin = {
            id(next(c for c in chain if c.program is None and KERNELS[c.kernel].images)): chain for chain in chained
        }
        units = []
        for c in self.calls:
            if id(c) in begin:  # what it reads besides is made by now
                units.append(Unit(begin[id(c)]))
            elif id(c) not in producers and id(c) not in inside:
                units.append(Unit([eaten[id(c)], c] if id(c) in eaten else [c]))
        maker = {id(v): u for u in units for v in u.writes}
        for u in units:
            u.after |= {maker[id(v)] for c in u.calls for v in c.after if id(v) in maker} - {u}
        return units

    def _eaten(self, kept: set[int], new_ids: set[int], inside: set[int]) -> dict[int, Call]:
        """By the call that eats it: each product that is tiled, of those that are not inside a chain."""
        eaten: dict[int, Call] = {}
        for c in self.calls:
            kernel, made = KERNELS[c.kernel], c.writes[-1]
            if not kernel.rows or kernel.images or id(made) in kept or id(c) in inside:
                continue
            users = self.readers.get(id(made), [])
            if len(users) == 1 and id(users[0]) not in eaten:
                free = [v for v in users[0].reads if len(self.readers[id(v)]) == 1 and id(v) not in kept]
                if self._tile(c, users[0], new_ids, free):
                    eaten[id(users[0])] = c
        return eaten

    def _tile(self, product: Call, user: Call, new_ids: set[int], free: list[Value]) -> bool:
        """Tile a product with its only reader, if that writes over values: states, or a sum among `free`, which die."""
        program, value = user.program, product.writes[-1]
        if program is None or user.reads.count(value) != 1 or id(value) in self.sums:
            return False
        sums = [v for v in free if id(v) in self.sums and v not in product.reads]
        if not all(id(w) in new_ids or any(user.may_replace(v, w) for v in sums) for w in user.results):
            return False
        at = user.reads.index(value)
        item = program.inputs[at]
        if not View(value, program.dims, item.strides, item.offset, item.window).contiguous:
            return False
        if any(w in product.reads or w.replaces in product.reads for w in user.writes):
            return False
        rows = product.rows
        columns = value.elements // rows
        # what makes its scratch does so for each tile
        least = max([TILE_ELEMENTS, *(v.elements for v in product.writes[:-1])])
        product.tile_rows = min(rows, max(1, -(-least // columns)))
        value.elements, value.label = product.tile_rows * columns, "tile"
        user.program = replace(program, tile=at)
        return True
