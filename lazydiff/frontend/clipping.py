"""Optimizers on clipped gradients."""

from __future__ import annotations

from dataclasses import replace

from lazydiff.errors import GraphError
from lazydiff.frontend.optim import Optimizer, Updates
from lazydiff.graph.node import Tensor, user_line
from lazydiff.ops import elementwise as e
from lazydiff.ops.reductions import sum


def clip_by_value(optimizer: Optimizer, limit: float) -> Optimizer:
    """The optimizer on gradients whose elements are kept in -limit .. limit; costs no bytes. NaN passes."""
    if not limit > 0:
        raise GraphError(f"{user_line()}: clip_by_value to {limit!r}; it is positive")

    def rule(w: Tensor, g: Tensor, shared: Tensor | None) -> Updates:
        return optimizer.rule(w, e.minimum(e.maximum(g, -limit), limit), shared)

    return replace(optimizer, rule=rule)


def clip_by_global_norm(optimizer: Optimizer, limit: float) -> Optimizer:
    """The optimizer on gradients g * min(1, limit / norm), norm = sqrt(sum of the squares of all gradients) as optax.

    The norm must be known before the first update, so **all gradients exist at once**: this costs the bytes of every
    trained parameter, and no update is fused into the product that makes its gradient. clip_by_value costs nothing.
    """
    if not limit > 0:
        raise GraphError(f"{user_line()}: clip_by_global_norm to {limit!r}; it is positive")

    def prepare(gradients: list[Tensor]) -> list[Tensor]:
        found = optimizer.prepare(gradients)
        dtype = found[0].dtype
        squares = [e.astype(sum(e.square(g)), dtype) for g in found]
        total = squares[0]
        for s in squares[1:]:
            total = total + s
        scale = limit / e.maximum(e.sqrt(total), limit)  # 1 up to the limit, without a division by 0
        return [g * e.astype(scale, g.dtype) for g in found]

    return replace(optimizer, prepare=prepare)
