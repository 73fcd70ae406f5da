"""Scans: running sums along an axis."""

from __future__ import annotations

from lazydiff.errors import DtypeError
from lazydiff.graph.node import Op, Tensor, apply, declare, user_line
from lazydiff.ops.gathers import one_axis
from lazydiff.ops.moves import reshape

declare(
    Op(
        "cumsum",
        "linear",
        lambda xs, a: (xs[0].shape, xs[0].dtype),
        transpose=lambda ct, which, xs, a: apply("cumsum", ct, axis=a["axis"], reverse=not a["reverse"]),
        kernels=("cumsum",),
    )
)


def cumsum(x: Tensor, axis: int | None = None, reverse: bool = False) -> Tensor:
    """Running sums along one axis (of the flattened x without `axis`), from the end with `reverse`; f32 or f64.

    out[j] = x[0] + .. + x[j], one addition after the other. The derivative is the running sum the other way.
    """
    if not x.dtype.is_float:
        raise DtypeError(f"{user_line()}: cumsum of {x.dtype}; cast it first: ld.astype(x, ld.f32)")
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    return apply("cumsum", x, axis=one_axis("cumsum", x, axis), reverse=bool(reverse))
