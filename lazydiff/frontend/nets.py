"""Parts of networks that are no layer of their own: softmax and its kin, one-hot rows."""

from __future__ import annotations

from lazydiff.graph.node import Tensor
from lazydiff.ops import elementwise as e
from lazydiff.ops.leaves import stop_gradient
from lazydiff.ops.moves import max, sum
from lazydiff.ops.reductions import logsumexp


def softmax(x: Tensor, axis: int = -1) -> Tensor:
    """exp(x - max) / sum of it along one axis; does not overflow."""
    shifted = e.exp(x - stop_gradient(max(x, axis, True)))
    return shifted / sum(shifted, axis, True)


def log_softmax(x: Tensor, axis: int = -1) -> Tensor:
    """x - logsumexp(x) along one axis."""
    return x - logsumexp(x, axis, True)


def one_hot(index: Tensor, classes: int) -> Tensor:
    """f32 (..., classes): 1 where the i32 index equals the column, else 0."""
    return e.where(e.matches(index, classes), 1.0, 0.0)
