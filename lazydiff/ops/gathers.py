"""Elements picked by number, and their transpose: take, take_along_axis, gather_nd, scatter_add, embedding, repeat.

Every one of them is reshapes, arithmetic on the numbers, and one `take` or `add_rows` of whole rows.

Numbers that are known when the graph is built may be negative, which counts from the end as in NumPy, and must be in
range. Numbers that are an entry's input are checked at every run, before anything is computed: InputError unless each
is in 0 .. extent-1. Numbers that a graph computes are moved into 0 .. extent-1, as JAX does when it gathers. There is
no derivative with respect to them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from lazydiff.dtypes import Dtype, f32, f64, i8, i32, u8
from lazydiff.errors import DtypeError, GraphError, ShapeError
from lazydiff.graph.node import Op, Operand, Tensor, apply, constant, declare, user_line
from lazydiff.ops import reductions
from lazydiff.ops.elementwise import astype, maximum, minimum, together
from lazydiff.ops.leaves import expect
from lazydiff.ops.moves import broadcast_to, reshape

Attrs = dict[str, object]
Indices: TypeAlias = "Operand | Sequence[object]"
_EXACT = 2**24  # f32 holds every integer up to here


def _infer_rows(xs: Sequence[Tensor], a: Attrs) -> tuple[tuple[int, ...], Dtype]:
    shape = list(xs[0].shape)
    shape[int(a["axis"])] = int(a.get("extent", xs[1].size))  # type: ignore[call-overload]
    return tuple(shape), xs[0].dtype


def _add_rows(ct: Tensor, which: int, xs: Sequence[Tensor], a: Attrs) -> Tensor:
    return apply("add_rows", ct, xs[1], axis=a["axis"], extent=xs[0].shape[int(a["axis"])])  # type: ignore[call-overload]


def _take(ct: Tensor, which: int, xs: Sequence[Tensor], a: Attrs) -> Tensor:
    return apply("take", ct, xs[1], axis=a["axis"])


# Each is linear in its first operand, and the other's transpose.
declare(Op("take", "linear", _infer_rows, transpose=_add_rows, kernels=("take",)))
declare(Op("add_rows", "linear", _infer_rows, transpose=_take, kernels=("add_rows",)))


def one_axis(what: str, x: Tensor, axis: int) -> int:
    """An axis as a non-negative number, or ShapeError."""
    if not isinstance(axis, (int, np.integer)) or isinstance(axis, bool) or not -x.ndim <= axis < x.ndim:
        raise ShapeError(f"{user_line()}: {what} along axis {axis!r} of a tensor of shape {x.shape}")
    return int(axis) % x.ndim


def _known(what: str, values: np.ndarray, extents: np.ndarray | int) -> np.ndarray:
    """Numbers known now: from 0 on, or GraphError with the first one out of range."""
    if values.dtype.kind not in "iu":
        raise DtypeError(f"{user_line()}: {what} takes integer indices, not {values.dtype}")
    wide = values.astype(np.int64)
    wrong = (wide < -np.asarray(extents)) | (wide >= extents)
    if wrong.any():
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        limit = int(np.broadcast_to(extents, wide.shape)[at])
        raise GraphError(
            f"{user_line()}: {what}: index {wide[at]}{f' at {list(at)}' if at else ''} of {limit} elements"
        )
    return np.where(wide < 0, wide + extents, wide)


def _indices(what: str, indices: Indices) -> Tensor | np.ndarray:
    """Numbers as an array where they are known now, else as an i32 tensor."""
    if not isinstance(indices, Tensor):
        values = np.asarray(indices)
        if not values.size:
            raise ShapeError(f"{user_line()}: {what} of no indices: a tensor has at least one element")
        return values
    if indices.op.name == "const" and indices.data is not None:
        return indices.data
    if indices.dtype not in (i32, u8, i8):
        raise DtypeError(f"{user_line()}: {what} takes i32 indices, not {indices.dtype}; ld.astype(indices, ld.i32)")
    return astype(indices, i32)


def _watched(indices: Tensor, extent: int) -> Tensor:
    """The tensor; if it is a whole entry input, every run checks it."""
    node = indices
    while node.op.name in ("reshape", "transpose", "broadcast_to", "expect"):
        node = node.inputs[0]
    return expect(indices, 0, extent - 1) if node.op.name == "input" else indices


def _rows(x: Tensor, index: Tensor, axis: int) -> Tensor:
    """take of any dtype along one axis by a flat index: what is not a float goes through one that holds it."""
    if x.dtype.is_float:
        return apply("take", x, index, axis=axis)
    return astype(apply("take", astype(x, f64 if x.dtype == i32 else f32), index, axis=axis), x.dtype)


def _flat(what: str, indices: Indices, extent: int) -> tuple[Tensor, tuple[int, ...]]:
    """Numbers of rows 0 .. extent-1 as a flat i32 tensor, and the shape they had."""
    found = _indices(what, indices)
    if isinstance(found, np.ndarray):
        return constant(_known(what, found, extent).reshape(-1).astype(np.int32)), found.shape
    return reshape(_watched(found, extent), (-1,)), found.shape


def take(x: Tensor, indices: Indices, axis: int | None = None) -> Tensor:
    """x[..., indices, ...] along one axis, or of the flattened x without `axis`, as NumPy has it.

    x (a.., n, b..) of any dtype; indices of any shape (i..), a tensor (i32; u8 and i8 go too), an array, a list or
    a number: the result is (a.., i.., b..). See the module's text for numbers out of range. The gradient adds up where
    an element was taken more than once.
    """
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    at = one_axis("take", x, axis)
    index, shape = _flat("take", indices, x.shape[at])
    return reshape(_rows(x, index, at), (*x.shape[:at], *shape, *x.shape[at + 1 :]))


def embedding(table: Tensor, ids: Indices) -> Tensor:
    """The rows of a table: (n, d) and ids (i..) in 0 .. n-1 give (i.., d). Where the table's update runs in place, its
    gradient takes a few rows at a time and never exists as a whole.
    """
    return take(table, ids, 0)


def scatter_add(x: Operand, indices: Indices, updates: Operand, axis: int = 0) -> Tensor:
    """x with updates added to the rows that indices name; updates that meet are added up, in the order of indices.

    x (a.., n, b..), indices (i..), updates (a.., i.., b..), f32 or f64: np.add.at(x, indices, updates) for axis 0, as
    a new tensor. A computed index out of range is moved inside (JAX would drop it).
    """
    x, updates = together(x, updates)
    at = one_axis("scatter_add", x, axis)
    index, shape = _flat("scatter_add", indices, x.shape[at])
    wanted = (*x.shape[:at], *shape, *x.shape[at + 1 :])
    if updates.shape != wanted or updates.dtype != x.dtype:
        raise ShapeError(f"{user_line()}: scatter_add to {x!r} takes updates {x.dtype}{list(wanted)}, not {updates!r}")
    rows = reshape(updates, (*x.shape[:at], index.size, *x.shape[at + 1 :]))
    return x + apply("add_rows", rows, index, axis=at, extent=x.shape[at])


def _linear(numbers: Tensor, elements: int, extents: np.ndarray | int) -> tuple[Tensor, Dtype]:
    """Numbers as floats that hold them exactly, each moved into 0 .. extents-1."""
    dtype = f32 if elements < _EXACT else f64
    highest = constant((np.asarray(extents) - 1).astype(dtype.numpy))
    return minimum(maximum(astype(numbers, dtype), 0.0), highest), dtype


def take_along_axis(x: Tensor, indices: Indices, axis: int = -1) -> Tensor:
    """out[a.., j, b..] = x[a.., indices[a.., j, b..], b..], as np.take_along_axis: undoes an argmax or a sort.

    x and indices have the same number of dimensions and broadcast together but for the axis.
    """
    at, found = one_axis("take_along_axis", x, axis), _indices("take_along_axis", indices)
    if found.ndim != x.ndim:
        raise ShapeError(f"{user_line()}: take_along_axis: x {x.shape} and indices {found.shape} differ in dimensions")
    try:
        shape = list(np.broadcast_shapes(*((*s[:at], 1, *s[at + 1 :]) for s in (x.shape, found.shape))))
    except ValueError:
        raise ShapeError(
            f"{user_line()}: take_along_axis: x {x.shape} and indices {found.shape} do not broadcast but for axis {at}"
        ) from None
    count, extent = found.shape[at], x.shape[at]
    whole = (*shape[:at], extent, *shape[at + 1 :])
    out = (*shape[:at], count, *shape[at + 1 :])
    x = broadcast_to(x, whole)
    steps = [math.prod(whole[i + 1 :]) for i in range(len(whole))]
    starts = [
        np.arange(e).reshape(-1, *[1] * (len(out) - 1 - i)) * steps[i] for i, e in enumerate(out) if i != at and e > 1
    ]
    if isinstance(found, np.ndarray):
        numbers = _known("take_along_axis", found, extent) * steps[at]
        for start in starts:
            numbers = numbers + start
        index = constant(np.broadcast_to(numbers, out).reshape(-1).astype(np.int32))
    else:
        places, dtype = _linear(_watched(found, extent), x.size, extent)
        places = places * float(steps[at])
        for start in starts:
            places = places + start.astype(dtype.numpy)
        index = reshape(astype(broadcast_to(places, out), i32), (-1,))
    return reshape(_rows(reshape(x, (-1,)), index, 0), out)


def gather_nd(x: Tensor, indices: Indices) -> Tensor:
    """x[indices[..., 0], indices[..., 1], ...]: the last axis of indices names an element of the leading axes of x.

    x (n0, .., nk-1, b..), indices (i.., k): the result is (i.., b..). Of indices that are an input, a run refuses those
    beyond the longest of the k axes, and moves those beyond their own axis inside.
    """
    found = _indices("gather_nd", indices)
    depth = found.shape[-1] if found.ndim else 0
    if not 0 < depth <= x.ndim:
        raise ShapeError(
            f"{user_line()}: gather_nd of x {x.shape} by indices {found.shape}: the last axis names axes of x"
        )
    extents = np.array(x.shape[:depth])
    steps = np.array([math.prod(x.shape[i + 1 : depth]) for i in range(depth)])
    if isinstance(found, np.ndarray):
        index = constant((_known("gather_nd", found, extents) @ steps).reshape(-1).astype(np.int32))
    else:
        places, dtype = _linear(_watched(found, int(extents.max())), int(extents.prod()), extents)
        index = reshape(astype(reductions.sum(places * steps.astype(dtype.numpy), axis=-1), i32), (-1,))
    rows = _rows(reshape(x, (-1, *x.shape[depth:])), index, 0)
    return reshape(rows, (*found.shape[:-1], *x.shape[depth:]))


def repeat(x: Tensor, repeats: int | Sequence[int], axis: int | None = None) -> Tensor:
    """Each element `repeats` times in a row along one axis (of the flattened x without `axis`), as np.repeat.

    One number of repeats is a view and a copy; a sequence gives each element along the axis its own.
    """
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    at = one_axis("repeat", x, axis)
    counts = np.asarray(repeats)
    if counts.dtype.kind not in "iu" or (counts < 0).any() or counts.shape not in ((), (1,), (x.shape[at],)):
        raise ShapeError(f"{user_line()}: repeat of {x.shape} along axis {at} by {repeats!r}")
    if counts.size > 1:
        return take(x, np.repeat(np.arange(x.shape[at]), counts), at)
    n = int(counts.reshape(-1)[0])
    spread = broadcast_to(
        reshape(x, (*x.shape[: at + 1], 1, *x.shape[at + 1 :])), (*x.shape[: at + 1], n, *x.shape[at + 1 :])
    )
    return reshape(spread, (*x.shape[:at], x.shape[at] * n, *x.shape[at + 1 :]))
