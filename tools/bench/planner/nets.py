"""Networks whose training steps the planner is measured on: residual and separable ones of our own sizes."""

from __future__ import annotations

import numpy as np

import lazydiff as ld


class Network:
    """Builds a training step layer by layer: names and first values of parameters, updates of running statistics."""

    def __init__(self, batch: int, shape: tuple[int, ...], classes: int, frozen: bool) -> None:
        self._rng, self._frozen, self._count = np.random.default_rng(0), frozen, 0
        self.updates: list[tuple[ld.Tensor, ld.Tensor]] = []
        self._classes = classes
        self.x, self.y = ld.input("x", (batch, *shape)), ld.input("y", (batch,), ld.i32)

    def weight(self, *shape: int) -> ld.Tensor:
        """A parameter, He-initialised."""
        self._count += 1
        first = self._rng.normal(size=shape) * np.sqrt(2 / np.prod(shape[:-1]))
        return ld.param(f"w{self._count}", first.astype(np.float32))

    def conv(self, t: ld.Tensor, features: int, size: int = 3, stride: int = 1) -> ld.Tensor:
        """A convolution without bias."""
        return ld.conv2d(t, self.weight(size, size, t.shape[-1], features), stride=stride, padding=size // 2)

    def depthwise(self, t: ld.Tensor, stride: int = 1) -> ld.Tensor:
        """A depthwise convolution of 3x3."""
        return ld.conv2d(t, self.weight(3, 3, 1, t.shape[-1]), stride=stride, padding=1, groups=t.shape[-1])

    def norm(self, t: ld.Tensor) -> ld.Tensor:
        """Batch normalisation: with the batch's statistics, or with frozen ones."""
        self._count += 1
        c, n = t.shape[-1], self._count
        zeros, ones = np.zeros(c, np.float32), np.ones(c, np.float32)
        scale, bias = ld.param(f"scale{n}", ones), ld.param(f"bias{n}", zeros)
        mean, var = ld.state(f"mean{n}", zeros), ld.state(f"var{n}", ones)
        if self._frozen:
            return ld.batch_norm_inference(t, scale, bias, mean, var)
        t, pairs = ld.batch_norm(t, scale, bias, mean, var)
        self.updates += pairs
        return t

    def step(self, features: ld.Tensor) -> ld.Step:
        """Mean over places, a dense layer, cross-entropy, SGD with momentum."""
        logits = ld.mean(features, (1, 2)) @ self.weight(features.shape[-1], self._classes)
        loss = ld.cross_entropy(logits, self.y).mean()
        return ld.train_step(loss, ld.sgd(0.1, momentum=0.9), updates=self.updates)


def residual(batch: int, frozen: bool, widths: tuple[int, ...] = (16, 32, 64), blocks: int = 1) -> ld.Step:
    """A residual network for 32x32x3 images, stages of `blocks` basic blocks: ResNet-8; ResNet-18 of CIFAR."""
    net = Network(batch, (32, 32, 3), 10, frozen)
    t = ld.relu(net.norm(net.conv(net.x, widths[0])))
    for stage, width in enumerate(widths):
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            inner = net.norm(net.conv(ld.relu(net.norm(net.conv(t, width, 3, stride))), width))
            if stride > 1:
                t = net.norm(net.conv(t, width, 1, stride))
            t = ld.relu(t + inner)
    return net.step(t)


def mobilenet(batch: int, frozen: bool, size: int = 96) -> ld.Step:
    """MobileNetV1 of a quarter of the width, for 96x96x3 images and two classes."""
    net = Network(batch, (size, size, 3), 2, frozen)
    t = ld.relu(net.norm(net.conv(net.x, 8, 3, 2)))
    plan = [(16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *[(128, 1)] * 5, (256, 2), (256, 1)]
    for width, stride in plan:
        t = ld.relu(net.norm(net.depthwise(t, stride)))
        t = ld.relu(net.norm(net.conv(t, width, 1)))
    return net.step(t)
