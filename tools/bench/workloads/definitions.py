"""Training steps w1 to w9 that libraries are compared on: shapes, seeded first values, losses, optimizers, tolerances.

A loss is written once, against an object `b` that has the operations (lazy.py runs them, counting.py counts them):

    linear(x, w, bias)                 x @ w + bias; w (in, out), bias may be None
    conv2d(x, w, bias, stride, pad, groups)    x (n, h, w, c), w (kh, kw, c / groups, out), pad (rows, columns)
    bn(x, p, s, name, train)           batch norm over all but the channels: with the batch's statistics, which also
                                       move the running ones by 0.1 (s[name + ".m"], s[name + ".v"]), or with those
    relu  tanh  maxpool2  gap (global average)  flatten  ce(logits, labels)  mse(a, b)  mean
    u_terms(net, tx)                   u, u_t, u_x, u_xx of a scalar net at rows (t, x)
    grad(f, xs)   expand(x, n)   blinear(x, w, bias): a linear of n sets of weights

Eight batches take turns. The network shapes are those of MLPerf Tiny (w3 to w6), of Raissi and others (w7) and Finn and
others (w8). Values are drawn as (out, in, ..) and laid out channels last.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

BATCHES = 8
Arrays = dict[str, np.ndarray]
Init = Callable[[], tuple[Arrays, Arrays, list[tuple[np.ndarray, ...]]]]


@dataclass(frozen=True)
class Workload:
    """`loss(b, parameters, state, batch)`; `init()` gives parameters, state and the eight batches.

    `opt` is ("sgd", rate), ("momentum", rate, mu), ("adam", rate) or ("power",): the state v becomes Hv / |Hv|, and the
    loss is v . Hv. `trained` is the prefix of the names of the trained parameters. `order` 2: the loss takes gradients.
    """

    name: str
    title: str
    loss: Callable[..., Any]
    init: Init
    opt: tuple[Any, ...]
    trained: str = ""
    dtype: type = np.float32
    order: int = 1
    multiply_adds: int = 0  # of products, where they can't be counted op by op: gradients in the loss, or by hand
    tolerance: float = 2e-3  # of the losses of the first eight steps, relative


ALL: dict[str, Workload] = {}


def workload(name: str, title: str, **rest: Any) -> None:
    ALL[name] = Workload(name, title, **rest)


def he(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Drawn (out, in, ..), given as (.., in, out)."""
    drawn = (rng.standard_normal(shape) * np.sqrt(2.0 / np.prod(shape[1:]))).astype(np.float32)
    return np.ascontiguousarray(drawn.transpose(*range(2, len(shape)), 1, 0))


def glorot(rng: np.random.Generator, out: int, inp: int) -> np.ndarray:
    return np.ascontiguousarray((rng.standard_normal((out, inp)) * np.sqrt(2.0 / (inp + out))).astype(np.float32).T)


def zeros(n: int) -> np.ndarray:
    return np.zeros(n, np.float32)


def add_bn(p: Arrays, s: Arrays, name: str, channels: int) -> None:
    p[name + ".g"], p[name + ".b"] = np.ones(channels, np.float32), zeros(channels)
    s[name + ".m"], s[name + ".v"] = zeros(channels), np.ones(channels, np.float32)


def images(rng: np.random.Generator, n: int, shape: tuple[int, int, int], classes: int) -> list[tuple[np.ndarray, ...]]:
    """Drawn (n, c, h, w), given channels last."""
    return [
        (
            np.ascontiguousarray(rng.standard_normal((n, *shape)).astype(np.float32).transpose(0, 2, 3, 1)),
            rng.integers(0, classes, n).astype(np.int32),
        )
        for _ in range(BATCHES)
    ]


# ---- w1: MLP 64-32-10 on the 8x8 digits, SGD


def digit_batches(n: int) -> list[tuple[np.ndarray, ...]]:
    from lazydiff.examples import digits  # here: a peer's cold start must not pay for lazydiff

    data, rng = digits.load_digits(), np.random.default_rng(1)
    x = np.concatenate([data.train_images, data.test_images]).reshape(-1, 64)
    y = np.concatenate([data.train_labels, data.test_labels])
    return [(x[i], y[i]) for i in rng.permutation(len(x))[: n * BATCHES].reshape(BATCHES, n)]


