"""Graph -> graph: derivatives in reverse mode, from the one rule each op declares (forward mode: taylor.py)."""

from __future__ import annotations

from collections.abc import Sequence

from lazydiff.errors import GraphError, ShapeError
from lazydiff.graph.node import OPS, Tensor, source_of, user_line
from lazydiff.graph.walk import topological
from lazydiff.ops.elementwise import one
from lazydiff.ops.moves import zeros_like
from lazydiff.passes.custom import custom_vjp
from lazydiff.passes.rules import SMOOTH, check_wrt, missing, partial, scaled


def _reaches(order: Sequence[Tensor], wrt: Sequence[Tensor]) -> set[int]:
    """Ids of the nodes whose value depends, differentiably, on one of `wrt`: through floats only."""
    found = {id(w) for w in wrt}
    for node in order:
        inputs = node.inputs[1:] if node.op.kind == "custom" else node.inputs
        if node.dtype.is_float and node.op.kind in SMOOTH and any(id(i) in found for i in inputs):
            found.add(id(node))
    return found


def _share(node: Tensor, which: int, ct: Tensor) -> Tensor | None:
    """The cotangent that a node hands to one of its inputs."""
    if node.op.kind == "linear":
        return node.op.transpose(ct, which, node.inputs, dict(node.options))  # type: ignore[misc]
    slope = partial(node, which)
    return None if slope is None else scaled(ct, slope)


def vjp(outputs: Sequence[Tensor], wrt: Sequence[Tensor], cotangents: Sequence[Tensor]) -> list[Tensor]:
    """Reverse mode: sum over outputs of cotangent * d output / d w, for each w; zeros (no bytes) where w is absent."""
    check_wrt(wrt)
    for y, ct in zip(outputs, cotangents, strict=True):
        if y.shape != ct.shape or y.dtype != ct.dtype:
            raise ShapeError(f"{user_line()}: cotangent {ct!r} does not fit output {y!r}")
    order = topological(outputs)
    needed = _reaches(order, wrt)
    total: dict[int, Tensor] = {}

    def add(node: Tensor, ct: Tensor) -> None:
        total[id(node)] = total[id(node)] + ct if id(node) in total else ct

    for y, ct in zip(outputs, cotangents, strict=True):
        if id(y) in needed:
            add(y, ct)
    targets = {id(w) for w in wrt}
    for node in reversed(order):
        if id(node) not in total or node.op.kind not in SMOOTH or not any(id(i) in needed for i in node.inputs):
            continue
        ct = total[id(node)] if id(node) in targets else total.pop(id(node))
        with source_of(node):
            if node.op.reduces:
                ct = OPS[node.op.reduces].transpose(ct, 0, node.inputs, dict(node.options))  # type: ignore[misc, assignment]
            custom = [None, *custom_vjp(node, ct, vjp)] if node.op.kind == "custom" else None
            for which, i in enumerate(node.inputs):
                if id(i) not in needed:
                    continue
                if custom:
                    share = custom[which]
                else:
                    share = missing(node, i) if node.op.kind == "opaque" else _share(node, which, ct)
                if share is not None:
                    add(i, share)
    return [total[id(w)] if id(w) in total else zeros_like(w) for w in wrt]


def grad(loss: Tensor, wrt: Sequence[Tensor]) -> list[Tensor]:
    """d loss / d w for each w, of a loss with one element."""
    if loss.size != 1 or not loss.dtype.is_float:
        raise GraphError(
            f"{user_line()}: grad takes a float tensor with one element, not {loss!r}; sum or mean it first"
        )
    return vjp([loss], wrt, [one(loss)])
