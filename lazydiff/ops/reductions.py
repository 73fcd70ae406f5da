"""Reductions over axes: sum, max, min, argmax, and what follows from them: mean, var."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from lazydiff.dtypes import Dtype, i32
from lazydiff.errors import DtypeError, ShapeError
from lazydiff.graph.node import FUNCTIONS, Op, Tensor, apply, call, constant, declare, user_line
from lazydiff.ops.elementwise import astype, equal, where
from lazydiff.ops.moves import Attrs, Axis, broadcast_to, normal_axes, reshape


def _infer_reduce(xs: Sequence[Tensor], a: Attrs) -> tuple[tuple[int, ...], Dtype]:
    x, axes = xs[0], a["axes"]
    if not x.dtype.is_float:
        raise DtypeError(f"{user_line()}: a reduction of {x.dtype}; cast it first: ld.astype(x, ld.f32)")
    return tuple(s for i, s in enumerate(x.shape) if i not in axes), x.dtype


def kept(y: Tensor, x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """A reduction's result with its axes put back as extents of 1."""
    return reshape(y, tuple(1 if i in axes else s for i, s in enumerate(x.shape)))


declare(
    Op(
        "sum",
        "linear",
        _infer_reduce,
        transpose=lambda ct, which, xs, a: broadcast_to(kept(ct, xs[0], a["axes"]), xs[0].shape),  # type: ignore
        kernels=("reduce_sum",),
    )
)


def _winners(y: Tensor, x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """d max = sum of dx over the elements that attain it, shared equally between ties, as JAX does."""
    mask = equal(x, broadcast_to(kept(y, x, axes), x.shape))
    count = kept(sum(astype(mask, x.dtype), axis=axes), x, axes)
    return where(mask, 1.0 / count, 0.0)


for _name in ("max", "min"):
    declare(Op(_name, "elementwise", _infer_reduce, partials=(_winners,), reduces="sum", kernels=(f"reduce_{_name}",)))
declare(Op("argmax", "constant", lambda xs, a: (_infer_reduce(xs, a)[0], i32), kernels=("argmax",)))


def of_nothing(name: str, x: Tensor, axes: tuple[int, ...], identity: float | None) -> Tensor:
    """A reduction of a tensor without elements: its identity, or ShapeError where it has none, as NumPy."""
    shape = tuple(s for i, s in enumerate(x.shape) if i not in axes)
    if identity is None and 0 not in shape:
        raise ShapeError(f"{user_line()}: {name} over no elements: {x.shape} along axes {axes}")
    return broadcast_to(constant(np.asarray(identity or 0, x.dtype.numpy)), shape)


def _reduction(name: str, x: Tensor, axis: Axis, keepdims: bool) -> Tensor:
    axes = normal_axes(x, axis)
    if not axes:
        y = x
    else:
        y = apply(name, x, axes=axes) if x.size else of_nothing(name, x, axes, 0.0 if name == "sum" else None)
    return kept(y, x, axes) if keepdims else y


def sum(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:  # noqa: A001 - NumPy's name
    """Sum over axes (all without `axis`)."""
    return _reduction("sum", x, axis, keepdims)


def max(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:  # noqa: A001 - NumPy's name
    """Greatest element over axes; NaN wins, with a gradient of 0. Else the gradient is shared equally between ties."""
    return _reduction("max", x, axis, keepdims)


def min(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:  # noqa: A001 - NumPy's name
    """Least element over axes; NaN wins, with a gradient of 0. Else the gradient is shared equally between ties."""
    return _reduction("min", x, axis, keepdims)


def argmax(x: Tensor, axis: int = -1) -> Tensor:
    """Index (i32) of the greatest element along one axis; the first of ties."""
    axes = normal_axes(x, axis)
    return apply("argmax", x, axes=axes) if x.size else astype(of_nothing("argmax", x, axes, None), i32)


def mean(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Mean over axes: the sum divided by the count."""
    axes = normal_axes(x, axis)
    return sum(x, axes, keepdims) / float(math.prod(x.shape[i] for i in axes))


def var(x: Tensor, axis: Axis = None, ddof: int = 0, keepdims: bool = False) -> Tensor:
    """Variance over axes: the squared distances from the mean, summed and divided by count - ddof."""
    axes = normal_axes(x, axis)
    count = math.prod(x.shape[i] for i in axes) - ddof
    if count <= 0:
        raise ShapeError(f"{user_line()}: var over {count + ddof} elements with ddof={ddof}")
    return sum(call("square", x - mean(x, axes, True)), axes, keepdims) / float(count)


FUNCTIONS.update(sum=sum, max=max, min=min, mean=mean)
