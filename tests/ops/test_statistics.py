"""Composed reductions against numpy: axes, keepdims, ddof, and the edges their docstrings name."""

import math

import numpy as np
import pytest

import lazydiff as ld

X = np.random.default_rng(3).normal(size=(3, 4, 5)).astype(np.float32)
X[0, 1] = 0
AXES = [None, 0, -1, (0, 2), (), (2, 1)]


def run(entry, **inputs):
    found = ld.Session(ld.compile(f=entry)).arrays("f", **inputs)
    return found if isinstance(entry, dict) else found["f"]


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", AXES)
def test_axes_and_keepdims_are_numpys(axis, keepdims):
    x = ld.input("x", X.shape)
    found = run(
        {
            "any": ld.any(x, axis, keepdims),
            "all": ld.all(x, axis, keepdims),
            "std": ld.std(x, axis, 0, keepdims),
            "two": ld.norm(x, 2, axis, keepdims),
            "one": ld.norm(x, 1, axis, keepdims),
            "most": ld.norm(x, math.inf, axis, keepdims),
            "prod": ld.prod(x + 1.0, axis, keepdims),
            "lse": ld.logsumexp(x, axis, keepdims),
        },
        x=X,
    )
    how = {"axis": axis, "keepdims": keepdims}
    wanted = {
        "any": np.any(X != 0, **how),
        "all": np.all(X != 0, **how),
        "std": np.std(X, **how),
        "two": np.sqrt(np.sum(X * X, **how)),
        "one": np.sum(np.abs(X), **how),
        "most": np.max(np.abs(X), **how),
        "prod": np.prod(X + 1, **how),
        "lse": np.log(np.sum(np.exp(X), **how)),
    }
    for name, value in wanted.items():
        assert found[name].shape == value.shape, name
        assert found[name].dtype.kind == value.dtype.kind, name
        np.testing.assert_allclose(found[name], value, rtol=2e-6, atol=1e-6, err_msg=name)


def test_any_and_all_of_bools():
    x = ld.input("x", (2, 3), ld.bool_)
    values = np.array([[True, False, True], [True, True, True]])
    found = run({"any": ld.any(x, 0), "all": ld.all(x, 1)}, x=values)
    np.testing.assert_array_equal(found["any"], values.any(0))
    np.testing.assert_array_equal(found["all"], values.all(1))


def test_argmin_meets_ties_and_nan_as_numpy_does():
    x = ld.input("x", (4, 3))
    values = np.array([[2, 1, 1], [np.nan, 0, 1], [0, np.nan, np.nan], [-np.inf, 3, -np.inf]], np.float32)
    np.testing.assert_array_equal(run(ld.argmin(x, 1), x=values), np.argmin(values, 1))
    np.testing.assert_array_equal(run(ld.argmin(x, 0), x=values), np.argmin(values, 0))


def test_std_counts_as_numpy_and_its_gradient_is_0_where_all_are_equal():
    x = ld.input("x", (2, 4))
    values = np.array([[1, 1, 1, 1], [1, 2, 4, 8]], np.float32)
    y = ld.std(x, axis=1, ddof=1)
    found = run(
        {"y": y, "g": ld.grad(y.sum(), x), "second": ld.grad(ld.square(ld.grad(y.sum(), x)).sum(), x)}, x=values
    )
    np.testing.assert_allclose(found["y"], values.std(1, ddof=1), rtol=1e-6)
    np.testing.assert_array_equal(found["g"][0], np.zeros(4))
    np.testing.assert_array_equal(found["second"][0], np.zeros(4))
    np.testing.assert_allclose(found["g"][1], (values[1] - values[1].mean()) / (3 * values[1].std(ddof=1)), rtol=1e-5)
    with pytest.raises(ld.ShapeError, match="ddof"):
        ld.std(x, axis=1, ddof=4)


@pytest.mark.parametrize("order", [1, 2, math.inf])
def test_the_gradient_of_a_norm_is_0_at_0_and_nan_stays(order):
    x = ld.input("x", (3, 2))
    y = ld.norm(x, order, axis=1)
    values = np.array([[0, 0], [3, -4], [np.nan, 1]], np.float32)
    found = run({"y": y, "g": ld.grad(y.sum(), x)}, x=values)
    np.testing.assert_allclose(found["y"], [np.linalg.norm(v, order) for v in values], rtol=1e-6)
    np.testing.assert_array_equal(found["g"][0], [0, 0])
    np.testing.assert_allclose(found["g"][1], {1: [1, -1], 2: [0.6, -0.8], math.inf: [0, -1]}[order], rtol=1e-6)
    with pytest.raises(ld.GraphError, match="ord"):
        ld.norm(x, 3)


def test_logsumexp_of_infinities():
    x = ld.input("x", (5, 3))
    inf = np.inf
    rows = [[-inf, -inf, -inf], [-inf, 1, -inf], [inf, 0, -inf], [np.nan, 0, 0], [1e30, 0, -1e30]]
    values = np.array(rows, np.float32)
    y = ld.logsumexp(x, 1)
    found = run({"y": y, "g": ld.grad(y.sum(), x)}, x=values)
    np.testing.assert_array_equal(found["y"], np.array([-inf, 1, inf, np.nan, 1e30], np.float32))
    np.testing.assert_array_equal(found["g"][0], [0, 0, 0])
    np.testing.assert_array_equal(found["g"][1], [0, 1, 0])
    np.testing.assert_array_equal(found["g"][2], [np.nan, 0, 0])
    np.testing.assert_array_equal(found["g"][4], [1, 0, 0])


def test_the_derivatives_of_a_product_are_right_at_zeros():
    x = ld.input("x", (4, 3))
    y = ld.prod(x, axis=1)
    g = ld.grad(y.sum(), x)
    found = run(
        {"y": y, "g": g, "second": ld.jvp(g, x)}, x=np.array([[0, 2, 3], [0, 0, 3], [0, 0, 0], [1, 2, 3]], np.float32)
    )
    np.testing.assert_array_equal(found["y"], [0, 0, 0, 6])
    np.testing.assert_array_equal(found["g"], [[6, 0, 0], [0, 0, 0], [0, 0, 0], [6, 3, 2]])
    np.testing.assert_array_equal(found["second"], [[5, 3, 2], [3, 3, 0], [0, 0, 0], [5, 4, 3]])


def test_a_product_of_integers_saturates():
    x = ld.input("x", (2, 3), ld.u8)
    np.testing.assert_array_equal(run(ld.prod(x, 1), x=np.array([[2, 3, 4], [20, 20, 1]], np.uint8)), [24, 255])
