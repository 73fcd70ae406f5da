"""Every differentiable op, in both modes and to second order, against central differences, in C and in the oracle."""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import lazydiff as ld
from lazydiff.graph.node import OPS
from lazydiff.run.reference import Reference

RNG = np.random.default_rng(7)


def positive(*shape):
    return RNG.uniform(0.5, 2.0, shape)


def normal(*shape):
    return RNG.normal(size=shape)


# name -> (function of the inputs, the inputs' values); several rows may show one op.
CASES = {
    "add": (lambda a, b: a + b, [normal(3, 4), normal(4)]),
    "subtract": (lambda a, b: a - b, [normal(3, 1), normal(3, 4)]),
    "multiply": (lambda a, b: a * b, [normal(3, 4), normal(1, 4)]),
    "divide": (lambda a, b: a / b, [normal(3, 4), positive(3, 4)]),
    "power": (lambda a, b: a**b, [positive(5), normal(5)]),
    "neg": (lambda a: -a, [normal(3)]),
    "exp": (ld.exp, [normal(3)]),
    "log": (ld.log, [positive(3)]),
    "sqrt": (ld.sqrt, [positive(3)]),
    "square": (ld.square, [normal(3)]),
    "tanh": (ld.tanh, [normal(70)]),
    "sigmoid": (ld.sigmoid, [normal(3)]),
    "abs": (abs, [normal(3)]),
    "relu": (ld.relu, [normal(30)]),
    "maximum": (ld.maximum, [normal(30), normal(30)]),
    "minimum": (ld.minimum, [normal(30), normal(30)]),
    "fma": (ld.fma, [normal(3), normal(3), normal(3)]),
    "where": (lambda a, b: ld.where(a > b, a * a, b), [normal(9), normal(9)]),
    "clip": (lambda a: ld.clip(a, -0.5, 0.5), [normal(30)]),
    "astype": (lambda a: ld.astype(ld.astype(a, ld.f64), ld.f64) * a, [normal(3)]),
    "sum": (lambda a: ld.sum(a, axis=(0, 2)), [normal(3, 4, 5)]),
    "sum middle": (lambda a: ld.sum(a, axis=1, keepdims=True) * a, [normal(3, 4, 5)]),
    "mean": (lambda a: ld.mean(a, axis=-1), [normal(3, 4)]),
    "var": (lambda a: ld.var(a, axis=0, ddof=1), [normal(5, 4)]),
    "max": (lambda a: ld.max(a, axis=1), [normal(3, 7)]),
    "min": (lambda a: ld.min(a), [normal(3, 7)]),
    "reshape": (lambda a: a.reshape(2, -1) * a.reshape(2, 6), [normal(3, 4)]),
    "transpose": (lambda a: ld.transpose(a, (1, 2, 0)) * 2, [normal(2, 3, 4)]),
    "broadcast_to": (lambda a: ld.broadcast_to(a, (2, 3, 4)) * 3, [normal(3, 1)]),
    "matmul": (lambda a, b: a @ b, [normal(3, 9), normal(9, 17)]),
    "matmul transposed": (lambda a, b: a.T @ b.T, [normal(9, 3), normal(5, 9)]),
    "matmul vectors": (lambda a, b: a @ b, [normal(9), normal(9)]),
    "matmul batch": (lambda a, b: a @ b, [normal(2, 3, 4), normal(2, 4, 5)]),
    "matmul batch broadcast": (lambda a, b: a @ b, [normal(2, 1, 3, 4), normal(3, 4, 2)]),
    "softmax": (ld.softmax, [normal(3, 5)]),
    "log_softmax": (ld.log_softmax, [normal(3, 5)]),
    "logsumexp": (ld.logsumexp, [normal(3, 5)]),
    "mse": (lambda a, b: ld.mse(a, b * 1), [normal(3, 4), normal(3, 4)]),
    "huber": (lambda a, b: ld.huber(a, b * 1, 0.7), [2 * normal(30), normal(30)]),
}  # fmt: skip
for _path in sorted(Path(__file__).parent.glob("cases_*.py")):  # a family a file
    CASES |= import_module(_path.stem).CASES


def test_every_differentiable_op_has_a_case():
    shown = {name.split()[0] for name in CASES}
    inner = {"conv2d_grad_x", "conv2d_grad_w", "expect"}  # shown by conv2d's second order; expect is the identity
    wanted = {n for n, op in OPS.items() if op.kind in ("elementwise", "linear")}
    assert wanted - inner <= shown


