"""The training step: a loss, the gradients of its parameters, and what an optimizer makes of them, as one entry."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass

from lazydiff.errors import GraphError
from lazydiff.frontend.optim import Optimizer
from lazydiff.graph.node import Tensor, user_line
from lazydiff.graph.walk import topological
from lazydiff.ops.moves import zeros_like
from lazydiff.passes.differentiate import grad


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
    pairs, such as the running statistics of ld.batch_norm.

    A parameter that the loss does not depend on, or only through ld.stop_gradient, is left alone: neither it nor any
    state of the optimizer changes (torch does the same where a gradient is None), and it may live in flash. GraphError
    if that is so for all of them, or if a pattern matches no parameter of the loss.
    """
    chosen = parameters(loss)
    if trainable is not None:
        unused = [p for p in trainable if not any(fnmatch.fnmatchcase(w.name, p) for w in chosen)]
        if unused:
            raise GraphError(f"{user_line()}: trainable {unused} match none of {[w.name for w in chosen]}")
        chosen = [w for w in chosen if any(fnmatch.fnmatchcase(w.name, p) for p in trainable)]
    if not chosen:
        raise GraphError(f"{user_line()}: the loss depends on no parameter; make one with ld.param")
    found = zip(chosen, grad(loss, chosen), strict=True)
    moved = [(w, g) for w, g in found if g is not zeros_like(w)]
    if not moved:
        raise GraphError(
            f"{user_line()}: the loss's derivative is zero for every parameter: {[w.name for w in chosen]}; "
            "is there a stop_gradient or an integer cast on the way?"
        )
    gradients = optimizer.prepare([g for _, g in moved])
    shared, counted = optimizer.begin()
    pairs = [u for (w, _), g in zip(moved, gradients, strict=True) for u in optimizer.rule(w, g, shared)]
    return Step({"loss": loss, **(outputs or {})}, (*pairs, *counted, *updates))
