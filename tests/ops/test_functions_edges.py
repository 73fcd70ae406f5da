"""Functions and activations where they could go wrong: infinities, huge arguments, kinks, ties."""

import numpy as np
import pytest
from scipy import special

import lazydiff as ld

INF, NAN = np.inf, np.nan
HUGE = 3e38


def value_and_slope(function, x, dtype=np.float32):
    """The function's values and derivatives at x, elementwise."""
    x = np.asarray(x, dtype)
    t = ld.input("x", x.shape, ld.f32 if dtype is np.float32 else ld.f64)
    y = function(t)
    found = ld.Session(ld.compile(f={"y": y, "slope": ld.vjp(y, t, np.ones(x.shape, dtype))})).run("f", x=x)
    return found["y"], found["slope"]


def both(function, a, b):
    a, b = np.asarray(a, np.float32), np.asarray(b, np.float32)
    ta, tb = ld.input("a", a.shape), ld.input("b", b.shape)
    y = function(ta, tb)
    ones = np.ones(a.shape, np.float32)
    plan = ld.compile(f={"y": y, "da": ld.vjp(y, ta, ones), "db": ld.vjp(y, tb, ones)})
    found = ld.Session(plan).run("f", a=a, b=b)
    return found["y"], found["da"], found["db"]


# name: (the function, its formula in float64, value and slope at -inf, at inf)
ACTIVATIONS = {
    "softplus": (ld.softplus, lambda x: np.logaddexp(0, x), (0, 0), (INF, 1)),
    "log_sigmoid": (ld.log_sigmoid, special.log_expit, (-INF, 1), (0, 0)),
    "softsign": (ld.softsign, lambda x: x / (1 + np.abs(x)), (-1, 0), (1, 0)),
    "silu": (ld.silu, lambda x: x * special.expit(x), (0, 0), (INF, 1)),
    "gelu": (ld.gelu, lambda x: x * special.ndtr(x), (0, 0), (INF, 1)),
    "gelu tanh": (
        lambda x: ld.gelu(x, "tanh"),
        lambda x: x * special.expit(2 * np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)),
        (0, 0),
        (INF, 1),
    ),
    "mish": (ld.mish, lambda x: x * np.tanh(np.logaddexp(0, x)), (0, 0), (INF, 1)),
    "relu6": (ld.relu6, lambda x: np.clip(x, 0, 6), (0, 0), (6, 0)),
    "leaky_relu": (ld.leaky_relu, lambda x: np.where(x > 0, x, 0.01 * x), (-INF, 0.01), (INF, 1)),
    "elu": (ld.elu, lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))), (-1, 0), (INF, 1)),
    "celu": (
        lambda x: ld.celu(x, 2.0),
        lambda x: np.where(x > 0, x, 2 * np.expm1(np.minimum(x, 0) / 2)),
        (-2, 0),
        (INF, 1),
    ),
    "selu": (
        ld.selu,
        lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0))),
        (-1.7580993408473766, 0),
        (INF, 1.0507009873554805),
    ),
    "hardtanh": (ld.hardtanh, lambda x: np.clip(x, -1, 1), (-1, 0), (1, 0)),
    "hardsigmoid": (ld.hardsigmoid, lambda x: np.clip((x + 3) / 6, 0, 1), (0, 0), (1, 0)),
    "hardswish": (ld.hardswish, lambda x: x * np.clip((x + 3) / 6, 0, 1), (0, 0), (INF, 1)),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_is_its_formula_and_its_limits_at_the_ends(name):
    function, formula, low, high = ACTIVATIONS[name]
    x = np.linspace(-30, 30, 601)
    np.testing.assert_allclose(value_and_slope(function, x, np.float64)[0], formula(x), rtol=1e-13, atol=1e-15)
    y, slope = value_and_slope(function, [-INF, INF, -HUGE, HUGE, -1000, 1000])
    np.testing.assert_allclose([y[0], slope[0]], low, rtol=1e-6)
    np.testing.assert_allclose([y[1], slope[1]], high, rtol=1e-6)
    np.testing.assert_allclose(slope[2:], [low[1], high[1]] * 2, rtol=1e-6, atol=1e-6)
    assert not np.isnan(y).any()
    y, slope = value_and_slope(function, [NAN])
    assert np.isnan(y).all()


