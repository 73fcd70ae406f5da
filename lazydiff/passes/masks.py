"""Graph -> graph: what a backward pass only compares is kept as the answers, a byte each, not as the numbers."""

from __future__ import annotations

from collections.abc import Sequence

from lazydiff.dtypes import bool_
from lazydiff.graph.node import Tensor
from lazydiff.graph.rebuild import marked
from lazydiff.graph.walk import base, topological
from lazydiff.passes.fuse import is_map


def masks(roots: Sequence[Tensor]) -> list[Tensor] | None:
    """The roots with a buffer for each comparison that what comes after the first root makes of values before it.

    A comparison costs nothing inside the map that asks for it, but keeps its operands until then. With a buffer of its
    own it may be made as soon as they have no other reader: the order of the units decides. None if there are none.
    The first root is the loss of a training step: what it depends on is the forward pass.
    """
    before = {id(n) for n in topological(roots[:1])}
    order = topological(roots)
    asked = {id(i) for n in order if id(n) not in before and n.dtype is not bool_ for i in n.inputs if i.dtype is bool_}

    def keeps(node: Tensor) -> bool:
        """True if an operand, of this size and made in the forward pass, is there for the sake of this node."""
        kept = [b for i in node.inputs if id(b := base(i)) in before and b.op.kind != "leaf"]
        return any(b.dtype.is_float and b.size >= node.size for b in kept)

    chosen = {id(n) for n in order if id(n) in asked and id(n) not in before and is_map(n) and keeps(n)}
    return marked(roots, chosen, "stored") if chosen else None