def w1_init(n: int) -> Init:
    def init() -> Any:
        batches, rng = digit_batches(n), np.random.default_rng(1)
        rng.permutation(1797)
        return {"w1": he(rng, 32, 64), "b1": zeros(32), "w2": he(rng, 10, 32), "b2": zeros(10)}, {}, batches

    return init


def w1_loss(b: Any, p: Any, s: Any, batch: Any) -> Any:
    x, y = batch
    return b.ce(b.linear(b.relu(b.linear(x, p["w1"], p["b1"])), p["w2"], p["b2"]), y)


for n in (1, 32):
    workload(f"w1_mlp_b{n}", f"MLP 64-32-10 digits, batch {n}", loss=w1_loss, init=w1_init(n), opt=("sgd", 0.05))


# ---- w2: a network like LeNet-5 on 28x28x1, SGD with momentum


def w2_init(n: int) -> Init:
    def init() -> Any:
        rng = np.random.default_rng(2)
        p = {"c1.w": he(rng, 6, 1, 5, 5), "c1.b": zeros(6), "c2.w": he(rng, 16, 6, 5, 5), "c2.b": zeros(16)}
        p |= {"f1.w": he(rng, 120, 400), "f1.b": zeros(120), "f2.w": he(rng, 84, 120), "f2.b": zeros(84)}
        p |= {"f3.w": he(rng, 10, 84), "f3.b": zeros(10)}
        rows = p["f1.w"].reshape(16, 5, 5, 120).transpose(1, 2, 0, 3)  # drawn for channels first
        p["f1.w"] = np.ascontiguousarray(rows.reshape(400, 120))
        return p, {}, images(rng, n, (1, 28, 28), 10)

    return init


def w2_loss(b: Any, p: Any, s: Any, batch: Any) -> Any:
    x, y = batch
    x = b.maxpool2(b.relu(b.conv2d(x, p["c1.w"], p["c1.b"], 1, (2, 2), 1)))  # 14x14x6
    x = b.maxpool2(b.relu(b.conv2d(x, p["c2.w"], p["c2.b"], 1, (0, 0), 1)))  # 5x5x16
    x = b.relu(b.linear(b.flatten(x), p["f1.w"], p["f1.b"]))
    x = b.relu(b.linear(x, p["f2.w"], p["f2.b"]))
    return b.ce(b.linear(x, p["f3.w"], p["f3.b"]), y)


for n in (1, 32):
    workload(
        f"w2_lenet_b{n}",
        f"LeNet-5-like 28x28, batch {n}",
        loss=w2_loss,
        init=w2_init(n),
        opt=("momentum", 0.005, 0.9),
    )

# ---- w3: the autoencoder of MLPerf Tiny (anomaly detection), Adam

W3_SIZES = [640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640]


def w3_init(n: int) -> Init:
    def init() -> Any:
        rng, p, s = np.random.default_rng(3), {}, {}
        for i, (a, b) in enumerate(pairwise(W3_SIZES)):
            p[f"l{i}.w"], p[f"l{i}.b"] = he(rng, b, a), zeros(b)
            if i < 9:
                add_bn(p, s, f"n{i}", b)
        return p, s, [(rng.standard_normal((n, 640)).astype(np.float32),) for _ in range(BATCHES)]

    return init


def w3_loss(n: int) -> Callable[..., Any]:
    def loss(b: Any, p: Any, s: Any, batch: Any) -> Any:
        (x,) = batch
        h = x
        for i in range(9):
            h = b.relu(b.bn(b.linear(h, p[f"l{i}.w"], p[f"l{i}.b"]), p, s, f"n{i}", n > 1))
        return b.mse(b.linear(h, p["l9.w"], p["l9.b"]), x)

    return loss


for n in (1, 32):
    workload(f"w3_ae_b{n}", f"autoencoder, batch {n}", loss=w3_loss(n), init=w3_init(n), opt=("adam", 1e-3))


# ---- w4: the DS-CNN of MLPerf Tiny (keyword spotting), SGD with momentum


def w4_init(n: int) -> Init:
    def init() -> Any:
        rng, p, s = np.random.default_rng(4), {}, {}
        p["c0.w"], p["c0.b"] = he(rng, 64, 1, 10, 4), zeros(64)
        add_bn(p, s, "n0", 64)
        for i in range(4):
            p[f"d{i}.w"], p[f"d{i}.b"] = he(rng, 64, 1, 3, 3), zeros(64)
            add_bn(p, s, f"dn{i}", 64)
            p[f"p{i}.w"], p[f"p{i}.b"] = he(rng, 64, 64, 1, 1), zeros(64)
            add_bn(p, s, f"pn{i}", 64)
        p["fc.w"], p["fc.b"] = he(rng, 12, 64), zeros(12)
        return p, s, images(rng, n, (1, 49, 10), 12)

    return init


