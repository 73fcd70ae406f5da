"""Losses: what training makes small, with torch's names and meanings; classes are the last axis."""

from __future__ import annotations

from lazydiff.dtypes import i32
from lazydiff.errors import DtypeError, ShapeError
from lazydiff.graph.node import Operand, Tensor, constant, user_line
from lazydiff.ops import elementwise as e
from lazydiff.ops.leaves import expect
from lazydiff.ops.moves import mean, sum
from lazydiff.ops.reductions import logsumexp


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """-log softmax(logits)[label], one for each row: logits (..., classes), labels i32 (...) in 0 .. classes-1.

    Labels that are an input are checked at every run before anything is computed.
    """
    if labels.dtype != i32:
        raise DtypeError(
            f"{user_line()}: cross_entropy takes i32 labels, not {labels.dtype}: ld.input(name, shape, ld.i32)"
        )
    if labels.shape != logits.shape[:-1] or not logits.ndim:
        raise ShapeError(
            f"{user_line()}: cross_entropy: logits {logits.shape} take labels {logits.shape[:-1]}, not {labels.shape}"
        )
    classes = logits.shape[-1]
    picked = e.where(e.matches(expect(labels, 0, classes - 1), classes), logits, 0.0)
    return logsumexp(logits, -1) - sum(picked, -1)


def _target(target: Operand, like: Tensor) -> Tensor:
    t = constant(target, like.dtype)
    t = expect(t) if t.op.name == "input" and t.dtype.is_float else t
    if t.shape != like.shape:
        raise ShapeError(f"{user_line()}: the prediction is {like.shape}, the target {t.shape}")
    return t


def mse(prediction: Tensor, target: Operand) -> Tensor:
    """Mean of (prediction - target)**2 over all elements. A target that is an input must be finite at every run."""
    return mean(e.square(prediction - _target(target, prediction)))


def huber(prediction: Tensor, target: Operand, delta: float = 1.0) -> Tensor:
    """Mean of r**2 / 2 where |r| <= delta, else delta * (|r| - delta / 2), for r = prediction - target."""
    r = prediction - _target(target, prediction)
    size = e.abs(r)
    return mean(e.where(size <= delta, 0.5 * e.square(r), delta * (size - 0.5 * delta)))
