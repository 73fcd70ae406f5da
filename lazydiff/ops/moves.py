"""Views and reductions: reshape, transpose, broadcast_to; sum, max, min, argmax over axes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from lazydiff.dtypes import Dtype, i32
from lazydiff.errors import DtypeError, ShapeError
from lazydiff.graph.node import FUNCTIONS, Op, Tensor, apply, call, constant, declare, user_line
from lazydiff.ops.elementwise import astype, equal, where
from lazydiff.ops.leaves import checked_shape

Axis = int | tuple[int, ...] | None
Attrs = dict[str, object]


def _same_dtype(shape: object, x: Tensor) -> tuple[tuple[int, ...], Dtype]:
    return tuple(shape), x.dtype  # type: ignore[arg-type]


declare(
    Op(
        "reshape",
        "linear",
        lambda xs, a: _same_dtype(a["shape"], xs[0]),
        transpose=lambda ct, which, xs, a: reshape(ct, xs[0].shape),
        view=True,
    )
)
declare(
    Op(
        "transpose",
        "linear",
        lambda xs, a: _same_dtype((xs[0].shape[i] for i in a["axes"]), xs[0]),  # type: ignore[attr-defined]
        transpose=lambda ct, which, xs, a: transpose(ct, tuple(int(i) for i in np.argsort(a["axes"]))),  # type: ignore
        view=True,
    )
)
declare(
    Op(
        "broadcast_to",
        "linear",
        lambda xs, a: _same_dtype(a["shape"], xs[0]),
        transpose=lambda ct, which, xs, a: _unbroadcast(ct, xs[0].shape),
        view=True,
    )
)


def reshape(x: Tensor, shape: int | tuple[int, ...]) -> Tensor:
    """The same elements, row-major, in another shape; one extent may be -1. A view."""
    wanted = (shape,) if isinstance(shape, int) else tuple(shape)
    if wanted.count(-1) == 1:
        known = -math.prod(wanted)
        wanted = tuple(x.size // known if s == -1 and known and x.size % known == 0 else s for s in wanted)
    wanted = checked_shape(wanted)
    if math.prod(wanted) != x.size:
        raise ShapeError(f"{user_line()}: reshape of {x.shape} ({x.size} elements) to {shape}")
    return x if wanted == x.shape else apply("reshape", x, shape=wanted)


def transpose(x: Tensor, axes: tuple[int, ...] | None = None) -> Tensor:
    """The axes in another order (reversed without `axes`). A view."""
    order = tuple(range(x.ndim))[::-1] if axes is None else tuple(a % x.ndim if x.ndim else a for a in axes)
    if sorted(order) != list(range(x.ndim)):
        raise ShapeError(f"{user_line()}: transpose of {x.ndim} dimensions by {axes}")
    return x if order == tuple(range(x.ndim)) else apply("transpose", x, axes=order)


def broadcast_to(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """x repeated to a shape, as NumPy does. A view: no bytes."""
    shape = checked_shape(shape)
    if x.shape == shape:
        return x
    try:
        fits = np.broadcast_shapes(x.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(f"{user_line()}: {x.shape} does not broadcast to {shape}")
    return apply("broadcast_to", x, shape=shape)


def _unbroadcast(ct: Tensor, shape: tuple[int, ...]) -> Tensor:
    lead = len(ct.shape) - len(shape)
    axes = tuple(i for i in range(len(ct.shape)) if i < lead or (shape[i - lead] == 1 and ct.shape[i] != 1))
    return reshape(sum(ct, axis=axes), shape)


def normal_axes(x: Tensor, axis: Axis) -> tuple[int, ...]:
    """Axes as sorted non-negative numbers; ShapeError for one that is not there or is named twice."""
    named = tuple(range(x.ndim)) if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
    if any(not -x.ndim <= a < x.ndim for a in named) or len({a % x.ndim for a in named}) != len(named):
        raise ShapeError(f"{user_line()}: axis {axis} of a tensor of shape {x.shape}")
    return tuple(sorted(a % x.ndim for a in named))


def _infer_reduce(xs: Sequence[Tensor], a: Attrs) -> tuple[tuple[int, ...], Dtype]:
    x, axes = xs[0], a["axes"]
    if not x.dtype.is_float:
        raise DtypeError(f"{user_line()}: a reduction of {x.dtype}; cast it first: ld.astype(x, ld.f32)")
    return tuple(s for i, s in enumerate(x.shape) if i not in axes), x.dtype  # type: ignore[operator]


def kept(y: Tensor, x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """A reduction's result with its axes put back as extents of 1."""
    return reshape(y, tuple(1 if i in axes else s for i, s in enumerate(x.shape)))


declare(
    Op(
        "sum",
        "linear",
        _infer_reduce,
        transpose=lambda ct, which, xs, a: broadcast_to(kept(ct, xs[0], a["axes"]), xs[0].shape),  # type: ignore
    )
)


def _winners(y: Tensor, x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """d max = sum of dx over the elements that attain it, shared equally between ties, as JAX does."""
    mask = equal(x, broadcast_to(kept(y, x, axes), x.shape))
    count = kept(sum(astype(mask, x.dtype), axis=axes), x, axes)
    return where(mask, 1.0 / count, 0.0)


for _name in ("max", "min"):
    declare(Op(_name, "elementwise", _infer_reduce, partials=(_winners,), reduces="sum"))
declare(Op("argmax", "constant", lambda xs, a: (_infer_reduce(xs, a)[0], i32)))


def _reduction(name: str, x: Tensor, axis: Axis, keepdims: bool) -> Tensor:
    axes = normal_axes(x, axis)
    y = apply(name, x, axes=axes) if axes else x
    return kept(y, x, axes) if keepdims else y


def sum(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:  # noqa: A001 - NumPy's name
    """Sum over axes (all without `axis`)."""
    return _reduction("sum", x, axis, keepdims)


def max(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:  # noqa: A001 - NumPy's name
    """Greatest element over axes; NaN wins. The gradient is shared equally between ties."""
    return _reduction("max", x, axis, keepdims)


def min(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:  # noqa: A001 - NumPy's name
    """Least element over axes; NaN wins. The gradient is shared equally between ties."""
    return _reduction("min", x, axis, keepdims)


def argmax(x: Tensor, axis: int = -1) -> Tensor:
    """Index (i32) of the greatest element along one axis; the first of ties."""
    return apply("argmax", x, axes=normal_axes(x, axis))


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


def zeros_like(x: Tensor) -> Tensor:
    """Zeros of x's shape: a view of one number."""
    return broadcast_to(constant(0.0, x.dtype), x.shape)


FUNCTIONS.update(reshape=reshape, transpose=transpose, broadcast_to=broadcast_to, sum=sum, max=max, min=min, mean=mean)
