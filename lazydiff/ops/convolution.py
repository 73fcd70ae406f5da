"""Convolutions, linear in input and weight: each rule is a transpose, and the set of three is closed under it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from lazydiff.dtypes import Dtype
from lazydiff.errors import ShapeError
from lazydiff.graph.node import FUNCTIONS, Op, Operand, Tensor, apply, declare, user_line
from lazydiff.ops.elementwise import together
from lazydiff.ops.moves import reshape
from lazydiff.ops.products import one_dtype

Attrs = dict[str, object]
Pair: TypeAlias = int | tuple[int, int]
Padding: TypeAlias = int | str | tuple[int, int] | tuple[tuple[int, int], tuple[int, int]]
Borders: TypeAlias = tuple[tuple[int, int], tuple[int, int]]  # ((top, bottom), (left, right))


def _infer_conv(xs: Sequence[Tensor], a: Attrs) -> tuple[tuple[int, ...], Dtype]:
    return tuple(a["out"]), one_dtype("conv2d", xs)  # type: ignore[arg-type]


def _conv(name: str, p: Tensor, q: Tensor, a: Attrs, like: Tensor) -> Tensor:
    return apply(name, p, q, **{**a, "out": like.shape})


# conv2d(x, w) = y is trilinear in the pairing <ct, y>: fixing two of x, w, y gives the third.
declare(
    Op(
        "conv2d",
        "linear",
        _infer_conv,
        transpose=lambda ct, which, xs, a: (
            _conv("conv2d_grad_x", ct, xs[1], a, xs[0]) if which == 0 else _conv("conv2d_grad_w", xs[0], ct, a, xs[1])
        ),
        kernels=("conv2d",),
    )
)
declare(
    Op(
        "conv2d_grad_x",
        "linear",
        _infer_conv,
        transpose=lambda ct, which, xs, a: (
            _conv("conv2d", ct, xs[1], a, xs[0]) if which == 0 else _conv("conv2d_grad_w", ct, xs[0], a, xs[1])
        ),
        kernels=("conv2d_grad_x",),
    )
)
declare(
    Op(
        "conv2d_grad_w",
        "linear",
        _infer_conv,
        transpose=lambda ct, which, xs, a: (
            _conv("conv2d_grad_x", xs[1], ct, a, xs[0]) if which == 0 else _conv("conv2d", xs[0], ct, a, xs[1])
        ),
        kernels=("conv2d_grad_w",),
    )
)


# ---------------------------------------------------------------------- what a window's arguments mean


def pair(what: str, value: object, low: int, high: int = 255) -> tuple[int, int]:
    """A number, or (rows, columns), as two numbers in low .. high; ShapeError otherwise."""
    both = value if isinstance(value, tuple) else (value, value)
    if len(both) != 2 or any(isinstance(v, bool) or not isinstance(v, int) or not low <= v <= high for v in both):
        raise ShapeError(f"{user_line()}: {what} {value!r}; a number or two, {low} .. {high}")
    return int(both[0]), int(both[1])


def borders(what: str, padding: Padding, size: Sequence[int], seen: Sequence[int], strides: Sequence[int]) -> Borders:
    """Padding of any spelling as ((top, bottom), (left, right)). `seen` is what a window covers, dilation included.

    "valid" is 0. "same" makes ceil(size / stride) outputs, the odd row or column below or to the right.
    """
    sides: object = padding
    if padding == "valid":
        sides = 0
    elif padding == "same":
        lost = [(-(-n // s) - 1) * s + k - n for n, k, s in zip(size, seen, strides, strict=True)]
        sides = tuple((max(0, p) // 2, -(-max(0, p) // 2)) for p in lost)
    both = sides if isinstance(sides, tuple) else (sides, sides)
    if len(both) != 2 or isinstance(sides, str):
        raise ShapeError(
            f"{user_line()}: {what}: padding {padding!r}; a number, (rows, columns), "
            '((top, bottom), (left, right)), "same" or "valid"'
        )
    return pair(f"{what}: padding", both[0], 0), pair(f"{what}: padding", both[1], 0)


def outputs(
    what: str, size: Sequence[int], seen: Sequence[int], strides: Sequence[int], pads: Borders
) -> tuple[int, int]:
    """How many windows fit along rows and columns; ShapeError for none, or for sides that no kernel takes."""
    found = [(n + sum(p) - k) // s + 1 for n, k, s, p in zip(size, seen, strides, pads, strict=True)]
    if min(found) < 1:
        raise ShapeError(
            f"{user_line()}: {what} of {tuple(size)} pixels, padding {pads}: a window of {tuple(seen)} leaves nothing"
        )
    if max(*size, *found) > 65535:
        raise ShapeError(f"{user_line()}: {what} of {tuple(size)} pixels to {tuple(found)}; a side is at most 65535")
    return found[0], found[1]


def _covered(window: Sequence[int], dilation: Sequence[int]) -> tuple[int, int]:
    return (window[0] - 1) * dilation[0] + 1, (window[1] - 1) * dilation[1] + 1


# ---------------------------------------------------------------------- the public functions


def conv2d(
    x: Tensor, weight: Operand, stride: Pair = 1, padding: Padding = 0, dilation: Pair = 1, groups: int = 1
) -> Tensor:
    """Convolution (cross-correlation), channels last: x (n, h, w, c), weight (kh, kw, c / groups, f) -> (n, oh, ow, f).

    f32 or f64. `stride` and `dilation` are a number or (rows, columns), 1 .. 255. `padding` with zeros, at most 255 a
    side: a number, (rows, columns), ((top, bottom), (left, right)), "valid" (none) or "same" (ceil(h / stride) outputs;
    an odd row goes below, as in JAX). oh = (h + top + bottom - dilation (kh - 1) - 1) // stride + 1.
    With `groups`, output channel j reads the c / groups input channels of group j // (f / groups); groups=c is a
    depthwise convolution, weight (kh, kw, 1, c * multiplier). Raises ShapeError.
    """
    x, weight = together(x, weight)
    what = "conv2d"
    _check_shapes(what, "(n, h, w, c)", x, weight, groups, x.shape[-1] if x.ndim else 0, 4)
    strides, dilations = pair(f"{what}: stride", stride, 1), pair(f"{what}: dilation", dilation, 1)
    seen = _covered(weight.shape, dilations)
    pads = borders(what, padding, x.shape[1:3], seen, strides)
    size = outputs(what, x.shape[1:3], seen, strides, pads)
    out = (x.shape[0], *size, weight.shape[3])
    attrs = {"stride": strides, "padding": (pads[0][0], pads[1][0]), "dilation": dilations, "groups": groups}
    return apply("conv2d", x, weight, out=out, **attrs)


def _check_shapes(what: str, form: str, x: Tensor, weight: Tensor, groups: int, channels: int, ndim: int) -> None:
    taps = ", ".join(("kh", "kw")[: ndim - 2]) if ndim == 4 else "k"
    if x.ndim != ndim or weight.ndim != ndim:
        raise ShapeError(
            f"{user_line()}: {what} takes x {form} and weight ({taps}, c / groups, f), not {x.shape} and {weight.shape}"
        )
    whole = isinstance(groups, int) and groups >= 1 and weight.shape[-1] % groups == 0
    if not whole or channels != weight.shape[-2] * groups:
        raise ShapeError(
            f"{user_line()}: {what} of {x.shape} by a weight {weight.shape} in {groups} groups: weight is "
            f"({taps}, c / groups, f), and groups divides c and f"
        )
    if max(weight.shape[:-2]) > 255:
        raise ShapeError(f"{user_line()}: {what} by a window of {weight.shape[:-2]} taps; at most 255 a side")


def conv1d(
    x: Tensor,
    weight: Operand,
    stride: int = 1,
    padding: int | str | tuple[int, int] = 0,
    dilation: int = 1,
    groups: int = 1,
) -> Tensor:
    """Convolution along one axis, channels last: x (n, l, c), weight (k, c / groups, f) -> (n, ol, f).

    conv2d of one row. `padding` is a number, (left, right), "same" or "valid"; the rest is as in conv2d.
    """
    x, weight = together(x, weight)
    _check_shapes("conv1d", "(n, l, c)", x, weight, groups, x.shape[-1] if x.ndim else 0, 3)
    filters = reshape(weight, (1, *weight.shape))
    return as_row(conv2d(as_image("conv1d", x), filters, (1, stride), one_row(padding), (1, dilation), groups))


def as_image(what: str, x: Tensor) -> Tensor:
    """A batch of rows (n, l, c) as images of one row: a view."""
    if x.ndim != 3:
        raise ShapeError(f"{user_line()}: {what} takes x (n, l, c), not {x.shape}")
    return reshape(x, (x.shape[0], 1, *x.shape[1:]))


def as_row(y: Tensor) -> Tensor:
    """Images of one row as a batch of rows: a view."""
    return reshape(y, (y.shape[0], *y.shape[2:]))


def one_row(padding: int | str | tuple[int, int]) -> Padding:
    """The padding of an axis as that of an image of one row."""
    return (
        padding if isinstance(padding, str) else ((0, 0), padding if isinstance(padding, tuple) else (padding, padding))
    )


def conv_transpose2d(
    x: Tensor,
    weight: Operand,
    stride: Pair = 1,
    padding: Padding = 0,
    output_padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> Tensor:
    """The transpose of conv2d: x (n, h, w, c), weight (kh, kw, f / groups, c) -> (n, oh, ow, f).

    oh = (h - 1) stride - top - bottom + dilation (kh - 1) + 1 + output_padding. The weight is that of the conv2d which
    takes (n, oh, ow, f) to x's shape: torch's weight (c, f / groups, kh, kw) with its axes in the order (2, 3, 1, 0).
    `padding` is what that conv2d has: a number, (rows, columns) or ((top, bottom), (left, right)); `output_padding`,
    below the stride or the dilation, are rows and columns more, below and to the right. Raises ShapeError.
    """
    x, weight = together(x, weight)
    what = "conv_transpose2d"
    if x.ndim != 4 or weight.ndim != 4 or x.shape[3] != weight.shape[3] or max(weight.shape[:2]) > 255:
        raise ShapeError(
            f"{user_line()}: {what} takes x (n, h, w, c) and weight (kh, kw, f / groups, c), at most 255 taps a side, "
            f"not {x.shape} and {weight.shape}"
        )
    if not isinstance(groups, int) or groups < 1 or x.shape[3] % groups:
        raise ShapeError(f"{user_line()}: {what} of {x.shape} in {groups} groups; groups divides c")
    strides, dilations = pair(f"{what}: stride", stride, 1), pair(f"{what}: dilation", dilation, 1)
    more = pair(f"{what}: output_padding", output_padding, 0)
    if any(m >= max(s, d) for m, s, d in zip(more, strides, dilations, strict=True)):
        raise ShapeError(f"{user_line()}: {what}: output_padding {output_padding} is not below stride or dilation")
    if padding == "same":
        raise ShapeError(f'{user_line()}: {what}: padding "same" does not say which size; give numbers')
    seen = _covered(weight.shape, dilations)
    pads = borders(what, padding, x.shape[1:3], seen, strides)
    size = [(n - 1) * s - sum(p) + k + m for n, s, p, k, m in zip(x.shape[1:3], strides, pads, seen, more, strict=True)]
    if min(size) < 1 or max(*size, *x.shape[1:3]) > 65535:
        raise ShapeError(f"{user_line()}: {what} of {x.shape} to {tuple(size)} pixels; a side is 1 .. 65535")
    out = (x.shape[0], *size, weight.shape[2] * groups)
    attrs = {"stride": strides, "padding": (pads[0][0], pads[1][0]), "dilation": dilations, "groups": groups}
    return apply("conv2d_grad_x", x, weight, out=out, **attrs)


FUNCTIONS.update(conv2d=conv2d, conv1d=conv1d, conv_transpose2d=conv_transpose2d)
