"""Pooling and resizing against plain loops in numpy: values, ties, NaN, padding, and what is refused."""

import numpy as np
import pytest

import lazydiff as ld

RNG = np.random.default_rng(13)


def value(tensor):
    """The value of a graph without inputs."""
    return ld.Session(ld.compile(f={"y": tensor + 0.0})).f()


def windows(x, window, stride, pads, reduce):
    """Reduce each window of what exists of the image: reduce((rows, columns, c)) -> (c,)."""
    n, h, w, c = x.shape
    size = [(side + sum(p) - k) // s + 1 for side, k, s, p in zip((h, w), window, stride, pads, strict=True)]
    y = np.zeros((n, *size, c))
    for b, i, j in np.ndindex(n, *size):
        top, left = i * stride[0] - pads[0][0], j * stride[1] - pads[1][0]
        part = x[b, max(0, top) : max(0, top + window[0]), max(0, left) : max(0, left + window[1])]
        y[b, i, j] = reduce(part)
    return y


SHAPES = [  # window, stride, padding
    ((2, 2), (2, 2), ((0, 0), (0, 0))),
    ((3, 3), (2, 2), ((1, 1), (1, 1))),
    ((3, 2), (1, 3), ((1, 0), (0, 1))),
    ((5, 1), (3, 1), ((2, 2), (0, 0))),
]


@pytest.mark.parametrize(("window", "stride", "pads"), SHAPES)
def test_windows_agree_with_loops(window, stride, pads):
    x = RNG.normal(size=(2, 6, 8, 3)) - 5  # so that a padding of zeros would win
    t = ld.constant(x)
    greatest = windows(x, window, stride, pads, lambda part: part.max((0, 1)))
    np.testing.assert_array_equal(value(ld.max_pool2d(t, window, stride, pads)), greatest)
    whole = windows(x, window, stride, pads, lambda part: part.sum((0, 1)) / np.prod(window))
    np.testing.assert_allclose(value(ld.avg_pool2d(t, window, stride, pads)), whole, rtol=1e-12)
    seen = windows(x, window, stride, pads, lambda part: part.mean((0, 1)))
    found = value(ld.avg_pool2d(t, window, stride, pads, count_include_pad=False))
    np.testing.assert_allclose(found, seen, rtol=1e-12)


def test_one_dimension_is_an_image_of_one_row():
    x = RNG.normal(size=(2, 9, 3))
    most = windows(x[:, None], (1, 3), (1, 2), ((0, 0), (1, 0)), lambda part: part.max((0, 1)))
    np.testing.assert_array_equal(value(ld.max_pool1d(ld.constant(x), 3, 2, (1, 0))), most[:, 0])
    mean = windows(x[:, None], (1, 3), (1, 3), ((0, 0), (0, 0)), lambda part: part.mean((0, 1)))
    np.testing.assert_allclose(value(ld.avg_pool1d(ld.constant(x), 3)), mean[:, 0], rtol=1e-12)


def gradient(x, function):
    t = ld.input("x", x.shape, ld.f64)
    return ld.Session(ld.compile(f={"g": ld.grad(function(t).sum(), t)})).f(x=x)


def test_ties_go_to_the_first_and_nan_wins():
    x = np.array([[1, 3, 3, 0], [3, 2, 3, 0], [7, 7, np.nan, 9], [7, 7, 9, np.nan]], np.float64)[None, :, :, None]
    found = gradient(x, lambda t: ld.max_pool2d(t, 2))[0, :, :, 0]
    np.testing.assert_array_equal(found, [[0, 1, 1, 0], [0, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]])
    np.testing.assert_array_equal(value(ld.max_pool2d(ld.constant(x), 2))[0, :, :, 0], [[3, 3], [7, np.nan]])
    shared = gradient(x[:, :2], lambda t: ld.global_max_pool2d(t))[0, :, :, 0]
    np.testing.assert_array_equal(shared, [[0, 0.25, 0.25, 0], [0.25, 0, 0.25, 0]])


def test_minus_infinity_beats_padding():
    x = np.full((1, 2, 2, 1), -np.inf)
    np.testing.assert_array_equal(value(ld.max_pool2d(ld.constant(x), 3, 1, 1)), x)


def test_overlapping_windows_add_up_their_cotangents():
    x = np.zeros((1, 3, 3, 1))
    x[0, 1, 1] = 1
    assert gradient(x, lambda t: ld.max_pool2d(t, 2, 1))[0, 1, 1, 0] == 4


def test_only_a_byte_an_output_is_kept_for_the_backward_pass():
    x = ld.input("x", (1, 32, 32, 8))
    h = ld.max_pool2d(ld.tanh(x), 2)
    plan = ld.compile(f={"g": ld.grad(ld.square(h).sum(), x)})
    sizes = {
        plan.buffers[b].size_bytes for s in plan.entries[0].steps if s.declared.name == "pool_scatter" for b in s.reads
    }
    assert sizes == {16 * 16 * 8, 4 * 16 * 16 * 8}


@pytest.mark.parametrize("size", [(1, 1), (2, 4), (3, 3), (5, 7), (7, 5), (6, 8), (9, 11)])
def test_adaptive_bins_are_those_of_torch(size):
    x = RNG.normal(size=(2, 6, 8, 3))
    mean, most = np.zeros((2, *size, 3)), np.zeros((2, *size, 3))
    for i, j in np.ndindex(size):
        rows = slice(int(np.floor(i * 6 / size[0])), int(np.ceil((i + 1) * 6 / size[0])))
        columns = slice(int(np.floor(j * 8 / size[1])), int(np.ceil((j + 1) * 8 / size[1])))
        mean[:, i, j], most[:, i, j] = x[:, rows, columns].mean((1, 2)), x[:, rows, columns].max((1, 2))
    np.testing.assert_allclose(value(ld.adaptive_avg_pool2d(ld.constant(x), size)), mean, rtol=1e-12)
    np.testing.assert_array_equal(value(ld.adaptive_max_pool2d(ld.constant(x), size)), most)


def test_global_pools_are_reductions():
    x = RNG.normal(size=(2, 3, 4, 5))
    np.testing.assert_allclose(value(ld.global_avg_pool2d(ld.constant(x))), x.mean((1, 2)), rtol=1e-12)
    np.testing.assert_array_equal(value(ld.global_max_pool2d(ld.constant(x), True)), x.max((1, 2), keepdims=True))


@pytest.mark.parametrize("size", [(1, 1), (4, 6), (8, 3), (7, 13), (3, 5), (12, 12)])
def test_nearest_takes_the_pixel_at_the_scaled_position(size):
    x = RNG.normal(size=(2, 4, 6, 3))
    x[0, 1, 2] = np.inf  # stays where it is
    rows, columns = (np.arange(n) * side // n for n, side in zip(size, (4, 6), strict=True))
    np.testing.assert_array_equal(value(ld.resize(ld.constant(x), size)), x[:, rows][:, :, columns])


@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (4, 6), (8, 3), (7, 13), (3, 5)])
def test_bilinear_mixes_the_four_pixels_around(size, align):
    x = RNG.normal(size=(2, 4, 6, 3))
    wanted = np.zeros((2, *size, 3))
    for i, j in np.ndindex(size):
        at = []
        for k, n, side in ((i, size[0], 4), (j, size[1], 6)):
            place = k * (side - 1) / max(1, n - 1) if align else max(0.0, (k + 0.5) * side / n - 0.5)
            low = min(int(place), side - 1)
            at.append((low, min(low + 1, side - 1), place - low))
        (top, bottom, down), (left, right, across) = at
        upper = x[:, top, left] * (1 - across) + x[:, top, right] * across
        lower = x[:, bottom, left] * (1 - across) + x[:, bottom, right] * across
        wanted[:, i, j] = upper * (1 - down) + lower * down
    found = value(ld.resize(ld.constant(x), size, "bilinear", align))
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)


