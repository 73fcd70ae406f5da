"""Graph -> the same graph of other inputs: some nodes are replaced, and what depends on them is built again."""

from __future__ import annotations

from collections.abc import Sequence

from lazydiff.errors import ShapeError
from lazydiff.graph.node import Tensor, make, source_of, user_line
from lazydiff.graph.walk import topological


def substitute(roots: Sequence[Tensor], old: Sequence[Tensor], new: Sequence[Tensor]) -> list[Tensor]:
    """The roots with each of `old` replaced by the tensor of the same place in `new` (all at once, not in turn)."""
    for a, b in zip(old, new, strict=True):
        if a.shape != b.shape or a.dtype != b.dtype:
            raise ShapeError(f"{user_line()}: substitute: {b!r} can't stand for {a!r}")
    done = {id(a): b for a, b in zip(old, new, strict=True)}
    for node in topological(roots, seen=set(done)):
        inputs = tuple(done[id(i)] for i in node.inputs)
        with source_of(node):
            done[id(node)] = node if inputs == node.inputs else make(node.op, inputs, node.options, node.data)
    return [done[id(r)] for r in roots]
