"""Graph -> the same graph of other inputs: some nodes are replaced, and what depends on them is built again."""

from __future__ import annotations

from collections.abc import Sequence

from lazydiff.errors import ShapeError
from lazydiff.graph.node import OPS, Tensor, make, user_line
from lazydiff.graph.rebuild import rebuild


def substitute(roots: Sequence[Tensor], old: Sequence[Tensor], new: Sequence[Tensor]) -> list[Tensor]:
    """The roots with each of `old` replaced by the tensor of the same place in `new` (all at once, not in turn)."""
    for a, b in zip(old, new, strict=True):
        if a.shape != b.shape or a.dtype != b.dtype:
            raise ShapeError(f"{user_line()}: substitute: {b!r} can't stand for {a!r}")
    return rebuild(roots, known={id(a): b for a, b in zip(old, new, strict=True)})


def freed(leaf: Tensor) -> Tensor:
    """The input that stands for a parameter or state where its value is to be given.

    Its name is "param w" or "state w", so that it can't collide with the graph's own inputs, nor be "out".
    """
    return make(OPS["input"], (), {**leaf.options, "name": f"{leaf.op.name} {leaf.name}"})
