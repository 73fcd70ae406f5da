"""The PINN example: its numbers as a user gets them, and the size of what it compiles."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import lazydiff as ld
from lazydiff.examples import pinn
from lazydiff.graph.walk import topological

BUDGETS = Path(__file__).parents[1] / "budgets.toml"


@pytest.fixture(scope="module")
def figures():
    command = [sys.executable, "-m", "lazydiff.examples.pinn", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_burgers_is_solved_to_two_percent(figures):
    assert set(figures) == {"burgers_0.1", "poisson"}
    burgers = figures["burgers_0.1"]
    assert burgers["error"] <= 2e-2 < burgers["error_after_adam"]
    assert burgers["evaluations"] <= 2 * pinn.ITERATIONS


def test_poisson_is_solved_to_a_thousandth(figures):
    assert figures["poisson"]["error"] <= 1e-3


def test_the_graphs_and_their_ram_stay_small():
    most = tomllib.loads(BUDGETS.read_text())["pinn"]
    for name, problem in {"burgers": pinn.burgers(0.1 / np.pi), "poisson": pinn.poisson()}.items():
        assert problem.nodes <= most[f"{name}_nodes_most"]
        assert problem.plan.ram_bytes <= most[f"{name}_ram_most"]
        assert problem.compile_seconds <= most["compile_seconds_most"]


def products(*outputs):
    return sum(n.op.name == "matmul" for n in topological(outputs))


def test_each_order_of_a_derivative_costs_one_product_a_layer():
    net = pinn.Mlp(2, 20, 4, ld.f64)
    x, t = (ld.input(n, (8, 1), ld.f64) for n in "xt")
    u = net(x, t)
    assert products(u) == 4
    assert products(u, ld.derivative(u, x)) == 8
    assert products(u, ld.derivative(u, x), ld.derivative(u, x, 2)) == 12
    assert products(pinn.burgers_residual(net, x, t, 0.1)) == 16  # u, u_x, u_xx, u_t
    residual = ld.square(pinn.burgers_residual(net, x, t, 0.1)).mean()
    assert products(residual, ld.grad(residual, net.parameters)) <= 3 * 16  # each product's two transposes


def test_the_compiled_gradient_is_the_derivative_of_the_loss():
    net = pinn.Mlp(2, 5, 2, ld.f64)
    x, t = (ld.input(n, (4, 1), ld.f64) for n in "xt")
    loss = ld.square(pinn.burgers_residual(net, x, t, 0.1)).mean()
    rng = np.random.default_rng(0)
    ld.check_grads(loss, {"x": rng.uniform(-1, 1, (4, 1)), "t": rng.uniform(0, 1, (4, 1))}, order=1, ram="32 KiB")


@pytest.mark.parametrize("nu", [0.1 / np.pi, 0.01 / np.pi])
def test_cole_hopf_satisfies_burgers_and_its_border(nu):
    rng = np.random.default_rng(1)
    x, t, h = rng.uniform(-0.9, 0.9, 50), rng.uniform(0.1, 0.9, 50), 1e-4

    def u(dx, dt):
        return pinn.cole_hopf(x + dx, t + dt, nu)

    u_t, u_x = (u(0, h) - u(0, -h)) / (2 * h), (u(h, 0) - u(-h, 0)) / (2 * h)
    u_xx = (u(h, 0) - 2 * u(0, 0) + u(-h, 0)) / h**2
    np.testing.assert_allclose(u_t + u(0, 0) * u_x, nu * u_xx, atol=2e-3 * max(1, abs(nu * u_xx).max()))
    np.testing.assert_allclose(pinn.cole_hopf(x, np.zeros(50), nu), -np.sin(np.pi * x))
    np.testing.assert_allclose(pinn.cole_hopf(np.array([-1.0, 1.0]), np.full(2, 0.5), nu), 0, atol=1e-12)
    np.testing.assert_allclose(pinn.cole_hopf(-x, t, nu), -pinn.cole_hopf(x, t, nu), atol=1e-11)
    np.testing.assert_allclose(pinn.cole_hopf(x, t, nu, 70), pinn.cole_hopf(x, t, nu), atol=1e-6)
