"""Each optimizer against a plain loop in float64, its bytes, and schedules against their formulas."""

import numpy as np
import pytest

import lazydiff as ld
from lazydiff.frontend.training import parameters
from lazydiff.plan.model import Kind, Region
from lazydiff.run.reference import Reference

RNG = np.random.default_rng(11)
X, T = RNG.normal(size=(4, 100)), RNG.normal(size=(4, 5))
W, B = 0.3 * RNG.normal(size=(100, 5)), RNG.normal(size=5)


def loop(rule, rates=(0.1,) * 5, decay=0.0):
    """Five steps of `rule(w, g, state, rate, t) -> w` on mse(X @ w + b, T); `decay` is added to the gradient."""
    values, states = {"w": W.copy(), "b": B.copy()}, {"w": {}, "b": {}}
    for t, rate in enumerate(rates, 1):
        error = 2 * (X @ values["w"] + values["b"] - T) / T.size
        gradients = {"w": X.T @ error, "b": error.sum(0)}
        for k, g in gradients.items():
            values[k] = rule(values[k], g + decay * values[k], states[k], rate, t)
    return values


def network(dtype=np.float64):
    kind = ld.f64 if dtype is np.float64 else ld.f32
    w, b = ld.param("w", W.astype(dtype)), ld.param("b", B.astype(dtype))
    return ld.mse(ld.input("x", X.shape, kind) @ w + b, ld.input("t", T.shape, kind))


def trained(optimizer, dtype=np.float64, runner=ld.Session, steps=5):
    plan = ld.compile(train=ld.train_step(network(dtype), optimizer))
    session = runner(plan)
    for _ in range(steps):
        session.run("train", x=X.astype(dtype), t=T.astype(dtype))
    return {k: session.read(k) for k in ("w", "b")}


def sgd(momentum, nesterov=False):
    def rule(w, g, s, rate, t):
        s["m"] = momentum * s.get("m", 0) + g
        return w - rate * (momentum * s["m"] + g if nesterov else s["m"])

    return rule


def adam(decoupled=0.0, b1=0.9, b2=0.999, eps=1e-8):
    def rule(w, g, s, rate, t):
        s["m"], s["v"] = b1 * s.get("m", 0) + (1 - b1) * g, b2 * s.get("v", 0) + (1 - b2) * g * g
        w = w * (1 - rate * decoupled)
        return w - rate * (s["m"] / (1 - b1**t)) / (np.sqrt(s["v"] / (1 - b2**t)) + eps)

    return rule


def rmsprop(momentum=0.0, centered=False, a=0.99, eps=1e-8):
    def rule(w, g, s, rate, t):
        s["v"], s["g"] = a * s.get("v", 0) + (1 - a) * g * g, a * s.get("g", 0) + (1 - a) * g
        s["b"] = momentum * s.get("b", 0) + g / (np.sqrt(s["v"] - (s["g"] ** 2 if centered else 0)) + eps)
        return w - rate * s["b"]

    return rule


def adagrad(w, g, s, rate, t):
    s["s"] = s.get("s", 0.3) + g * g
    return w - rate * g / (np.sqrt(s["s"]) + 1e-10)


def lion(decay=0.0):
    def rule(w, g, s, rate, t):
        m = s.get("m", 0)
        s["m"] = 0.99 * m + 0.01 * g
        return w - rate * (np.sign(0.9 * m + 0.1 * g) + decay * w)

    return rule


def clipped(rule, limit):
    return lambda w, g, s, rate, t: rule(w, np.clip(g, -limit, limit), s, rate, t)


# name -> (optimizer, the same as a plain loop)
CASES = {
    "sgd": (ld.sgd(0.1), lambda: loop(sgd(0))),
    "sgd decay": (ld.sgd(0.1, weight_decay=0.2), lambda: loop(sgd(0), decay=0.2)),
    "sgd momentum": (ld.sgd(0.1, momentum=0.9), lambda: loop(sgd(0.9))),
    "sgd nesterov": (ld.sgd(0.1, momentum=0.9, nesterov=True), lambda: loop(sgd(0.9, True))),
    "adam": (ld.adam(0.1), lambda: loop(adam())),
    "adam betas": (ld.adam(0.1, 0.0, 0.5, 1e-3), lambda: loop(adam(0, 0.0, 0.5, 1e-3))),
    "adam without second memory": (ld.adam(0.1, 0.5, 0.0, 0.5), lambda: loop(adam(0, 0.5, 0.0, 0.5))),
    "adam decay": (ld.adam(0.1, weight_decay=0.2), lambda: loop(adam(), decay=0.2)),
    "adamw": (ld.adamw(0.1, weight_decay=0.2), lambda: loop(adam(0.2))),
    "rmsprop": (ld.rmsprop(0.1), lambda: loop(rmsprop())),
    "rmsprop momentum": (ld.rmsprop(0.1, momentum=0.5), lambda: loop(rmsprop(0.5))),
    "rmsprop centered": (ld.rmsprop(0.1, momentum=0.5, centered=True), lambda: loop(rmsprop(0.5, True))),
    "adagrad": (ld.adagrad(0.1, initial_accumulator=0.3), lambda: loop(adagrad)),
    "lion": (ld.lion(0.1), lambda: loop(lion())),
    "lion decay": (ld.lion(0.1, weight_decay=0.2), lambda: loop(lion(0.2))),
    "clip_by_value lion": (ld.clip_by_value(ld.lion(0.1), 0.05), lambda: loop(clipped(lion(), 0.05))),
    "clip_by_value": (ld.clip_by_value(ld.adam(0.1), 0.05), lambda: loop(clipped(adam(), 0.05))),
}


