"""The seed's formula, in both modes, in float64, through the planned C path and the numpy oracle."""

import numpy as np
import pytest

import lazydiff as ld
from lazydiff.plan.model import Region
from lazydiff.run.reference import Reference

A, B = np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0])
F = [1.64063041, 9.85328756, 46.04784529]
DA = [3.10098914, 14.32976344, 52.04465632]
DB = [0.04738879, 2.00435228, 14.29276426]


def formula():
    a, b, c = (ld.input(n, (3,), ld.f64) for n in "abc")
    return a, b, c, ld.log(b) * ld.tanh(ld.sqrt(a / b)) + a ** ld.sqrt(2 * b)


def both(plan, entry):
    fast = ld.Session(plan).run(entry, a=A, b=B)
    slow = Reference(plan).run(entry, a=A, b=B)
    for name, value in slow.items():
        np.testing.assert_allclose(fast[name], value, rtol=1e-13)
    return fast


def test_reverse_mode():
    a, b, c, f = formula()
    da, db, dc = ld.vjp(f, [a, b, c], np.ones(3))
    plan = ld.compile(seed={"f": f, "da": da, "db": db, "dc": dc})
    found = both(plan, "seed")
    for name, value in {"f": F, "da": DA, "db": DB, "dc": [0, 0, 0]}.items():
        np.testing.assert_allclose(found[name], value, rtol=0, atol=5.1e-9)


def test_forward_mode_column_by_column():
    a, b, c, f = formula()
    columns = {}
    for k in range(3):
        seed = np.eye(3)[k]
        columns |= {f"{n}{k}": ld.jvp(f, v, seed) for n, v in (("a", a), ("b", b), ("c", c))}
    found = both(ld.compile(seed=columns), "seed")
    for name, diagonal in (("a", DA), ("b", DB), ("c", [0, 0, 0])):
        jacobian = np.stack([found[f"{name}{k}"] for k in range(3)], axis=1)
        np.testing.assert_allclose(jacobian, np.diag(diagonal), rtol=0, atol=5.1e-9)


def test_the_derivative_of_something_absent_costs_nothing():
    _, _, c, f = formula()
    without = ld.compile(seed={"f": f})
    plan = ld.compile(seed={"f": f, "dc": ld.grad(f.sum(), c)})
    assert plan.ram_bytes == without.ram_bytes
    assert plan.entries[0].steps == without.entries[0].steps
    assert plan.buffers[plan.entries[0].outputs[1].buffer].region == Region.ZERO
    np.testing.assert_array_equal(ld.Session(plan).seed(a=A, b=B)["dc"], np.zeros(3))


def test_second_order_from_the_same_rules():
    a, _, _, f = formula()
    first = ld.grad(f.sum(), a)
    second = ld.grad(first.sum(), a)
    plan = ld.compile(seed={"d1": first, "d2": second, "d2_forward": ld.jvp(first, a)})
    found = both(plan, "seed")
    step = 1e-5
    numeric = (ld.Session(plan).seed(a=A + step, b=B)["d1"] - ld.Session(plan).seed(a=A - step, b=B)["d1"]) / (2 * step)
    np.testing.assert_allclose(found["d2"], numeric, rtol=1e-7)
    np.testing.assert_allclose(found["d2_forward"], found["d2"], rtol=1e-12)


def test_a_seed_of_the_wrong_shape_is_refused():
    a, _, _, f = formula()
    with pytest.raises(ld.ShapeError):
        ld.vjp(f, a, np.ones(4))
