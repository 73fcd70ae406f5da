"""Normalisation and attention against plain numpy formulas, running statistics, and rows in which nothing is seen."""

import numpy as np
import pytest

import lazydiff as ld
from lazydiff.run.reference import Reference

RNG = np.random.default_rng(6)
X, G, B = 2 + 3 * RNG.normal(size=(3, 4, 5, 6)), RNG.normal(size=6), RNG.normal(size=6)


def value(function, *arrays):
    """The tensor of inputs with these values, in C; the numpy runner must agree."""
    inputs = [ld.input(f"x{i}", a.shape, ld.bool_ if a.dtype == bool else ld.f64) for i, a in enumerate(arrays)]
    plan = ld.compile(f={"y": function(*inputs)})
    data = {f"x{i}": a for i, a in enumerate(arrays)}
    found = ld.Session(plan).run("f", **data)
    found = found["y"] if isinstance(found, dict) else found
    np.testing.assert_allclose(found, Reference(plan).run("f", **data)["y"], rtol=1e-11, atol=1e-11)
    return found


def standard(x, axes, eps=1e-5):
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


GROUPS = standard(X.reshape(3, 20, 2, 3), (1, 3)).reshape(X.shape)
MEAN, VAR = RNG.normal(size=6), RNG.uniform(0.5, 2, 6)
SQUARES = np.sqrt((X**2).mean(-1, keepdims=True) + np.finfo(np.float64).eps)

