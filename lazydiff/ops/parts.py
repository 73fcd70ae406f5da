"""Parts of a tensor: x[...] as NumPy's basic indexing, and split, unstack. All are views."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from itertools import pairwise
from typing import SupportsIndex, cast

import numpy as np

from lazydiff.errors import ShapeError
from lazydiff.graph.node import FUNCTIONS, Tensor, user_line
from lazydiff.ops.moves import flip, normal_axes, reshape, slices


def getitem(x: Tensor, key: object) -> Tensor:
    """x[key] with integers, slices (any step), None and `...`, as NumPy's basic indexing. A view: no bytes.

    Raises ShapeError for an integer out of range and for too many indices; arrays and tensors as indices are ld.take's.
    """
    keys = _full_key(x, key if isinstance(key, tuple) else (key,))
    starts: list[int] = []
    sizes, steps, backwards, shape = [], [], [], []
    for k in keys:
        if k is None:
            shape.append(1)
            continue
        axis = len(starts)
        extent = x.shape[axis]
        if isinstance(k, slice):
            part = range(*k.indices(extent))
            if not part:
                part = range(0)
            if part.step < 0:
                part = part[::-1]
                backwards.append(axis)
            shape.append(len(part))
        else:
            at = operator.index(cast(SupportsIndex, k))
            if not -extent <= at < extent:
                raise ShapeError(f"{user_line()}: index {at} of axis {axis} of {x.shape}: it has {extent} elements")
            part = range(at % extent, at % extent + 1)
        starts.append(part.start)
        sizes.append(len(part))
        steps.append(part.step)
    return reshape(flip(slices(x, starts, sizes, steps), tuple(backwards)), tuple(shape))


def _full_key(x: Tensor, keys: tuple[object, ...]) -> list[object]:
    """The key with an entry for each axis: `...` written out, the rest filled with whole slices."""
    for k in keys:
        number = isinstance(k, (int, np.integer)) and not isinstance(k, bool)
        if not (number or k is None or k is Ellipsis or isinstance(k, slice)):
            raise ShapeError(
                f"{user_line()}: a tensor is indexed by integers, slices, None and ..., not {type(k).__name__}\n"
                "  try: ld.take(x, indices, axis) for a tensor or list of indices, ld.where(mask, x, 0) for a mask"
            )
    dots = [n for n, k in enumerate(keys) if k is Ellipsis]
    missing = x.ndim - sum(k is not None and k is not Ellipsis for k in keys)
    if missing < 0 or len(dots) > 1:
        what = "more than one ..." if len(dots) > 1 else f"{x.ndim - missing} indices"
        raise ShapeError(f"{user_line()}: {what} for a tensor of shape {x.shape}")
    at = dots[0] if dots else len(keys)
    return [*keys[:at], *[slice(None)] * missing, *keys[at + 1 :]]


def split(x: Tensor, sections: int | Sequence[int], axis: int = 0) -> list[Tensor]:
    """x cut along an axis into so many equal parts, or before each of several indices, as NumPy does. Views.

    Raises ShapeError where the parts would not be equal.
    """
    (axis,) = normal_axes(x, axis)
    extent = x.shape[axis]
    if isinstance(sections, (int, np.integer)):
        if sections < 1 or extent % sections:
            raise ShapeError(f"{user_line()}: split of axis {axis} of {x.shape} into {sections} equal parts")
        borders = list(range(0, extent + 1, extent // int(sections)))
    else:
        borders = [0, *(s + extent if s < 0 else s for s in sections), extent]
    lead = (slice(None),) * axis
    return [getitem(x, (*lead, slice(a, b))) for a, b in pairwise(borders)]


def unstack(x: Tensor, axis: int = 0) -> list[Tensor]:
    """The parts of x along an axis, which goes: the opposite of stack. Views."""
    (axis,) = normal_axes(x, axis)
    return [getitem(x, (*(slice(None),) * axis, i)) for i in range(x.shape[axis])]


FUNCTIONS.update(getitem=getitem)
