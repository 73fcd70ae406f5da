"""jacobian, hessian and hvp against matrices that numpy makes."""

import numpy as np
import pytest

import lazydiff as ld

RNG = np.random.default_rng(3)


def run(values, **outputs):
    return ld.Session(ld.compile(f=outputs)).arrays("f", **values)


@pytest.mark.parametrize("mode", ["auto", "forward", "reverse"])
def test_jacobian_is_the_matrix_of_a_linear_map_and_of_a_curved_one(mode):
    x, a = ld.input("x", (2, 3), ld.f64), RNG.normal(size=(3, 4))
    values = {"x": RNG.normal(size=(2, 3))}
    j = run(values, j=ld.jacobian(ld.tanh(x @ ld.constant(a)), x, mode))["j"]
    slope = 1 - np.tanh(values["x"] @ a) ** 2
    np.testing.assert_allclose(j, np.einsum("ij,kj,im->ijmk", slope, a, np.eye(2)), atol=1e-12)


def test_jacobian_takes_the_cheaper_mode():
    x = ld.input("x", (6,), ld.f64)
    wide = x @ ld.constant(RNG.normal(size=(6, 2)))
    assert ld.jacobian(ld.tanh(wide), x) is ld.jacobian(ld.tanh(wide), x, "reverse")
    s = ld.input("s", (2,), ld.f64)
    tall = s @ ld.constant(RNG.normal(size=(2, 9)))
    assert ld.jacobian(ld.tanh(tall), s) is ld.jacobian(ld.tanh(tall), s, "forward")


def test_hessian_and_hvp_of_rosenbrock():
    x = ld.input("x", (4,), ld.f64)
    f = (100 * ld.square(x[1:] - ld.square(x[:-1])) + ld.square(1 - x[:-1])).sum()
    at, v = np.array([0.5, -1.2, 0.3, 0.9]), RNG.normal(size=4)
    found = run({"x": at}, h=ld.hessian(f, x), hv=ld.hvp(f, x, v))
    h = np.zeros((4, 4))
    for i in range(3):
        h[i, i] += 1200 * at[i] ** 2 - 400 * at[i + 1] + 2
        h[i + 1, i + 1] += 200
        h[i, i + 1] = h[i + 1, i] = -400 * at[i]
    np.testing.assert_allclose(found["h"], h, rtol=1e-12, atol=1e-10)
    np.testing.assert_allclose(found["hv"], h @ v, rtol=1e-12)
