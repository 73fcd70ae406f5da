"""Graph -> bytes that surely lie in RAM while its forward pass ends, however kernels and their order are chosen."""

from __future__ import annotations

from collections.abc import Sequence

from lazydiff.dtypes import bits
from lazydiff.graph.node import Tensor
from lazydiff.graph.walk import base, topological

_PRODUCTS = ("conv2d", "matmul")
_SHARED = ("pad", "after", "recompute")  # with parts in a whole, sums in place, values made again bytes may be fewer


def crossing_bytes(roots: Sequence[Tensor]) -> int:
    """No plan of the roots takes less: bytes of what is read by the last product of the first root, or lives beyond it.

    What lives beyond has a reader before the product and one after it, so that no group of maps and no tile has both,
    and it exists whole while the product runs. Readers through views may read a copy, and are not counted; nor are
    roots, whose bytes may be a state's. 0 where that isn't sure.
    """
    order = topological(roots)
    product = next((n for n in reversed(topological(roots[:1])) if n.op.name in _PRODUCTS), None)
    if product is None or any(n.op.name in _SHARED for n in order):
        return 0
    later = {id(product)}
    read: set[int] = set()
    for n in order:
        inputs = set(map(id, n.inputs))
        if id(n) in later or not later.isdisjoint(inputs):
            later.add(id(n))
            if not n.op.view:
                read |= inputs
    fixed = {id(base(r)) for r in roots}
    made = (n for n in topological([product])[:-1] if id(n) in read and id(n) not in fixed)
    sizes = ((bits if n.options.get("stored") else n.dtype).size_bytes(n.size) for n in made if not _elsewhere(n))
    return sum(sizes)


def _elsewhere(node: Tensor) -> bool:
    return node.op.view or node.op.kind == "leaf"
