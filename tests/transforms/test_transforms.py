"""jacobian, hessian, hvp, linearize, derivative, custom_derivative, no_derivative: against numpy and each other."""

from itertools import pairwise

import numpy as np
import pytest

import lazydiff as ld
from lazydiff.graph.walk import topological

RNG = np.random.default_rng(3)


def run(values, **outputs):
    return ld.Session(ld.compile(f=outputs)).f(**values)


def net(x, width=8, depth=3):
    sizes = [1, *[width] * depth, 1]
    for n, (a, b) in enumerate(pairwise(sizes)):
        x = x @ ld.constant(RNG.normal(size=(a, b)))
        x = x if n == depth else ld.tanh(x)
    return x


def test_linearize_is_jvp():
    x, z = ld.input("x", (3,), ld.f64), ld.input("z", (3,), ld.f64)
    y = ld.exp(x) * z
    linear = ld.linearize(y, [x, z])
    assert linear(np.ones(3), np.arange(3.0)) is ld.jvp(y, [x, z], [np.ones(3), np.arange(3.0)])
    with pytest.raises(ld.GraphError, match="2 tangents"):
        linear(np.ones(3))


@pytest.mark.parametrize("order", range(1, 6))
def test_taylor_derivatives_equal_nested_forward_mode(order):
    x = ld.input("x", (7, 1), ld.f64)
    y = net(x) / (2 + x * x) + ld.exp(-x) * ld.sigmoid(x) ** 3 + ld.where(x > 0, ld.sqrt(x * x + 1), x)
    nested = y
    for _ in range(order):
        nested = ld.jvp(nested, x)
    found = run({"x": RNG.normal(size=(7, 1))}, taylor=ld.derivative(y, x, order), nested=nested)
    np.testing.assert_allclose(found["taylor"], found["nested"], rtol=1e-9, atol=1e-9 * abs(found["nested"]).max())


def test_a_derivative_of_order_n_costs_n_products_a_layer():
    x = ld.input("x", (7, 1), ld.f64)
    y = net(x, depth=4)
    for order in (1, 2, 3, 4, 5):
        graph = topological([y, ld.derivative(y, x, order)])
        products = sum(n.op.name == "matmul" for n in graph)
        assert products <= 5 * (order + 1)
        assert len(graph) <= 34 * order + 12 + 8 * order * order  # quadratic in the order, not exponential


def test_derivatives_of_known_functions():
    x = ld.input("x", (5,), ld.f64)
    at = RNG.uniform(0.5, 2, 5)
    found = run(
        {"x": at},
        exp=ld.derivative(ld.exp(2 * x), x, 6),
        log=ld.derivative(ld.log(x), x, 4),
        power=ld.derivative(x**7.0, x, 3),
        none=ld.derivative(x * 3 + 1, x, 2),
        zero=ld.derivative(x, x, 0),
        direction=ld.derivative(x * x, x, 1, np.full(5, 3.0)),
        nested=ld.derivative(ld.derivative(x**3.0, x), x),
    )
    np.testing.assert_allclose(found["exp"], 64 * np.exp(2 * at))
    np.testing.assert_allclose(found["log"], -6 / at**4)
    np.testing.assert_allclose(found["power"], 210 * at**4)
    np.testing.assert_array_equal(found["none"], np.zeros(5))
    np.testing.assert_array_equal(found["zero"], at)
    np.testing.assert_allclose(found["direction"], 6 * at)
    np.testing.assert_allclose(found["nested"], 6 * at)


@pytest.mark.parametrize("rule", ["jvp", "vjp"])
def test_a_custom_rule_serves_both_modes_and_second_order(rule):
    def clipped(x, k):
        return ld.minimum(x * k, 1.0)

    if rule == "jvp":
        f = ld.custom_derivative(clipped, jvp=lambda t, y, x, k: t[0] * x * 2 + t[1] * k)
    else:
        f = ld.custom_derivative(clipped, vjp=lambda ct, y, x, k: (ct * x * 2, ct * k))
    x, k = ld.input("x", (3,), ld.f64), ld.input("k", (3,), ld.f64)
    y = f(ld.exp(x), k)
    values = {"x": RNG.normal(size=3), "k": RNG.normal(size=3)}
    gx, gk = ld.grad(y.sum(), [x, k])
    found = run(
        values, y=y, gx=gx, gk=gk, forward=ld.jvp(y, [x, k]), second=ld.grad(gx.sum(), x), taylor=ld.derivative(y, x, 2)
    )
    e = np.exp(values["x"])
    np.testing.assert_allclose(found["y"], np.minimum(e * values["k"], 1))
    np.testing.assert_allclose(found["gx"], 2 * e * e)
    np.testing.assert_allclose(found["gk"], values["k"])
    np.testing.assert_allclose(found["forward"], 2 * e * e + values["k"])
    np.testing.assert_allclose(found["second"], 4 * e * e)
    np.testing.assert_allclose(found["taylor"], 4 * e * e)


