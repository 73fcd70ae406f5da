"""Convolutions against plain loops in numpy; what their arguments mean, and which are refused."""

import itertools

import numpy as np
import pytest

import lazydiff as ld

RNG = np.random.default_rng(12)


def loops(x, w, strides, dilations, pads, groups):
    """conv2d, one multiplication after the other; pads is ((top, bottom), (left, right))."""
    x = np.pad(x, ((0, 0), *pads, (0, 0)))
    (kh, kw, cg, f), fg = w.shape, w.shape[3] // groups
    oh, ow = ((x.shape[a + 1] - dilations[a] * (w.shape[a] - 1) - 1) // strides[a] + 1 for a in (0, 1))
    y = np.zeros((x.shape[0], oh, ow, f))
    for n, i, j, g in np.ndindex(x.shape[0], oh, ow, groups):
        for di, dj, c in np.ndindex(kh, kw, cg):
            pixel = x[n, i * strides[0] + di * dilations[0], j * strides[1] + dj * dilations[1]]
            y[n, i, j, g * fg : (g + 1) * fg] += pixel[g * cg + c] * w[di, dj, c, g * fg : (g + 1) * fg]
    return y


def value(tensor):
    """The value of a graph without inputs."""
    return ld.Session(ld.compile(f={"y": tensor + 0.0})).f()


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("dilations", [(1, 1), (2, 1), (1, 3)])
@pytest.mark.parametrize("strides", [(1, 1), (2, 3)])
def test_every_stride_dilation_and_group_agrees_with_loops(strides, dilations, groups):
    for pads, kernel in itertools.product([((0, 0), (0, 0)), ((2, 0), (1, 3))], [(1, 1), (2, 3)]):
        x, w = RNG.normal(size=(2, 5, 9, 4)), RNG.normal(size=(*kernel, 4 // groups, 8))
        found = value(ld.conv2d(ld.constant(x), w, strides, pads, dilations, groups))
        np.testing.assert_allclose(found, loops(x, w, strides, dilations, pads, groups), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("n", "k", "s", "d"), [(7, 3, 1, 1), (8, 3, 2, 1), (7, 4, 1, 1), (9, 3, 1, 2), (5, 2, 3, 1)])
def test_same_makes_as_many_outputs_as_strides_and_pads_less_above(n, k, s, d):
    x, w = RNG.normal(size=(1, n, n, 1)), RNG.normal(size=(k, k, 1, 1))
    total = max(0, (-(-n // s) - 1) * s + d * (k - 1) + 1 - n)
    pads = ((total // 2, total - total // 2),) * 2
    found = value(ld.conv2d(ld.constant(x), w, s, "same", d))
    assert found.shape == (1, -(-n // s), -(-n // s), 1)
    np.testing.assert_allclose(found, loops(x, w, (s, s), (d, d), pads, 1), rtol=1e-12, atol=1e-12)
    valid = value(ld.conv2d(ld.constant(x), w, s, "valid", d))
    np.testing.assert_array_equal(valid, value(ld.conv2d(ld.constant(x), w, s, 0, d)))


def test_the_transpose_scatters_every_pixel_with_its_weights():
    x, w = RNG.normal(size=(2, 3, 4, 6)), RNG.normal(size=(3, 2, 2, 6))
    (sh, sw), (top, left), groups = (2, 3), (1, 0), 3
    y = np.zeros((2, 2 * 2 + 3 + 1, 3 * 3 + 2, 6))
    for n, i, j, c in np.ndindex(x.shape):
        for di, dj, f in np.ndindex(3, 2, 2):
            y[n, i * sh + di, j * sw + dj, c // 2 * 2 + f] += x[n, i, j, c] * w[di, dj, f, c]
    found = value(ld.conv_transpose2d(ld.constant(x), w, (sh, sw), ((top, 1), (left, 0)), (1, 0), groups=groups))
    np.testing.assert_allclose(found, y[:, top : y.shape[1] - 1, left:], rtol=1e-12, atol=1e-12)


def test_conv1d_is_conv2d_of_one_row():
    x, w = RNG.normal(size=(2, 9, 4)), RNG.normal(size=(3, 2, 6))
    found = value(ld.conv1d(ld.constant(x), w, 2, (1, 2), 2, 2))
    wanted = loops(x[:, None], w[None], (1, 2), (1, 2), ((0, 0), (1, 2)), 2)
    np.testing.assert_allclose(found, wanted[:, 0], rtol=1e-12, atol=1e-12)


def test_an_update_of_a_grouped_weight_is_tiled():
    x, w = ld.input("x", (2, 6, 6, 8)), ld.param("w", RNG.normal(size=(3, 3, 4, 6)).astype(np.float32))
    plan = ld.compile(train=ld.train_step(ld.square(ld.conv2d(x, w, groups=2)).mean(), ld.sgd(0.1)))
    assert [s.tile_rows > 0 for s in plan.entries[0].steps if s.declared.name == "conv2d_grad_w"] == [True]


X, W = ld.input("x", (1, 5, 5, 4)), np.ones((3, 3, 2, 6), np.float32)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ld.conv2d(X, W), "groups"),
        (lambda: ld.conv2d(X, W, groups=3), "groups"),
        (lambda: ld.conv2d(X, W[0], groups=2), "takes x"),
        (lambda: ld.conv2d(X, W, 0, groups=2), "stride"),
        (lambda: ld.conv2d(X, W, 256, groups=2), "stride"),
        (lambda: ld.conv2d(X, W, 1, 256, groups=2), "padding"),
        (lambda: ld.conv2d(X, W, 1, (1, 2, 3), groups=2), "padding"),
        (lambda: ld.conv2d(X, W, 1, "full", groups=2), "padding"),
        (lambda: ld.conv2d(X, W, 1, -1, groups=2), "padding"),
        (lambda: ld.conv2d(X, W, dilation=3, groups=2), "leaves nothing"),
        (lambda: ld.conv2d(X, np.ones((256, 1, 2, 2)), 1, 255, groups=2), "taps"),
        (lambda: ld.conv1d(X, W, groups=2), "takes x"),
        (lambda: ld.conv_transpose2d(X, W), "takes x"),
        (lambda: ld.conv_transpose2d(X, np.ones((3, 3, 2, 4)), 2, output_padding=2), "output_padding"),
        (lambda: ld.conv_transpose2d(X, np.ones((3, 3, 2, 4)), padding=4), "pixels"),
        (lambda: ld.conv_transpose2d(X, np.ones((3, 3, 2, 4)), padding="same"), "same"),
        (lambda: ld.conv_transpose2d(X, np.ones((3, 3, 2, 4)), groups=3), "groups"),
        (lambda: ld.conv_transpose2d(ld.input("l", (1, 60000, 1, 1)), np.ones((1, 1, 1, 1)), 2), "65535"),
    ],
)
def test_what_no_kernel_takes_is_refused(call, words):
    with pytest.raises(ld.ShapeError, match=words):
        call()