def separable(b: Any, p: Any, s: Any, x: Any, i: int, stride: int, train: bool) -> Any:
    """A depthwise convolution and one of 1x1, each with batch norm and ReLU."""
    x = b.conv2d(x, p[f"d{i}.w"], p[f"d{i}.b"], stride, (1, 1), x.shape[-1])
    x = b.relu(b.bn(x, p, s, f"dn{i}", train))
    return b.relu(b.bn(b.conv2d(x, p[f"p{i}.w"], p[f"p{i}.b"], 1, (0, 0), 1), p, s, f"pn{i}", train))


def w4_loss(n: int) -> Callable[..., Any]:
    def loss(b: Any, p: Any, s: Any, batch: Any) -> Any:
        x, y = batch
        x = b.relu(b.bn(b.conv2d(x, p["c0.w"], p["c0.b"], 2, (5, 1), 1), p, s, "n0", n > 1))  # 25x5x64
        for i in range(4):
            x = separable(b, p, s, x, i, 1, n > 1)
        return b.ce(b.linear(b.gap(x), p["fc.w"], p["fc.b"]), y)

    return loss


for n in (1, 32):
    workload(
        f"w4_dscnn_b{n}", f"DS-CNN 49x10, batch {n}", loss=w4_loss(n), init=w4_init(n), opt=("momentum", 0.005, 0.9)
    )


# ---- w5: the ResNet-8 of MLPerf Tiny on 32x32x3, SGD with momentum


def w5_init(n: int) -> Init:
    def init() -> Any:
        rng, p, s = np.random.default_rng(5), {}, {}

        def conv(name: str, o: int, i: int, k: int, bn: bool = True) -> None:
            p[name + ".w"], p[name + ".b"] = he(rng, o, i, k, k), zeros(o)
            if bn:
                add_bn(p, s, name + ".n", o)

        conv("c0", 16, 3, 3)
        for k, (i, o) in enumerate([(16, 16), (16, 32), (32, 64)]):
            conv(f"a{k}", o, i, 3)
            conv(f"b{k}", o, o, 3)
            if k:
                conv(f"s{k}", o, i, 1, bn=False)
        p["fc.w"], p["fc.b"] = he(rng, 10, 64), zeros(10)
        return p, s, images(rng, n, (3, 32, 32), 10)

    return init


def w5_loss(n: int) -> Callable[..., Any]:
    def loss(b: Any, p: Any, s: Any, batch: Any) -> Any:
        def cbn(x: Any, name: str, stride: int) -> Any:
            y = b.conv2d(x, p[name + ".w"], p[name + ".b"], stride, (1, 1), 1)
            return b.bn(y, p, s, name + ".n", n > 1)

        x, y = batch
        x = b.relu(cbn(x, "c0", 1))
        for k in range(3):
            stride = 2 if k else 1
            h = cbn(b.relu(cbn(x, f"a{k}", stride)), f"b{k}", 1)
            if k:
                x = b.conv2d(x, p[f"s{k}.w"], p[f"s{k}.b"], stride, (0, 0), 1)
            x = b.relu(x + h)
        return b.ce(b.linear(b.gap(x), p["fc.w"], p["fc.b"]), y)

    return loss


for n in (1, 32):
    workload(
        f"w5_resnet8_b{n}", f"ResNet-8 32x32, batch {n}", loss=w5_loss(n), init=w5_init(n), opt=("momentum", 0.005, 0.9)
    )

# ---- w6: the MobileNetV1 x0.25 of MLPerf Tiny (visual wake words) on 96x96x3, SGD with momentum

W6_BLOCKS = [(8, 16, 1), (16, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1), (64, 128, 2)]
W6_BLOCKS += [(128, 128, 1)] * 5 + [(128, 256, 2), (256, 256, 1)]


