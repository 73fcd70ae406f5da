"""Moves composed of views and joins: axes renamed, tensors put together, padded, rolled, repeated, cut to triangles."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from lazydiff.dtypes import BY_NAME, Dtype, f32, i32
from lazydiff.errors import DtypeError, ShapeError
from lazydiff.graph.node import Operand, Tensor, call, constant, user_line
from lazydiff.ops.elementwise import astype, join, less_equal, together, where
from lazydiff.ops.moves import Axis, broadcast_to, diagonal, flip, normal_axes, reshape, transpose, zero_pad
from lazydiff.ops.parts import getitem

Widths = int | tuple[int, int] | Sequence[tuple[int, int]]

# ----------------------------------------------------------------------------------------------------- axes, all views


def permute_dims(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """The axes in another order: axis i of the result is axis axes[i] of x. A view."""
    return transpose(x, tuple(axes))


def swapaxes(x: Tensor, axis1: int, axis2: int) -> Tensor:
    """Two axes exchanged. A view."""
    (first,), (second,) = normal_axes(x, axis1), normal_axes(x, axis2)
    order = list(range(x.ndim))
    order[first], order[second] = second, first
    return transpose(x, tuple(order))


def moveaxis(x: Tensor, source: int | tuple[int, ...], destination: int | tuple[int, ...]) -> Tensor:
    """Some axes moved to other places, the rest in their order. A view."""
    sources = (source,) if isinstance(source, int) else tuple(source)
    targets = (destination,) if isinstance(destination, int) else tuple(destination)
    normal_axes(x, sources), normal_axes(x, targets)
    if len(sources) != len(targets):
        raise ShapeError(f"{user_line()}: moveaxis of axes {sources} to places {targets}")
    order = [a for a in range(x.ndim) if a not in {s % x.ndim for s in sources}]
    for target, s in sorted((t % x.ndim, s % x.ndim) for t, s in zip(targets, sources, strict=True)):
        order.insert(target, s)
    return transpose(x, tuple(order))


def expand_dims(x: Tensor, axis: int | tuple[int, ...] = 0) -> Tensor:
    """New axes of extent 1 at these places of the result. A view."""
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    rank = x.ndim + len(axes)
    if any(not -rank <= a < rank for a in axes) or len({a % rank for a in axes}) != len(axes):
        raise ShapeError(f"{user_line()}: expand_dims of {x.shape} at {axis}")
    rest = iter(x.shape)
    return reshape(x, tuple(1 if d in {a % rank for a in axes} else next(rest) for d in range(rank)))


def squeeze(x: Tensor, axis: Axis = None) -> Tensor:
    """Axes of extent 1 taken out (all of them without `axis`). A view; ShapeError for one that is longer."""
    axes = normal_axes(x, axis) if axis is not None else tuple(d for d, e in enumerate(x.shape) if e == 1)
    if any(x.shape[a] != 1 for a in axes):
        raise ShapeError(f"{user_line()}: squeeze of axis {axis} of {x.shape}: its extent is not 1")
    return reshape(x, tuple(e for d, e in enumerate(x.shape) if d not in axes))


def ravel(x: Tensor) -> Tensor:
    """All elements, row-major, in one dimension."""
    return reshape(x, (x.size,))


def flatten(x: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The axes start_dim .. end_dim as one, as torch does; flatten(x, 1) keeps the batch."""
    if not x.ndim:
        return reshape(x, (1,))
    (first,), (last,) = normal_axes(x, start_dim), normal_axes(x, end_dim)
    if last < first:
        raise ShapeError(f"{user_line()}: flatten of axes {start_dim} .. {end_dim} of {x.shape}")
    return reshape(x, (*x.shape[:first], math.prod(x.shape[first : last + 1]), *x.shape[last + 1 :]))


# ---------------------------------------------------------------------------------------------------- putting together


