"""Which elementwise nodes become one map, seen in the plan's steps."""

import numpy as np

import lazydiff as ld
from lazydiff.frontend.training import Step
from lazydiff.plan.model import MAP

A = np.arange(20, dtype=np.float32).reshape(4, 5) / 20


def maps(plan):
    return [s for s in plan.entries[0].steps if s.kernel == MAP]


def test_results_that_read_one_product_are_one_map():
    y = ld.input("x", (4, 5)) @ ld.input("w", (5, 5))
    plan = ld.compile(f={"c": ld.square(y), "a": ld.tanh(y + 1.0), "b": (y + 1.0) * 2.0})
    assert len(maps(plan)) == 1
    found = ld.Session(plan).f(x=A, w=A[:1] + np.eye(5, dtype=np.float32))
    y = A @ (A[:1] + np.eye(5, dtype=np.float32))
    for name, value in {"a": np.tanh(y + 1), "b": 2 * y + 2, "c": y * y}.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-6)


def test_results_that_share_only_an_input_or_a_number_stay_apart():
    x, scale = ld.input("x", (4, 5)), ld.square(ld.input("s", ()))
    assert len(maps(ld.compile(f={"a": ld.tanh(x), "b": x * 2.0}))) == 2
    other = ld.input("other", (4, 5))
    assert len(maps(ld.compile(f={"a": x * scale, "b": other * scale}))) == 3  # the scalar, and one each


def test_a_state_read_by_both_updates_of_one_map_is_written_in_place():
    w, m = ld.param("w", A), ld.state("m", 2 * A)
    g = ld.input("x", (4, 4)) @ ld.input("y", (4, 5))
    plan = ld.compile(f=Step({}, ((m, 0.5 * m + g), (w, w - ld.sign(m + g)))))
    assert len(maps(plan)) == 1
    session = ld.Session(plan)
    session.run("f", x=np.eye(4, dtype=np.float32), y=-A)
    np.testing.assert_array_equal(session.read("m"), A - A)
    np.testing.assert_array_equal(session.read("w"), A - np.sign(A))