def w6_init() -> Any:
    rng, p, s = np.random.default_rng(6), {}, {}
    p["c0.w"], p["c0.b"] = he(rng, 8, 3, 3, 3), zeros(8)
    add_bn(p, s, "n0", 8)
    for k, (i, o, _) in enumerate(W6_BLOCKS):
        p[f"d{k}.w"], p[f"d{k}.b"] = he(rng, i, 1, 3, 3), zeros(i)
        add_bn(p, s, f"dn{k}", i)
        p[f"p{k}.w"], p[f"p{k}.b"] = he(rng, o, i, 1, 1), zeros(o)
        add_bn(p, s, f"pn{k}", o)
    p["fc.w"], p["fc.b"] = he(rng, 2, 256), zeros(2)
    return p, s, images(rng, 1, (3, 96, 96), 2)


def w6_loss(b: Any, p: Any, s: Any, batch: Any) -> Any:
    x, y = batch
    x = b.relu(b.bn(b.conv2d(x, p["c0.w"], p["c0.b"], 2, (1, 1), 1), p, s, "n0", False))
    for k, (_, _, stride) in enumerate(W6_BLOCKS):
        x = separable(b, p, s, x, k, stride, False)
    return b.ce(b.linear(b.gap(x), p["fc.w"], p["fc.b"]), y)


for part, prefix in (("full", ""), ("last", "fc.")):
    workload(
        f"w6_vww_{part}_b1",
        f"MobileNetV1 x0.25 96x96, batch 1, {part}",
        loss=w6_loss,
        init=w6_init,
        opt=("momentum", 1e-3, 0.9),
        trained=prefix,
    )

# ---- w7: Burgers' equation at 1,000 points and 100 on the border, MLP 2-20x4-1 with tanh, Adam

W7_SIZES, NU = [2, 20, 20, 20, 20, 1], 0.01 / np.pi
# u, u_t, u_x and u_xx at 1,000 points and u at 100; each product forward and, backward, to both of its operands
W7_PRODUCTS = 3 * (4 * 1000 + 100) * sum(a * b for a, b in pairwise(W7_SIZES))


def w7_init(dtype: type) -> Init:
    def init() -> Any:
        rng, p = np.random.default_rng(7), {}
        for i, (a, b) in enumerate(pairwise(W7_SIZES)):
            p[f"l{i}.w"], p[f"l{i}.b"] = glorot(rng, b, a), zeros(b)
        batches = []
        for _ in range(BATCHES):
            tx = np.stack([rng.uniform(0, 1, 1000), rng.uniform(-1, 1, 1000)], 1)
            x0 = rng.uniform(-1, 1, 50)
            first = np.stack([np.zeros(50), x0], 1)  # u(0, x) = -sin(pi x)
            sides = np.stack([rng.uniform(0, 1, 50), np.sign(rng.uniform(-1, 1, 50))], 1)  # u(t, -1) = u(t, 1) = 0
            u = np.concatenate([-np.sin(np.pi * x0), np.zeros(50)])[:, None]
            batches.append(tuple(a.astype(dtype) for a in (tx, np.concatenate([first, sides]), u)))
        return {k: v.astype(dtype) for k, v in p.items()}, {}, batches

    return init


def w7_net(b: Any, p: Any, h: Any) -> Any:
    for i in range(4):
        h = b.tanh(b.linear(h, p[f"l{i}.w"], p[f"l{i}.b"]))
    return b.linear(h, p["l4.w"], p["l4.b"])


def w7_loss(b: Any, p: Any, s: Any, batch: Any) -> Any:
    tx, border, u_border = batch
    u, ut, ux, uxx = b.u_terms(lambda z: w7_net(b, p, z), tx)
    residual = ut + u * ux - NU * uxx
    return b.mean(residual * residual) + b.mse(w7_net(b, p, border), u_border)


def w7_taylor_loss(b: Any, p: Any, s: Any, batch: Any) -> Any:
    """The same loss with u, u_t, u_x and u_xx carried forward together by hand."""
    tx, border, u_border = batch
    z = b.linear(tx, p["l0.w"], p["l0.b"])
    zt, zx, zxx = p["l0.w"][0], p["l0.w"][1], None  # constant along the rows
    for i in range(1, 5):
        h = b.tanh(z)
        d = 1.0 - h * h
        dzx = d * zx
        hxx = -2.0 * h * zx * dzx if zxx is None else d * zxx - 2.0 * h * zx * dzx
        w = p[f"l{i}.w"]
        z, zt, zx, zxx = (b.linear(h, w, p[f"l{i}.b"]), *(b.linear(a, w, None) for a in (d * zt, dzx, hxx)))
    residual = zt + z * zx - NU * zxx
    return b.mean(residual * residual) + b.mse(w7_net(b, p, border), u_border)


