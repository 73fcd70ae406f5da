"""Graph -> graph: what a backward pass only compares is kept as the answers, a bit each, not as the numbers."""

from __future__ import annotations

from collections.abc import Sequence

from lazydiff.dtypes import bool_
from lazydiff.graph.node import Tensor, make
from lazydiff.graph.rebuild import rebuild, same
from lazydiff.graph.walk import base, topological
from lazydiff.passes.fuse import is_map

LEAST = 64  # elements of a mask: for fewer, the scratch of the map that makes it is as large as what it saves


def masks(roots: Sequence[Tensor]) -> list[Tensor] | None:
    """The roots with a buffer for each comparison that what comes after the first root makes of values before it.

    A comparison costs nothing inside the map that asks for it, but keeps its operands until then. With a buffer of its
    own it may be made as soon as they have no other reader: the order of the units decides. None if there are none.
    The first root is the loss of a training step: what it depends on is the forward pass, which keeps its comparisons
    as they are.
    """
    before = {id(n) for n in topological(roots[:1])}
    order = topological(roots)
    late = [n for n in order if id(n) not in before]
    asked = {id(i) for n in late if n.dtype is not bool_ for i in n.inputs if i.dtype is bool_}
    whole = {id(r) for r in roots}  # bits are for maps alone, not for outputs and other kernels
    for n in reversed(late):
        if not is_map(n) and (not n.op.view or id(n) in whole):
            whole |= {id(i) for i in n.inputs}

    def keeps(node: Tensor) -> bool:
        """True if an operand, of this size and made in the forward pass, is there for the sake of this node."""
        kept = [b for i in node.inputs if id(b := base(i)) in before and b.op.kind != "leaf"]
        return any(b.dtype.is_float and b.size >= node.size for b in kept)

    chosen = {id(n) for n in order if id(n) in asked - whole and is_map(n) and n.size >= LEAST and keeps(n)}

    def rule(node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
        if id(node) not in before:
            pairs = zip(node.inputs, inputs, strict=True)
            inputs = tuple(_stored(new) if id(old) in chosen else new for old, new in pairs)
        return same(node, inputs)

    return rebuild(roots, rule) if chosen else None


def _stored(node: Tensor) -> Tensor:
    return make(node.op, node.inputs, {**node.options, "stored": True}, node.data)
