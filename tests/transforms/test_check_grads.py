"""check_grads passes right derivatives, names wrong ones, and runs the plan that a device would."""

import numpy as np
import pytest

import lazydiff as ld

RNG = np.random.default_rng(5)


def test_right_derivatives_pass_in_both_modes_to_third_order():
    ld.check_grads(lambda a, b: ld.tanh(a @ b) * ld.exp(a.sum()), [RNG.normal(size=(2, 3)), RNG.normal(size=(3, 2))], 3)


@pytest.mark.parametrize("mode", ["fwd", "rev"])
def test_a_wrong_first_derivative_is_named(mode):
    f = ld.custom_derivative(ld.exp, vjp=lambda ct, y, x: ct * y * 1.001)
    with pytest.raises(ld.GradientError, match="order 1"):
        ld.check_grads(f, [RNG.normal(size=3)], modes=[mode])


def test_a_wrong_second_derivative_is_named():
    f = ld.custom_derivative(ld.exp, vjp=lambda ct, y, x: ct * ld.stop_gradient(y))
    ld.check_grads(f, [RNG.normal(size=3)], order=1)
    with pytest.raises(ld.GradientError, match="order 2"):
        ld.check_grads(f, [RNG.normal(size=3)], order=2)


def graph():
    x, y = ld.input("x", (4, 5)), ld.input("y", (4,), ld.i32)
    w = ld.param("w", RNG.normal(size=(5, 3)).astype(np.float32))
    return ld.cross_entropy(ld.tanh(x @ w), y).mean(), {"x": RNG.normal(size=(4, 5)), "y": np.array([0, 2, 1, 1])}


def test_a_graph_is_checked_with_its_parameters_on_the_plan_of_a_device():
    loss, values = graph()
    ld.check_grads(loss, values, dtype=ld.f32, ram="8 KiB")
    with pytest.raises(ld.BudgetError):
        ld.check_grads(loss, values, dtype=ld.f32, ram=400)


def test_a_wrong_rule_is_found_in_float32_too():
    loss, values = graph()
    bent = ld.custom_derivative(lambda a: a * a, jvp=lambda t, y, a: t[0] * a * 2.1)
    with pytest.raises(ld.GradientError, match="f32 plan"):
        ld.check_grads(bent(loss), values, order=1, dtype=ld.f32)


def test_bad_calls():
    with pytest.raises(ld.GraphError, match="modes"):
        ld.check_grads(ld.exp, [np.ones(3)], modes=["backward"])
    with pytest.raises(ld.GraphError, match="dict by name"):
        ld.check_grads(graph()[0], [np.ones(3)])
    with pytest.raises(ld.GraphError, match="nothing to differentiate"):
        ld.check_grads(lambda i: ld.astype(i, ld.f32) * 2, [np.arange(3)])


def test_a_parameter_may_be_named_out_or_like_an_input():
    x, same, out = ld.input("x", (3,), ld.f64), ld.param("x", np.ones(3)), ld.param("out", np.full(3, 2.0))
    ld.check_grads((ld.exp(x * same) * out).sum(), {"x": RNG.normal(size=3)}, order=1)