for dtype, bits, tolerance in ((np.float32, 32, 2e-3), (np.float64, 64, 1e-8)):
    workload(
        f"w7_pinn_f{bits}",
        f"PINN for Burgers' equation, 1,000 points, f{bits}",
        loss=w7_loss,
        init=w7_init(dtype),
        opt=("adam", 1e-3),
        dtype=dtype,
        order=2,
        multiply_adds=W7_PRODUCTS,
        tolerance=tolerance,
    )
workload(
    "w7_pinn_f32_taylor",
    "the same by hand, f32",
    loss=w7_taylor_loss,
    init=w7_init(np.float32),
    opt=("adam", 1e-3),
    multiply_adds=W7_PRODUCTS,
)


# ---- w8: MAML on sinusoids, MLP 1-40-40-1, one inner step, 25 tasks of 10 shots, Adam

W8_NAMES = ("w0", "b0", "w1", "b1", "w2", "b2")


def w8_init() -> Any:
    rng = np.random.default_rng(8)
    p = {"w0": he(rng, 40, 1), "b0": zeros(40), "w1": he(rng, 40, 40), "b1": zeros(40)}
    p |= {"w2": he(rng, 1, 40), "b2": zeros(1)}
    batches = []
    for _ in range(BATCHES):
        amplitude, phase = rng.uniform(0.1, 5, (25, 1, 1)), rng.uniform(0, np.pi, (25, 1, 1))
        xs, xq = rng.uniform(-5, 5, (25, 10, 1)), rng.uniform(-5, 5, (25, 10, 1))
        four = xs, amplitude * np.sin(xs - phase), xq, amplitude * np.sin(xq - phase)
        batches.append(tuple(a.astype(np.float32) for a in four))
    return p, {}, batches


def w8_loss(b: Any, p: Any, s: Any, batch: Any, rate: float = 0.01, tasks: int = 25) -> Any:
    xs, ys, xq, yq = batch

    def net(w: Any, x: Any) -> Any:  # each task has its own weights
        h = b.relu(b.blinear(x, w[0], w[1]))
        return b.blinear(b.relu(b.blinear(h, w[2], w[3])), w[4], w[5])

    w = [b.expand(p[k], tasks) for k in W8_NAMES]
    g = b.grad(lambda w: b.mse(net(w, xs), ys) * float(tasks), w)  # the sum over tasks of the mean over shots
    return b.mse(net([x - rate * y for x, y in zip(w, g, strict=True)], xq), yq)


# Products of one forward: 3 for the inner gradient, 3 for the query's, 4 for the gradient of the inner gradient
workload(
    "w8_maml",
    "MAML, 25 tasks x 10 shots, second order",
    loss=w8_loss,
    init=w8_init,
    opt=("adam", 1e-3),
    order=2,
    multiply_adds=10 * 25 * 10 * (40 + 40 * 40 + 40),
)

# ---- w9: a Hessian-vector product of an MLP's loss, one step of power iteration

W9_SIZES = [64, 128, 128, 10]


def w9_init() -> Any:
    rng, p = np.random.default_rng(9), {}
    for i, (a, b) in enumerate(pairwise(W9_SIZES)):
        p[f"l{i}.w"], p[f"l{i}.b"] = glorot(rng, b, a), zeros(b)
    v = {}
    for k, a in p.items():
        drawn = rng.standard_normal(a.shape[::-1]).astype(np.float32)
        v["v." + k] = np.ascontiguousarray(drawn.T)
    norm = np.sqrt(sum((a.astype(np.float64) ** 2).sum() for a in v.values()))
    return p, {k: (a / norm).astype(np.float32) for k, a in v.items()}, digit_batches(32)


def w9_loss(b: Any, p: Any, s: Any, batch: Any) -> Any:
    h, y = batch
    for i in range(2):
        h = b.tanh(b.linear(h, p[f"l{i}.w"], p[f"l{i}.b"]))
    return b.ce(b.linear(h, p["l2.w"], p["l2.b"]), y)


# Forward 1, its tangent 2, to the layer below 1, its tangent 2, tangent of the weights' gradient 2
workload(
    "w9_hvp",
    "Hessian-vector product, MLP 64-128-128-10",
    loss=w9_loss,
    init=w9_init,
    opt=("power",),
    order=2,
    multiply_adds=8 * 32 * sum(a * b for a, b in pairwise(W9_SIZES)),
)
