"""Moves that are views and cost no bytes: reshape, transpose, broadcast_to, slice, pad, flip, diagonal."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lazydiff.errors import ShapeError
from lazydiff.graph.node import FUNCTIONS, Op, Tensor, apply, call, constant, declare, user_line
from lazydiff.ops.leaves import checked_shape

Axis = int | tuple[int, ...] | None
Attrs = dict[str, Any]
Transpose = Callable[[Tensor, tuple[int, ...], Attrs], Tensor]


def _view(name: str, shape: Callable[[tuple[int, ...], Attrs], Sequence[int]], transposed: Transpose) -> None:
    """Declare a linear view by its shape and its transpose: (ct, x's shape, attributes) -> the cotangent of x."""
    declare(
        Op(
            name,
            "linear",
            lambda xs, a: (tuple(shape(xs[0].shape, a)), xs[0].dtype),
            transpose=lambda ct, which, xs, a: transposed(ct, xs[0].shape, a),
            view=True,
        )
    )


_view("reshape", lambda old, a: a["shape"], lambda ct, old, a: reshape(ct, old))
_view(
    "transpose",
    lambda old, a: [old[i] for i in a["axes"]],
    lambda ct, old, a: transpose(ct, tuple(int(i) for i in np.argsort(a["axes"]))),
)
_view("broadcast_to", lambda old, a: a["shape"], lambda ct, old, a: _unbroadcast(ct, old))
_view("flip", lambda old, a: old, lambda ct, old, a: flip(ct, a["axes"]))
_view("slice", lambda old, a: a["sizes"], lambda ct, old, a: _unslice(ct, old, a))
_view(
    "pad",
    lambda old, a: [low + e + high for low, e, high in zip(a["low"], old, a["high"], strict=True)],
    lambda ct, old, a: slices(ct, a["low"], old),
)
_view("diagonal", lambda old, a: old[:-1], lambda ct, old, a: _on_diagonal(ct))


def reshape(x: Tensor, shape: int | tuple[int, ...]) -> Tensor:
    """The same elements, row-major, in another shape; one extent may be -1. A view."""
    wanted = (shape,) if isinstance(shape, int) else tuple(shape)
    if wanted.count(-1) == 1:
        known = -math.prod(wanted)
        wanted = tuple(x.size // known if s == -1 and known and x.size % known == 0 else s for s in wanted)
    wanted = checked_shape(wanted, 0)
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
    shape = checked_shape(shape, 0)
    if x.shape == shape:
        return x
    pairs = zip(reversed(x.shape), reversed(shape), strict=False)
    if x.ndim > len(shape) or not all(old in (1, new) for old, new in pairs):
        raise ShapeError(f"{user_line()}: {x.shape} does not broadcast to {shape}")
    return apply("broadcast_to", x, shape=shape)


def _unbroadcast(ct: Tensor, shape: tuple[int, ...]) -> Tensor:
    lead = len(ct.shape) - len(shape)
    axes = tuple(i for i in range(len(ct.shape)) if i < lead or (shape[i - lead] == 1 and ct.shape[i] != 1))
    return reshape(call("sum", ct, axis=axes), shape)


def slices(x: Tensor, starts: Sequence[int], sizes: Sequence[int], steps: Sequence[int] | None = None) -> Tensor:
    """x[start], x[start + step], .. (`size` of them) in each dimension, steps positive (1 without them). A view."""
    steps = (1,) * x.ndim if steps is None else tuple(steps)
    starts, sizes = tuple(starts), checked_shape(tuple(sizes), 0)
    if len(starts) != x.ndim or len(sizes) != x.ndim or len(steps) != x.ndim:
        raise ShapeError(f"{user_line()}: a slice of {x.shape} by {starts}, {sizes}, {steps}")
    steps = tuple(1 if size <= 1 else step for size, step in zip(sizes, steps, strict=True))
    ends = [a + (n - 1) * s if n else -1 for a, n, s in zip(starts, sizes, steps, strict=True)]
    if min((*starts, 0)) < 0 or min((*steps, 1)) < 1 or any(e >= d for e, d in zip(ends, x.shape, strict=True)):
        raise ShapeError(f"{user_line()}: a slice of {x.shape} from {starts}, sizes {sizes}, steps {steps} leaves it")
    return x if sizes == x.shape else apply("slice", x, starts=starts, sizes=sizes, steps=steps)


def zero_pad(x: Tensor, low: Sequence[int], high: Sequence[int]) -> Tensor:
    """x with zeros before and behind it in each dimension; any dtype. A view: no bytes."""
    low, high = tuple(low), tuple(high)
    if len(low) != x.ndim or len(high) != x.ndim or min((*low, *high, 0)) < 0:
        raise ShapeError(f"{user_line()}: pad of {x.shape} by {low} before and {high} behind")
    shape = checked_shape([a + e + b for a, e, b in zip(low, x.shape, high, strict=True)], 0)
    if not x.size:
        return call("broadcast_to", constant(np.zeros((), x.dtype.numpy)), shape)
    return apply("pad", x, low=low, high=high) if any((*low, *high)) else x


def flip(x: Tensor, axis: Axis = None) -> Tensor:
    """x backwards along some axes (all without `axis`). A view: no bytes."""
    axes = tuple(a for a in normal_axes(x, axis) if x.shape[a] != 1)
    return apply("flip", x, axes=axes) if axes else x


def _unslice(ct: Tensor, shape: tuple[int, ...], a: Attrs) -> Tensor:
    """The cotangent where it was taken from, zeros elsewhere. A step s is s - 1 zeros behind each element."""
    for axis, step in enumerate(a["steps"]):
        if step == 1:
            continue
        before, size, behind = ct.shape[:axis], ct.shape[axis], ct.shape[axis + 1 :]
        apart = reshape(ct, (math.prod(before) * size, 1, math.prod(behind)))
        spread = reshape(zero_pad(apart, (0, 0, 0), (0, step - 1, 0)), (*before, size * step, *behind))
        ct = slices(spread, (0,) * ct.ndim, (*before, (size - 1) * step + 1, *behind))
    return zero_pad(ct, a["starts"], [e - s - n for e, s, n in zip(shape, a["starts"], ct.shape, strict=True)])


def diagonal(x: Tensor, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """x[.., i, i + offset, ..] of two axes, as the last axis of the result. A view: no bytes."""
    if x.ndim < 2:
        raise ShapeError(f"{user_line()}: diagonal of {x.shape}: it takes two axes")
    (first,), (second,) = normal_axes(x, axis1), normal_axes(x, axis2)
    normal_axes(x, (first, second))
    x = transpose(x, (*(a for a in range(x.ndim) if a not in (first, second)), first, second))
    rows, columns = x.shape[-2:]
    size = min(rows + min(offset, 0), columns - max(offset, 0))
    if size < 1:
        raise ShapeError(f"{user_line()}: diagonal {offset} of {x.shape[-2:]} has no elements")
    lead = (0,) * (x.ndim - 2)
    starts = (*lead, max(-offset, 0), max(offset, 0))
    return apply("diagonal", slices(x, starts, (*x.shape[:-2], size, size)))


def _on_diagonal(ct: Tensor) -> Tensor:
    """ct (.., n) on the diagonal of zeros (.., n, n)."""
    numbers = constant(np.arange(ct.shape[-1], dtype=ct.dtype.numpy))
    diagonal = call("equal", reshape(numbers, (-1, 1)), numbers)
    return call("where", diagonal, reshape(ct, (*ct.shape, 1)), 0.0)


def normal_axes(x: Tensor, axis: Axis) -> tuple[int, ...]:
    """Axes as sorted non-negative numbers; ShapeError for one that is not there or is named twice."""
    named = tuple(range(x.ndim)) if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
    if any(not -x.ndim <= a < x.ndim for a in named) or len({a % x.ndim for a in named}) != len(named):
        raise ShapeError(f"{user_line()}: axis {axis} of a tensor of shape {x.shape}")
    return tuple(sorted(a % x.ndim for a in named))


def zeros_like(x: Tensor) -> Tensor:
    """Zeros of x's shape: a view of one number."""
    return broadcast_to(constant(0.0, x.dtype), x.shape)


FUNCTIONS.update(reshape=reshape, transpose=transpose, broadcast_to=broadcast_to, flip=flip)
