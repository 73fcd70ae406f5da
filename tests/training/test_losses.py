"""Losses against plain numpy formulas, and at the edges where a formula would overflow or divide by zero."""

import numpy as np
import pytest

import lazydiff as ld
from lazydiff.run.reference import Reference

RNG = np.random.default_rng(5)
Z, LABELS = RNG.normal(size=(5, 4)), np.array([0, 3, 2, 1, 3], np.int32)
SOME = np.array([0, -100, 2, -7, 3], np.int32)  # -7 lies between -100 and the classes: ignored too
VALID = SOME >= 0
WEIGHT = np.array([0.5, 2.0, 1.0, 0.25])
LOGP = Z - np.log(np.exp(Z).sum(1, keepdims=True))
ROWS = np.arange(5)
A, B = RNG.normal(size=(5, 4)), RNG.normal(size=(5, 4))
P, Q = RNG.uniform(0.05, 0.95, (5, 4)), RNG.uniform(0.05, 0.95, (5, 4))
Q[0] = 0, 1, 0, 1
SIGNS = np.sign(A)
R = A - B


def tensor(name, value):
    return ld.input(name, value.shape, ld.i32 if value.dtype == np.int32 else ld.f64)


def value(function, *arrays):
    """The loss of inputs with these values, in C; the numpy runner must agree."""
    inputs = [tensor(f"x{i}", a) for i, a in enumerate(arrays)]
    plan = ld.compile(f={"y": function(*inputs)})
    data = {f"x{i}": a for i, a in enumerate(arrays)}
    found = ld.Session(plan).run("f", **data)
    found = found["y"] if isinstance(found, dict) else found
    np.testing.assert_allclose(found, Reference(plan).run("f", **data)["y"], rtol=1e-12)
    return found


def picked(rows, labels=LABELS):
    return rows[ROWS, labels]


SMOOTH = -0.8 * picked(LOGP) - 0.2 * LOGP.mean(1)
HINGE = np.maximum(0, 1 - picked(Z)[:, None] + Z)
HINGE[ROWS, LABELS] = 0
KEPT = WEIGHT[SOME * VALID] * VALID

