"""Convolutions, pooling and resizing against torch: values and gradients in float64, first and second order."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import lazydiff as ld

RNG = np.random.default_rng(21)


def channels_first(image):
    return torch.movedim(image, -1, 1)


def channels_last(image):
    return torch.movedim(image, 1, -1)


def filters(weight):
    """(taps.., c / groups, f) as torch's (f, c / groups, taps..)."""
    return torch.movedim(weight, (-1, -2), (0, 1))


def compare(ours, theirs, *shapes):
    """Value, gradient, and gradient along a direction of the gradient, of the same function of the same arrays."""
    arrays = [RNG.normal(size=s) for s in shapes]
    inputs = [ld.input(f"x{k}", s, ld.f64) for k, s in enumerate(shapes)]
    tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
    y, z = ours(*inputs), theirs(*tensors)
    assert tuple(z.shape) == y.shape
    seed, directions = RNG.normal(size=y.shape), [RNG.normal(size=s) for s in shapes]
    gradients = ld.grad((y * y * ld.constant(seed)).sum(), inputs)
    along = ld.constant(np.float64(0))
    for g, d in zip(gradients, directions, strict=True):
        along = along + (g * ld.constant(d)).sum()
    outputs = {"y": y * 1.0} | {f"g{k}": g for k, g in enumerate(gradients)}
    outputs |= {f"h{k}": h for k, h in enumerate(ld.grad(along, inputs))}
    found = ld.Session(ld.compile(f=outputs)).f(**{f"x{k}": a for k, a in enumerate(arrays)})
    first = torch.autograd.grad((z * z * torch.tensor(seed)).sum(), tensors, create_graph=True)
    slope = sum((g * torch.tensor(d)).sum() for g, d in zip(first, directions, strict=True))
    second = torch.autograd.grad(slope, tensors)
    np.testing.assert_allclose(found["y"], z.detach().numpy(), rtol=1e-11, atol=1e-11)
    for k in range(len(shapes)):
        np.testing.assert_allclose(found[f"g{k}"], first[k].detach().numpy(), rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(found[f"h{k}"], second[k].numpy(), rtol=1e-10, atol=1e-10)


@pytest.mark.filterwarnings("ignore:Using padding")
@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("dilation", [1, (2, 3)])
@pytest.mark.parametrize("padding", [0, (1, 2), "same"])
@pytest.mark.parametrize("stride", [1, (2, 3)])
def test_conv2d(stride, padding, dilation, groups):
    if padding == "same" and stride != 1:
        stride = 1  # torch has no other

    def theirs(x, w):
        return channels_last(F.conv2d(channels_first(x), filters(w), None, stride, padding, dilation, groups))

    shapes = (2, 8, 9, 4), (3, 2, 4 // groups, 8)
    compare(lambda x, w: ld.conv2d(x, w, stride, padding, dilation, groups), theirs, *shapes)


@pytest.mark.parametrize(("stride", "padding", "dilation", "groups"), [(1, 0, 1, 1), (2, 2, 2, 3)])
def test_conv1d(stride, padding, dilation, groups):
    def theirs(x, w):
        return channels_last(F.conv1d(channels_first(x), filters(w), None, stride, padding, dilation, groups))

    compare(lambda x, w: ld.conv1d(x, w, stride, padding, dilation, groups), theirs, (2, 11, 6), (3, 6 // groups, 9))


@pytest.mark.parametrize(
    ("stride", "padding", "more", "dilation", "groups"),
    [(1, 0, 0, 1, 1), (2, 1, 1, 1, 2), ((2, 3), (1, 0), (0, 2), 1, 4), (1, 2, 1, (2, 3), 1), (3, 1, (2, 1), 2, 2)],
)
def test_conv_transpose2d(stride, padding, more, dilation, groups):
    def theirs(x, w):
        weight = torch.permute(w, (3, 2, 0, 1))  # (c, f / groups, kh, kw)
        return channels_last(
            F.conv_transpose2d(channels_first(x), weight, None, stride, padding, more, groups, dilation)
        )

    shapes = (2, 4, 5, 8), (3, 2, 3, 8)
    compare(lambda x, w: ld.conv_transpose2d(x, w, stride, padding, more, dilation, groups), theirs, *shapes)


POOLS = [(2, None, 0), (3, 2, 1), ((3, 2), (1, 3), (1, 0)), ((2, 5), (2, 1), (0, 2))]


@pytest.mark.parametrize(("window", "stride", "padding"), POOLS)
def test_max_pool2d(window, stride, padding):
    compare(
        lambda x: ld.max_pool2d(x, window, stride, padding),
        lambda x: channels_last(F.max_pool2d(channels_first(x), window, stride, padding)),
        (2, 7, 8, 3),
    )


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(("window", "stride", "padding"), POOLS)
def test_avg_pool2d(window, stride, padding, whole):
    compare(
        lambda x: ld.avg_pool2d(x, window, stride, padding, whole),
        lambda x: channels_last(F.avg_pool2d(channels_first(x), window, stride, padding, False, whole)),
        (2, 7, 8, 3),
    )


def test_pools_of_one_axis():
    for name in ("max_pool1d", "avg_pool1d"):
        ours, torchs = getattr(ld, name), getattr(F, name)
        compare(
            lambda x, f=ours: f(x, 3, 2, 1), lambda x, f=torchs: channels_last(f(channels_first(x), 3, 2, 1)), (2, 9, 3)
        )


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 3), (7, 8), (9, 12)])
@pytest.mark.parametrize("kind", ["avg", "max"])
def test_adaptive_pools(kind, size):
    ours, torchs = getattr(ld, f"adaptive_{kind}_pool2d"), getattr(F, f"adaptive_{kind}_pool2d")
    compare(lambda x: ours(x, size), lambda x: channels_last(torchs(channels_first(x), size)), (2, 7, 8, 3))


def test_ties_and_nan_go_where_torch_sends_them():
    x = np.array([[1, 3, 3, 0], [3, 2, 3, 0], [7, 7, np.nan, 9], [7, 7, 9, np.nan]], np.float64)[None, :, :, None]
    t = ld.input("x", x.shape, ld.f64)
    y = ld.max_pool2d(t, 2)
    found = ld.Session(ld.compile(f={"y": y * 1.0, "g": ld.grad(y.sum(), t)})).f(x=x)
    theirs = torch.tensor(x, requires_grad=True)
    z = channels_last(F.max_pool2d(channels_first(theirs), 2))
    np.testing.assert_array_equal(found["y"], z.detach().numpy())
    z.sum().backward()
    mine, other = found["g"][0, :, :, 0], theirs.grad.numpy()[0, :, :, 0]
    np.testing.assert_array_equal(mine[:2], other[:2])
    np.testing.assert_array_equal(mine[:, :2], other[:, :2])
    assert mine[2:, 2:].sum() == other[2:, 2:].sum() == 1  # torch takes the last NaN, lazydiff and NumPy the first


@pytest.mark.parametrize("size", [(1, 1), (8, 12), (7, 13), (3, 5), (4, 6)])
@pytest.mark.parametrize(("method", "align"), [("nearest", False), ("bilinear", False), ("bilinear", True)])
def test_resize(method, align, size):
    def theirs(x):
        corners = {} if method == "nearest" else {"align_corners": align}
        return channels_last(F.interpolate(channels_first(x), size, mode=method, **corners))

    compare(lambda x: ld.resize(x, size, method, align), theirs, (2, 4, 6, 3))
