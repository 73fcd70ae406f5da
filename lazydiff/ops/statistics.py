"""Statistics made of reductions: argmin, any, all, prod, std, norm, logsumexp; axes, keepdims and ddof as in NumPy."""

from __future__ import annotations

import math

from lazydiff.dtypes import f32
from lazydiff.errors import GraphError
from lazydiff.graph.node import Tensor, user_line
from lazydiff.ops import elementwise as e
from lazydiff.ops import reductions
from lazydiff.ops.functions import truth
from lazydiff.ops.leaves import stop_gradient
from lazydiff.ops.moves import Axis, normal_axes, reshape, slices
from lazydiff.ops.reductions import argmax, kept, of_nothing, var


def argmin(x: Tensor, axis: int = -1) -> Tensor:
    """Index (i32) of the least element along one axis; the first of ties; the first NaN counts as least."""
    return argmax(-x, axis)


def _ones(x: Tensor) -> Tensor:
    """1 where an element is true, else 0, in f32."""
    return e.astype(truth(x), f32)


def any(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:  # noqa: A001 - NumPy's name
    """bool: whether an element over axes is true, or is not 0 (NaN is not)."""
    if not x.size:
        return e.not_equal(reductions.sum(_ones(x), axis, keepdims), 0.0)
    return e.not_equal(reductions.max(_ones(x), axis, keepdims), 0.0)


def all(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:  # noqa: A001 - NumPy's name
    """bool: whether every element over axes is true, or is not 0 (NaN is not)."""
    if not x.size:
        return e.equal(reductions.sum(_ones(x), axis, keepdims), 0.0)
    return e.not_equal(reductions.min(_ones(x), axis, keepdims), 0.0)


def _part(x: Tensor, axis: int, start: int, size: int) -> Tensor:
    starts = [start if a == axis else 0 for a in range(x.ndim)]
    return slices(x, starts, [size if a == axis else e for a, e in enumerate(x.shape)])


def prod(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Product over axes: halves multiplied element by element, again and again, one axis after the other.

    A tree of products has the right derivatives, of any order, where elements are 0 (y / x has not). Integers saturate.
    """
    axes = normal_axes(x, axis)
    if not x.size:
        y = of_nothing("prod", x, axes, 1.0) if axes else x
        return kept(y, x, axes) if keepdims else y
    y = x
    for a in axes:
        odd: list[Tensor] = []
        while y.shape[a] > 1:
            half, rest = divmod(y.shape[a], 2)
            if rest:
                odd.append(_part(y, a, 2 * half, 1))
            y = _part(y, a, 0, half) * _part(y, a, half, half)
        for tail in odd:
            y = y * tail
    return y if keepdims else reshape(y, tuple(s for i, s in enumerate(x.shape) if i not in axes))


def _root(square: Tensor) -> Tensor:
    """sqrt with a derivative of 0 where its argument is 0; NaN stays."""
    positive = square > 0.0
    return e.where(positive, e.sqrt(e.where(positive, square, 1.0)), stop_gradient(square))


def std(x: Tensor, axis: Axis = None, ddof: int = 0, keepdims: bool = False) -> Tensor:
    """Square root of `var`. Where all elements are equal the gradient is 0, as torch has it (JAX gives NaN)."""
    return _root(var(x, axis, ddof, keepdims))


def norm(x: Tensor, ord: float = 2, axis: Axis = None, keepdims: bool = False) -> Tensor:  # noqa: A002 - NumPy's name
    """The vector norm of the elements over axes: ord 1, 2 or math.inf, the array API's vector_norm.

    Over two axes that is a norm of all their elements, not a matrix's. Where all elements are 0 the gradient is 0, as
    torch has it (JAX gives NaN for ord 2). ord 2 adds up squares, so it overflows as NumPy's does.
    """
    if ord == 2:
        return _root(reductions.sum(e.square(x), axis, keepdims))
    if ord == 1:
        return reductions.sum(e.abs(x), axis, keepdims)
    if ord == math.inf:
        return reductions.max(e.abs(x), axis, keepdims)
    raise GraphError(f"{user_line()}: norm with ord={ord!r}; 1, 2 and math.inf go")


def logsumexp(x: Tensor, axis: Axis = -1, keepdims: bool = False) -> Tensor:
    """log of the sum of exp(x) over axes; does not overflow.

    -inf where every element is -inf, with a gradient of 0 (torch and JAX give NaN). inf where an element is inf, with a
    gradient of NaN for that one and 0 for the finite ones, as torch.
    """
    axes = normal_axes(x, axis)
    if not x.size:
        y = of_nothing("logsumexp", x, axes, -math.inf) if axes else x
        return kept(y, x, axes) if keepdims else y
    highest = reductions.max(x, axes, True)
    top = stop_gradient(e.where(e.equal(e.abs(highest), math.inf), 0.0, highest))
    total = reductions.sum(e.exp(x - top), axes, True)
    empty = e.equal(total, 0.0)
    found = e.where(empty, -math.inf, e.log(e.where(empty, 1.0, total))) + top
    return found if keepdims else reshape(found, tuple(s for i, s in enumerate(x.shape) if i not in axes))
