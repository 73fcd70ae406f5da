"""The door to the compiled placement (memory/csrc): first fit and exact search, with NumPy arrays outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from lazydiff.memory.compiled import extension, pointer
from lazydiff.memory.placement.sections import Indices, Ints

SEARCH_BYTES = 1 << 28  # an instance whose search takes more memory is not searched


class Decision(IntEnum):
    """Whether buffers have places below a capacity."""

    NO = 0
    YES = 1
    NOT_DECIDED = 2


@dataclass(frozen=True, slots=True)
class Buffers:
    """What is to be placed, in alignment units and sections (sections.py). The last ones are fixed, at `at`."""

    size: Ints  # at least 1
    first: Indices
    after: Indices
    sections: int
    at: Ints  # of the fixed ones, which do not overlap

    @property
    def count(self) -> int:
        """How many want a place."""
        return len(self.size) - len(self.at)

    def renumbered(self, order: npt.NDArray[np.intp]) -> Buffers:
        """The same with those that want a place in this order."""
        whole = np.append(order, np.arange(self.count, len(self.size)))
        return Buffers(self.size[whole], self.first[whole], self.after[whole], self.sections, self.at)


@dataclass(frozen=True, slots=True)
class Found:
    """What a search ended with. `offsets` (by buffer) mean something after YES; `failed` counts, by section."""

    decision: Decision
    offsets: Ints
    failed: Ints
    nodes: int


def first_fit(
    buffers: Buffers, order: Sequence[int] | npt.NDArray[np.intp], tightest: bool = False
) -> tuple[Ints, int]:
    """Each buffer of the order in the lowest gap (or tightest) that those before it leave: offsets, and the height."""
    c = extension()
    offsets = np.zeros(buffers.count, np.int64)
    memory = np.zeros(4 * max(1, len(buffers.size)), np.int64)
    struct, _alive = _struct(buffers)
    numbers = np.asarray(order, np.int32)
    height = c.lib.lzd_first_fit(
        struct, pointer("int32_t", numbers), tightest, pointer("int64_t", offsets), pointer("int64_t", memory)
    )
    return offsets, int(height)


def searchable(buffers: Buffers) -> bool:
    """Whether search() has the memory for these."""
    c = extension()
    struct, _alive = _struct(buffers)
    return int(c.lib.lzd_search_bytes(struct, c.lib.lzd_pairs(struct))) <= SEARCH_BYTES


def search(buffers: Buffers, capacity: int, node_limit: int) -> Found:
    """Do the buffers have places below the capacity? One depth-first search in their numbers' order."""
    c = extension()
    struct, _alive = _struct(buffers)
    pairs = c.lib.lzd_pairs(struct)
    offsets = np.zeros(buffers.count, np.int64)
    failed = np.zeros(buffers.sections, np.int64)
    nodes = np.zeros(1, np.int64)
    memory = c.ffi.new("char[]", c.lib.lzd_search_bytes(struct, pairs))
    ints = [pointer("int64_t", a) for a in (offsets, failed, nodes)]
    decision = c.lib.lzd_search(struct, pairs, capacity, node_limit, *ints, memory)
    return Found(Decision(decision), offsets, failed, int(nodes[0]))


def _struct(buffers: Buffers) -> tuple[Any, list[Any]]:
    """The C struct, and what must live as long as it."""
    arrays = [
        pointer("int64_t", np.ascontiguousarray(buffers.size, np.int64)),
        pointer("int32_t", np.ascontiguousarray(buffers.first, np.int32)),
        pointer("int32_t", np.ascontiguousarray(buffers.after, np.int32)),
        pointer("int64_t", np.ascontiguousarray(buffers.at, np.int64)),
    ]
    numbers = (buffers.count, len(buffers.at), buffers.sections)
    return extension().ffi.new("lzd_buffers *", [*numbers, *arrays]), arrays
