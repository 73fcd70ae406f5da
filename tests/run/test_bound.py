"""Calls that cost Python little: an entry bound to its arrays, and one that runs along larger arrays in C."""

from __future__ import annotations

import gc
import threading

import numpy as np
import pytest

import lazydiff as ld
from lazydiff.errors import InputError
from lazydiff.run.session import Session
from small_plan import W0, small_plan

X = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
Y = np.array([0, 9], np.int32)
F32 = np.float32


@pytest.fixture
def session() -> Session:
    return Session(small_plan())


def test_a_bound_call_reads_what_the_arrays_hold_at_that_moment(session):
    x, other = X.copy(), Session(small_plan())
    step = session.train.bind(x=x, y=Y)
    for k in range(3):
        x[...] = X + k
        loss = step()
        assert type(loss) is float
        assert loss == other.train(x=X + k, y=Y)
    assert np.array_equal(session.read("w"), other.read("w"))


def test_a_bound_call_writes_to_the_same_arrays_each_time(session):
    infer = session.infer.bind(x=X)
    first = infer()
    assert np.array_equal(first, X @ W0)
    session.write("w", np.zeros((3, 2), F32))
    assert infer() is first
    assert not first.any()
    given = {"total": np.empty((), F32), "product": np.empty((2, 2), F32)}
    both = session.both.bind(x=X, scale=2, out=given)
    session.reset()
    assert both() is given
    assert given["total"] == (X @ W0).sum()
    assert np.array_equal(given["product"], 2 * (X @ W0))
    assert np.array_equal(session.both.bind(x=X, scale=3)()["product"], 3 * (X @ W0))


def test_a_bound_call_and_others_do_not_mix_their_arrays(session):
    infer, again = session.infer.bind(x=X), session.infer.bind(x=2 * X)
    first, second = infer(), again()
    fresh = session.infer(x=3 * X)
    assert np.array_equal(first, X @ W0)
    assert np.array_equal(second, 2 * X @ W0)
    assert np.array_equal(fresh, 3 * X @ W0)


def test_bound_arrays_and_session_live_as_long_as_the_call():
    infer = Session(small_plan()).infer.bind(x=X.copy(), out=(out := np.empty((2, 2), F32)))
    gc.collect()
    rubbish = [np.full((2, 3), np.nan, F32) for _ in range(1000)]
    assert np.array_equal(infer(), X @ W0)
    del rubbish
    with pytest.raises((ValueError, BufferError)):
        out.resize((50, 50), refcheck=True)


def test_a_bound_call_refuses_what_a_call_refuses(session):
    with pytest.raises(InputError, match="missing 'y'"):
        session.train.bind(x=X)
    with pytest.raises(InputError, match="C-contiguous"):
        session.infer.bind(x=np.asfortranarray(X))
    out = np.empty((2, 2), F32)
    out.flags.writeable = False
    with pytest.raises(InputError, match="read-only"):
        session.infer.bind(x=X, out=out)
    y = Y.copy()
    step = session.train.bind(x=X, y=y)
    step()
    before = session.read("w")
    y[1] = 10
    with pytest.raises(InputError, match=r"input 'y' holds 10 at \[1\].*\n  no parameter was touched"):
        step()
    assert np.array_equal(session.read("w"), before)
    y[1] = 9
    step()


def test_a_bound_call_counts_for_what_an_incremental_entry_keeps():
    x, z, w = ld.input("x", (2, 3)), ld.input("z", (2,)), ld.param("w", W0)
    parts = ld.incremental({"product": x @ w, "other": ld.exp(z)}, keep=["x"])
    session = ld.Session(ld.compile(f=parts, train=ld.train_step((x @ w).sum(), ld.sgd(0.5))))
    step = session.train.bind(x=X)
    before = session.f(x=X, z=np.zeros(2, F32))["product"]
    step()
    after = session.f(z=np.ones(2, F32))["product"]
    assert not np.array_equal(before, after)
    assert np.array_equal(after, X @ session.read("w"))
    for refused in (session.f.bind, session.f.many):
        with pytest.raises(InputError, match="incremental entry does not"):
            refused(x=X)


