"""Graph -> bytes that surely lie in RAM while its forward pass ends, however kernels and their order are chosen."""

from __future__ import annotations

from collections.abc import Sequence

from lazydiff.dtypes import bits
from lazydiff.graph.node import Tensor
from lazydiff.graph.walk import base, topological

_PRODUCTS = ("conv2d", "matmul")
_SHARED = {"pad", "after", "recompute"}  # with parts in a whole, sums in place, values made again bytes may be fewer


def crossing_bytes(roots: Sequence[Tensor]) -> int:
    """No plan of the roots takes less: bytes of what is read by the last product of the first root, or lives beyond it.

    What lives beyond has a reader before the product and one after it, so that no group of maps and no tile has both,
    and it exists whole while the product runs. Readers through views may read a copy, and are not counted; nor are
    roots, whose bytes may be a state's. 0 where that isn't sure.
    """
    order = topological(roots)  # the first root and what it depends on come first
    first = order.index(roots[0])
    at = next((k for k in range(first, -1, -1) if order[k].op.name in _PRODUCTS), None)
    if at is None or not _SHARED.isdisjoint([n.op.name for n in order]):
        return 0
    made, beyond, read = {id(order[at])}, {id(order[at])}, set[int]()
    for n in reversed(order[: at + 1]):
        if id(n) in made:
            made.update(map(id, n.inputs))
    for n in order[at:]:
        if id(n) in beyond or not beyond.isdisjoint(map(id, n.inputs)):
            beyond.add(id(n))
            if not n.op.view:
                read.update(map(id, n.inputs))
    fixed = {id(base(r)) for r in roots}
    alive = [n for n in order[:at] if id(n) in made and id(n) in read and id(n) not in fixed]
    whole = [n for n in alive if not n.op.view and n.op.kind != "leaf"]
    return sum((bits if n.options.get("stored") else n.dtype).size_bytes(n.size) for n in whole)
