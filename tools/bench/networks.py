"""Networks whose compile time is measured: a residual network, and long unrolled recurrences."""

from __future__ import annotations

import numpy as np

import lazydiff as ld


def resnet8(batch: int = 1) -> ld.Plan:
    """Training step and inference of the ResNet-8 of MLPerf Tiny: 32x32x3 images, three stages of 16, 32, 64 channels.

    Without normalisation: 77,706 parameters. He-initialised, SGD with momentum.
    """
    rng = np.random.default_rng(0)
    count = 0

    def weight(name: str, *shape: int) -> ld.Tensor:
        return ld.param(name, (rng.normal(size=shape) * np.sqrt(2 / np.prod(shape[:-1]))).astype(np.float32))

    def conv(t: ld.Tensor, features: int, size: int, stride: int = 1) -> ld.Tensor:
        nonlocal count
        count += 1
        w = weight(f"conv{count}.w", size, size, t.shape[-1], features)
        b = ld.param(f"conv{count}.b", np.zeros(features, np.float32))
        return ld.conv2d(t, w, stride=stride, padding=size // 2) + b

    x, y = ld.input("x", (batch, 32, 32, 3)), ld.input("y", (batch,), ld.i32)
    t = ld.relu(conv(x, 16, 3))
    for features, stride in ((16, 1), (32, 2), (64, 2)):
        inner = conv(ld.relu(conv(t, features, 3, stride)), features, 3)
        shortcut = t if stride == 1 else conv(t, features, 1, stride)
        t = ld.relu(inner + shortcut)
    logits = ld.mean(t, (1, 2)) @ weight("head.w", 64, 10) + ld.param("head.b", np.zeros(10, np.float32))
    loss = ld.cross_entropy(logits, y).mean()
    return ld.compile(train=ld.train_step(loss, ld.sgd(0.1, momentum=0.9)), infer=ld.argmax(logits, -1))


def convolutions(groups: int) -> tuple[ld.Plan, dict[str, np.ndarray]]:
    """The training step, batch 1, SGD, of three 3x3 convolutions of 16x16x16 images, and a batch of its inputs.

    Each has a bias and a ReLU; `groups` 16 makes them depthwise. A mean over the image and a layer of 10 follow.
    """
    rng = np.random.default_rng(0)
    x, y = ld.input("x", (1, 16, 16, 16)), ld.input("y", (1,), ld.i32)
    t = x
    for k in range(3):
        drawn = rng.normal(size=(3, 3, 16 // groups, 16)) * np.sqrt(2 * groups / 144)
        w, b = ld.param(f"w{k}", drawn.astype(np.float32)), ld.param(f"b{k}", np.zeros(16, np.float32))
        t = ld.relu(ld.conv2d(t, w, padding=1, groups=groups) + b)
    head = ld.param("head", rng.normal(size=(16, 10)).astype(np.float32) / 4)
    loss = ld.cross_entropy(ld.global_avg_pool2d(t) @ head, y).mean()
    batch = {"x": rng.normal(size=x.shape).astype(np.float32), "y": np.array([3], np.int32)}
    return ld.compile(train=ld.train_step(loss, ld.sgd(0.01))), batch


def unrolled(steps: int = 3000, train: bool = False) -> ld.Plan:
    """h <- tanh(h @ w), `steps` times, or its training step: about two, or six, plan steps for each."""
    h, w = ld.input("h", (1, 4)), ld.param("w", 0.5 * np.eye(4, dtype=np.float32))
    for _ in range(steps):
        h = ld.tanh(h @ w)
    return ld.compile(train=ld.train_step(ld.mean(ld.square(h)), ld.sgd(0.1)) if train else h)


def deep(layers: int) -> ld.Plan:
    """The training step of a perceptron of so many layers with momentum: about 20 nodes a layer."""
    rng = np.random.default_rng(0)
    h, y = ld.input("x", (8, 16)), ld.input("y", (8,), ld.i32)
    for i in range(layers):
        w = ld.param(f"w{i}", rng.normal(size=(16, 16)).astype(np.float32))
        h = ld.tanh(h @ w + ld.param(f"b{i}", np.zeros(16, np.float32)))
    return ld.compile(train=ld.train_step(ld.cross_entropy(h, y).mean(), ld.sgd(0.1, momentum=0.9)))


def broad(arms: int, outputs: bool = False) -> ld.Plan:
    """Arms of four nodes from one input: an output each, or added up in a tree."""
    x, w = ld.input("x", (4, 16)), ld.param("w", np.ones((16, 16), np.float32))
    ends = [(ld.tanh(x * float(i)) @ w).sum() for i in range(arms)]
    while len(ends) > 1 and not outputs:
        ends = [*(a + b for a, b in zip(ends[::2], ends[1::2], strict=False)), *(ends[-1:] if len(ends) % 2 else [])]
    return ld.compile(out=ends)
