"""Gathers and scatters against numpy: indices that are known, given at the run, or computed, inside and outside."""

import numpy as np
import pytest

import lazydiff as ld
from lazydiff.plan.model import Kind, Region

RNG = np.random.default_rng(2)
X = RNG.normal(size=(3, 4, 5)).astype(np.float32)


def run(entry, **inputs):
    return ld.Session(ld.compile(f=entry)).run("f", **inputs)


@pytest.mark.parametrize("axis", [0, 1, -1, None])
@pytest.mark.parametrize("indices", [1, -1, [0, 2, 0], [[1, -2], [0, 0]], np.array([2], np.uint8)])
def test_take_is_numpys(axis, indices):
    x = ld.input("x", X.shape)
    np.testing.assert_array_equal(run(ld.take(x, indices, axis), x=X), np.take(X, indices, axis))


def test_indices_of_a_run_pick_rows_and_are_refused_before_anything_changes():
    table, ids = ld.param("table", X[0]), ld.input("ids", (2, 3), ld.i32)
    picked = ld.embedding(table, ids)
    assert picked.shape == (2, 3, 5)
    session = ld.Session(ld.compile(train=ld.train_step((picked * picked).sum(), ld.sgd(0.1))))
    for bad in (-1, 4):
        with pytest.raises(ld.InputError, match=r"0 \.\. 3"):
            session.train(ids=np.array([[0, 1, 2], [3, 3, bad]], np.int32))
    np.testing.assert_array_equal(session.read("table"), X[0])
    given = np.array([[0, 1, 1], [0, 0, 3]], np.int32)
    session.train(ids=given)
    gradient = np.zeros_like(X[0])
    np.add.at(gradient, given, 2 * X[0][given])
    np.testing.assert_allclose(session.read("table"), X[0] - 0.1 * gradient, rtol=1e-5, atol=1e-6)


def test_the_gradient_of_an_embedding_is_never_whole():
    table, ids = ld.param("table", np.ones((1000, 8), np.float32)), ld.input("ids", (4,), ld.i32)
    plan = ld.compile(train=ld.train_step(ld.embedding(table, ids).sum(), ld.sgd(0.1)))
    work = [b for b in plan.buffers if b.region == Region.RAM and b.kind == Kind.WORK]
    assert max(b.size_bytes for b in work) < 1000 * 8 * 4 / 10


def test_computed_indices_are_moved_inside():
    x, where = ld.input("x", (4, 2)), ld.input("where", (5,))
    index = ld.astype(where, ld.i32)
    data, at = X[0, :, :2].copy(), np.array([-7.0, 0, 3, 4, 1e9], np.float32)
    inside = np.clip(at, 0, 3).astype(int)
    sums = np.zeros((4, 2), np.float32)
    np.add.at(sums, inside, np.ones((5, 2), np.float32))
    found = run(
        {"take": ld.take(x, index, 0), "sums": ld.scatter_add(x * 0.0, index, np.ones((5, 2)))}, x=data, where=at
    )
    np.testing.assert_array_equal(found["take"], data[inside])
    np.testing.assert_array_equal(found["sums"], sums)


@pytest.mark.parametrize("indices", [4, [0, -5], [[0, 1], [2, 9]]])
def test_a_known_index_out_of_range_is_an_error_with_the_users_line(indices):
    x = ld.input("x", (4, 2))
    with pytest.raises(ld.GraphError, match=r"test_gathers\.py:\d+: take: index (4|-5|9).* of 4 elements"):
        ld.take(x, indices, 0)


@pytest.mark.parametrize("indices", [[0.5], np.array([True]), ld.constant(np.float32(1))])
def test_indices_are_integers(indices):
    with pytest.raises(ld.DtypeError, match="integer indices"):
        ld.take(ld.input("x", (4, 2)), indices, 0)
    with pytest.raises(ld.DtypeError, match="i32 indices"):
        ld.take(ld.input("x", (4, 2)), ld.input("i", (2,)), 0)


@pytest.mark.parametrize("dtype", [ld.i32, ld.u8, ld.i8, ld.bool_], ids=str)
def test_take_keeps_every_bit_of_integers(dtype):
    x = ld.input("x", (3, 2), dtype)
    values = np.array([[0, 1], [2**31 - 1, -(2**31)], [2**24 + 1, 77]], np.int64).astype(dtype.numpy)
    found = run(ld.take(x, [2, 1], 0), x=values)
    assert found.dtype == dtype.numpy
    np.testing.assert_array_equal(found, values[[2, 1]])


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_take_along_axis_is_numpys_with_known_and_given_indices(axis):
    x, order = ld.input("x", X.shape), np.argsort(X, axis).astype(np.int32)
    given = ld.input("order", X.shape, ld.i32)
    found = run(
        {"known": ld.take_along_axis(x, order, axis), "given": ld.take_along_axis(x, given, axis)}, x=X, order=order
    )
    np.testing.assert_array_equal(found["known"], np.sort(X, axis))
    np.testing.assert_array_equal(found["given"], np.sort(X, axis))


def test_take_along_axis_broadcasts_and_stays_in_its_row():
    x, at = ld.input("x", (3, 4)), ld.input("at", (1, 2))
    found = run(
        ld.take_along_axis(x, ld.astype(at, ld.i32), 1), x=X[:, :, 0].copy(), at=np.array([[-3, 9]], np.float32)
    )
    np.testing.assert_array_equal(found, X[:, [0, 3], 0])


def test_gather_nd_with_known_and_given_indices():
    x, at = ld.input("x", X.shape), ld.input("at", (2, 2, 2), ld.i32)
    numbers = np.array([[[0, 3], [2, 1]], [[1, 1], [0, 0]]], np.int32)
    wanted = X[numbers[..., 0], numbers[..., 1]]
    found = run({"known": ld.gather_nd(x, numbers), "given": ld.gather_nd(x, at)}, x=X, at=numbers)
    np.testing.assert_array_equal(found["known"], wanted)
    np.testing.assert_array_equal(found["given"], wanted)


@pytest.mark.parametrize(("repeats", "axis"), [(2, 0), (3, -1), (2, None), ([1, 0, 2], 0), (1, 1)])
def test_repeat_is_numpys(repeats, axis):
    np.testing.assert_array_equal(
        run(ld.repeat(ld.input("x", X.shape), repeats, axis), x=X), np.repeat(X, repeats, axis)
    )


@pytest.mark.parametrize("axis", [0, 1, -1, None])
def test_cumsum_is_numpys_both_ways(axis):
    x = ld.input("x", X.shape)
    found = run({"up": ld.cumsum(x, axis), "down": ld.cumsum(x, axis, reverse=True)}, x=X)
    wanted = np.cumsum(X if axis is not None else X.reshape(-1)[::-1], axis or 0)
    np.testing.assert_array_equal(found["up"], np.cumsum(X, axis))
    if axis is None:
        np.testing.assert_array_equal(found["down"], wanted[::-1])
    else:
        np.testing.assert_array_equal(found["down"], np.flip(np.cumsum(np.flip(X, axis), axis), axis))


def test_no_derivative_reaches_an_index():
    x, w = ld.input("x", (4,)), ld.input("w", (3,))
    y = ld.take(x, ld.astype(w, ld.i32), 0).sum()
    plan = ld.compile(f=ld.grad(y, w))
    assert plan.entries[0].steps == ()
    assert plan.buffers[plan.entries[0].outputs[0].buffer].region == Region.ZERO