X = ld.input("x", (1, 5, 5, 4))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: ld.max_pool2d(X, 2, padding=2), ld.ShapeError, "half a window"),
        (lambda: ld.max_pool2d(X, 6), ld.ShapeError, "leaves nothing"),
        (lambda: ld.max_pool2d(ld.input("l", (1, 16, 16, 1)), 16), ld.ShapeError, "255"),
        (lambda: ld.max_pool2d(X, 0), ld.ShapeError, "window"),
        (lambda: ld.max_pool2d(X, 2, 0), ld.ShapeError, "stride"),
        (lambda: ld.max_pool2d(ld.reshape(X, (5, 5, 4)), 2), ld.ShapeError, "takes x"),
        (lambda: ld.max_pool1d(X, 2), ld.ShapeError, "takes x"),
        (lambda: ld.avg_pool2d(ld.astype(X, ld.i32), 2), ld.DtypeError, "cast"),
        (lambda: ld.adaptive_avg_pool2d(X, 0), ld.ShapeError, "size"),
        (lambda: ld.adaptive_max_pool2d(ld.input("l", (1, 16, 16, 1)), 1), ld.ShapeError, "255"),
        (lambda: ld.resize(X, 3, "bicubic"), ld.ShapeError, "bicubic"),
        (lambda: ld.resize(X, 3, align_corners=True), ld.ShapeError, "align_corners"),
    ],
)
def test_what_has_no_meaning_is_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()
