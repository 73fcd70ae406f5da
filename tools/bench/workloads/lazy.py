"""The workloads in lazydiff: each as one plan with the entry `train`, and its inputs by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

import lazydiff as ld
from lazydiff.frontend.training import Step
from tools.bench.workloads.definitions import Workload

EPS = 1e-5


class Lazy:
    """The operations of workload.py; `updates` are those of the running statistics."""

    def __init__(self) -> None:
        self.updates: list[tuple[ld.Tensor, ld.Tensor]] = []

    relu, tanh, mse = staticmethod(ld.relu), staticmethod(ld.tanh), staticmethod(ld.mse)
    mean = staticmethod(ld.mean)

    def linear(self, x: ld.Tensor, w: ld.Tensor, b: ld.Tensor | None) -> ld.Tensor:
        return x @ w if b is None else x @ w + b

    def conv2d(
        self, x: ld.Tensor, w: ld.Tensor, b: ld.Tensor, stride: int, pad: tuple[int, int], groups: int
    ) -> ld.Tensor:
        return ld.conv2d(x, w, stride=stride, padding=tuple((p, p) for p in pad), groups=groups) + b

    def bn(self, x: ld.Tensor, p: dict[str, ld.Tensor], s: dict[str, ld.Tensor], name: str, train: bool) -> ld.Tensor:
        scale, bias, mean, var = p[name + ".g"], p[name + ".b"], s[name + ".m"], s[name + ".v"]
        if not train:
            return ld.batch_norm_inference(x, scale, bias, mean, var, EPS)
        y, updates = ld.batch_norm(x, scale, bias, mean, var, 0.1, EPS)
        self.updates += updates
        return y

    def maxpool2(self, x: ld.Tensor) -> ld.Tensor:
        return ld.max_pool2d(x, 2)

    def gap(self, x: ld.Tensor) -> ld.Tensor:
        return ld.global_avg_pool2d(x)

    def flatten(self, x: ld.Tensor) -> ld.Tensor:
        return x.reshape(x.shape[0], -1)

    def ce(self, logits: ld.Tensor, labels: ld.Tensor) -> ld.Tensor:
        return ld.cross_entropy(logits, labels).mean()

    def u_terms(self, net: Callable[[ld.Tensor], ld.Tensor], tx: ld.Tensor) -> tuple[ld.Tensor, ...]:
        t, x = tx[:, 0:1], tx[:, 1:2]
        u = net(ld.concat([t, x], 1))
        return u, ld.derivative(u, t), ld.derivative(u, x), ld.derivative(u, x, 2)

    def grad(self, f: Callable[[Sequence[ld.Tensor]], ld.Tensor], xs: Sequence[ld.Tensor]) -> list[ld.Tensor]:
        return list(ld.grad(f(xs), xs))

    def expand(self, x: ld.Tensor, n: int) -> ld.Tensor:
        return ld.broadcast_to(x, (n, *x.shape))

    def blinear(self, x: ld.Tensor, w: ld.Tensor, b: ld.Tensor) -> ld.Tensor:
        return x @ w + b.reshape(b.shape[0], 1, -1)


def step(workload: Workload) -> Step:
    """The workload's step on inputs batch0, batch1, .."""
    arrays, states, batches = workload.init()
    p = {k: ld.param(k, a) for k, a in arrays.items()}
    s = {k: ld.state(k, a) for k, a in states.items()}
    batch = [ld.input(f"batch{k}", a.shape, ld.constant(a).dtype) for k, a in enumerate(batches[0])]
    b = Lazy()
    loss = workload.loss(b, p, s, batch)
    kind, *numbers = workload.opt
    if kind == "power":
        v = [s["v." + k] for k in p]
        hv = ld.hvp(loss, list(p.values()), v)
        norm = ld.sqrt(sum((ld.square(h).sum() for h in hv), start=ld.constant(0.0)))
        along = sum(((a * h).sum() for a, h in zip(v, hv, strict=True)), start=ld.constant(0.0))
        return Step({"loss": along}, tuple((a, h / norm) for a, h in zip(v, hv, strict=True)))
    optimizer = {"sgd": ld.sgd, "momentum": ld.sgd, "adam": ld.adam}[kind](*numbers)
    trainable = [f"{workload.trained}*"] if workload.trained else None
    return ld.train_step(loss, optimizer, trainable, updates=b.updates)


def compiled(workload: Workload, ram: int | str | None = None) -> ld.Plan:
    """The plan of the workload's step."""
    return ld.compile(train=step(workload), ram=ram)


def losses(workload: Workload, steps: int, plan: ld.Plan | None = None) -> list[float]:
    """The losses of the first steps."""
    session, (_, _, batches) = ld.Session(plan or compiled(workload)), workload.init()
    found = []
    for i in range(steps):
        batch = {f"batch{k}": a for k, a in enumerate(batches[i % len(batches)])}
        found.append(float(np.asarray(session.run("train", **batch))))
    return found
