"""Losses, normalisation, attention, recurrent cells and optimizers against torch, values and gradients in float64."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import lazydiff as ld

torch.set_num_threads(1)
RNG = np.random.default_rng(9)
Z, LABELS = RNG.normal(size=(6, 4)), np.array([0, 3, -100, 1, 3, 2], np.int32)
GOOD = np.where(LABELS < 0, 1, LABELS).astype(np.int32)
WEIGHT = RNG.uniform(0.2, 2, 4)
P, Q = RNG.uniform(0.05, 0.95, (6, 4)), RNG.uniform(0.05, 0.95, (6, 4))
A, B = RNG.normal(size=(6, 4)), RNG.normal(size=(6, 4))
LOG = np.log(P / P.sum(1, keepdims=True))
IMAGES, G, S = RNG.normal(size=(3, 4, 5, 6)), RNG.normal(size=6), RNG.normal(size=6)
QUERY, KEY, VALUE = RNG.normal(size=(2, 3, 4, 8)), RNG.normal(size=(2, 3, 5, 8)), RNG.normal(size=(2, 3, 5, 8))
SEEN = RNG.random((4, 5)) < 0.6
SEEN[0] = False


def last(function):
    """A function of torch on channels first, for tensors with channels last."""
    return lambda x, *rest: function(x.movedim(-1, 1), *rest).movedim(1, -1)


def long(labels):
    return torch.tensor(labels, dtype=torch.long)


def weight():
    return torch.tensor(WEIGHT)


# name -> (lazydiff, torch, float arrays that both take)
CASES = {
    "cross_entropy": (
        lambda z: ld.cross_entropy(z, GOOD),
        lambda z: F.cross_entropy(z, long(GOOD), reduction="none"),
        [Z],
    ),
    "cross_entropy whole": (
        lambda z: ld.cross_entropy(z, LABELS, 0.3, -100, WEIGHT, "mean"),
        lambda z: F.cross_entropy(z, long(LABELS), weight(), label_smoothing=0.3),
        [Z],
    ),
    "cross_entropy whole rows": (
        lambda z: ld.cross_entropy(z, LABELS, 0.3, -100, WEIGHT),
        lambda z: F.cross_entropy(z, long(LABELS), weight(), label_smoothing=0.3, reduction="none"),
        [Z],
    ),
    "cross_entropy soft": (
        lambda z, t: ld.cross_entropy(z, t * 1, 0.3, weight=WEIGHT, reduction="mean"),
        lambda z, t: F.cross_entropy(z, t, weight(), label_smoothing=0.3),
        [Z, Q],
    ),
    "nll": (
        lambda z: ld.nll(z, LABELS, -100, WEIGHT, "mean"),
        lambda z: F.nll_loss(z, long(LABELS), weight()),
        [LOG],
    ),
    "hinge classes": (
        lambda z: ld.hinge(z, GOOD, 0.7, "none"),
        lambda z: F.multi_margin_loss(z, long(GOOD), margin=0.7, reduction="none"),
        [Z],
    ),
    "mse": (lambda a, b: ld.mse(a, b * 1), F.mse_loss, [A, B]),
    "mae": (lambda a, b: ld.mae(a, b * 1), F.l1_loss, [A, B]),
    "huber": (lambda a, b: ld.huber(a, b * 1, 0.7), lambda a, b: F.huber_loss(a, b, delta=0.7), [A, B]),
    "smooth_l1": (lambda a, b: ld.smooth_l1(a, b * 1, 0.7), lambda a, b: F.smooth_l1_loss(a, b, beta=0.7), [A, B]),
    "bce": (lambda p: ld.bce(p, Q), lambda p: F.binary_cross_entropy(p, torch.tensor(Q)), [P]),
    "bce_with_logits": (
        lambda z, t: ld.bce_with_logits(z, t * 1, WEIGHT),
        lambda z, t: F.binary_cross_entropy_with_logits(z, t, pos_weight=weight()),
        [20 * Z, Q],
    ),
    "kl_div": (lambda p, t: ld.kl_div(p, t * 1), lambda p, t: F.kl_div(p, t, reduction="none").mean(), [LOG, Q]),
    "kl_div log_target": (
        lambda p, t: ld.kl_div(p, t * 1, True, "sum"),
        lambda p, t: F.kl_div(p, t, reduction="sum", log_target=True),
        [LOG, A],
    ),
    "cosine_similarity": (
        lambda a, b: ld.cosine_similarity(a, b, axis=1),
        F.cosine_similarity,
        [np.where(np.arange(6)[:, None] == 2, 0, A), B],
    ),
    "softmax": (lambda z: ld.softmax(z, 0), lambda z: F.softmax(z, 0), [Z]),
    "log_softmax": (ld.log_softmax, lambda z: F.log_softmax(z, -1), [Z]),
    "batch_norm": (
        lambda x, g, b: ld.batch_norm(x, g, b, ld.state("m", np.zeros(6)), ld.state("v", np.ones(6)))[0],
        last(lambda x, g, b: F.batch_norm(x, None, None, g, b, training=True)),
        [IMAGES, G, S],
    ),
    "batch_norm_inference": (
        lambda x, g, b: ld.batch_norm_inference(x, g, b, G, G * G),
        last(lambda x, g, b: F.batch_norm(x, torch.tensor(G), torch.tensor(G * G), g, b)),
        [IMAGES, G, S],
    ),
    "layer_norm": (ld.layer_norm, lambda x, g, b: F.layer_norm(x, (6,), g, b), [IMAGES, G, S]),
    "group_norm": (
        lambda x, g, b: ld.group_norm(x, 3, g, b),
        last(lambda x, g, b: F.group_norm(x, 3, g, b)),
        [IMAGES, G, S],
    ),
    "instance_norm": (
        ld.instance_norm,
        last(lambda x, g, b: F.instance_norm(x, weight=g, bias=b)),
        [IMAGES, G, S],
    ),
    "rms_norm": (ld.rms_norm, lambda x, g: F.rms_norm(x, (6,), g), [IMAGES, G]),
    "attention": (
        ld.scaled_dot_product_attention,
        F.scaled_dot_product_attention,
        [QUERY, KEY, VALUE],
    ),
    "attention masked": (
        lambda q, k, v: ld.scaled_dot_product_attention(q, k, v, SEEN),
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, torch.tensor(SEEN)),
        [QUERY, KEY, VALUE],
    ),
    "attention causal": (
        lambda q, k, v: ld.scaled_dot_product_attention(q, k, v, causal=True, scale=0.2),
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=0.2),
        [QUERY, KEY, VALUE],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_are_torchs(name):
    ours, theirs, arrays = CASES[name]
    inputs = [ld.input(f"x{i}", a.shape, ld.f64) for i, a in enumerate(arrays)]
    y = ours(*inputs)
    seed = RNG.normal(size=y.shape)
    entry = {"y": y} | {f"g{i}": g for i, g in enumerate(ld.vjp(y, inputs, seed))}
    found = ld.Session(ld.compile(f=entry)).f(**{f"x{i}": a for i, a in enumerate(arrays)})
    tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
    expected = theirs(*tensors)
    expected.backward(torch.tensor(seed))
    np.testing.assert_allclose(found["y"], expected.detach().numpy(), rtol=1e-10, atol=1e-12)
    for i, t in enumerate(tensors):
        np.testing.assert_allclose(found[f"g{i}"], t.grad.numpy(), rtol=1e-9, atol=1e-11)


def test_the_running_statistics_of_batch_norm_are_torchs():
    layer = nn.BatchNorm2d(6, dtype=torch.float64)
    mean, var = ld.state("mean", np.zeros(6)), ld.state("var", np.ones(6))
    scale, bias = ld.param("scale", np.ones(6)), ld.param("bias", np.zeros(6))
    y, pairs = ld.batch_norm(ld.input("x", IMAGES.shape, ld.f64), scale, bias, mean, var)
    session = ld.Session(ld.compile(train=ld.train_step((y * y).mean(), ld.sgd(0.1), updates=pairs)))
    for k in range(3):
        session.train(x=IMAGES * (k + 1))
        layer(torch.tensor(IMAGES * (k + 1)).movedim(-1, 1))
    np.testing.assert_allclose(session.read("mean"), layer.running_mean.numpy(), rtol=1e-12)
    np.testing.assert_allclose(session.read("var"), layer.running_var.numpy(), rtol=1e-12)


CELLS = {"rnn_cell": (ld.rnn_cell, nn.RNN), "gru_cell": (ld.gru_cell, nn.GRU), "lstm_cell": (ld.lstm_cell, nn.LSTM)}


@pytest.mark.parametrize("name", CELLS)
def test_an_unrolled_cell_is_torchs_layer(name):
    cell, kind = CELLS[name]
    layer = kind(3, 4, batch_first=True, dtype=torch.float64)
    stored = {n: t.detach().numpy() for n, t in layer.named_parameters()}
    names = {"w_ih": "weight_ih_l0", "w_hh": "weight_hh_l0", "b_ih": "bias_ih_l0", "b_hh": "bias_hh_l0"}
    params = {k: ld.param(k, np.ascontiguousarray(stored[n].T)) for k, n in names.items()}
    xs = RNG.normal(size=(2, 5, 3))
    start = ld.constant(np.zeros((2, 4)))
    state = (start, start) if name == "lstm_cell" else start
    outputs, _ = ld.unroll(lambda x, s: cell(x, s, **params), ld.input("xs", xs.shape, ld.f64), state)
    gradients = ld.grad((outputs * outputs).sum(), list(params.values()))
    found = ld.Session(ld.compile(f={"y": outputs} | dict(zip(params, gradients, strict=True)))).f(xs=xs)
    expected, _ = layer(torch.tensor(xs))
    (expected * expected).sum().backward()
    np.testing.assert_allclose(found["y"], expected.detach().numpy(), rtol=1e-11, atol=1e-13)
    for k, n in names.items():
        np.testing.assert_allclose(found[k], layer.get_parameter(n).grad.numpy().T, rtol=1e-10, atol=1e-12)


def rates(optimizer):
    return torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.5)


# name -> (lazydiff, torch optimizer, torch schedule)
OPTIMIZERS = {
    "sgd": (ld.sgd(0.1, 0.9, weight_decay=0.1), lambda p: torch.optim.SGD(p, 0.1, 0.9, weight_decay=0.1), None),
    "sgd nesterov": (ld.sgd(0.1, 0.9, True), lambda p: torch.optim.SGD(p, 0.1, 0.9, nesterov=True), None),
    "sgd stairs": (ld.sgd(ld.step_decay(0.1, 0.5, 2)), lambda p: torch.optim.SGD(p, 0.1), rates),
    "adam": (ld.adam(0.1, weight_decay=0.1), lambda p: torch.optim.Adam(p, 0.1, weight_decay=0.1), None),
    "adam stairs": (ld.adam(ld.step_decay(0.1, 0.5, 2)), lambda p: torch.optim.Adam(p, 0.1), rates),
    "adamw": (ld.adamw(0.1, weight_decay=0.2), lambda p: torch.optim.AdamW(p, 0.1, weight_decay=0.2), None),
    "rmsprop": (ld.rmsprop(0.1), lambda p: torch.optim.RMSprop(p, 0.1), None),
    "rmsprop centered": (
        ld.rmsprop(0.1, momentum=0.5, centered=True, weight_decay=0.1),
        lambda p: torch.optim.RMSprop(p, 0.1, momentum=0.5, centered=True, weight_decay=0.1),
        None,
    ),
    "adagrad": (
        ld.adagrad(0.1, 0.3, weight_decay=0.1),
        lambda p: torch.optim.Adagrad(p, 0.1, initial_accumulator_value=0.3, weight_decay=0.1),
        None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_ten_steps_are_torchs(name):
    ours, theirs, schedule = OPTIMIZERS[name]
    x, t, w0 = RNG.normal(size=(4, 20)), RNG.normal(size=(4, 5)), RNG.normal(size=(20, 5))
    w = ld.param("w", w0)
    loss = ld.mse(ld.input("x", x.shape, ld.f64) @ w, ld.input("t", t.shape, ld.f64))
    session = ld.Session(ld.compile(train=ld.train_step(loss, ours)))
    v = torch.tensor(w0, requires_grad=True)
    optimizer = theirs([v])
    scheduler = schedule(optimizer) if schedule else None
    for _ in range(10):
        session.train(x=x, t=t)
        optimizer.zero_grad()
        F.mse_loss(torch.tensor(x) @ v, torch.tensor(t)).backward()
        optimizer.step()
        if scheduler:
            scheduler.step()
    np.testing.assert_allclose(session.read("w"), v.detach().numpy(), rtol=1e-10, atol=1e-11)


def test_clipping_by_the_global_norm_is_torchs():
    x, w0, b0 = RNG.normal(size=(4, 20)), RNG.normal(size=(20, 5)), RNG.normal(size=5)
    w, b = ld.param("w", w0), ld.param("b", b0)
    loss = ld.square(ld.input("x", x.shape, ld.f64) @ w + b).mean()
    session = ld.Session(ld.compile(train=ld.train_step(loss, ld.clip_by_global_norm(ld.sgd(0.1), 0.5))))
    session.train(x=x)
    tensors = [torch.tensor(a, requires_grad=True) for a in (w0, b0)]
    (torch.tensor(x) @ tensors[0] + tensors[1]).square().mean().backward()
    assert nn.utils.clip_grad_norm_(tensors, 0.5) > 0.5
    torch.optim.SGD(tensors, 0.1).step()
    for name, tensor in zip("wb", tensors, strict=True):  # torch divides by the norm + 1e-6
        np.testing.assert_allclose(session.read(name), tensor.detach().numpy(), rtol=1e-5)
