"""What both modes ask of an op: its partials, or a marker for a derivative that does not exist."""

from __future__ import annotations

from collections.abc import Sequence

from lazydiff.dtypes import bool_
from lazydiff.errors import DtypeError
from lazydiff.graph.node import Tensor, apply, user_line
from lazydiff.graph.walk import number
from lazydiff.ops.elementwise import where

SMOOTH = ("elementwise", "linear", "custom", "opaque")  # the kinds of op through which derivatives flow


def check_wrt(wrt: Sequence[Tensor]) -> None:
    """Refuse anything but float tensors."""
    for w in wrt:
        if not isinstance(w, Tensor) or not w.dtype.is_float:
            raise DtypeError(f"{user_line()}: derivatives are with respect to float tensors, not {w!r}")


def scaled(tangent: Tensor, slope: Tensor) -> Tensor:
    """slope * tangent; a bool slope is a mask, under which an infinite tangent gives 0; a slope of 1 is no node."""
    if slope.dtype is bool_:
        return where(slope, tangent, 0.0)
    constant = number(slope)
    return tangent if constant == 1 else -tangent if constant == -1 else tangent * slope


def partial(node: Tensor, which: int) -> Tensor | None:
    """d node / d input as a graph, or None."""
    rule = node.op.partials[which]
    if rule is None:
        return None
    return rule(node, *node.inputs, node.options["axes"]) if node.op.reduces else rule(node, *node.inputs)


def missing(node: Tensor, like: Tensor) -> Tensor:
    """A marker of `like`'s shape for a derivative that does not exist; compile() lists all of them (GraphError)."""
    why = node.options.get("why") or f"{node.op.name} has no derivative"
    return apply("missing_derivative", what=f"{node.source}: {why}", shape=like.shape, dtype=like.dtype.name)
