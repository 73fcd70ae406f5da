"""Micro-batches: the same values up to the order of sums, exactly in the stated order, or a reason why not."""

import numpy as np
import pytest

import lazydiff as ld
from lazydiff.frontend.training import Step
from lazydiff.graph.node import OPS
from lazydiff.passes.batch_rules import RULES
from lazydiff.passes.split_batch import can_split, split
from lazydiff.run.reference import Reference

N = 6
rng = np.random.default_rng(0)


def p(name, *shape):
    return ld.param(name, np.random.default_rng(len(name) + sum(shape)).normal(size=shape).astype(np.float32) * 0.3)


def mlp(x):
    h = ld.relu(ld.reshape(x, (N, -1)) @ p("w1", 64, 7) + p("b1", 7))
    return h @ p("w2", 7, 4)


def cnn(x):
    h = ld.conv2d(ld.reshape(x, (N, 8, 8, 1)), p("k1", 3, 3, 1, 4), padding=1) + p("kb", 4)
    h = ld.max_pool2d(ld.relu(h), 2)
    h = ld.relu(ld.conv2d(h, p("k2", 3, 3, 1, 4), padding="same", stride=2, groups=4))
    h = ld.avg_pool2d(ld.conv_transpose2d(h, p("k3", 2, 2, 3, 4), stride=2), 2)
    return ld.reshape(h, (N, -1)) @ p("head", h.size // N, 4)


def normed(x):
    h = ld.layer_norm(ld.reshape(x, (N, 8, 8)) @ p("in", 8, 6), p("scale", 6), p("shift", 6))
    h = ld.gelu(ld.rms_norm(h, p("rms", 6)))
    return ld.group_norm(h[:, :, None], 2).mean((1, 2)) @ p("out", 6, 4)


def attention(x):
    h = ld.reshape(x, (N, 8, 8))
    q, k, v = (ld.transpose(ld.reshape(h @ p(n, 8, 8), (N, 8, 2, 4)), (0, 2, 1, 3)) for n in ("q", "kk", "vvv"))
    scores = ld.tril(q @ ld.transpose(k, (0, 1, 3, 2))) / 2.0
    mixed = ld.transpose(ld.softmax(scores) @ v, (0, 2, 1, 3)).reshape(N, 8, 8)
    return ld.cumsum(h + mixed, 1)[:, -1] @ p("out", 8, 4)


def tied(x):
    """One matrix in three products, one of them of its transpose; and sequences ahead of the batch."""
    w = p("w", 8, 8)
    h = ld.tanh(ld.transpose(ld.reshape(x, (N, 8, 8)), (1, 0, 2)).reshape(-1, 8) @ w) @ w.T
    return (ld.reshape(h, (8, N, 8)) @ w).mean(0)[:, :4] + p("bias", 4)


def dropped(x):
    key = ld.random_key("key", 7)
    h = ld.dropout(ld.relu(ld.reshape(x, (N, 64)) @ p("w1", 64, 7)), 0.5, key)
    return h @ p("w2", 7, 4)


NETS = {f.__name__: f for f in (mlp, cnn, normed, attention, tied, dropped)}


def step_of(net, optimizer=None, **options):
    x, y = ld.input("x", (N, 64)), ld.input("y", (N,), ld.i32)
    logits = net(x)
    loss = ld.cross_entropy(logits, y).mean()
    return ld.train_step(loss, optimizer or ld.sgd(0.5), outputs={"logits": logits}, **options)


def trained(step, inputs, steps=2):
    """Every output of some steps, and every parameter and state after them."""
    plan = ld.compile(train=step)
    session = ld.Session(plan)
    outs = [session.arrays("train", **inputs) for _ in range(steps)]
    return outs, {s.name: session.read(s.name) for s in plan.state}


def batch():
    return {"x": rng.normal(size=(N, 64)).astype(np.float32), "y": rng.integers(0, 4, N).astype(np.int32)}


@pytest.mark.parametrize("parts", [2, 4, N])
@pytest.mark.parametrize("name", NETS)
def test_a_split_step_trains_like_the_whole_one(name, parts):
    inputs = batch()
    whole, arrays = trained(step_of(NETS[name]), inputs)
    outs, found = trained(step_of(NETS[name], micro_batches=parts), inputs)
    for a, b in zip(whole, outs, strict=True):
        for k in a:
            np.testing.assert_allclose(a[k], b[k], rtol=1e-4, atol=1e-5, err_msg=k)
    for k in arrays:
        np.testing.assert_allclose(arrays[k], found[k], rtol=1e-4, atol=1e-5, err_msg=k)


def whole_numbers(n=8):
    """A step whose sums are exact: small whole numbers, a loss that is a polynomial of them."""
    x, t = ld.input("x", (n, 5), ld.f64), ld.input("t", (n, 3), ld.f64)
    w1, w2 = (ld.param(k, np.arange(a * b).reshape(a, b) % 5 - 2.0) for k, a, b in (("w1", 5, 4), ("w2", 4, 3)))
    h = ld.relu(x @ w1 + ld.param("b", np.array([1.0, -1.0, 0.0, 2.0])))
    return ld.train_step(((h @ w2 - t) * (h @ w2)).sum() / 8.0, ld.sgd(1.0, momentum=0.5)), n


@pytest.mark.parametrize("parts", [2, 3, 8])
def test_where_sums_are_exact_a_split_step_has_the_same_bits(parts):
    step, n = whole_numbers()
    draw = np.random.default_rng(5)
    inputs = {"x": draw.integers(-3, 4, (n, 5)).astype(float), "t": draw.integers(-3, 4, (n, 3)).astype(float)}
    whole = trained(step, inputs, 1)
    found = trained(split_step(step, parts), inputs, 1)
    for a, b in zip((whole[0][0], whole[1]), (found[0][0], found[1]), strict=True):
        for k in a:
            assert np.array_equal(a[k], b[k]), k


def split_step(step, parts):
    return Step(step.outputs, step.updates, parts)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_order_of_summation_is_the_one_stated(momentum):
    """A float32 model of the order: one sum a micro-batch, added up in order, each in its kernel's order."""
    n, parts = 7, 3
    x, y = ld.input("x", (n, 3)), ld.input("y", (n, 2))
    w = ld.param("w", np.zeros((3, 2), np.float32))
    draw = np.random.default_rng(3)
    optimizer = ld.sgd(1.0, momentum=momentum)
    session = ld.Session(ld.compile(train=ld.train_step(-((x @ w) * y).sum(), optimizer, micro_batches=parts)))
    at, velocity = np.zeros((3, 2), np.float32), np.zeros((3, 2), np.float32)
    for _ in range(3):
        xs, ys = (draw.normal(size=(n, c)).astype(np.float32) for c in (3, 2))
        session.train(x=xs, y=ys)
        total = None
        for rows in (slice(0, 3), slice(3, 5), slice(5, 7)):
            part = np.zeros((3, 2), np.float32)
            for a, b in zip(xs[rows], -ys[rows], strict=True):  # matmul_tn: k ascending, one fma a term
                part = fused(a[:, None], b[None], part)
            if total is None and momentum:
                part = fused(np.float32(momentum), velocity, part)
            total = part if total is None else total + part
        velocity, at = total, at - total
        assert np.array_equal(session.read("w"), at)


def fused(a, b, c):
    """a * b + c, rounded once: a product of two float32 is exact in float64, its sum with a third nearly always."""
    return (np.float64(a) * np.float64(b) + c).astype(np.float32)


def test_all_runtimes_agree_on_a_split_step():
    plan = ld.compile(train=step_of(cnn, ld.adam(0.01), micro_batches=4))
    inputs = batch()
    a, b = ld.Session(plan).arrays("train", **inputs), Reference(plan).run("train", **inputs)
    np.testing.assert_allclose(a["logits"], b["logits"], rtol=1e-5, atol=1e-6)


# ------------------------------------------------------------------------------------------------------------ refusals


def loss_step(loss):
    return ld.train_step(loss, ld.sgd(0.1), micro_batches=2)


def normalised(x):
    running = (ld.state(k, np.zeros(4, np.float32)) for k in ("mean", "var"))
    y, _ = ld.batch_norm(x @ p("w", 64, 4), p("s", 4), p("o", 4), *running)
    return (y * y).sum()


def contrastive(x):
    z = x @ p("w", 64, 4)
    return -ld.log_softmax(z @ z.T).sum()


REFUSED = {
    "batch statistics": (normalised, "of the whole batch"),
    "every sample against every other": (contrastive, "pairs each sample"),
    "a softmax over the batch": (
        lambda x: (ld.softmax(x @ p("w", 64, 4), 0) ** 2).sum(),
        "max is taken over the batch",
    ),
    "a running sum over the batch": (lambda x: (ld.cumsum(x @ p("w", 64, 4), 0) ** 2).sum(), "running sum"),
    "neighbours in the batch": (lambda x: ((x @ p("w", 64, 4))[1:] ** 2).sum(), "slice picks"),
    "a batch in pairs": (lambda x: (x @ p("w", 64, 4)).reshape(2, 3, 4).max(1).sum(), "cuts the batch"),
    "samples picked by number": (lambda x: (ld.take(x @ p("w", 64, 4), [0, 2], 0) ** 2).sum(), "take picks"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_step_whose_samples_meet_is_refused_with_the_reason_and_the_line(name):
    net, why = REFUSED[name]
    step = loss_step(net(ld.input("x", (N, 64))))
    with pytest.raises(ld.GraphError, match=why) as caught:
        ld.compile(train=step)
    assert "test_split_batch.py:" in str(caught.value)
    assert why in can_split(step.roots)


def test_micro_batches_are_a_number_of_samples():
    step = step_of(mlp)
    roots = step.roots
    assert can_split(roots) is None
    for parts in (0, N + 1, True, 2.0):
        with pytest.raises(ld.GraphError, match=r"1 \.\. 6 go"):
            split(roots, parts)
    with pytest.raises(ld.GraphError, match="positive integer"):
        step_of(mlp, micro_batches=0)
    with pytest.raises(ld.GraphError, match="no batch to split"):
        split([ld.input("x", (1, 3)) * 2.0], 2)
    with pytest.raises(ld.GraphError, match="inputs are x, y"):
        split(roots, 2, ["z"])


def test_inputs_that_are_no_batch_can_be_named():
    x, weights = ld.input("x", (4, 4)), ld.input("weights", (4,))
    loss = (x @ p("w", 4, 4) * weights).sum()
    (found,) = split([loss], 2, ["x"])
    assert found is not loss
    with pytest.raises(ld.GraphError, match="two different axes"):
        split([loss], 2)


def test_every_op_without_a_rule_is_a_leaf_or_is_gone_by_then():
    gone = {"stop_gradient", "custom", "no_derivative"}  # simplify takes them away
    free = {"uniform", "next_key"}  # their key never depends on a batch
    later = {"unpool_grad_w", "unpool_grad_x"}  # passes/unpool.py makes them of what is split already
    without = {n for n, op in OPS.items() if op.opcode is None and op.expansion is None and op.kind != "leaf"} - set(
        RULES
    )
    assert without == gone | free | later
