"""What is put together is made where it wants its parts: fewer bytes, the same bits, in every runtime."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lazydiff as ld
from lazydiff import entries
from lazydiff.run.reference import Reference
from small import put_together


@pytest.fixture
def apart(monkeypatch):
    """Compile without parts in their places."""

    def compiled(**steps):
        with monkeypatch.context() as m:
            m.setattr(entries, "in_parts", lambda entry: None)
            return ld.compile(**steps)

    return compiled


def param(name, *shape):
    rng = np.random.default_rng(len(name) + sum(shape))
    return ld.param(name, rng.normal(size=shape).astype(np.float32))


def branches(n=64):
    x = ld.input("x", (n, 8))
    return ld.concat([ld.relu(x @ param("a", 8, 48)), ld.tanh(x @ param("bb", 8, 48))], 0) @ param("c", 48, 3)


def test_two_layers_lie_in_the_result_they_make_together(apart):
    """Each layer, made in place, is half of the result; without, all of it is there a second time."""
    plan, without = ld.compile(f=branches()), apart(f=branches())
    layer = 64 * 48 * 4
    assert put_together(plan)
    assert plan.ram_bytes == 32 + 64 * 8 * 4 + 2 * layer
    assert without.ram_bytes == 32 + 4 * layer
    assert put_together(without) == []
    given_ = {"x": np.random.default_rng(0).normal(size=(64, 8)).astype(np.float32)}
    found = [ld.Session(p).f(**given_) for p in (plan, without)]
    assert found[0].tobytes() == found[1].tobytes()
    np.testing.assert_allclose(Reference(plan).run("f", **given_)["f"], found[0], rtol=1e-4, atol=1e-5)


def images():
    x = ld.input("x", (4, 12, 12, 4))
    made = [ld.conv2d(a, param("fg"[n % 2], 3, 3, 4, 8), 1, 1) for n, a in enumerate(ld.split(x, 4, 0))]
    return {"f": ld.conv2d(ld.concat(made, 0), param("z", 3, 3, 8, 2), 1, 1)}


def jacobian():
    x = ld.input("x", (8, 16))
    y = ld.tanh(x @ param("w", 16, 16))
    return {"f": ld.concat([ld.grad(y[:, k].sum(), x) for k in range(6)], 0)}


def sequence():
    """Each state is read by the next step, and by the backward pass through what they make together."""
    x, h, states = ld.input("x", (12, 4, 8)), ld.input("h", (4, 8)), []
    for t in range(12):
        h = ld.tanh(h @ param("w", 8, 8) + x[t] @ param("uu", 8, 8))
        states.append(h)
    loss = ld.mse(ld.stack(states) @ param("o", 8, 2), ld.input("y", (12, 4, 2)))
    return {"train": ld.train_step(loss, ld.sgd(0.1))}


@pytest.mark.parametrize(("made", "least"), [(images, 9000), (jacobian, 2000), (sequence, 100)], ids=str)
def test_it_saves_bytes_and_changes_no_bit(made, least, apart):
    plan, without = ld.compile(**made()), apart(**made())
    assert put_together(plan)
    assert without.ram_bytes - plan.ram_bytes >= least
    rng = np.random.default_rng(1)
    (entry,) = plan.entries
    given_ = {s.name: rng.normal(size=s.shape).astype(np.float32) for s in entry.inputs}
    found = []
    for p in (plan, without):
        session = ld.Session(p)
        got = [np.asarray(getattr(session, entry.name)(**given_), np.float32).tobytes() for _ in range(2)]
        found.append(got + [session.read(s.name).tobytes() for s in p.state])
    assert found[0] == found[1]
    (want,) = Reference(plan).run(entry.name, **given_).values()
    np.testing.assert_allclose(np.frombuffer(found[0][0], np.float32), want.reshape(-1), rtol=1e-4, atol=1e-5)


PIECE = st.sampled_from(("a", "b", "tanh", "sum", "input", "slice", "twice"))


@given(st.lists(PIECE, min_size=2, max_size=6), st.integers(0, 1), st.booleans())
def test_any_pieces_along_any_axis_are_those_of_numpy(pieces, axis, trained):
    """Values made, given, read elsewhere, or put together twice: placed or not, the numbers are NumPy's."""
    x, w = ld.input("x", (4, 4)), ld.param("w", np.linspace(-1, 1, 16, dtype=np.float32).reshape(4, 4))
    a, b = ld.tanh(x @ w), ld.relu(w @ x)
    make = {"a": a, "b": b, "tanh": ld.tanh(b), "sum": a + b, "input": x, "slice": (a @ b)[:2, :2], "twice": a}
    parts = [make[p] for p in pieces if p != "slice"] or [a, b]
    whole = ld.concat(parts, axis)
    step = ld.train_step(ld.square(whole).sum() + a.sum(), ld.sgd(0.1)) if trained else ld.exp(whole) * 0.5 + whole
    plan = ld.compile(f=step, g=ld.concat([whole, whole[:1]], 0))
    given_ = np.random.default_rng(2).normal(size=(4, 4)).astype(np.float32)
    session, reference = ld.Session(plan), Reference(plan)
    for _ in range(2):
        for entry in "fg":
            (want,) = reference.run(entry, x=given_).values()
            np.testing.assert_allclose(getattr(session, entry)(x=given_), want, rtol=1e-4, atol=1e-5)
