"""Optimizers: rules from a parameter and its gradient to new values, composed so that each update is one fused map."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from lazydiff.dtypes import Dtype
from lazydiff.errors import GraphError, ShapeError
from lazydiff.frontend.schedules import Schedule
from lazydiff.graph.node import Operand, Tensor, constant, user_line
from lazydiff.ops import elementwise as e
from lazydiff.ops.functions import expm1
from lazydiff.ops.leaves import state

Updates: TypeAlias = list[tuple[Tensor, Tensor]]
Rate: TypeAlias = float | Tensor | Schedule


def _nothing_shared() -> tuple[Tensor | None, Updates]:
    return None, []


@dataclass(frozen=True, slots=True)
class Optimizer:
    """How a training step changes parameters.

    `begin()` is called once a step and gives what all parameters share (the counter of updates, or None) and the
    updates of that; `rule(parameter, gradient, shared)` gives (leaf, new value) pairs of one parameter and of the state
    it keeps; `prepare` may change all gradients together first. What a rule computes from `shared` alone is one
    scalar expression for all parameters (equal expressions are one node).
    """

    name: str
    rule: Callable[[Tensor, Tensor, Tensor | None], Updates]
    begin: Callable[[], tuple[Tensor | None, Updates]] = _nothing_shared
    prepare: Callable[[list[Tensor]], list[Tensor]] = list


def _counter(name: str) -> Callable[[], tuple[Tensor | None, Updates]]:
    """The state "<name>.step": updates made so far.

    An f32, as a sum of i32 is computed in f64, which small devices lack; it counts to 2**24 and then stands still.
    """

    def begin() -> tuple[Tensor | None, Updates]:
        step = state(f"{name}.step", np.zeros((), np.float32))
        return step, [(step, step + 1.0)]

    return begin


def _counted(name: str, rate: Rate) -> Callable[[], tuple[Tensor | None, Updates]]:
    """A counter if the learning rate is a schedule."""
    return _counter(name) if callable(rate) else _nothing_shared


def _check(what: str, rate: Rate, **numbers: float) -> None:
    if isinstance(rate, Tensor):
        if rate.shape or not rate.dtype.is_float:
            raise ShapeError(f"{user_line()}: {what}: a learning_rate tensor is a 0-d float, not {rate!r}")
    elif not callable(rate) and not np.isfinite(rate):
        raise GraphError(f"{user_line()}: {what} with learning_rate={rate!r}")
    for name, value in numbers.items():
        below = 1.0 if name in ("b1", "b2", "alpha") else math.inf
        if not 0 <= value < below:
            raise GraphError(f"{user_line()}: {what} with {name}={value!r}; it is from 0{', below 1' * (below == 1)}")


def _rate(rate: Rate, step: Tensor | None, dtype: Dtype) -> Operand:
    """The learning rate as a number, or as a 0-d tensor of the parameter's dtype."""
    if isinstance(rate, Tensor):
        return e.astype(rate, dtype)
    if callable(rate):
        assert step is not None
        found = constant(rate(e.astype(step, dtype)), dtype)
        if found.shape or not found.dtype.is_float:
            raise ShapeError(f"{user_line()}: a schedule gives a 0-d float tensor, not {found!r}")
        return e.astype(found, dtype)
    return float(rate)


def _minus(rate: Operand) -> Operand:
    return e.neg(rate) if isinstance(rate, Tensor) else -rate


def _slot(w: Tensor, what: str, value: float = 0.0) -> Tensor:
    return state(f"{w.name}.{what}", np.full(w.shape, value, w.dtype.numpy))


def _decay_of(w: Tensor, weight_decay: float, no_decay: Sequence[str]) -> float:
    return 0.0 if any(fnmatch.fnmatchcase(w.name, p) for p in no_decay) else weight_decay


