"""Tensors without elements: as NumPy, and without a byte in a plan."""

import numpy as np
import pytest

import lazydiff as ld
from lazydiff.graph.walk import topological


def value(y):
    inputs = {"x": np.ones((3, 4))} if "x" in names(y) else {}
    return ld.Session(ld.compile(f={"y": y * 1})).arrays("f", **inputs)["y"]


def names(y):
    return {n.name for n in topological([y])}


X = ld.input("x", (3, 4), ld.f64)
EMPTY = X[:, :0]
SHAPES = {
    "slice": (EMPTY, (3, 0)),
    "elementwise": (ld.exp(EMPTY) + ld.constant(np.zeros((3, 1))), (3, 0)),
    "where": (ld.where(EMPTY > 0, EMPTY, 0.0), (3, 0)),
    "astype": (ld.astype(EMPTY, ld.i32), (3, 0)),
    "reshape": (EMPTY.reshape(0, 7), (0, 7)),
    "minus one": (EMPTY.reshape(3, -1), (3, 0)),
    "transpose": (EMPTY.T, (0, 3)),
    "broadcast": (ld.broadcast_to(EMPTY, (2, 3, 0)), (2, 3, 0)),
    "concat": (ld.concat([EMPTY, EMPTY], 1), (3, 0)),
    "cumsum": (ld.cumsum(EMPTY, 1), (3, 0)),
    "matmul": (EMPTY.T @ X, (0, 4)),
    "sum of the other axis": (EMPTY.sum(0), (0,)),
    "max of the other axis": (EMPTY.max(0), (0,)),
    "pool": (ld.max_pool2d(ld.input("i", (2, 4, 4, 3))[:0], 2), (0, 2, 2, 3)),
    "conv": (ld.conv2d(ld.input("i", (2, 4, 4, 3))[:0], np.ones((2, 2, 3, 5), np.float32)), (0, 3, 3, 5)),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_follow_numpy_and_nothing_is_left_of_the_graph(name):
    y, shape = SHAPES[name]
    assert y.shape == shape
    assert [n.op.name for n in topological([y])] == ["const"]


def test_reductions_of_nothing_give_the_identity():
    np.testing.assert_array_equal(value(EMPTY.sum(1)), np.zeros(3))
    np.testing.assert_array_equal(value(EMPTY.sum()), 0)
    np.testing.assert_array_equal(value(ld.prod(EMPTY, 1)), np.ones(3))
    np.testing.assert_array_equal(value(ld.logsumexp(EMPTY, 1)), np.full(3, -np.inf))
    np.testing.assert_array_equal(value(ld.norm(EMPTY, axis=1)), np.zeros(3))
    np.testing.assert_array_equal(value(ld.astype(ld.any(EMPTY, 1), ld.f64)), np.zeros(3))
    np.testing.assert_array_equal(value(ld.astype(ld.all(EMPTY, 1), ld.f64)), np.ones(3))
    assert np.isnan(value(EMPTY.mean(1))).all()
    np.testing.assert_array_equal(value(EMPTY @ X[:0]), np.zeros((3, 4)))
    np.testing.assert_array_equal(value(ld.concat([EMPTY, X, EMPTY], 1)), np.ones((3, 4)))
    np.testing.assert_array_equal(value(ld.pad(EMPTY, ((0, 0), (1, 1)))), np.zeros((3, 2)))


@pytest.mark.parametrize("reduce", [ld.max, ld.min, ld.argmax])
def test_what_has_no_identity_is_refused(reduce):
    with pytest.raises(ld.ShapeError, match="no elements"):
        reduce(EMPTY, 1)


def test_gradients_of_nothing_are_zero():
    np.testing.assert_array_equal(value(ld.grad((EMPTY * 2).sum() + X.sum(), X)), np.ones((3, 4)))
    np.testing.assert_array_equal(value(ld.grad(ld.exp(EMPTY).sum(), X)), np.zeros((3, 4)))


def test_a_plan_has_no_empty_values():
    with pytest.raises(ld.GraphError, match="nothing to compute"):
        ld.compile(f=EMPTY)
    with pytest.raises(ld.ShapeError, match="from 1"):
        ld.input("x", (0, 3))
