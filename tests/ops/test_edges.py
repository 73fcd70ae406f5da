"""The edges on which NumPy, torch and JAX agree: values, and derivatives to second order, are theirs."""

import numpy as np
import pytest

import lazydiff as ld
from lazydiff.dtypes import ALL, FLOATS
from lazydiff.run.reference import Reference

INF, NAN = np.inf, np.nan


def slopes(function, *values):
    """The value of a function and, for each operand, its derivative and second derivative, elementwise."""
    arrays = [np.array(v, np.float32) for v in values]
    xs = [ld.input(f"x{i}", a.shape) for i, a in enumerate(arrays)]
    y = function(*xs)
    outputs = {"y": y}
    for i, x in enumerate(xs):
        first = ld.vjp(y, x, np.ones(y.shape, np.float32))
        outputs |= {f"d{i}": first, f"dd{i}": ld.vjp(first, x, np.ones(x.shape, np.float32))}
    plan = ld.compile(f=outputs)
    inputs = {f"x{i}": a for i, a in enumerate(arrays)}
    inputs = {s.name: inputs[s.name] for s in plan.entry("f").inputs}
    found = ld.Session(plan).arrays("f", **inputs)
    with np.errstate(all="ignore"):
        for name, value in Reference(plan).run("f", **inputs).items():
            np.testing.assert_allclose(found[name], value, rtol=1e-6, err_msg=name)
    return found


def check(found, **wanted):
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-6, err_msg=name)


def test_the_power_0_has_no_slope_even_at_0():
    base = [0, 1, -2, INF]
    for exponent in (0.0, np.zeros(4, np.float32), ld.constant(np.zeros(4, np.float32)) * 1.0):
        check(slopes(lambda a, e=exponent: a**e, base), y=np.ones(4), d0=np.zeros(4), dd0=np.zeros(4))
    check(slopes(lambda a: a**1.0, [0, -2]), y=[0, -2], d0=[1, 1], dd0=[0, 0])
    check(slopes(lambda a: a**2.0, [0, -2]), y=[0, 4], d0=[0, -4], dd0=[2, 2])
    found = slopes(ld.power, [0, 0, 0, 2, 2, -2], [0, 1, 2, 0, 1, 2])
    check(found, y=[1, 0, 0, 1, 2, 4], d0=[0, 1, 0, 0, 1, -4], dd0=[0, 0, 2, 0, 0, 2])
    check({"d1": found["d1"][:5]}, d1=[0, 0, 0, np.log(2), 2 * np.log(2)])


def test_roots_at_0_are_steep_and_absolute_values_are_flat():
    check(slopes(ld.sqrt, [0.0, 4]), y=[0, 2], d0=[INF, 0.25], dd0=[-INF, -1 / 32])
    check(slopes(ld.abs, [0.0, -0.0, -3]), y=[0, 0, 3], d0=[0, 0, -1], dd0=[0, 0, 0])
    check(slopes(ld.sign, [0.0, -3, INF]), y=[0, -1, 1], d0=[0, 0, 0])


def test_the_sign_of_zero():
    found = slopes(lambda x: ld.stack([ld.tanh(x), ld.sin(x), ld.sqrt(x), ld.neg(x), ld.sign(x)]), [-0.0])
    np.testing.assert_array_equal(np.signbit(found["y"])[:, 0], [True, True, True, False, False])


def test_ties_of_a_reduction_share_the_slope():
    check(slopes(ld.max, [1, 3, 3]), y=3, d0=[0, 0.5, 0.5], dd0=[0, 0, 0])
    check(slopes(lambda x: ld.min(x, -1), [[2, 2, 2, 2]]), y=[2], d0=[[0.25] * 4])
    check(slopes(ld.minimum, [1, 2], [1, 3]), d0=[0.5, 1], d1=[0.5, 0])


def test_borders_of_clip_and_kinks_let_the_slope_pass_or_not():
    check(slopes(lambda x: ld.clip(x, 0.0, 1.0), [0, 1, -1, 2, NAN]), y=[0, 1, 0, 1, NAN], d0=[1, 1, 0, 0, 1])
    check(slopes(ld.relu, [0, -1, 2]), y=[0, 0, 2], d0=[0, 0, 1])


def test_a_nan_in_the_branch_not_taken_reaches_no_value():
    check(slopes(lambda x: ld.where(x > 0, x, NAN), [1, -1]), y=[1, NAN], d0=[1, 0])
    check(slopes(lambda x: ld.where(x > 0, ld.log(x), 0.0), [1, -1]), y=[0, 0])