def test_a_custom_rule_must_be_linear_and_fit():
    x = ld.input("x", (3,), ld.f64)
    bent = ld.custom_derivative(lambda x: x, jvp=lambda t, y, x: t[0] * t[0])
    with pytest.raises(ld.GraphError, match="linear"):
        ld.grad(bent(x).sum(), x)
    wide = ld.custom_derivative(lambda x: x, vjp=lambda ct, y, x: ct.sum())
    with pytest.raises(ld.GraphError, match="goes"):
        ld.grad(wide(x).sum(), x)
    with pytest.raises(ld.GraphError, match="jvp= or vjp="):
        ld.custom_derivative(lambda x: x)


@pytest.mark.parametrize("transform", [lambda y, x: ld.grad(y.sum(), x), ld.jvp])
def test_every_missing_derivative_is_named_when_the_graph_is_compiled(transform):
    x = ld.input("x", (3,), ld.f64)
    y = ld.no_derivative(x, "it is quantised") + ld.no_derivative(ld.exp(x))
    found = transform(y, x)
    ld.compile(f=y)
    with pytest.raises(ld.GraphError) as error:
        ld.compile(f=found)
    text = str(error.value)
    assert text.count("test_transforms.py:") == 2
    assert "it is quantised" in text
    assert "stop_gradient" in text


def test_a_gradient_for_three_of_a_hundred_parameters_builds_the_shared_path_only():
    x = ld.input("x", (1, 4))
    ws = [ld.param(f"w{n}", RNG.normal(size=(4, 4)).astype(np.float32)) for n in range(100)]
    h = x
    for w in ws:
        h = ld.tanh(h @ w)
    loss = h.sum()
    forward = {id(n) for n in topological([loss])}

    def built(wrt):
        before = ld.grad(loss, wrt)
        return [n for n in topological(before) if id(n) not in forward]

    some, every = built([ws[10], ws[50], ws[90]]), built(ws)
    products = [n for n in some if n.op.name == "matmul"]
    assert len(products) == 3 + 89  # three weights' gradients, and the path from the loss down to layer 10
    assert len([n for n in every if n.op.name == "matmul"]) == 100 + 99
    assert len(some) < len(every)


def test_partials_that_are_not_asked_for_are_never_built():
    asked = []
    f = ld.custom_derivative(lambda a, b: a * b, vjp=lambda ct, y, a, b: (asked.append(1), (ct * b, ct * a))[1])
    x = ld.input("x", (3,), ld.f64)
    f(x, x)
    assert not asked
    a, b = ld.input("a", (3,), ld.f64), ld.input("b", (3,), ld.f64)
    names = [n.op.name for n in topological([ld.grad((a**b).sum(), a)])]
    assert "log" not in names


def test_a_structural_zero_is_no_node():
    x, z = ld.input("x", (3,), ld.f64), ld.input("z", (3,), ld.f64)
    names = [n.op.name for n in topological([ld.jvp(ld.exp(x) + ld.exp(z) * z, x)])]
    assert names.count("multiply") == 1  # exp(x) * tangent, which is one


def test_substitute_replaces_all_at_once():
    x, z, k = (ld.input(n, (3,), ld.f64) for n in "xzk")
    y = ld.exp(x) * z
    assert ld.substitute(y, [x, z], [z, x]) is ld.exp(z) * x
    assert ld.substitute(y, [ld.exp(x), k], [x, z]) is x * z
    assert ld.substitute(y, k, x) is y
    with pytest.raises(ld.ShapeError, match="can't stand for"):
        ld.substitute(y, x, ld.input("v", (4,), ld.f64))


@pytest.mark.parametrize("transform", [ld.jvp, lambda y, x: ld.vjp(y, x)], ids=["forward", "reverse"])
def test_derivatives_point_at_the_line_of_what_they_differentiate(transform):
    x = ld.input("x", (3,), ld.f64)
    y = ld.sigmoid(x)
    found = transform(y, x)
    slope = next(n for n in topological([found]) if n.op.name == "multiply")
    assert slope.source == y.source