def concat(xs: Sequence[Operand], axis: int | None = 0) -> Tensor:
    """The tensors one behind the other along an axis (of their ravelled elements for None), every bit kept.

    One dtype, or floats beside numbers and bools; i32 go through f64. Raises ShapeError where another axis differs.
    """
    parts = _one_dtype(list(xs))
    if axis is None:
        parts, axis = [ravel(p) for p in parts], 0
    (at,) = normal_axes(parts[0], axis)
    rest = {(p.ndim, p.shape[:at], p.shape[at + 1 :]) for p in parts}
    if len(rest) != 1:
        raise ShapeError(f"{user_line()}: concat of {', '.join(str(p.shape) for p in parts)} along axis {axis}")
    total, begin, dtype = sum(p.shape[at] for p in parts), 0, parts[0].dtype
    lying = []
    for p in [p for p in parts if p.size] or parts[:1]:
        low = tuple(begin * (d == at) for d in range(p.ndim))
        high = tuple((total - begin - p.shape[at]) * (d == at) for d in range(p.ndim))
        lying.append(astype(zero_pad(p, low, high), _through(dtype)))
        begin += p.shape[at]
    while len(lying) > 1:  # a balanced tree: few temporaries at a time
        pairs = [join(a, b) for a, b in zip(lying[::2], lying[1::2], strict=False)]
        lying = pairs + lying[len(lying) // 2 * 2 :]
    return astype(lying[0], dtype)


def _one_dtype(xs: list[Operand]) -> list[Tensor]:
    if not xs:
        raise ShapeError(f"{user_line()}: concat or stack of nothing")
    if not any(isinstance(x, Tensor) and not x.dtype.is_float for x in xs):
        return together(*xs)
    parts = [x if isinstance(x, Tensor) else constant(x) for x in xs]
    if len({p.dtype for p in parts}) != 1:
        kinds = ", ".join(p.dtype.name for p in parts)
        raise DtypeError(f"{user_line()}: concat or stack of {kinds}; cast first: ld.astype(x, ld.f32)")
    return parts


def _through(dtype: Dtype) -> Dtype:
    """The float type that holds every value of a dtype."""
    return dtype if dtype.is_float else BY_NAME["f64" if dtype == i32 else "f32"]


def stack(xs: Sequence[Operand], axis: int = 0) -> Tensor:
    """Tensors of one shape along a new axis, every bit kept. Raises ShapeError where the shapes differ."""
    parts = _one_dtype(list(xs))
    if len({p.shape for p in parts}) != 1:
        raise ShapeError(f"{user_line()}: stack of {', '.join(str(p.shape) for p in parts)}")
    return concat([expand_dims(p, axis) for p in parts], axis)


def pad(x: Tensor, widths: Widths, mode: str = "constant", value: float = 0.0) -> Tensor:
    """x with `widths` elements more: a number, one (before, behind), or one of these for each axis, as NumPy.

    `constant` puts `value` there: zeros cost no bytes and go for any dtype, other values are for floats. `edge` repeats
    the first and last element, `reflect` mirrors at them without repeating them (at most extent - 1 wide, as torch),
    `wrap` goes on at the other end (at most the extent).
    """
    if not x.ndim:
        return x
    try:
        per_axis = [(int(a), int(b)) for a, b in np.broadcast_to(np.asarray(widths), (x.ndim, 2))]
    except ValueError:
        raise ShapeError(f"{user_line()}: pad of {x.shape} by {widths}") from None
    if mode == "constant":
        low, high = [a for a, _ in per_axis], [b for _, b in per_axis]
        padded = zero_pad(x, low, high)
        if value == 0 and not np.signbit(value):
            return padded
        inside = zero_pad(broadcast_to(constant(True), x.shape), low, high)
        return where(inside, padded, value)
    if mode not in ("edge", "reflect", "wrap"):
        raise ShapeError(f"{user_line()}: pad with mode {mode!r}; there are constant, edge, reflect, wrap")
    for axis, (low_width, high_width) in enumerate(per_axis):
        x = _pad_axis(x, axis, low_width, high_width, mode)
    return x


def _pad_axis(x: Tensor, axis: int, low: int, high: int, mode: str) -> Tensor:
    extent, lead = x.shape[axis], (slice(None),) * axis
    most = {"edge": None, "reflect": extent - 1, "wrap": extent}[mode]
    if min(low, high) < 0 or (most is not None and max(low, high) > most):
        raise ShapeError(f"{user_line()}: {mode} pad of axis {axis} of {x.shape} by {low} before and {high} behind")

    def part(begin: int, size: int, repeats: int = 1) -> list[Tensor]:
        if not size * repeats:
            return []
        cut = getitem(x, (*lead, slice(begin, begin + size)))
        shape = tuple(size * repeats if d == axis else e for d, e in enumerate(x.shape))
        return [broadcast_to(cut, shape) if repeats > 1 else cut]

    if mode == "edge":
        before, behind = part(0, 1, low), part(extent - 1, 1, high)
    elif mode == "wrap":
        before, behind = part(extent - low, low), part(0, high)
    else:
        before, behind = part(1, low), part(extent - 1 - high, high)
        before, behind = [flip(t, axis) for t in before], [flip(t, axis) for t in behind]
    return concat([*before, x, *behind], axis) if before or behind else x


def roll(x: Tensor, shift: int | tuple[int, ...], axis: Axis = None) -> Tensor:
    """x moved round by `shift` along an axis (its ravelled elements for None): what leaves enters at the other end.

    Several shifts go with several axes.
    """
    if axis is None:
        if not isinstance(shift, int):
            raise ShapeError(f"{user_line()}: roll by {shift} needs an axis for each")
        return reshape(roll(ravel(x), shift, 0), x.shape)
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    shifts = (shift,) * len(axes) if isinstance(shift, int) else tuple(shift)
    if len(axes) != len(shifts):
        raise ShapeError(f"{user_line()}: roll by {shift} along {axis}")
    for (at,), by in zip((normal_axes(x, a) for a in axes), shifts, strict=True):
        cut = -by % x.shape[at]
        if cut:
            lead = (slice(None),) * at
            x = concat([getitem(x, (*lead, slice(cut, None))), getitem(x, (*lead, slice(None, cut)))], at)
    return x


# ----------------------------------------------------------------------------------------------------------- repeating


def _checked_count(count: int) -> int:
    if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 1:
        raise ShapeError(f"{user_line()}: a number of repeats is a positive integer, not {count!r}")
    return int(count)


def tile(x: Tensor, reps: int | tuple[int, ...]) -> Tensor:
    """x repeated as a whole, `reps` times along each axis (the last ones, if fewer), as NumPy."""
    counts = (reps,) if isinstance(reps, (int, np.integer)) else tuple(reps)
    rank = max(x.ndim, len(counts))
    x = reshape(x, (1,) * (rank - x.ndim) + x.shape)
    for axis, count in enumerate((1,) * (rank - len(counts)) + counts):
        if _checked_count(count) > 1:
            outer, extent, inner = math.prod(x.shape[:axis]), x.shape[axis], math.prod(x.shape[axis + 1 :])
            wide = broadcast_to(reshape(x, (outer, 1, extent, inner)), (outer, count, extent, inner))
            x = reshape(wide, (*x.shape[:axis], count * extent, *x.shape[axis + 1 :]))
    return x


# ----------------------------------------------------------------------------------------------------------- triangles


def triangle(rows: int, columns: int, k: int, upper: bool, dtype: Dtype = f32) -> Tensor:
    """bool (rows, columns): column >= row + k, or <= without `upper`; rows + columns constants, compared in `dtype`."""
    row = constant((np.arange(rows) + k).astype(dtype.numpy)[:, None])
    column = constant(np.arange(columns, dtype=dtype.numpy))
    return less_equal(row, column) if upper else less_equal(column, row)


def _triangle(x: Tensor, k: int, upper: bool) -> Tensor:
    if x.ndim < 2:
        raise ShapeError(f"{user_line()}: a triangle of {x.shape}: it takes two axes")
    return where(triangle(x.shape[-2], x.shape[-1], k, upper), x, 0.0)


def triu(x: Tensor, k: int = 0) -> Tensor:
    """x (.., rows, columns) with zeros below diagonal k: kept where column >= row + k."""
    return _triangle(x, k, True)


def tril(x: Tensor, k: int = 0) -> Tensor:
    """x (.., rows, columns) with zeros above diagonal k: kept where column <= row + k."""
    return _triangle(x, k, False)


def trace(x: Tensor, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """The sum of a diagonal of two axes."""
    return call("sum", diagonal(x, offset, axis1, axis2), axis=-1)
