"""Pooling and resizing, channels last: the greatest or the mean of windows, of bins, of whole images; resize."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from lazydiff.dtypes import Dtype, u8
from lazydiff.errors import DtypeError, ShapeError
from lazydiff.graph.node import FUNCTIONS, Op, Tensor, apply, constant, declare, user_line
from lazydiff.ops.convolution import (
    Attrs,
    Borders,
    Padding,
    Pair,
    as_image,
    as_row,
    borders,
    conv2d,
    one_row,
    outputs,
    pair,
)
from lazydiff.ops.gathers import take
from lazydiff.ops.moves import broadcast_to, reshape
from lazydiff.ops.products import matmul
from lazydiff.ops.reductions import max as greatest
from lazydiff.ops.reductions import mean


def _infer_index(xs: Sequence[Tensor], a: Attrs) -> tuple[tuple[int, ...], Dtype]:
    return tuple(a["out"]), u8  # type: ignore[arg-type]


def _infer_moved(xs: Sequence[Tensor], a: Attrs) -> tuple[tuple[int, ...], Dtype]:
    return tuple(a["out"]), xs[0].dtype  # type: ignore[arg-type]


def _moved(name: str, ct: Tensor, xs: Sequence[Tensor], a: Attrs) -> Tensor:
    return apply(name, ct, xs[1], **{**a, "out": xs[0].shape})


# Which tap won is a byte an output and has no derivative; along that choice values move linearly, there and back.
declare(Op("max_pool_index", "constant", _infer_index, kernels=("max_pool_index",)))
declare(
    Op(
        "pool_gather",
        "linear",
        _infer_moved,
        transpose=lambda ct, which, xs, a: _moved("pool_scatter", ct, xs, a),
        kernels=("pool_gather",),
    )
)
declare(
    Op(
        "pool_scatter",
        "linear",
        _infer_moved,
        transpose=lambda ct, which, xs, a: _moved("pool_gather", ct, xs, a),
        kernels=("pool_scatter",),
    )
)


def _windows(
    what: str, x: Tensor, window: Pair, stride: Pair | None, padding: Padding
) -> tuple[tuple[int, int], tuple[int, int], Borders, tuple[int, int]]:
    """Window, strides, borders and output size; ShapeError where a window could see nothing but padding."""
    _check_image(what, x)
    taps = pair(f"{what}: window", window, 1)
    strides = taps if stride is None else pair(f"{what}: stride", stride, 1)
    pads = borders(what, padding, x.shape[1:3], taps, strides)
    if any(max(p) > k // 2 for p, k in zip(pads, taps, strict=True)):
        raise ShapeError(f"{user_line()}: {what}: padding {padding!r} is more than half a window {taps}")
    return taps, strides, pads, outputs(what, x.shape[1:3], taps, strides, pads)


def _check_image(what: str, x: Tensor) -> None:
    if x.ndim != 4:
        raise ShapeError(f"{user_line()}: {what} takes x (n, h, w, c), not {x.shape}")
    if not x.dtype.is_float:
        raise DtypeError(f"{user_line()}: {what} of {x.dtype}; cast it first: ld.astype(x, ld.f32)")


# ---------------------------------------------------------------------- windows


def max_pool2d(x: Tensor, window: Pair, stride: Pair | None = None, padding: Padding = 0) -> Tensor:
    """The greatest element of each window: x (n, h, w, c) f32 or f64 -> (n, oh, ow, c).

    `window` and `stride` (the window's size without one) are a number or (rows, columns); `padding`, spelled as in
    conv2d, is at most half a window and never wins. oh = (h + top + bottom - window) // stride + 1. NaN wins. The
    gradient goes to the first winner of each window, row by row, as in torch. A window has at most 255 elements, so
    that backward passes keep one byte an output. Raises ShapeError, DtypeError.
    """
    taps, strides, pads, size = _windows("max_pool2d", x, window, stride, padding)
    if math.prod(taps) > 255:
        raise ShapeError(f"{user_line()}: max_pool2d by a window {taps}; it has at most 255 elements")
    if taps == strides == (1, 1):
        return x
    attrs: Attrs = {"window": taps, "stride": strides, "padding": (pads[0][0], pads[1][0])}
    attrs["out"] = (x.shape[0], *size, x.shape[3])
    return apply("pool_gather", x, apply("max_pool_index", x, **attrs), **attrs)


def avg_pool2d(
    x: Tensor, window: Pair, stride: Pair | None = None, padding: Padding = 0, count_include_pad: bool = True
) -> Tensor:
    """The mean of each window: x (n, h, w, c) f32 or f64 -> (n, oh, ow, c).

    Arguments as in max_pool2d, but a window may have up to 255 elements a side. The sum is divided by the window's
    size, or, without `count_include_pad`, by the number of its elements that are not padding, as in torch. Windows that
    tile the image are a mean over axes; others a depthwise convolution with ones, rows * columns * c constants.
    """
    taps, strides, pads, size = _windows("avg_pool2d", x, window, stride, padding)
    n, h, w, c = x.shape
    if taps == strides and not any(map(any, pads)) and h % taps[0] == w % taps[1] == 0:
        return mean(reshape(x, (n, size[0], taps[0], size[1], taps[1], c)), axis=(2, 4))
    sums = conv2d(x, np.ones((*taps, 1, c), x.dtype.numpy), strides, pads, groups=c)
    if count_include_pad or not any(map(any, pads)):
        return sums / float(math.prod(taps))
    rows, columns = (
        np.minimum(first + k, side) - np.maximum(first, 0)
        for side, k, s, p, count in zip((h, w), taps, strides, pads, size, strict=True)
        for first in [np.arange(count) * s - p[0]]
    )
    return sums / constant((rows[:, None, None] * columns[:, None]).astype(x.dtype.numpy))


def max_pool1d(x: Tensor, window: int, stride: int | None = None, padding: int | str | tuple[int, int] = 0) -> Tensor:
    """The greatest element of each window along one axis: x (n, l, c) -> (n, ol, c); see max_pool2d.

    `padding` is a number, (left, right), "same" or "valid".
    """
    image = as_image("max_pool1d", x)
    return as_row(max_pool2d(image, (1, window), None if stride is None else (1, stride), one_row(padding)))


def avg_pool1d(
    x: Tensor,
    window: int,
    stride: int | None = None,
    padding: int | str | tuple[int, int] = 0,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window along one axis: x (n, l, c) -> (n, ol, c); see avg_pool2d.

    `padding` is a number, (left, right), "same" or "valid".
    """
    image, strides = as_image("avg_pool1d", x), None if stride is None else (1, stride)
    return as_row(avg_pool2d(image, (1, window), strides, one_row(padding), count_include_pad))


# ---------------------------------------------------------------------- everything, and bins


def global_avg_pool2d(x: Tensor, keepdims: bool = False) -> Tensor:
    """The mean over rows and columns: x (n, h, w, c) -> (n, c), or (n, 1, 1, c) with `keepdims`."""
    _check_image("global_avg_pool2d", x)
    return mean(x, (1, 2), keepdims)


def global_max_pool2d(x: Tensor, keepdims: bool = False) -> Tensor:
    """The greatest over rows and columns: x (n, h, w, c) -> (n, c), or (n, 1, 1, c) with `keepdims`.

    NaN wins; the gradient is shared equally between ties, as that of ld.max.
    """
    _check_image("global_max_pool2d", x)
    return greatest(x, (1, 2), keepdims)


def _bins(side: int, count: int) -> list[tuple[int, int]]:
    """torch's bins: where each begins and ends."""
    return [(i * side // count, -(-(i + 1) * side // count)) for i in range(count)]


def adaptive_avg_pool2d(x: Tensor, size: Pair) -> Tensor:
    """The mean of each of oh * ow bins: x (n, h, w, c) -> (n, oh, ow, c), for `size` a number or (oh, ow).

    Bin i is rows i h // oh .. ceil((i + 1) h / oh) - 1, as in torch. Where oh and ow divide h and w it is avg_pool2d;
    otherwise each axis is a product with a constant matrix (oh * h, ow * w elements), so that an infinity or NaN
    reaches its whole row and column.
    """
    _check_image("adaptive_avg_pool2d", x)
    wanted = pair("adaptive_avg_pool2d: size", size, 1, 65535)
    whole = _whole_windows(x, wanted)
    if whole and max(whole) < 256:
        return avg_pool2d(x, whole)
    matrices = []
    for side, count in zip(x.shape[1:3], wanted, strict=True):
        matrix = np.zeros((count, side))
        for row, (begin, end) in zip(matrix, _bins(side, count), strict=True):
            row[begin:end] = 1 / (end - begin)
        matrices.append(matrix)
    return _along_both(x, matrices)


def adaptive_max_pool2d(x: Tensor, size: Pair) -> Tensor:
    """The greatest element of each of oh * ow bins (those of adaptive_avg_pool2d): x (n, h, w, c) -> (n, oh, ow, c).

    NaN wins; the gradient goes to the first winner. Where oh and ow divide h and w it is max_pool2d; otherwise that of
    an x whose rows and columns are first laid out bin by bin, each as long as the longest (its last one again), which
    takes memory. A bin has at most 255 elements.
    """
    _check_image("adaptive_max_pool2d", x)
    wanted = pair("adaptive_max_pool2d: size", size, 1, 65535)
    window = []
    for axis, count in zip((1, 2), wanted, strict=True):
        bins = _bins(x.shape[axis], count)
        longest = max(end - begin for begin, end in bins)
        if x.shape[axis] % count:
            x = take(x, [min(begin + k, end - 1) for begin, end in bins for k in range(longest)], axis)
        window.append(longest)
    return max_pool2d(x, (window[0], window[1]))


def _whole_windows(x: Tensor, size: tuple[int, int]) -> tuple[int, int] | None:
    h, w = x.shape[1:3]
    return (h // size[0], w // size[1]) if h % size[0] == w % size[1] == 0 else None


def _along_both(x: Tensor, matrices: Sequence[np.ndarray]) -> Tensor:
    """matrices[0] (oh, h) over rows, matrices[1] (ow, w) over columns of x (n, h, w, c), the shrinking axis first."""
    grows = [m.shape[0] / m.shape[1] for m in matrices]
    for axis in sorted((0, 1), key=lambda k: grows[k]):
        matrix = matrices[axis]
        if matrix.shape[0] == matrix.shape[1] and (matrix == np.eye(len(matrix))).all():
            continue
        n, h, w, c = x.shape
        left = constant(matrix.astype(x.dtype.numpy))
        if axis == 0:
            x = reshape(matmul(left, reshape(x, (n, h, w * c))), (n, len(matrix), w, c))
        else:
            x = reshape(matmul(left, reshape(x, (n * h, w, c))), (n, h, len(matrix), c))
    return x


# ---------------------------------------------------------------------- resize


def resize(x: Tensor, size: Pair, method: str = "nearest", align_corners: bool = False) -> Tensor:
    """x (n, h, w, c) f32 or f64 as an image of another size: (n, oh, ow, c), for `size` a number or (oh, ow).

    As torch.nn.functional.interpolate: "nearest" takes pixel floor(i h / oh); "bilinear" mixes the two rows and columns
    around (i + 1/2) h / oh - 1/2, not below 0, or with `align_corners` around i (h - 1) / (oh - 1). Sizes that are
    multiples of h and w are repeated without constants; "bilinear" is a product with a constant matrix an axis (oh * h,
    ow * w elements), so that an infinity or NaN reaches its whole row and column. Raises ShapeError.
    """
    _check_image("resize", x)
    wanted = pair("resize: size", size, 1, 65535)
    if method == "nearest":
        if align_corners:
            raise ShapeError(f'{user_line()}: resize: align_corners is for method "bilinear"')
        return _nearest(x, wanted)
    if method != "bilinear":
        raise ShapeError(f'{user_line()}: resize: method {method!r}; "nearest" or "bilinear"')
    sides = zip(x.shape[1:3], wanted, strict=True)
    return _along_both(x, [_interpolation(side, count, align_corners) for side, count in sides])


def _nearest(x: Tensor, size: tuple[int, int]) -> Tensor:
    n, h, w, c = x.shape
    if size[0] % h == size[1] % w == 0:
        spread = broadcast_to(reshape(x, (n, h, 1, w, 1, c)), (n, h, size[0] // h, w, size[1] // w, c))
        return reshape(spread, (n, *size, c))
    for axis, count in sorted(zip((1, 2), size, strict=True), key=lambda item: item[1] / x.shape[item[0]]):
        if count != x.shape[axis]:
            x = take(x, np.arange(count) * x.shape[axis] // count, axis)
    return x


def _interpolation(side: int, count: int, align_corners: bool) -> np.ndarray:
    """The matrix (count, side) of linear interpolation along one axis."""
    if align_corners:
        at = np.arange(count) * ((side - 1) / (count - 1) if count > 1 else 0.0)
    else:
        at = np.maximum((np.arange(count) + 0.5) * side / count - 0.5, 0.0)
    low = np.minimum(at.astype(np.int64), side - 1)
    matrix = np.zeros((count, side))
    rows = np.arange(count)
    matrix[rows, low] += 1 - (at - low)
    matrix[rows, np.minimum(low + 1, side - 1)] += at - low
    return matrix


FUNCTIONS.update(max_pool2d=max_pool2d, avg_pool2d=avg_pool2d, resize=resize)
