"""Graph -> graph: derivatives in reverse and forward mode, both from the one rule each op declares."""

from __future__ import annotations

from collections.abc import Sequence

from lazydiff.dtypes import bool_
from lazydiff.errors import DtypeError, GraphError, ShapeError
from lazydiff.graph.node import OPS, Tensor, make, source_of, user_line
from lazydiff.graph.walk import topological
from lazydiff.ops.elementwise import one, where
from lazydiff.ops.moves import zeros_like


def _scaled(tangent: Tensor, partial: Tensor) -> Tensor:
    """partial * tangent; a bool partial is a mask, under which an infinite tangent gives 0."""
    return where(partial, tangent, 0.0) if partial.dtype is bool_ else tangent * partial


def _reaches(order: Sequence[Tensor], wrt: Sequence[Tensor]) -> set[int]:
    """Ids of the nodes whose value depends, differentiably, on one of `wrt`: through floats only."""
    found = {id(w) for w in wrt}
    for node in order:
        smooth = node.dtype.is_float and node.op.kind in ("elementwise", "linear")
        if smooth and any(id(i) in found for i in node.inputs):
            found.add(id(node))
    return found


def _partials(node: Tensor) -> Sequence[Tensor | None]:
    if node.op.reduces:
        return node.op.partials(node, *node.inputs, node.options["axes"])  # type: ignore[misc]
    return node.op.partials(node, *node.inputs)  # type: ignore[misc]


def _check_wrt(wrt: Sequence[Tensor]) -> None:
    for w in wrt:
        if not isinstance(w, Tensor) or not w.dtype.is_float:
            raise DtypeError(f"{user_line()}: derivatives are with respect to float tensors, not {w!r}")


def vjp(outputs: Sequence[Tensor], wrt: Sequence[Tensor], cotangents: Sequence[Tensor]) -> list[Tensor]:
    """Reverse mode: sum over outputs of cotangent * d output / d w, for each w; zeros (no bytes) where w is absent."""
    _check_wrt(wrt)
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
        if id(node) not in total or node.op.kind not in ("elementwise", "linear") or id(node) not in needed:
            continue
        ct = total[id(node)] if id(node) in targets else total.pop(id(node))
        with source_of(node):
            if node.op.reduces:
                ct = OPS[node.op.reduces].transpose(ct, 0, node.inputs, node.options)  # type: ignore[misc, assignment]
            partials = _partials(node) if node.op.kind == "elementwise" else ()
            for which, i in enumerate(node.inputs):
                if id(i) not in needed:
                    continue
                if node.op.kind == "linear":
                    share = node.op.transpose(ct, which, node.inputs, node.options)  # type: ignore[misc]
                else:
                    share = None if partials[which] is None else _scaled(ct, partials[which])  # type: ignore[arg-type]
                if share is not None:
                    add(i, share)
    return [total[id(w)] if id(w) in total else zeros_like(w) for w in wrt]


def jvp(outputs: Sequence[Tensor], wrt: Sequence[Tensor], tangents: Sequence[Tensor]) -> list[Tensor]:
    """Forward mode: sum over w of d output / d w * tangent, for each output; zeros (no bytes) where all are absent."""
    _check_wrt(wrt)
    for w, seed in zip(wrt, tangents, strict=True):
        if w.shape != seed.shape or w.dtype != seed.dtype:
            raise ShapeError(f"{user_line()}: tangent {seed!r} does not fit {w!r}")
    order = topological(outputs)
    needed = _reaches(order, wrt)
    tangent: dict[int, Tensor] = {id(w): t for w, t in zip(wrt, tangents, strict=True)}
    for node in order:
        if id(node) in tangent or id(node) not in needed or node.op.kind not in ("elementwise", "linear"):
            continue
        with source_of(node):
            partials = _partials(node) if node.op.kind == "elementwise" else ()
            total = None
            for which, i in enumerate(node.inputs):
                if id(i) not in tangent:
                    continue
                t = tangent[id(i)]
                if node.op.kind == "linear":
                    inputs = (*node.inputs[:which], t, *node.inputs[which + 1 :])
                    share: Tensor | None = make(node.op, inputs, node.options)
                else:
                    share = None if partials[which] is None else _scaled(t, partials[which])  # type: ignore[arg-type]
                    if share is not None and node.op.reduces:
                        share = make(OPS[node.op.reduces], (share,), node.options)
                if share is not None:
                    total = share if total is None else total + share
            if total is not None:
                tangent[id(node)] = total
    return [tangent[id(y)] if id(y) in tangent else zeros_like(y) for y in outputs]


def grad(loss: Tensor, wrt: Sequence[Tensor]) -> list[Tensor]:
    """d loss / d w for each w, of a loss with one element."""
    if loss.size != 1 or not loss.dtype.is_float:
        raise GraphError(
            f"{user_line()}: grad takes a float tensor with one element, not {loss!r}; sum or mean it first"
        )
    return vjp([loss], wrt, [one(loss)])
