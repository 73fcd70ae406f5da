"""Graph -> comparisons: what a backward pass only compares is kept as the answers, a bit each, not as the numbers."""

from __future__ import annotations

from collections.abc import Sequence

from lazydiff.dtypes import bool_
from lazydiff.graph.node import Tensor
from lazydiff.graph.walk import base
from lazydiff.passes.fuse import is_map

LEAST = 64  # elements of a mask: for fewer, the scratch of the map that makes it is as large as what it saves


def masks(roots: Sequence[Tensor], forward: Sequence[Tensor], late: Sequence[Tensor]) -> set[int]:
    """Ids of the comparisons that get a buffer: those that what is late makes of values of the forward pass.

    A comparison costs nothing inside the map that asks for it, but keeps its operands until then. With a buffer of its
    own it may be made as soon as they have no other reader: the order of the units decides. The forward pass keeps its
    comparisons as they are.
    """
    before = {id(n) for n in forward}
    asked = {id(i) for n in late if n.dtype is not bool_ for i in n.inputs if i.dtype is bool_}
    whole = {id(r) for r in roots}  # bits are for maps alone, not for outputs and other kernels
    for n in reversed(late):
        if not is_map(n) and (not n.op.view or id(n) in whole):
            whole |= {id(i) for i in n.inputs}

    def keeps(node: Tensor) -> bool:
        """True if an operand, of this size and made in the forward pass, is there for the sake of this node."""
        kept = [b for i in node.inputs if id(b := base(i)) in before and b.op.kind != "leaf"]
        return any(b.dtype.is_float and b.size >= node.size for b in kept)

    asked -= whole
    nodes = (n for some in (forward, late) for n in some if id(n) in asked)
    return {id(n) for n in nodes if is_map(n) and n.size >= LEAST and keeps(n)}
