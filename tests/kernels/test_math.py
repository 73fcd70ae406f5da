"""The runtime's own functions: how far from the truth, and what they give at the edges."""

import numpy as np
import pytest

import lazydiff as ld

N = 1 << 20
WORST_ULP = {"exp": 2, "log": 2, "sqrt": 0.5, "tanh": 1.5, "sigmoid": 1.5}  # float32
FUNCTIONS = {
    "exp": (ld.exp, np.exp),
    "log": (ld.log, np.log),
    "tanh": (ld.tanh, np.tanh),
    "sigmoid": (ld.sigmoid, lambda x: 1 / (1 + np.exp(-x))),
    "sqrt": (ld.sqrt, np.sqrt),
}


def run(function, *arrays):
    dtype = ld.f32 if arrays[0].dtype == np.float32 else ld.f64
    inputs = [ld.input(f"x{i}", a.shape, dtype) for i, a in enumerate(arrays)]
    session = ld.Session(ld.compile(f=function(*inputs)))
    return session.f(**{f"x{i}": a for i, a in enumerate(arrays)})


def ulps(found, truth):
    """Distance in units of the last place of the truth; equal infinities and NaN pairs count 0."""
    with np.errstate(all="ignore"):
        rounded = truth.astype(found.dtype)
        same = (found == rounded) | (np.isnan(found) & np.isnan(rounded))
        spacing = np.spacing(np.abs(rounded)).astype(truth.dtype)
        return np.where(same, 0, np.abs(found.astype(truth.dtype) - truth) / spacing).max()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_float32_is_as_close_as_stated_over_every_exponent(name):
    """Every 4,096th of the 2**32 floats, a different one in each test of the five."""
    function, numpy = FUNCTIONS[name]
    offset = sorted(FUNCTIONS).index(name) * 811
    x = (np.arange(N, dtype=np.uint64) * 4096 + offset).astype(np.uint32).view(np.float32)
    with np.errstate(all="ignore"):
        assert ulps(run(function, x), numpy(x.astype(np.float64))) <= WORST_ULP[name]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_float64_is_as_close_as_stated(name):
    function, numpy = FUNCTIONS[name]
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.normal(size=50000) * s for s in (1e-3, 1.0, 20.0, 300.0)])
    x = np.abs(x) if name in ("log", "sqrt") else x
    with np.errstate(all="ignore"):
        assert ulps(run(function, x), numpy(x.astype(np.longdouble))) <= WORST_ULP[name]


def test_power():
    rng = np.random.default_rng(2)
    a, b = np.exp(rng.normal(size=N // 4) * 8), rng.normal(size=N // 4) * 4
    a32, b32 = a.astype(np.float32), b.astype(np.float32)
    with np.errstate(all="ignore"):
        assert ulps(run(ld.power, a32, b32), a32.astype(np.float64) ** b32.astype(np.float64)) <= 1
        assert ulps(run(ld.power, a, b), a.astype(np.longdouble) ** b.astype(np.longdouble)) <= 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_edges_are_numpys(dtype):
    special = np.array([0.0, -0.0, 1, -1, 2, -2, 3, -3, 0.5, -0.5, np.inf, -np.inf, np.nan, 1e-40, 1e30, -1e30], dtype)
    a, b = (g.reshape(-1) for g in np.meshgrid(special, special))
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(run(ld.power, a, b), np.power(a, b), rtol=1e-6)
        for function, numpy in FUNCTIONS.values():
            np.testing.assert_allclose(run(function, special), numpy(special).astype(dtype), rtol=1e-6)
        for function, numpy in ((ld.maximum, np.maximum), (ld.minimum, np.minimum)):
            np.testing.assert_array_equal(run(function, a, b), numpy(a, b))
    small = np.array([1e-40, -1e-42], dtype)
    np.testing.assert_array_equal(run(lambda x: x * 1.5, small), small * dtype(1.5))  # subnormals are not flushed


def test_the_process_keeps_its_floating_point_mode():
    before = np.float32(1e-40) * np.float32(0.5)
    run(ld.exp, np.ones(3, np.float32))
    assert np.float32(1e-40) * np.float32(0.5) == before > 0