@pytest.mark.parametrize("name", CASES)
def test_five_steps_equal_the_plain_loop(name):
    optimizer, expected = CASES[name]
    for runner in (ld.Session, Reference):
        found = trained(optimizer, runner=runner)
        for k, value in expected().items():
            np.testing.assert_allclose(found[k], value, rtol=1e-12, atol=1e-12)
    assert np.abs(found["w"] - W).max() > 1e-3


@pytest.mark.parametrize("name", CASES)
def test_no_optimizer_keeps_a_gradient_of_a_dense_weight(name):
    """The update eats the product that makes the gradient in tiles, and has the bits of an update that does not."""
    optimizer, weights = CASES[name][0], []
    loss = network(np.float32)
    w = next(p for p in parameters(loss) if p.name == "w")
    for outputs in ({}, {"g": ld.grad(loss, w)}):
        plan = ld.compile(train=ld.train_step(loss, optimizer, outputs=outputs))
        session = ld.Session(plan)
        for _ in range(3):
            session.run("train", x=X.astype(np.float32), t=T.astype(np.float32))
        weights.append(session.read("w").tobytes())
        tiled = any(s.tile_rows for s in plan.entry("train").steps)
        assert tiled == (not outputs)
        if not outputs:  # w has 2,000 bytes; scratch, tile and activations have less
            assert max(b.size_bytes for b in plan.buffers if b.kind == Kind.WORK) <= 1024
    assert weights[0] == weights[1]


def test_the_bias_corrections_are_computed_once_for_all_parameters():
    def steps(count):
        x = ld.input("x", (4, 5))
        weights = [ld.param(f"w{i}", np.full((5, 60), 0.1 * (i + 1), np.float32)) for i in range(count)]
        loss = sum((ld.square(x @ w).mean() for w in weights[1:]), start=ld.square(x @ weights[0]).mean())
        return ld.compile(train=ld.train_step(loss, ld.adam(ld.exponential_decay(0.1, 0.5, 3)))).entry("train").steps

    def scalars(count):
        return sum(s.kernel == 1 and s.program.elements == 1 and "expm1" in s.label for s in steps(count))

    assert scalars(1) == scalars(4) > 0
    assert sum(bool(s.tile_rows) for s in steps(4)) == 4


def test_clip_by_global_norm_scales_all_gradients_together():
    gradients = {}

    def spy(w, g, s, rate, t):
        gradients[w.shape] = g
        return w - rate * g

    loop(spy, (0.1,))
    norm = np.sqrt(sum((g * g).sum() for g in gradients.values()))
    for limit in (0.5 * norm, 2 * norm):
        found = trained(ld.clip_by_global_norm(ld.sgd(0.1), float(limit)), steps=1)
        scale = min(1, limit / norm)
        np.testing.assert_allclose(found["w"], W - 0.1 * scale * gradients[W.shape], rtol=1e-12)
        np.testing.assert_allclose(found["b"], B - 0.1 * scale * gradients[B.shape], rtol=1e-12)
    still = ld.param("w", np.ones(3, np.float32))
    plan = ld.compile(
        train=ld.train_step((still * ld.input("x", (3,))).sum(), ld.clip_by_global_norm(ld.sgd(1.0), 1.0))
    )
    session = ld.Session(plan)
    session.train(x=np.zeros(3, np.float32))
    np.testing.assert_array_equal(session.read("w"), np.ones(3))  # gradients of 0 stay 0


def test_no_decay_spares_the_parameters_that_match():
    found = trained(ld.adamw(0.1, weight_decay=0.2, no_decay=["b"]))
    np.testing.assert_allclose(found["w"], trained(ld.adamw(0.1, weight_decay=0.2))["w"], atol=0.1)
    error = 2 * (X @ W + B - T) / T.size
    one = trained(ld.sgd(0.1, weight_decay=0.2, no_decay=["b*"]), steps=1)
    np.testing.assert_allclose(one["w"], W - 0.1 * (X.T @ error + 0.2 * W), rtol=1e-12)
    np.testing.assert_allclose(one["b"], B - 0.1 * error.sum(0), rtol=1e-12)