# name -> (function, its inputs, what numpy says)
CASES = {
    "batch_norm_inference": (
        ld.batch_norm_inference,
        [X, G, B, MEAN, VAR],
        (X - MEAN) / np.sqrt(VAR + 1e-5) * G + B,
    ),
    "batch_norm_inference first": (
        lambda x, m, v: ld.batch_norm_inference(x, None, None, m, v, 0.1, axis=0),
        [X, MEAN[:3], VAR[:3]],
        (X - MEAN[:3].reshape(3, 1, 1, 1)) / np.sqrt(VAR[:3].reshape(3, 1, 1, 1) + 0.1),
    ),
    "layer_norm": (ld.layer_norm, [X, G, B], standard(X, -1) * G + B),
    "layer_norm plain": (lambda x: ld.layer_norm(x, axis=(1, 2, 3), eps=0.1), [X], standard(X, (1, 2, 3), 0.1)),
    "layer_norm bias": (lambda x, b: ld.layer_norm(x, None, b), [X, B], standard(X, -1) + B),
    "group_norm": (lambda x, g, b: ld.group_norm(x, 2, g, b), [X, G, B], GROUPS * G + B),
    "group_norm of one": (lambda x: ld.group_norm(x, 1), [X], standard(X, (1, 2, 3))),
    "instance_norm": (ld.instance_norm, [X, G, B], standard(X, (1, 2)) * G + B),
    "rms_norm": (ld.rms_norm, [X, G], X / SQUARES * G),
    "rms_norm eps": (
        lambda x: ld.rms_norm(x, axis=(1, 2), eps=0.5),
        [X],
        X / np.sqrt((X**2).mean((1, 2), keepdims=True) + 0.5),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_normalisation_is_its_formula(name):
    function, arrays, expected = CASES[name]
    np.testing.assert_allclose(value(function, *arrays), expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("axis", [-1, 1])
def test_batch_norm_normalises_by_the_batch_and_moves_the_running_statistics(axis):
    channels = X.shape[axis]
    others = tuple(a for a in range(4) if a != axis % 4)
    shape = tuple(-1 if a == axis % 4 else 1 for a in range(4))
    mean, var = ld.state("mean", np.zeros(channels)), ld.state("var", np.ones(channels))
    scale, bias = ld.param("scale", np.full(channels, 2.0)), ld.param("bias", np.full(channels, 0.5))
    y, pairs = ld.batch_norm(ld.input("x", X.shape, ld.f64), scale, bias, mean, var, 0.2, 1e-3, axis)
    plan = ld.compile(train=ld.train_step((y * y).mean(), ld.sgd(0.1), outputs={"y": y}, updates=pairs))
    expected_mean, expected_var = np.zeros(channels), np.ones(channels)
    count = X.size // channels
    for runner in (ld.Session(plan), Reference(plan)):
        expected_mean, expected_var = np.zeros(channels), np.ones(channels)
        factor, shift = 2.0, 0.5
        for step in range(3):
            x = X * (1 + step)
            normal = standard(x, others, 1e-3)
            out = runner.run("train", x=x)
            expected = normal * np.reshape(factor, shape if step else ()) + np.reshape(shift, shape if step else ())
            np.testing.assert_allclose(out["y"], expected, rtol=1e-11, atol=1e-11)
            factor = factor - 0.1 * (2 * expected * normal).sum(others) / X.size
            shift = shift - 0.1 * (2 * expected).sum(others) / X.size
            expected_mean = 0.8 * expected_mean + 0.2 * x.mean(others)
            expected_var = 0.8 * expected_var + 0.2 * x.var(others) * count / (count - 1)
        np.testing.assert_allclose(runner.read("mean"), expected_mean, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(runner.read("var"), expected_var, rtol=1e-12)
        np.testing.assert_allclose(runner.read("scale"), factor, rtol=1e-11)
        np.testing.assert_allclose(runner.read("bias"), shift, rtol=1e-11)


def attention(q, k, v, mask=None, causal=False, scale=None):
    scores = q @ np.swapaxes(k, -1, -2) * (q.shape[-1] ** -0.5 if scale is None else scale)
    if mask is not None:
        scores = np.where(mask, scores, -np.inf) if mask.dtype == bool else scores + mask
    if causal:
        scores = np.where(np.tri(*scores.shape[-2:], dtype=bool), scores, -np.inf)
    top = scores.max(-1, keepdims=True)
    p = np.exp(scores - np.where(np.isinf(top), 0, top))
    total = p.sum(-1, keepdims=True)
    return p / np.where(total == 0, 1, total) @ v


Q, K, V = RNG.normal(size=(2, 3, 4, 8)), RNG.normal(size=(2, 3, 5, 8)), RNG.normal(size=(2, 3, 5, 6))
SEEN = RNG.random((4, 5)) < 0.6
SEEN[1] = False
ADDED = np.where(SEEN, RNG.normal(size=(4, 5)), -np.inf)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("mask", [None, SEEN, np.broadcast_to(SEEN, (2, 1, 4, 5)), ADDED])
def test_attention_is_its_formula(mask, causal):
    expected = attention(Q, K, V, mask, causal, 0.3)
    found = value(lambda q, k, v: ld.scaled_dot_product_attention(q, k, v, mask, causal, 0.3), Q, K, V)
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)
    if mask is not None:
        np.testing.assert_array_equal(found[:, :, 1], np.zeros((2, 3, 6)))  # the query that sees no key


def test_leading_axes_of_attention_broadcast_and_need_not_be_there():
    found = value(ld.scaled_dot_product_attention, Q, K[0, 0], V[:1])
    np.testing.assert_allclose(found, attention(Q, K[0, 0], V[:1]), rtol=1e-11, atol=1e-12)
    found = value(ld.scaled_dot_product_attention, Q[0, 0], K[0, 0], V[0, 0])
    np.testing.assert_allclose(found, attention(Q[0, 0], K[0, 0], V[0, 0]), rtol=1e-11, atol=1e-12)


def test_a_mask_may_be_an_input_and_a_query_without_keys_has_no_gradient():
    q, k, v = (ld.param(n, a) for n, a in zip("qkv", (Q, K, V), strict=True))
    seen = ld.input("seen", (4, 5), ld.bool_)
    y = ld.scaled_dot_product_attention(q, k, v, seen)
    session = ld.Session(
        ld.compile(f={"y": y} | {f"g{n}": g for n, g in zip("qkv", ld.grad(y.sum(), [q, k, v]), strict=True)})
    )
    out = session.f(seen=SEEN)
    np.testing.assert_allclose(out["y"], attention(Q, K, V, SEEN), rtol=1e-11, atol=1e-12)
    np.testing.assert_array_equal(out["gq"][:, :, 1], np.zeros((2, 3, 8)))
    assert all(np.isfinite(out[g]).all() for g in ("gq", "gk", "gv"))
    out = session.f(seen=np.zeros((4, 5), bool))
    assert not any(out[n].any() for n in ("y", "gq", "gk", "gv"))


def test_attention_copies_no_operand_and_needs_one_buffer_of_scores():
    q, k, v = (ld.input(n, a.shape) for n, a in zip("qkv", (Q, K, V), strict=True))
    plan = ld.compile(f=ld.scaled_dot_product_attention(q, k, v, causal=True))
    assert not any(s.label == "copy" for s in plan.entry("f").steps)


def test_softmax_at_infinity():
    x = ld.param("x", np.array([[-np.inf] * 3, [-np.inf, 0, 0], [np.inf, 0, 0]], np.float32))
    out = ld.Session(ld.compile(f={"s": ld.softmax(x), "l": ld.log_softmax(x)})).f()
    np.testing.assert_array_equal(out["s"][1], [0, 0.5, 0.5])
    np.testing.assert_allclose(out["l"][1], [-np.inf, -np.log(2), -np.log(2)], rtol=1e-6)
    assert np.isnan(out["s"][0]).all()
    assert np.isnan(out["l"][0]).all()
    assert np.isnan(out["s"][2, 0])


@pytest.mark.parametrize(
    ("error", "make"),
    [
        (ld.ShapeError, lambda x: ld.batch_norm(x, np.ones(3), None, ld.state("m", [0.0]), ld.state("v", [1.0]))),
        (ld.ShapeError, lambda x: ld.batch_norm(x, None, None, ld.state("m", [0.0]), ld.state("v", [1.0]))),
        (ld.ShapeError, lambda x: ld.batch_norm(ld.input("one", (1, 2)), None, None, x, x)),
        (ld.ShapeError, lambda x: ld.layer_norm(x, np.ones(3))),
        (ld.ShapeError, lambda x: ld.layer_norm(x, axis=4)),
        (ld.ShapeError, lambda x: ld.group_norm(x, 4)),
        (ld.ShapeError, lambda x: ld.instance_norm(ld.input("two", (2, 3)))),
        (ld.GraphError, lambda x: ld.rms_norm(x, eps=-1.0)),
        (ld.DtypeError, lambda x: ld.layer_norm(ld.input("n", (3,), ld.i32))),
        (ld.DtypeError, lambda x: ld.batch_norm(x, None, None, ld.state("m", np.zeros(6)), ld.state("v", np.ones(6)))),
        (ld.DtypeError, lambda x: ld.layer_norm(x, ld.param("p", np.ones(6)))),
        (ld.ShapeError, lambda x: ld.scaled_dot_product_attention(x, x, ld.input("v", (3, 4, 4, 6)))),
        (ld.ShapeError, lambda x: ld.scaled_dot_product_attention(x, x, x, np.ones((2, 3, 4, 5, 5), bool))),
    ],
)
def test_what_makes_no_sense_is_refused(error, make):
    with pytest.raises(error, match=r"test_norms\.py"):
        make(ld.input("x", (3, 4, 5, 6)))
