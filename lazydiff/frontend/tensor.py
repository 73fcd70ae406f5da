"""The public derivative functions, on one tensor or several: grad, value_and_grad, vjp, jvp."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from lazydiff.graph.node import Operand, Tensor, call, constant
from lazydiff.ops.elementwise import one
from lazydiff.passes import differentiate, taylor


def _many(x: Tensor | Sequence[Tensor]) -> list[Tensor]:
    return [x] if isinstance(x, Tensor) else list(x)


def _seeds(x: Sequence[Tensor], seeds: Operand | Sequence[Operand] | None) -> list[Tensor]:
    if seeds is None:
        return [one(t) for t in x]
    items = list(seeds) if isinstance(seeds, (list, tuple)) and len(seeds) == len(x) else [seeds]
    made = []
    for t, s in zip(x, items, strict=True):
        seed = constant(s, t.dtype)  # type: ignore[arg-type]
        made.append(call("broadcast_to", call("astype", seed, t.dtype), t.shape))
    return made


@overload
def grad(loss: Tensor, wrt: Tensor) -> Tensor: ...
@overload
def grad(loss: Tensor, wrt: Sequence[Tensor]) -> list[Tensor]: ...
def grad(loss: Tensor, wrt: Tensor | Sequence[Tensor]) -> Tensor | list[Tensor]:
    """d loss / d wrt as a graph, of a loss with one element; a list for several. Differentiate it again if you like."""
    found = differentiate.grad(loss, _many(wrt))
    return found[0] if isinstance(wrt, Tensor) else found


def value_and_grad(loss: Tensor, wrt: Tensor | Sequence[Tensor]) -> tuple[Tensor, Tensor | list[Tensor]]:
    """(loss, its gradient): one graph, which shares the forward part."""
    return loss, grad(loss, wrt)


def vjp(
    outputs: Tensor | Sequence[Tensor],
    wrt: Tensor | Sequence[Tensor],
    cotangents: Operand | Sequence[Operand] | None = None,
) -> Tensor | list[Tensor]:
    """Reverse mode: cotangents (ones without them) times the Jacobian, for each of wrt. Absent variables give zeros."""
    ys = _many(outputs)
    found = differentiate.vjp(ys, _many(wrt), _seeds(ys, cotangents))
    return found[0] if isinstance(wrt, Tensor) else found


def jvp(
    outputs: Tensor | Sequence[Tensor],
    wrt: Tensor | Sequence[Tensor],
    tangents: Operand | Sequence[Operand] | None = None,
) -> Tensor | list[Tensor]:
    """Forward mode: the Jacobian times tangents (ones without them), for each output. Absent variables give zeros."""
    xs = _many(wrt)
    found = taylor.jvp(_many(outputs), xs, _seeds(xs, tangents))
    return found[0] if isinstance(outputs, Tensor) else found
