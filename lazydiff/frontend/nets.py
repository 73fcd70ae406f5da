"""Parts of networks that are no layer of their own: softmax and its kin, one-hot rows."""

from __future__ import annotations

from lazydiff.graph.node import Tensor, call
from lazydiff.ops import elementwise as e
from lazydiff.ops.leaves import stop_gradient
from lazydiff.ops.moves import max, normal_axes, sum


def softmax(x: Tensor, axis: int = -1) -> Tensor:
    """exp(x - max) / sum of it along one axis; does not overflow."""
    shifted = e.exp(x - stop_gradient(max(x, axis, True)))
    return shifted / sum(shifted, axis, True)


def logsumexp(x: Tensor, axis: int = -1, keepdims: bool = False) -> Tensor:
    """log of the sum of exp(x) along one axis; does not overflow for finite x."""
    top = stop_gradient(max(x, axis, True))
    total = e.log(sum(e.exp(x - top), axis, True)) + top
    axes = normal_axes(x, axis)
    return total if keepdims else call("reshape", total, tuple(s for i, s in enumerate(x.shape) if i not in axes))


def log_softmax(x: Tensor, axis: int = -1) -> Tensor:
    """x - logsumexp(x) along one axis."""
    return x - logsumexp(x, axis, True)


def one_hot(index: Tensor, classes: int) -> Tensor:
    """f32 (..., classes): 1 where the i32 index equals the column, else 0."""
    return e.where(e.matches(index, classes), 1.0, 0.0)