def _with_decay(w: Tensor, g: Tensor, weight_decay: float, no_decay: Sequence[str]) -> Tensor:
    """g + weight_decay * w, torch's weight decay of every optimizer but adamw."""
    decay = _decay_of(w, weight_decay, no_decay)
    return e.fma(decay, w, g) if decay else g


def _average(beta: float, old: Tensor, new: Tensor) -> Tensor:
    return e.fma(1.0 - beta, new, beta * old)


def sgd(
    learning_rate: Rate,
    momentum: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
    no_decay: Sequence[str] = (),
    name: str = "sgd",
) -> Optimizer:
    """w <- w - learning_rate * g; with momentum m <- momentum * m + g, w <- w - learning_rate * m (as torch and optax).

    `learning_rate` is a number, a 0-d input or state, or a schedule (a function of the number of updates made so far,
    such as ld.cosine_decay; the count is the state "<name>.step"). `weight_decay` adds weight_decay * w to g, except
    where the parameter's name matches a pattern in `no_decay`. Each line is one fma: fused or not, the same bits.
    """
    _check("sgd", learning_rate, momentum=momentum, weight_decay=weight_decay)

    def rule(w: Tensor, g: Tensor, step: Tensor | None) -> Updates:
        back = _minus(_rate(learning_rate, step, w.dtype))
        g = _with_decay(w, g, weight_decay, no_decay)
        if not momentum:
            return [(w, e.fma(back, g, w))]
        m = _slot(w, "momentum")
        new = e.fma(momentum, m, g)
        return [(m, new), (w, e.fma(back, e.fma(momentum, new, g) if nesterov else new, w))]

    return Optimizer(name, rule, _counted(name, learning_rate))


def _correction(beta: float, updates: Tensor) -> Tensor:
    """1 - beta**updates, without cancellation: -expm1(updates * log(beta))."""
    return e.neg(expm1(updates * math.log(beta))) if beta else constant(1.0, updates.dtype)


def _adam(
    name: str,
    rate: Rate,
    b1: float,
    b2: float,
    eps: float,
    decay: float,
    spared: Sequence[str],
    decoupled: bool,
) -> Optimizer:
    _check(name, rate, b1=b1, b2=b2, eps=eps, weight_decay=decay)

    def rule(w: Tensor, g: Tensor, step: Tensor | None) -> Updates:
        assert step is not None
        count, eta = e.astype(step, w.dtype) + 1.0, _rate(rate, step, w.dtype)
        back = _minus(eta / _correction(b1, count))
        widen = 1.0 / e.sqrt(_correction(b2, count))
        if not decoupled:
            g = _with_decay(w, g, decay, spared)
        m, v = _slot(w, "m"), _slot(w, "v")
        new_m, new_v = _average(b1, m, g), _average(b2, v, e.square(g))
        here = _decay_of(w, decay, spared) if decoupled else 0.0
        old = w * (1.0 - eta * here) if here else w
        return [(m, new_m), (v, new_v), (w, e.fma(back, new_m / e.fma(e.sqrt(new_v), widen, eps), old))]

    return Optimizer(name, rule, _counter(name))


def adam(
    learning_rate: Rate = 1e-3,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    no_decay: Sequence[str] = (),
    name: str = "adam",
) -> Optimizer:
    """Adam (Kingma and Ba, 2015) as torch has it; states "<parameter>.m", "<parameter>.v" and "<name>.step".

    m <- b1 m + (1 - b1) g, v <- b2 v + (1 - b2) g^2, w <- w - learning_rate / (1 - b1^t) * m / (sqrt(v / (1 - b2^t)) +
    eps), where t counts updates from 1. `weight_decay` is added to the gradient (see sgd, also for `learning_rate` and
    `no_decay`); adamw has the decoupled one. Two optimizers in one plan need two names.
    """
    return _adam(name, learning_rate, b1, b2, eps, weight_decay, no_decay, decoupled=False)