def test_many_gives_the_bits_of_a_loop(session):
    rng, other = np.random.default_rng(1), Session(small_plan())
    x, y = rng.normal(size=(14, 3)).astype(F32), rng.integers(0, 10, 14).astype(np.int32)
    losses = session.train.many(x=x, y=y)
    assert losses.dtype == F32
    assert losses.tolist() == [other.train(x=x[k : k + 2], y=y[k : k + 2]) for k in range(0, 14, 2)]
    assert np.array_equal(session.read("w"), other.read("w"))
    out = np.empty((7, 2, 2), F32)
    assert session.infer.many(x=x, out=out) is out
    assert np.array_equal(out, np.stack([other.infer(x=x[k : k + 2]) for k in range(0, 14, 2)]))


def test_an_input_of_its_own_shape_is_the_same_in_every_run(session):
    x = np.concatenate([X, 2 * X, 3 * X])
    fixed, moving = session.both.many(x=x, scale=2), session.both.many(x=X, scale=np.array([1, 2, 3], F32))
    for k in range(3):
        assert np.array_equal(fixed["product"][k], 2 * ((k + 1) * X @ W0))
        assert np.array_equal(moving["product"][k], (k + 1) * (X @ W0))
        assert moving["total"][k] == (X @ W0).sum()
    assert session.both.many(x=X, scale=1)["product"].shape == (1, 2, 2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"x": np.zeros((5, 3), F32)}, ["shape (5, 3)", "one run takes (2, 3)", "[: 4]", "no batch of 2"]),
        ({"x": np.zeros((1, 3), F32)}, ["shape (1, 3)", "(n * 2, 3)"]),
        ({"x": np.zeros((0, 3), F32)}, ["shape (0, 3)", "(n * 2, 3)"]),
        ({"x": np.zeros((4, 4), F32)}, ["shape (4, 4)", "(n * 2, 3)"]),
        ({"x": np.zeros((4, 3))}, ["is float64", "astype"]),
        ({"x": np.zeros((8, 3), F32)[::2]}, ["not C-contiguous", "ascontiguousarray"]),
        ({"x": np.asfortranarray(np.zeros((4, 3), F32))}, ["not C-contiguous"]),
        ({"x": [[1.0] * 3] * 4}, ["is a list"]),
        ({"y": np.zeros(6, np.int32)}, ["different numbers of runs: x 2, y 3"]),
        ({"z": Y}, ["unknown 'z'"]),
        ({"out": np.empty(3, F32)}, ["out= has shape (3,), not (2,)"]),
        ({"out": np.empty(4, F32)[::2]}, ["not C-contiguous"]),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else None,
)
def test_many_refuses_arrays_that_do_not_fit_before_anything_runs(session, change, words):
    given = {"x": np.ones((4, 3), F32), "y": np.zeros(4, np.int32)} | change
    with pytest.raises(InputError) as caught:
        session.train.many(**given)
    for word in words:
        assert word in str(caught.value)
    assert np.array_equal(session.read("w"), W0)


def test_a_value_refused_along_the_way_says_how_many_have_run(session):
    y = np.zeros(8, np.int32)
    y[5] = -1
    with pytest.raises(InputError, match=r"'y' holds -1 at \[1\].*\n  runs 0 to 1 are done, run 2 has touched no par"):
        session.train.many(x=np.ones((8, 3), F32), y=y)
    assert np.array_equal(session.read("w"), W0 - F32(0.5))
    y[0] = -1
    with pytest.raises(InputError, match="no parameter was touched"):
        session.train.many(x=np.ones((8, 3), F32), y=y)
    assert np.array_equal(session.read("w"), W0 - F32(0.5))


def test_threads_that_share_a_bound_call_wait_for_each_other(session):
    step = session.train.bind(x=X, y=Y)
    threads = [threading.Thread(target=lambda: [step() for _ in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert np.array_equal(session.read("w"), W0 - F32(500))