SCHEDULES = {
    "constant": (ld.constant_schedule(0.3), lambda t: 0.3),
    "linear": (ld.linear_schedule(0.0, 0.2, 4), lambda t: 0.2 * min(t, 4) / 4),
    "step": (ld.step_decay(0.2, 0.5, 3), lambda t: 0.2 * 0.5 ** (t // 3)),
    "exponential": (ld.exponential_decay(0.2, 0.5, 3), lambda t: 0.2 * 0.5 ** (t / 3)),
    "cosine": (
        ld.cosine_decay(0.2, 6, 0.1),
        lambda t: 0.2 * (0.1 + 0.9 * (1 + np.cos(np.pi * min(t, 6) / 6)) / 2),
    ),
    "join": (
        ld.join_schedules([ld.linear_schedule(0.0, 0.2, 2), ld.exponential_decay(0.2, 0.5, 3)], [2]),
        lambda t: 0.1 * t if t < 2 else 0.2 * 0.5 ** ((t - 2) / 3),
    ),
    "piecewise": (
        ld.piecewise_constant([0.1, 0.05, 0.01], [2, 4]),
        lambda t: 0.1 if t < 2 else 0.05 if t < 4 else 0.01,
    ),
    "own": (lambda step: 0.1 / ld.sqrt(step + 1.0), lambda t: 0.1 / np.sqrt(t + 1)),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_follows_its_formula(name):
    schedule, formula = SCHEDULES[name]
    step = ld.input("step", (), ld.f64)
    session = ld.Session(ld.compile(f=schedule(step) + 0 * step))
    for t in range(9):
        np.testing.assert_allclose(session.f(step=np.float64(t)), formula(t), rtol=1e-14)


@pytest.mark.parametrize("name", SCHEDULES)
def test_an_optimizer_counts_its_updates_for_a_schedule(name):
    schedule, formula = SCHEDULES[name]
    rates = [formula(t) for t in range(5)]
    for optimizer, rule in (
        (ld.sgd(schedule, momentum=0.9), sgd(0.9)),
        (ld.adamw(schedule, weight_decay=0.2), adam(0.2)),
    ):
        found = trained(optimizer)
        for k, value in loop(rule, rates).items():
            np.testing.assert_allclose(found[k], value, rtol=1e-12, atol=1e-12)


def test_a_staircase_falls_exactly_at_its_steps_in_float32():
    step = ld.input("step", (), ld.f32)
    session = ld.Session(ld.compile(f=ld.step_decay(1.0, 0.5, 3)(step) * 1.0))
    for stair in [*range(1, 15), 100_000, 1_000_001]:
        before, after = (session.f(step=np.float32(3 * stair + d)) for d in (-1, 0))
        assert before == pytest.approx(2.0 ** (1 - stair), rel=1e-4)
        assert after == pytest.approx(2.0**-stair, rel=1e-4)


def test_a_learning_rate_can_be_an_input():
    rate = ld.input("rate", ())
    w = ld.param("w", W.astype(np.float64))
    plan = ld.compile(train=ld.train_step(ld.square(w).sum(), ld.adam(rate)))
    session = ld.Session(plan)
    session.train(rate=np.float32(0.25))
    np.testing.assert_allclose(session.read("w"), W - 0.25 * np.sign(W), atol=1e-3)


def test_a_parameter_without_a_gradient_is_left_alone():
    x, used, unused = ld.input("x", (3,), ld.f64), ld.param("used", np.ones(3)), ld.param("unused", np.ones(3))
    loss = (x * used + ld.stop_gradient(unused)).sum()
    step = ld.train_step(
        loss, ld.adamw(0.1, weight_decay=0.5), outputs={"other": ld.param("elsewhere", np.ones(3)) * 1}
    )
    assert {leaf.name for leaf, _ in step.updates} == {"used", "used.m", "used.v", "adamw.step"}
    plan = ld.compile(train=step)
    region = {b.label: b.region for b in plan.buffers}
    assert region["unused"] == region["elsewhere"] == Region.CONST
    with pytest.raises(ld.GraphError, match="derivative is zero for every parameter"):
        ld.train_step(ld.stop_gradient(loss), ld.sgd(0.1))


@pytest.mark.parametrize(
    ("error", "make"),
    [
        (ld.GraphError, lambda: ld.adam(float("nan"))),
        (ld.GraphError, lambda: ld.adam(0.1, b1=1.0)),
        (ld.GraphError, lambda: ld.sgd(0.1, momentum=-1.0)),
        (ld.GraphError, lambda: ld.clip_by_value(ld.sgd(0.1), 0.0)),
        (ld.GraphError, lambda: ld.clip_by_global_norm(ld.sgd(0.1), float("nan"))),
        (ld.GraphError, lambda: ld.step_decay(0.1, 0.5, 0)),
        (ld.GraphError, lambda: ld.exponential_decay(0.1, -0.5, 2)),
        (ld.GraphError, lambda: ld.piecewise_constant([0.1, 0.2], [3, 4])),
        (ld.GraphError, lambda: ld.piecewise_constant([0.1, 0.2, 0.3], [4, 3])),
        (ld.ShapeError, lambda: ld.lion(ld.input("rates", (2,)))),
        (ld.ShapeError, lambda: ld.train_step(network(), ld.sgd(lambda step: ld.broadcast_to(step, (2,))))),
    ],
)
def test_what_makes_no_sense_is_refused(error, make):
    with pytest.raises(error, match=r"test_optimizers\.py"):
        make()
