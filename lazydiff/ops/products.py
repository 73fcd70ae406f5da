"""Products and convolutions, linear in each operand: each rule is the transpose, and the set is closed under it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lazydiff.dtypes import Dtype
from lazydiff.errors import DtypeError, ShapeError
from lazydiff.graph.node import FUNCTIONS, Op, Operand, Tensor, apply, declare, user_line
from lazydiff.ops.elementwise import together
from lazydiff.ops.moves import broadcast_to, reshape, transpose

Attrs = dict[str, object]
Pair = int | tuple[int, int]


def _one_dtype(what: str, xs: Sequence[Tensor]) -> Dtype:
    if not xs[0].dtype.is_float or xs[1].dtype != xs[0].dtype:
        raise DtypeError(f"{user_line()}: {what} of {xs[0].dtype} and {xs[1].dtype}; both must be f32 or both f64")
    return xs[0].dtype


def _infer_matmul(xs: Sequence[Tensor], a: Attrs) -> tuple[tuple[int, ...], Dtype]:
    return (*xs[0].shape[:-1], xs[1].shape[-1]), _one_dtype("matmul", xs)


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
    )
)


def matmul(a: Operand, b: Operand) -> Tensor:
    """Matrix product as NumPy's: 1-d operands are vectors, leading axes broadcast."""
    a, b = together(a, b)
    if not a.ndim or not b.ndim or a.shape[-1] != b.shape[0 if b.ndim == 1 else -2]:
        raise ShapeError(f"{user_line()}: matmul of {a.shape} and {b.shape}: inner extents differ")
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


def _infer_conv(xs: Sequence[Tensor], a: Attrs) -> tuple[tuple[int, ...], Dtype]:
    return tuple(a["out"]), _one_dtype("conv2d", xs)  # type: ignore[arg-type]


def _conv(name: str, p: Tensor, q: Tensor, a: Attrs, out: tuple[int, ...]) -> Tensor:
    return apply(name, p, q, stride=a["stride"], padding=a["padding"], out=out)


# conv2d(x, w) = y is trilinear in the pairing <ct, y>: fixing two of x, w, y gives the third.
declare(
    Op(
        "conv2d",
        "linear",
        _infer_conv,
        transpose=lambda ct, which, xs, a: (
            _conv("conv2d_grad_x", ct, xs[1], a, xs[0].shape)
            if which == 0
            else _conv("conv2d_grad_w", xs[0], ct, a, xs[1].shape)
        ),
    )
)
declare(
    Op(
        "conv2d_grad_x",
        "linear",
        _infer_conv,
        transpose=lambda ct, which, xs, a: (
            _conv("conv2d", ct, xs[1], a, xs[0].shape)
            if which == 0
            else _conv("conv2d_grad_w", ct, xs[0], a, xs[1].shape)
        ),
    )
)
declare(
    Op(
        "conv2d_grad_w",
        "linear",
        _infer_conv,
        transpose=lambda ct, which, xs, a: (
            _conv("conv2d_grad_x", xs[1], ct, a, xs[0].shape)
            if which == 0
            else _conv("conv2d", xs[0], ct, a, xs[1].shape)
        ),
    )
)


def conv2d(x: Tensor, weight: Operand, stride: Pair = 1, padding: Pair = 0) -> Tensor:
    """Convolution (cross-correlation), channels last: x (n, h, w, c), weight (kh, kw, c, f) -> (n, oh, ow, f).

    `stride` and symmetric zero `padding` are a number or (rows, columns); oh = (h + 2 padding - kh) // stride + 1.
    """
    x, weight = together(x, weight)
    strides = (stride, stride) if isinstance(stride, int) else stride
    pads = (padding, padding) if isinstance(padding, int) else padding
    if x.ndim != 4 or weight.ndim != 4 or x.shape[3] != weight.shape[2]:
        raise ShapeError(
            f"{user_line()}: conv2d takes x (n, h, w, c) and weight (kh, kw, c, f), not {x.shape} and {weight.shape}"
        )
    if min(strides) < 1 or max(strides) > 255 or min(pads) < 0 or max(pads) > 255:
        raise ShapeError(f"{user_line()}: conv2d with stride {stride}, padding {padding}; 1 .. 255 and 0 .. 255 go")
    size = [(e + 2 * p - k) // s + 1 for e, p, k, s in zip(x.shape[1:3], pads, weight.shape[:2], strides, strict=True)]
    if min(size) < 1 or max(weight.shape[:2]) > 255:
        raise ShapeError(f"{user_line()}: conv2d of {x.shape} by a window {weight.shape[:2]} leaves nothing")
    out = (x.shape[0], *size, weight.shape[3])
    return apply("conv2d", x, weight, stride=strides, padding=pads, out=out)


FUNCTIONS.update(matmul=matmul)
