"""The matrix product, linear in each operand: its rule is its transpose."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lazydiff.dtypes import Dtype
from lazydiff.errors import DtypeError, ShapeError
from lazydiff.graph.node import FUNCTIONS, Op, Operand, Tensor, apply, constant, declare, user_line
from lazydiff.ops.elementwise import together
from lazydiff.ops.moves import broadcast_to, reshape, transpose

Attrs = dict[str, object]


def one_dtype(what: str, xs: Sequence[Tensor]) -> Dtype:
    """The dtype of two float operands, or DtypeError."""
    if not xs[0].dtype.is_float or xs[1].dtype != xs[0].dtype:
        raise DtypeError(f"{user_line()}: {what} of {xs[0].dtype} and {xs[1].dtype}; both must be f32 or both f64")
    return xs[0].dtype


def _infer_matmul(xs: Sequence[Tensor], a: Attrs) -> tuple[tuple[int, ...], Dtype]:
    return (*xs[0].shape[:-1], xs[1].shape[-1]), one_dtype("matmul", xs)


def _swap(x: Tensor) -> Tensor:
    return transpose(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


declare(
    Op(
        "matmul",
        "linear",
        _infer_matmul,
        transpose=lambda ct, which, xs, a: (
            apply("matmul", ct, _swap(xs[1])) if which == 0 else apply("matmul", _swap(xs[0]), ct)
        ),
        kernels=("matmul_nn", "matmul_nt", "matmul_tn"),
    )
)


def matmul(a: Operand, b: Operand) -> Tensor:
    """Matrix product as NumPy's: 1-d operands are vectors, leading axes broadcast."""
    a, b = together(a, b)
    if not a.ndim or not b.ndim or a.shape[-1] != b.shape[0 if b.ndim == 1 else -2]:
        raise ShapeError(f"{user_line()}: matmul of {a.shape} and {b.shape}: inner extents differ")
    if not a.size or not b.size:  # sums of nothing, if they are not nothing themselves
        shape = np.matmul(np.empty(a.shape, np.bool_), np.empty(b.shape, np.bool_)).shape
        return broadcast_to(constant(np.zeros((), a.dtype.numpy)), shape)
    left, right = (a if a.ndim > 1 else reshape(a, (1, -1))), (b if b.ndim > 1 else reshape(b, (-1, 1)))
    if right.ndim == 2:
        shape = (*left.shape[:-1], right.shape[1])
        out = reshape(apply("matmul", reshape(left, (-1, left.shape[-1])), right), shape)
    else:
        try:
            lead = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
        except ValueError:
            raise ShapeError(f"{user_line()}: matmul of {a.shape} and {b.shape}: leading axes differ") from None
        left = reshape(broadcast_to(left, (*lead, *left.shape[-2:])), (-1, *left.shape[-2:]))
        right = reshape(broadcast_to(right, (*lead, *right.shape[-2:])), (-1, *right.shape[-2:]))
        product = apply("matmul", left, right)
        out = reshape(product, (*lead, *product.shape[-2:]))
    keep = [
        s
        for i, s in enumerate(out.shape)
        if not ((i == out.ndim - 1 and b.ndim == 1) or (i == out.ndim - 2 and a.ndim == 1))
    ]
    return reshape(out, tuple(keep))


FUNCTIONS.update(matmul=matmul)
