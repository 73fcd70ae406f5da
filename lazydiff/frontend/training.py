"""The training step: a loss, the gradients of its parameters, and what an optimizer makes of them, as one entry."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass

from lazydiff.errors import GraphError
from lazydiff.frontend.optim import Optimizer
from lazydiff.frontend.waits import waits
from lazydiff.graph.node import Tensor, user_line
from lazydiff.graph.walk import topological
from lazydiff.ops.moves import zeros_like
from lazydiff.passes.differentiate import grad


@dataclass(frozen=True, slots=True)
class Step:
    """An entry that changes state: its outputs by name, and (leaf, new value) pairs.

    `micro_batches` is how many compile() makes of its batch: None for one, or "auto" (see `train_step`). `waits` has
    (parameter, reason) pairs of those that can't be updated as soon as their gradient exists.
    """

    outputs: dict[str, Tensor]
    updates: tuple[tuple[Tensor, Tensor], ...]
    micro_batches: int | str | None = None
    waits: tuple[tuple[str, str], ...] = ()

    @property
    def roots(self) -> list[Tensor]:
        """Everything it computes: the outputs, then the new values, in order."""
        return [*self.outputs.values(), *(value for _, value in self.updates)]


def parameters(*tensors: Tensor) -> list[Tensor]:
    """The parameters that tensors depend on, in the order in which they are reached."""
    return [n for n in topological(tensors) if n.op.name == "param"]


def train_step(
    loss: Tensor,
    optimizer: Optimizer,
    trainable: Sequence[str] | None = None,
    outputs: dict[str, Tensor] | None = None,
    updates: Sequence[tuple[Tensor, Tensor]] = (),
    micro_batches: int | str | None = None,
) -> Step:
    """One training step on a loss with one element; its output is named "loss".

    `trainable` are patterns of parameter names such as ["head.*"] (all without it; the others are frozen and live in
    flash). `outputs` are further tensors to give back, computed before the update; `updates` further (state, new value)
    pairs, such as the running statistics of ld.batch_norm.

    With `micro_batches=k` the batch (the first axis of most of the inputs' elements) runs in k parts, one after the
    other, whose gradients are added up before the one update: activations take a k-th of the bytes, a gradient its own.
    Values equal those of the whole batch up to the order of sums (passes/split_batch.py says which). "auto" takes
    the fewest parts, equal ones, that fit the `ram=` of compile(), and one if that fits. compile() refuses a step whose
    samples meet (batch_norm, a softmax over the batch): GraphError with the reason and your line.

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
    number = isinstance(micro_batches, int) and not isinstance(micro_batches, bool) and micro_batches > 0
    if not number and micro_batches not in (None, "auto"):
        raise GraphError(f'{user_line()}: micro_batches={micro_batches!r}; a positive integer, None or "auto"')
    gradients = optimizer.prepare([g for _, g in moved])
    late = tuple(waits(loss, moved, gradients))
    shared, counted = optimizer.begin()
    pairs = [u for (w, _), g in zip(moved, gradients, strict=True) for u in optimizer.rule(w, g, shared)]
    return Step({"loss": loss, **(outputs or {})}, (*pairs, *counted, *updates), micro_batches, late)