@pytest.mark.parametrize("name", CASES)
def test_both_modes_and_second_order_match_differences(name):
    function, values = CASES[name]
    inputs = [ld.input(f"x{i}", v.shape, ld.f64) for i, v in enumerate(values)]
    y = function(*inputs)
    seed, directions = RNG.normal(size=y.shape), [RNG.normal(size=v.shape) for v in values]
    scalar = (y * y * ld.constant(seed)).sum()
    gradients = ld.grad(scalar, inputs)
    along = sum(
        ((g * ld.constant(d)).sum() for g, d in zip(gradients, directions, strict=True)),
        start=ld.constant(np.float64(0)),
    )
    entry = {"f": scalar * 1, "along": along, "jvp": ld.jvp(scalar, inputs, directions)}
    entry |= {f"h{i}": h for i, h in enumerate(ld.grad(along, inputs))}
    plan = ld.compile(f=entry)
    session = ld.Session(plan)

    def at(shift):
        return session.f(**{f"x{i}": v + shift * d for i, (v, d) in enumerate(zip(values, directions, strict=True))})

    here, step = at(0.0), 1e-5
    numeric = (at(step)["f"] - at(-step)["f"]) / (2 * step)
    np.testing.assert_allclose(here["along"], numeric, rtol=2e-6, atol=1e-7)
    np.testing.assert_allclose(here["jvp"], here["along"], rtol=1e-10, atol=1e-10)
    curvature = sum(float((here[f"h{i}"] * d).sum()) for i, d in enumerate(directions))
    numeric = (at(step)["along"] - at(-step)["along"]) / (2 * step)
    np.testing.assert_allclose(curvature, numeric, rtol=5e-6, atol=1e-6)
    for key, value in Reference(plan).run("f", **{f"x{i}": v for i, v in enumerate(values)}).items():
        np.testing.assert_allclose(here[key], value, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", CASES)
def test_float32_agrees_with_float64(name):
    function, values = CASES[name]
    found = []
    for dtype in (ld.f32, ld.f64):
        if name == "astype" and dtype is ld.f32:
            return
        inputs = [ld.input(f"x{i}", v.shape, dtype) for i, v in enumerate(values)]
        y = function(*inputs)
        gradients = ld.grad((y * y).sum(), inputs)
        plan = ld.compile(f={"y": y} | {f"g{i}": g for i, g in enumerate(gradients)})
        found.append(ld.Session(plan).f(**{f"x{i}": v.astype(dtype.numpy) for i, v in enumerate(values)}))
    for key, value in found[1].items():
        np.testing.assert_allclose(found[0][key], value, rtol=3e-5, atol=3e-5)


def test_edges_follow_numpy_and_torch():
    x = ld.input("x", (4,))
    big = ld.input("big", (1, 3))
    plan = ld.compile(
        f={
            "relu": ld.grad(ld.relu(x).sum(), x),
            "ties": ld.grad(ld.maximum(x, 0.0).sum(), x),
            "clip": ld.grad(ld.clip(x, 0.0, 1.0).sum(), x),
            "masked": ld.grad(ld.where(x > 0, ld.log(ld.where(x > 0, x, 1.0)), 0.0).sum(), x),
            "softmax": ld.softmax(big),
            "lse": ld.logsumexp(big),
        }
    )
    s = ld.Session(plan)
    found = s.f(x=np.array([-1, 0, 1, np.inf], np.float32), big=np.array([[1e30, 0, 1e30]], np.float32))
    np.testing.assert_array_equal(found["relu"], [0, 0, 1, 1])
    np.testing.assert_array_equal(found["ties"], [0, 0.5, 1, 1])
    np.testing.assert_array_equal(found["clip"], [0, 1, 1, 0])
    np.testing.assert_array_equal(found["masked"], [0, 0, 1, 0])
    np.testing.assert_array_equal(found["softmax"], [[0.5, 0, 0.5]])
    np.testing.assert_array_equal(found["lse"], np.array([1e30], np.float32))
    nan = s.f(x=np.full(4, np.nan, np.float32), big=np.full((1, 3), np.nan, np.float32))
    assert np.isnan(nan["softmax"]).all()
    assert np.isnan(nan["lse"]).all()


def test_no_derivative_passes_through_an_integer():
    x = ld.input("x", (4,))
    stairs = ld.astype(ld.astype(x * 3.0, ld.i32), ld.f32)
    found = ld.Session(ld.compile(f={"forward": ld.jvp(stairs, x), "reverse": ld.vjp(stairs, x)})).f()
    np.testing.assert_array_equal(found["forward"], np.zeros(4))
    np.testing.assert_array_equal(found["reverse"], np.zeros(4))


def test_cross_entropy_against_numpy():
    logits, labels = ld.input("z", (5, 4)), ld.input("y", (5,), ld.i32)
    loss = ld.cross_entropy(logits, labels).mean()
    plan = ld.compile(f={"loss": loss, "g": ld.grad(loss, logits)})
    z, y = normal(5, 4).astype(np.float32), np.array([0, 3, 1, 1, 2], np.int32)
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    found = ld.Session(plan).f(z=z, y=y)
    np.testing.assert_allclose(found["loss"], -np.log(p[np.arange(5), y]).mean(), rtol=1e-5)
    np.testing.assert_allclose(found["g"], (p - np.eye(4)[y]) / 5, rtol=1e-4, atol=1e-6)
