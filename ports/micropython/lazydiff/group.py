"""Steps that run together, range of rows after range of rows (plan/SPEC.md, tiles): checked at load, and run."""

from .plan import ITEMSIZE, need
from .table import IMAGES

_NO_TILE = 255
_PARTIAL = -1  # elements that are made of what is added up: nobody in the group may read it


class Group:
    """The steps of a group, the first of them with `tile` rows of `rows`."""

    def __init__(self, plan, tile, rows):
        self.plan = plan
        self.tile = tile
        self.rows = rows
        self._made = {}  # by buffer that a step writes: all elements of that output
        self._operands = []
        self._runs = []

    def part(self, buffer, elements):
        """True if a buffer holds only the rows of one range of so many elements."""
        _, _, kind, _, size = self.plan.buffers[buffer]
        bits = elements if kind == 7 else elements * ITEMSIZE[kind] * 8
        return self.tile >= self.rows or bits > size * 8

    def need_elements(self, buffer, elements, mode):
        """How many of an operand's elements its buffer has to hold."""
        if mode in "sa" or (not self._operands and mode == "i") or not self.part(buffer, elements):
            return elements
        return elements * self.tile // self.rows

    def add(self, where, step, tile, number, operands, attrs, sizes, modes):
        """Check one more step, (function, arguments, rows). sizes: all elements of each operand; modes: i, o, s or a."""
        function, args, rows = step
        later = bool(self._operands)
        up, down = (rows // self.rows, 1) if rows >= self.rows else (1, self.rows // max(1, rows))
        fits = rows and rows * down == self.rows * up and (self.tile % down == 0 or self.tile >= self.rows)
        need(fits and tile in (0, self.tile * up // down), where, "its rows do not go with those of the tile before it")
        rows_of = None
        if number == 1:
            self._map(where, operands, attrs, sizes, later)
        elif later:
            need(number in IMAGES and rows == attrs[0], where, "behind a tile it needs a row an image")
            whole = [mode != "a" and not self.part(b, s) for b, s, mode in zip(operands, sizes, modes)]  # noqa: B905
            rows_of = tuple([s // rows if w else 0 for s, w in zip(sizes, whole)])  # noqa: B905
        adds = "a" in modes
        need(later or not adds, where, "it adds up rows of tiles, and begins none")
        for k, size, mode in zip(operands, sizes, modes):  # noqa: B905
            whole = self.need_elements(k, size, "s") == size and not self._small(k, size)
            if mode == "i" and number != 1 and (k in self._made or not whole):
                need(later and self._made.get(k) == size, where, "reads what is not its rows of a tile")
        new = {k: size for k, size, mode in zip(operands, sizes, modes) if mode == "o"}  # noqa: B905
        for w, mode in zip(operands, modes):  # noqa: B905
            for k in self._operands if mode != "i" else ():
                old = self._made.get(k, _PARTIAL)
                tiles = w in new and self.part(w, new[w]) and old != _PARTIAL and self.part(k, old)
                need(tiles or not self.plan.overlap(w, k), where, "writes over an operand of the step before")
        if tile and (number == 1 or not later):
            for k in new:
                need(self.part(k, new[k]), where, "its tile holds everything")
        self._made.update(new)
        if adds:
            self._made[operands[-1]] = _PARTIAL
        self._operands.extend(operands)
        self._runs.append((function, args, up, down, rows_of, adds))

    def _small(self, buffer, elements):
        _, _, kind, _, size = self.plan.buffers[buffer]
        return (elements if kind == 7 else elements * ITEMSIZE[kind] * 8) > size * 8

    def _map(self, where, operands, attrs, sizes, later):
        tile = attrs[5] & 255
        need(later or tile == _NO_TILE, where, "a tile input without a tile")
        need(not later or tile != _NO_TILE, where, "a tile without a tile input")
        for k in range(attrs[0]):
            made = self._made.get(operands[k])
            if k == tile:
                whole = sizes[attrs[0]]
                need(made == whole and self.part(operands[k], whole), where, "its tile is not what a step before makes")
            else:
                need(made is None, where, "reads the tile as a whole")
        if attrs[5] >> 8 == 1:
            for k in operands[attrs[0] : attrs[0] + attrs[1]]:
                need(self.plan.buffers[k][2] != 7, where, "a tile of bits")

    def ready(self):
        """The function, arguments and rows of the whole group."""
        return run, (tuple(self._runs), self.tile), self.rows


def run(args, begin, end):
    steps, tile = args
    while begin < end:
        stop = begin + tile
        if stop > end:
            stop = end
        for function, given, up, down, rows_of, adds in steps:
            first = begin * up // down
            last = stop * up // down
            if rows_of is None:
                function(given, first, last)
            else:  # the images of these rows alone: a tile as it is, what is whole from there on
                at = given[-1]
                for k in range(len(at)):
                    at[k] = first * rows_of[k]
                row = first if adds else 0
                function(given, row, row + last - first)
        begin = stop