def adamw(
    learning_rate: Rate = 1e-3,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 1e-2,
    no_decay: Sequence[str] = (),
    name: str = "adamw",
) -> Optimizer:
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019): first w <- w (1 - learning_rate weight_decay)."""
    return _adam(name, learning_rate, b1, b2, eps, weight_decay, no_decay, decoupled=True)


def rmsprop(
    learning_rate: Rate = 1e-2,
    alpha: float = 0.99,
    eps: float = 1e-8,
    momentum: float = 0.0,
    centered: bool = False,
    weight_decay: float = 0.0,
    no_decay: Sequence[str] = (),
    name: str = "rmsprop",
) -> Optimizer:
    """torch's RMSprop: v <- alpha v + (1 - alpha) g^2; w <- w - learning_rate * g / (sqrt(v) + eps).

    `centered` subtracts the square of the gradient's running mean from v under the root (a difference that rounds below
    0 counts as 0); with `momentum` m <- momentum * m + g / (sqrt(v) + eps) takes the place of the quotient.
    """
    _check("rmsprop", learning_rate, alpha=alpha, eps=eps, momentum=momentum, weight_decay=weight_decay)

    def rule(w: Tensor, g: Tensor, step: Tensor | None) -> Updates:
        back = _minus(_rate(learning_rate, step, w.dtype))
        g = _with_decay(w, g, weight_decay, no_decay)
        v = _slot(w, "v")
        new_v = _average(alpha, v, e.square(g))
        pairs, spread = [(v, new_v)], new_v
        if centered:
            m = _slot(w, "mean")
            new_m = _average(alpha, m, g)
            pairs.append((m, new_m))
            spread = e.maximum(e.fma(e.neg(new_m), new_m, new_v), 0.0)
        move = g / (e.sqrt(spread) + eps)
        if momentum:
            b = _slot(w, "momentum")
            move = e.fma(momentum, b, move)
            pairs.append((b, move))
        return [*pairs, (w, e.fma(back, move, w))]

    return Optimizer(name, rule, _counted(name, learning_rate))


def adagrad(
    learning_rate: Rate = 1e-2,
    initial_accumulator: float = 0.0,
    eps: float = 1e-10,
    weight_decay: float = 0.0,
    no_decay: Sequence[str] = (),
    name: str = "adagrad",
) -> Optimizer:
    """torch's Adagrad: s <- s + g^2; w <- w - learning_rate * g / (sqrt(s) + eps). State "<parameter>.sum"."""
    _check("adagrad", learning_rate, initial_accumulator=initial_accumulator, eps=eps, weight_decay=weight_decay)

    def rule(w: Tensor, g: Tensor, step: Tensor | None) -> Updates:
        back = _minus(_rate(learning_rate, step, w.dtype))
        g = _with_decay(w, g, weight_decay, no_decay)
        s = _slot(w, "sum", initial_accumulator)
        new = e.fma(g, g, s)
        return [(s, new), (w, e.fma(back, g / (e.sqrt(new) + eps), w))]

    return Optimizer(name, rule, _counted(name, learning_rate))


def lion(
    learning_rate: Rate = 1e-4,
    b1: float = 0.9,
    b2: float = 0.99,
    weight_decay: float = 0.0,
    no_decay: Sequence[str] = (),
    name: str = "lion",
) -> Optimizer:
    """Lion (Chen et al., 2023) as optax: w <- w - learning_rate * (sign(b1 m + (1 - b1) g) + weight_decay w).

    Then m <- b2 m + (1 - b2) g; half the state of adam. sign(0) is 0.
    """
    _check("lion", learning_rate, b1=b1, b2=b2, weight_decay=weight_decay)

    def rule(w: Tensor, g: Tensor, step: Tensor | None) -> Updates:
        back = _minus(_rate(learning_rate, step, w.dtype))
        m = _slot(w, "m")
        move = e.sign(_average(b1, m, g))
        return [(m, _average(b2, m, g)), (w, e.fma(back, _with_decay(w, move, weight_decay, no_decay), w))]

    return Optimizer(name, rule, _counted(name, learning_rate))