@pytest.mark.parametrize(
    ("function", "at", "slopes"),
    [  # torch's derivatives at the kinks
        (ld.relu6, [0, 6, 3], [0, 0, 1]),
        (ld.hardtanh, [-1, 1, 0], [0, 0, 1]),
        (ld.leaky_relu, [0, -1, 1], [0.01, 0.01, 1]),
        (lambda x: ld.elu(x, 0.7), [0], [0.7]),
        (lambda x: ld.celu(x, 0.7), [0], [1]),
        (ld.selu, [0], [1.0507009873554805 * 1.6732632423543772]),
        (ld.hardsigmoid, [-3, 3, 0], [0, 0, 1 / 6]),
        (ld.hardswish, [-3, 3, 0], [0, 1, 0.5]),
        (ld.softsign, [0], [1]),
        (ld.softplus, [0], [0.5]),
    ],
)
def test_derivatives_at_kinks(function, at, slopes):
    np.testing.assert_allclose(value_and_slope(function, at)[1], slopes, rtol=1e-6)


def test_logaddexp_of_infinities_and_ties():
    a, b = [-INF, INF, -INF, 5, 1000, 0], [-INF, INF, 5, INF, 1000, -1000]
    y, da, db = both(ld.logaddexp, a, b)
    np.testing.assert_allclose(y, np.logaddexp(np.float32(a), np.float32(b)), rtol=1e-6)
    np.testing.assert_array_equal(da, [0.5, 0.5, 0, 0, 0.5, 1])
    np.testing.assert_array_equal(db, [0.5, 0.5, 1, 1, 0.5, 0])


def test_the_origin_of_hypot_and_atan2_has_slope_zero():
    for function in (ld.hypot, ld.atan2):
        y, da, db = both(function, [0.0, 3e30, 3e-30], [0.0, 4e30, 4e-30])
        assert y[0] == da[0] == db[0] == 0
        assert np.isfinite(y).all()
        assert (np.abs(da[1:]) > 0).all()
        assert np.isfinite(da).all()


def test_lerp_meets_both_ends_exactly():
    a, b = [0.1, 1e8, -3], [1e8, 0.1, 7]
    for weight, end in ((0.0, a), (1.0, b)):
        found = both(lambda x, y, w=weight: ld.lerp(x, y, w), a, b)[0]
        np.testing.assert_array_equal(found, np.float32(end))


def test_logic_takes_numbers_and_truths_as_numpy_does():
    a, b = (g.reshape(-1) for g in np.meshgrid(np.float32([0, -0.0, 1, -2, NAN]), np.float32([0, 3, NAN])))
    x, y = ld.input("x", a.shape), ld.input("y", b.shape)
    names = ["logical_and", "logical_or", "logical_xor"]
    outputs = {n: getattr(ld, n)(x, y) for n in names} | {"not": ld.logical_not(x)}
    outputs |= {f"{n} bools": getattr(ld, n)(x > 0, ld.logical_not(y > 0)) for n in names}
    outputs |= {"isnan": ld.isnan(x), "isfinite": ld.isfinite(x / y)}
    found = ld.Session(ld.compile(f=outputs)).run("f", x=a, y=b)
    for n in names:
        np.testing.assert_array_equal(found[n], getattr(np, n)(a, b))
        np.testing.assert_array_equal(found[f"{n} bools"], getattr(np, n)(a > 0, ~(b > 0)))
    np.testing.assert_array_equal(found["not"], np.logical_not(a))
    np.testing.assert_array_equal(found["isnan"], np.isnan(a))
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(found["isfinite"], np.isfinite(a / b))
    assert all(v.dtype == bool for v in found.values())


def test_gelu_refuses_an_unknown_approximation():
    with pytest.raises(ld.GraphError, match="approximate"):
        ld.gelu(ld.input("x", (2,)), approximate="erf")
