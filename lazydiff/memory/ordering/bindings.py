"""A door to the compiled planner (memory/csrc): bytes in use along an order, orders by rule, exact search, moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lazydiff.memory.compiled import extension, flat, pointer
from lazydiff.memory.facts import Facts
from lazydiff.memory.placement.packing import Decision


class Units:
    """The facts as C reads them. Orders are lists of unit numbers, each unit once and after all that it needs."""

    def __init__(self, facts: Facts) -> None:
        needs = facts.needs()
        makers = facts.maker
        sizes = list(facts.sizes)
        for v in {*range(len(sizes))}.difference(facts.born, makers):
            sizes[v] = 0
        # What takes no bytes is left out: it changes nothing, and some of it everybody reads.
        reads, writes = ([[v for v in some if sizes[v]] for some in each] for each in (facts.reads, facts.writes))
        pairs = [[n for o, v in each if sizes[v] and sizes[o] == sizes[v] for n in (o, v)] for each in facts.in_place]
        self.count = len(needs)
        self._values = len(sizes)
        keep = np.zeros(self._values, np.uint8)
        keep[list(facts.keep)] = 1
        maker = np.full(self._values, -1, np.int32)
        maker[list(makers)] = list(makers.values())
        readers, after = _turned(reads, self._values), _turned(needs, self.count)
        arrays: list[tuple[str, npt.NDArray[Any]]] = [
            ("int64_t", np.array(sizes, np.int64)),
            ("uint8_t", keep),
            ("int32_t", maker),
        ]
        for lists in (reads, writes, readers, needs, after):
            arrays += [("int32_t", array) for array in flat(lists)]
        begins, numbers = flat(pairs)
        arrays += [("int32_t", begins // 2), ("int32_t", numbers)]
        c = extension()
        self._alive = [pointer(kind, array) for kind, array in arrays]
        self._least = 0
        self._struct = c.ffi.new("lzd_units *", [self.count, self._values, *self._alive])
        self._scratch = np.empty(2 * self._values + 3 * self.count + 2, np.int64)

    def _memory(self, size_bytes: int = 0) -> Any:
        """Scratch of at least so many bytes, or what usage and lists take; what is in it does not matter."""
        if self._scratch.nbytes < size_bytes:
            self._scratch = np.empty(size_bytes // 8 + 1, np.int64)
        return pointer("int64_t", self._scratch)

    def usage(self, order: Sequence[int]) -> list[int]:
        """Bytes in use at each step; the most is what memory/lives.py says."""
        numbers, use = np.array(order, np.int32), np.zeros(self.count, np.int64)
        extension().lib.lzd_usage(self._struct, pointer("int32_t", numbers), pointer("int64_t", use), self._memory())
        return _ints(use)

    def peak(self, order: Sequence[int]) -> int:
        """The most bytes in use at a step; 0 without steps."""
        return max(self.usage(order), default=0)

    def listed(self, from_the_end: bool) -> list[int]:
        """The order that always takes the unit that leaves (from the end: needs) the fewest bytes alive."""
        numbers = np.zeros(self.count, np.int32)
        memory = self._memory()
        extension().lib.lzd_list(self._struct, from_the_end, pointer("int32_t", numbers), memory)
        return _ints(numbers)

    def first(self, greedy: bool = False) -> list[int]:
        """The order that takes, of the units that may run, always the first; greedy: the one of the least growth.

        A unit's growth is the bytes alive after it minus before: what it makes for others minus what it is the last to
        read.
        """
        c = extension()
        numbers = np.zeros(self.count, np.int32)
        memory = self._memory(c.lib.lzd_first_bytes(self._struct))
        ran = c.lib.lzd_first(self._struct, greedy, pointer("int32_t", numbers), memory)
        assert ran == self.count, "the units of an entry wait for each other"
        return _ints(numbers)

    def least(self, order: Sequence[int]) -> int:
        """No order has a peak below this; from any valid one. What must be alive with each unit, whatever the order."""
        if not self._least:
            c = extension()
            memory = self._memory(c.lib.lzd_window_bytes(self._struct, self.count, 0))
            self._least = int(c.lib.lzd_least(self._struct, pointer("int32_t", np.array(order, np.int32)), memory))
        return self._least

    def window(
        self, order: Sequence[int], first: int, after: int, start: int, nodes: int, work: int
    ) -> tuple[Decision, list[int], int]:
        """The order with steps first..after-1 in the order of the lowest peak there, and what is proved.

        YES: with a lower peak in them than given. NO: no order of them has one. Peaks up to `start` count as equal. No
        order of the window has a peak below the number returned. NOT_DECIDED after so many sets of units or looks.
        """
        c = extension()
        numbers = np.array(order, np.int32)
        proved = np.full(1, self.least(order) if after - first == self.count else 0, np.int64)
        memory = self._memory(c.lib.lzd_window_bytes(self._struct, after - first, nodes))
        pointers = pointer("int32_t", numbers), pointer("int64_t", proved)
        decision = c.lib.lzd_window(self._struct, pointers[0], first, after, start, nodes, work, pointers[1], memory)
        return Decision(decision), _ints(numbers), int(proved[0])

    def moved(self, order: Sequence[int], seed: int, looks: int) -> list[int]:
        """The order after local moves, and more from seeded changes on; never a higher peak. Stops after `looks`."""
        c = extension()
        numbers = np.array(order, np.int32)
        memory = self._memory(c.lib.lzd_moves_bytes(self._struct))
        c.lib.lzd_moves(self._struct, pointer("int32_t", numbers), seed, looks, memory)
        return _ints(numbers)


def _turned(lists: Sequence[Sequence[int]], count: int) -> list[list[int]]:
    """By number (of `count`): which of the lists hold it."""
    found: list[list[int]] = [[] for _ in range(count)]
    for n, each in enumerate(lists):
        for v in each:
            found[v].append(n)
    return found


def _ints(numbers: npt.NDArray[Any]) -> list[int]:
    found: list[int] = numbers.tolist()
    return found
