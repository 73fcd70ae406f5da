"""The tour's numbers."""

import numpy as np

from lazydiff.examples import gradients


def test_the_seeds_formula():
    found = gradients.seed_formula()
    a, b = 3.0, 2.0
    y = (a * b + a / b) ** 2
    assert found["y"] == y
    np.testing.assert_allclose(found["a"], 2 * (a * b + a / b) * (b + 1 / b), rtol=1e-14)
    np.testing.assert_allclose(found["forward"], found["a"], rtol=1e-14)
    np.testing.assert_allclose(found["b"], 2 * (a * b + a / b) * (a - a / b**2), rtol=1e-14)
    slope = 2 * (b + 1 / b) * (a - a / b**2) + 2 * (a * b + a / b) * (1 - 1 / b**2)
    np.testing.assert_allclose(found["curvature"], slope, rtol=1e-14)
    assert found["absent"] == 0


def test_rosenbrocks_hessian():
    matrix, rows = gradients.rosenbrock_hessian(6)
    x = np.linspace(-1.2, 1.0, 6)
    exact = np.zeros((6, 6))
    for i in range(5):
        exact[i, i] += 1200 * x[i] ** 2 - 400 * x[i + 1] + 2
        exact[i + 1, i + 1] += 200
        exact[i, i + 1] = exact[i + 1, i] = -400 * x[i]
    np.testing.assert_allclose(matrix, exact, rtol=1e-13, atol=1e-11)
    np.testing.assert_allclose(rows, exact, rtol=1e-13, atol=1e-11)


def test_speelpennings_product():
    found = gradients.speelpenning(16)
    assert found["reverse_error"] < 1e-14
    assert found["forward_error"] < 1e-14
    assert found["zero_error"] < 1e-14
    assert 1e-14 < found["differences_error"] < 1e-8
    assert found["reverse_nodes"] < 4 * found["value_nodes"]
    assert found["forward_nodes"] > 4 * found["reverse_nodes"]


def test_the_tour_prints(capsys):
    gradients.main()
    out = capsys.readouterr().out
    assert "Speelpenning" in out
    assert "nan" not in out
