"""Losses, optimizers and the training step: what a user writes around a network, as graphs."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lazydiff.dtypes import i32
from lazydiff.errors import DtypeError, GraphError, ShapeError
from lazydiff.graph.node import Operand, Tensor, call, constant, user_line
from lazydiff.graph.walk import topological
from lazydiff.ops import elementwise as e
from lazydiff.ops.leaves import expect, state, stop_gradient
from lazydiff.ops.moves import max, mean, normal_axes, sum
from lazydiff.passes.differentiate import grad

# ------------------------------------------------------------------------------------------------ networks and losses


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


# ------------------------------------------------------------------------------------------------ optimizers

Updates = list[tuple[Tensor, Tensor]]


@dataclass(frozen=True, slots=True)
class Optimizer:
    """A rule: (parameter, its gradient) -> the new values of the parameter and of the state it keeps."""

    name: str
    rule: Callable[[Tensor, Tensor], Updates]


def sgd(learning_rate: float | Tensor, momentum: float = 0.0, nesterov: bool = False) -> Optimizer:
    """w <- w - learning_rate * g; with momentum m <- momentum * m + g, w <- w - learning_rate * m (as torch and optax).

    `learning_rate` may be a 0-d input, for schedules. Each line is one fma, so the fused update has the same bits.
    """
    if not isinstance(learning_rate, Tensor) and not np.isfinite(learning_rate):
        raise GraphError(f"{user_line()}: sgd with learning_rate={learning_rate!r}")

    def rule(w: Tensor, g: Tensor) -> Updates:
        step = -learning_rate if not isinstance(learning_rate, Tensor) else e.neg(learning_rate)
        if not momentum:
            return [(w, e.fma(step, g, w))]
        m = state(f"{w.name}.momentum", np.zeros(w.shape, w.dtype.numpy))
        new = e.fma(momentum, m, g)
        return [(m, new), (w, e.fma(step, e.fma(momentum, new, g) if nesterov else new, w))]

    return Optimizer("sgd", rule)


# ------------------------------------------------------------------------------------------------ the step


@dataclass(frozen=True, slots=True)
class Step:
    """An entry that changes state: its outputs by name, and (leaf, new value) pairs."""

    outputs: dict[str, Tensor]
    updates: tuple[tuple[Tensor, Tensor], ...]


def parameters(*tensors: Tensor) -> list[Tensor]:
    """The parameters that tensors depend on, in the order in which they are reached."""
    return [n for n in topological(tensors) if n.op.name == "param"]


def train_step(
    loss: Tensor,
    optimizer: Optimizer,
    trainable: Sequence[str] | None = None,
    outputs: dict[str, Tensor] | None = None,
    updates: Sequence[tuple[Tensor, Tensor]] = (),
) -> Step:
    """One training step on a loss with one element; its output is named "loss".

    `trainable` are patterns of parameter names such as ["head.*"] (all without it; the others are frozen and live in
    flash). `outputs` are further tensors to give back, computed before the update; `updates` further (state, new value)
    pairs, such as a learning rate that decays.
    """
    chosen = parameters(loss)
    if trainable is not None:
        unused = [p for p in trainable if not any(fnmatch.fnmatchcase(w.name, p) for w in chosen)]
        if unused:
            raise GraphError(f"{user_line()}: trainable {unused} match none of {[w.name for w in chosen]}")
        chosen = [w for w in chosen if any(fnmatch.fnmatchcase(w.name, p) for p in trainable)]
    if not chosen:
        raise GraphError(f"{user_line()}: the loss depends on no parameter; make one with ld.param")
    gradients = grad(loss, chosen)
    pairs = tuple(u for w, g in zip(chosen, gradients, strict=True) for u in optimizer.rule(w, g))
    return Step({"loss": loss, **(outputs or {})}, (*pairs, *updates))
