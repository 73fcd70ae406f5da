"""w1 to w6: networks that classify or reconstruct, by a loss of first order."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from tools.bench.workloads.workload import BATCHES, Init, add_bn, digit_batches, he, images, workload, zeros

# ---- w1: MLP 64-32-10 on the 8x8 digits, SGD


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