def test_division_by_zero_and_remainders():
    check(slopes(ld.divide, [1, -1, 0], [0, 0, 0]), y=[INF, -INF, NAN])
    check(slopes(ld.fmod, [5, -5, 5, -5], [3, 3, -3, -3]), y=[2, -2, 2, -2], d0=[1, 1, 1, 1], d1=[-1, 1, 1, -1])
    check(slopes(ld.round, [0.5, 1.5, -0.5, -2.5, 2.5]), y=[0, 2, 0, -2, 2], d0=np.zeros(5))


def test_softmax_neither_overflows_nor_loses_what_is_impossible():
    check(slopes(ld.softmax, [3e38, -3e38]), y=[1, 0], d0=[0, 0])
    check(slopes(ld.softmax, [-INF, 0, 0]), y=[0, 0.5, 0.5], d0=[0, 0, 0])
    check(slopes(ld.log_softmax, [1e30, 0]), y=[0, -1e30])
    check(slopes(ld.softmax, [-INF, -INF]), y=[NAN, NAN])
    check(slopes(lambda x: ld.logsumexp(x), [1000, 1000]), y=1000 + np.log(2), d0=[0.5, 0.5])


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("name", ["sum", "mean", "max", "min", "prod", "var"])
def test_no_axes_reduce_nothing(name, keepdims):
    x = [[1, 2], [3, -4]]
    y = np.zeros((2, 2)) if name == "var" else x
    found = slopes(lambda t: getattr(ld, name)(t, axis=(), keepdims=keepdims), x)
    check(found, y=y, d0=np.full((2, 2), float(name != "var")))


def test_axes_that_are_not_there_or_twice_are_refused():
    x = ld.input("x", (2, 3))
    for axes in (2, -3, (0, 0), (0, -2)):
        with pytest.raises(ld.ShapeError, match=r"axis|axes"):
            ld.sum(x, axes)


NUMBERS = [0, -0.0, 0.4, 0.999, -0.999, 1.5, -1.5, 127.9, 128, -128.9, -129, 255.9, 256, 2**31 - 128, 2**31, -(2**31)]
NUMBERS += [-(2**31) - 512, 1e30, -1e30, 1e-40, INF, -INF, NAN]


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_astype_of_floats_truncates_and_saturates(dtype):
    with np.errstate(all="ignore"):
        values = np.array(NUMBERS).astype(dtype.numpy)
    x = ld.input("x", values.shape, dtype)
    plan = ld.compile(f={d.name: ld.astype(x, d) for d in ALL if d is not dtype})
    for runner in (ld.Session(plan).arrays, Reference(plan).run):
        found = runner("f", x=values)
        for name in ("i32", "u8", "i8"):
            info = np.iinfo(found[name].dtype)
            wanted = np.clip(np.nan_to_num(np.trunc(values.astype(np.float64))), info.min, info.max)
            np.testing.assert_array_equal(found[name], wanted, name)
        np.testing.assert_array_equal(found["bool"], values != 0)
        other = "f64" if dtype is ld.f32 else "f32"
        with np.errstate(all="ignore"):
            np.testing.assert_array_equal(found[other], values.astype(found[other].dtype))


@pytest.mark.parametrize("dtype", [ld.i32, ld.u8, ld.i8, ld.bool_], ids=str)
def test_astype_of_integers_saturates_and_is_exact(dtype):
    info = None if dtype is ld.bool_ else np.iinfo(dtype.numpy)
    values = np.array([0, 1] if info is None else [0, 1, 2, 100, info.max, info.min], dtype.numpy)
    x = ld.input("x", values.shape, dtype)
    plan = ld.compile(f={d.name: ld.astype(x, d) for d in ALL if d is not dtype})
    for runner in (ld.Session(plan).arrays, Reference(plan).run):
        for name, found in runner("f", x=values).items():
            wanted = values.astype(np.int64)
            if found.dtype.kind in "iu":
                wanted = np.clip(wanted, np.iinfo(found.dtype).min, np.iinfo(found.dtype).max)
            np.testing.assert_array_equal(found, wanted.astype(found.dtype), name)


def test_one_hot_of_what_is_not_a_class_is_all_zero():
    index = np.array([0, 2, -1, 3], np.int32)
    plan = ld.compile(f={"f32": ld.astype(ld.one_hot(ld.input("i", (4,), ld.i32), 3), ld.f32)})
    for runner in (ld.Session(plan).arrays, Reference(plan).run):
        np.testing.assert_array_equal(runner("f", i=index)["f32"], index[:, None] == np.arange(3))


def test_an_exponent_that_is_a_parameter_is_no_constant():
    """Of one element, too: its value may have been trained, so the slope must read it and not its first value."""
    x, p = ld.input("x", (3,), ld.f64), ld.param("p", np.array([2.0]))
    y = (x**p).sum()
    session = ld.Session(ld.compile(slope=ld.grad(y, x), train=ld.train_step(y, ld.sgd(1.0))))
    session.write("p", np.array([3.0]))
    at = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(session.slope(x=at), 3 * at**2, rtol=1e-14)