# name -> (loss, its inputs, what numpy says)
CASES = {
    "cross_entropy": (ld.cross_entropy, [Z, LABELS], -picked(LOGP)),
    "cross_entropy mean": (lambda z, y: ld.cross_entropy(z, y, reduction="mean"), [Z, LABELS], -picked(LOGP).mean()),
    "cross_entropy sum": (lambda z, y: ld.cross_entropy(z, y, reduction="sum"), [Z, LABELS], -picked(LOGP).sum()),
    "cross_entropy smooth": (lambda z, y: ld.cross_entropy(z, y, 0.2), [Z, LABELS], SMOOTH),
    "cross_entropy soft": (ld.cross_entropy, [Z, Q], -(Q * LOGP).sum(1)),
    "cross_entropy soft smooth": (
        lambda z, y: ld.cross_entropy(z, y, 0.2, weight=WEIGHT, reduction="mean"),
        [Z, Q],
        -(WEIGHT * (0.8 * Q + 0.05) * LOGP).sum(1).mean(),
    ),
    "cross_entropy ignore": (
        lambda z, y: ld.cross_entropy(z, y, ignore_index=-100, reduction="mean"),
        [Z, SOME],
        -(picked(LOGP, SOME * VALID) * VALID).sum() / 3,
    ),
    "cross_entropy ignore a class": (
        lambda z, y: ld.cross_entropy(z, y, ignore_index=3),
        [Z, LABELS],
        np.where(LABELS == 3, 0, -picked(LOGP)),
    ),
    "cross_entropy ignore above": (
        lambda z, y: ld.cross_entropy(z, y, ignore_index=255),
        [Z, np.array([0, 255, 2, 1, 255], np.int32)],
        [1, 0, 1, 1, 0] * -picked(LOGP),
    ),
    "cross_entropy weight": (
        lambda z, y: ld.cross_entropy(z, y, weight=WEIGHT, reduction="mean"),
        [Z, LABELS],
        -(WEIGHT[LABELS] * picked(LOGP)).sum() / WEIGHT[LABELS].sum(),
    ),
    "cross_entropy smooth weight ignore": (
        lambda z, y: ld.cross_entropy(z, y, 0.2, -100, WEIGHT, "mean"),
        [Z, SOME],
        -(0.8 * (KEPT * picked(LOGP, SOME * VALID)).sum() + 0.2 * (LOGP * WEIGHT).mean(1)[VALID].sum()) / KEPT.sum(),
    ),
    "nll": (ld.nll, [Z, LABELS], -picked(Z)),
    "nll mean": (
        lambda p, y: ld.nll(p, y, -100, WEIGHT, "mean"),
        [Z, SOME],
        -(KEPT * picked(Z, SOME * VALID)).sum() / KEPT.sum(),
    ),
    "hinge": (ld.hinge, [Z, SIGNS], np.maximum(0, 1 - SIGNS * Z).mean()),
    "hinge classes": (ld.hinge, [Z, LABELS], HINGE.sum(1).mean() / 4),
    "mse": (ld.mse, [A, B], (R**2).mean()),
    "mse none": (lambda a, b: ld.mse(a, b, "none"), [A, B], R**2),
    "mae": (ld.mae, [A, B], np.abs(R).mean()),
    "huber": (
        lambda a, b: ld.huber(a, b, 0.7, "sum"),
        [A, B],
        np.where(np.abs(R) <= 0.7, R**2 / 2, 0.7 * (np.abs(R) - 0.35)).sum(),
    ),
    "smooth_l1": (
        lambda a, b: ld.smooth_l1(a, b, 0.7),
        [A, B],
        np.where(np.abs(R) < 0.7, R**2 / 1.4, np.abs(R) - 0.35).mean(),
    ),
    "smooth_l1 at beta 0": (lambda a, b: ld.smooth_l1(a, b, 0.0), [A, B], np.abs(R).mean()),
    "bce": (ld.bce, [P, Q], -(Q * np.log(P) + (1 - Q) * np.log(1 - P)).mean()),
    "bce_with_logits": (
        lambda z, t: ld.bce_with_logits(z, t, WEIGHT, "none"),
        [A, Q],
        Q * WEIGHT * np.logaddexp(0, -A) + (1 - Q) * np.logaddexp(0, A),
    ),
    "kl_div": (
        lambda p, t: ld.kl_div(p, t, reduction="none"),
        [LOGP, Q],
        np.where(Q > 0, Q * (np.log(np.where(Q > 0, Q, 1)) - LOGP), 0),
    ),
    "kl_div log_target": (lambda p, t: ld.kl_div(p, t, True), [LOGP, A], (np.exp(A) * (A - LOGP)).mean()),
    "cosine_similarity": (
        ld.cosine_similarity,
        [A, B],
        (A * B).sum(1) / np.linalg.norm(A, axis=1) / np.linalg.norm(B, axis=1),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_loss_is_its_formula(name):
    function, arrays, expected = CASES[name]
    np.testing.assert_allclose(value(function, *arrays), expected, rtol=1e-11, atol=1e-14)


def found(**entry):
    plan = ld.compile(f=entry)
    out = ld.Session(plan).run("f")
    return out if isinstance(out, dict) else {next(iter(entry)): out}


def test_a_batch_whose_rows_are_all_ignored_has_no_mean_and_moves_nothing():
    z = ld.param("z", Z)
    none = np.full(5, -100, np.int32)
    rows = ld.cross_entropy(z, none, ignore_index=-100)
    out = found(
        rows=rows,
        mean=ld.cross_entropy(z, none, ignore_index=-100, reduction="mean"),
        sum=ld.cross_entropy(z, none, ignore_index=-100, reduction="sum"),
        gradient=ld.grad(rows.sum(), z),
    )
    assert np.isnan(out["mean"])
    assert out["sum"] == 0
    np.testing.assert_array_equal(out["rows"], np.zeros(5))
    np.testing.assert_array_equal(out["gradient"], np.zeros((5, 4)))


def test_huge_and_infinite_logits():
    z = ld.param("z", np.array([[1e30, -1e30, 0.0], [-np.inf, 0.0, 0.0]], np.float32))
    loss = ld.cross_entropy(z, np.array([0, 1], np.int32))
    out = found(loss=loss, gradient=ld.grad(loss.sum(), z))
    np.testing.assert_allclose(out["loss"], [0, np.log(2)], rtol=1e-6)
    np.testing.assert_allclose(out["gradient"], [[0, 0, 0], [0, -0.5, 0.5]], atol=1e-7)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bce_with_logits_is_accurate_for_logits_of_any_size(dtype):
    z = np.array([-1e30, -1000, -40, -15, -1e-3, 0, 1e-3, 15, 40, 1000, 1e30], dtype)
    logits = ld.param("z", z)
    for t in (0.0, 1.0):
        loss = ld.bce_with_logits(logits, np.full(11, t, dtype), reduction="none")
        out = found(loss=loss, gradient=ld.grad(loss.sum(), logits))
        away = (z if t == 0 else -z).astype(np.float64)
        with np.errstate(over="ignore"):
            slope = (1 if t == 0 else -1) / (1 + np.exp(-away))
        tolerance = 5e-7 if dtype is np.float32 else 1e-14
        tiny = np.finfo(dtype).tiny
        np.testing.assert_allclose(out["loss"], np.logaddexp(0, away), rtol=tolerance, atol=tiny)
        np.testing.assert_allclose(out["gradient"], slope, rtol=tolerance, atol=tiny)


def test_bce_at_probabilities_of_zero_and_one():
    p = ld.param("p", np.array([0, 1, 0, 1, 0.5, np.nan], np.float32))
    loss = ld.bce(p, np.array([0, 1, 1, 0, 1, 1], np.float32), "none")
    out = found(loss=loss, gradient=ld.grad(loss.sum(), p))
    np.testing.assert_allclose(out["loss"], [0, 0, 100, 100, np.log(2), np.nan], rtol=1e-6)
    np.testing.assert_allclose(out["gradient"][:5], [1, -1, 0, 0, -2], rtol=1e-6)


def test_the_divergence_of_a_distribution_from_itself_is_zero_even_where_it_is_zero():
    p = ld.param("p", np.array([0, 0.25, 0.75], np.float32))
    with np.errstate(divide="ignore"):
        logp = np.log(np.array([0, 0.25, 0.75], np.float32))
    loss = ld.kl_div(ld.constant(logp), p, reduction="sum")
    out = found(loss=loss, gradient=ld.grad(loss, p))
    np.testing.assert_allclose(out["loss"], 0, atol=1e-7)
    np.testing.assert_allclose(out["gradient"], [0, 1, 1], rtol=1e-6)


def test_a_zero_vector_is_similar_to_nothing():
    a, b = ld.param("a", np.zeros((1, 3), np.float32)), ld.param("b", np.array([[3, 0, 4]], np.float32))
    similarity = ld.cosine_similarity(a, b)
    out = found(s=similarity, ga=ld.grad(similarity.sum(), a), gb=ld.grad(similarity.sum(), b))
    np.testing.assert_array_equal(out["s"], [0])
    np.testing.assert_allclose(out["ga"], np.array([[3, 0, 4]]) / 5e-8, rtol=1e-5)  # b / (|b| eps)
    np.testing.assert_array_equal(out["gb"], np.zeros((1, 3)))


def test_labels_and_targets_that_are_inputs_are_checked():
    z, y = ld.input("z", (5, 4)), ld.input("y", (5,), ld.i32)
    session = ld.Session(ld.compile(f=ld.cross_entropy(z, y, ignore_index=-100)))
    session.f(z=Z.astype(np.float32), y=SOME)
    for wrong in (4, -101):
        with pytest.raises(ld.InputError, match="y"):
            session.f(z=Z.astype(np.float32), y=np.array([0, 1, wrong, 2, 3], np.int32))
    t = ld.input("t", (5, 4))
    for loss in (ld.cross_entropy(z, t), ld.bce_with_logits(z, t), ld.mae(z, t)):
        session = ld.Session(ld.compile(f=loss))
        with pytest.raises(ld.InputError, match="t"):
            session.f(z=Z.astype(np.float32), t=np.full((5, 4), np.nan, np.float32))


def test_labels_may_be_computed():
    z = ld.input("z", (5, 4), ld.f64)
    session = ld.Session(ld.compile(f=ld.cross_entropy(z, ld.argmax(z))))
    np.testing.assert_allclose(session.f(z=Z), -LOGP.max(1), rtol=1e-12)


@pytest.mark.parametrize(
    ("error", "make"),
    [
        (ld.GraphError, lambda z: ld.cross_entropy(z, np.array([0, 1, 4, 0, 0], np.int32))),
        (ld.GraphError, lambda z: ld.cross_entropy(z, LABELS, label_smoothing=1.5)),
        (ld.GraphError, lambda z: ld.cross_entropy(z, LABELS, reduction="average")),
        (ld.DtypeError, lambda z: ld.cross_entropy(z, z * 1, ignore_index=0)),
        (ld.ShapeError, lambda z: ld.cross_entropy(z, LABELS, weight=np.ones(3))),
        (ld.ShapeError, lambda z: ld.cross_entropy(z, LABELS[:4])),
        (ld.DtypeError, lambda z: ld.nll(z, np.ones(5))),
        (ld.ShapeError, lambda z: ld.hinge(z, np.ones(4))),
        (ld.ShapeError, lambda z: ld.kl_div(z, np.ones(4), log_target=True)),
        (ld.ShapeError, lambda z: ld.mae(z, 0.0)),
        (ld.GraphError, lambda z: ld.huber(z, z * 1, 0.0)),
        (ld.GraphError, lambda z: ld.smooth_l1(z, z * 1, -1.0)),
    ],
)
def test_what_makes_no_sense_is_refused(error, make):
    with pytest.raises(error, match=r"test_losses\.py"):
        make(ld.input("z", (5, 4)))
