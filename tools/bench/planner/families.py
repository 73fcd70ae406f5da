"""Lifetimes of training steps of nine network families under three sets of rules, for placement to be measured on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

import lazydiff as ld
from lazydiff.entries import versions
from lazydiff.frontend.training import Step
from lazydiff.memory.facts import facts
from lazydiff.memory.lives import lives, peak
from lazydiff.memory.lower import Store
from lazydiff.memory.ordering.schedule import as_written, orders
from lazydiff.memory.placement.place import Interval
from tools.bench.planner import nets
from tools.bench.workloads.definitions import ALL
from tools.bench.workloads.lazy import step as workload_step

UNIT = 16  # bytes
RULES = ("late", "fused", "in place")


def _attention() -> Step:
    """Two blocks of self-attention and a perceptron, 32 tokens of 48 numbers, Adam."""
    rng = np.random.default_rng(0)
    count = 0

    def dense(t: ld.Tensor, width: int) -> ld.Tensor:
        nonlocal count
        count += 1
        w = ld.param(f"w{count}", rng.normal(size=(t.shape[-1], width)).astype(np.float32))
        return t @ w + ld.param(f"b{count}", np.zeros(width, np.float32))

    def norm(t: ld.Tensor) -> ld.Tensor:
        return ld.layer_norm(t, np.ones(t.shape[-1], np.float32))

    t = x = ld.input("x", (4, 32, 48))
    for _ in range(2):
        n = norm(t)
        t = t + dense(ld.scaled_dot_product_attention(dense(n, 48), dense(n, 48), dense(n, 48), causal=True), 48)
        t = t + dense(ld.gelu(dense(norm(t), 96)), 48)
    return ld.train_step(ld.mse(t, x), ld.adam(0.01))


def _recurrent(steps: int, width: int = 24) -> Step:
    """A GRU, unrolled, with back-propagation through time."""
    rng = np.random.default_rng(0)
    x, y = ld.input("x", (8, steps, 6)), ld.input("y", (8, width))
    wi, wh = (ld.param(n, rng.normal(size=(k, 3 * width)).astype(np.float32)) for n, k in (("wi", 6), ("wh", width)))
    _, h = ld.unroll(lambda a, b: ld.gru_cell(a, b, wi, wh), x, ld.zeros_like(y))
    return ld.train_step(ld.mse(h, y), ld.sgd(0.1, momentum=0.9))


FAMILIES: dict[str, Callable[[], Step]] = {
    "perceptron": lambda: workload_step(ALL["w1_mlp_b32"]),
    "LeNet": lambda: workload_step(ALL["w2_lenet_b32"]),
    "autoencoder": lambda: workload_step(ALL["w3_ae_b32"]),
    "DS-CNN": lambda: workload_step(ALL["w4_dscnn_b1"]),
    "ResNet-8": lambda: workload_step(ALL["w5_resnet8_b1"]),
    "MobileNetV1-0.25": lambda: nets.mobilenet(1, False),
    "ResNet-18": lambda: nets.residual(1, False, (64, 128, 256, 512), 2),
    "attention": _attention,
    "GRU, 100 steps": lambda: _recurrent(100),
}
LARGE = {"GRU, 160 steps": lambda: _recurrent(160)}  # about 4,000 places


def lifetimes(step: Step, rule: str) -> tuple[list[Interval], int]:
    """The intervals of a step, and how many steps they are counted in.

    "late": every gradient is whole, the order is as written, no result takes an operand's bytes. "fused": updates eat
    gradients, the best of the list schedules. "in place": that, and results take the bytes of operands that die.
    """
    store = Store({id(leaf) for leaf, _ in step.updates})
    late = rule == "late"
    made = versions(store, "train", step, fused=not late, repeated=not late, spared=not late)
    known = [facts(e, e.units, UNIT)[0] for e in made]
    _, n, schedule = min(
        (peak(k, s), n, s) for n, k in enumerate(known) for s in ([as_written(k)] if late else orders(k))
    )
    found = lives(known[n], schedule, in_place=rule == "in place")
    return found.intervals, found.steps


def instances() -> Iterator[tuple[str, str, list[Interval], int]]:
    """Family, rule, intervals, steps: nine families under each rule, and a large one."""
    for name, build in {**FAMILIES, **LARGE}.items():
        step = build()
        for rule in RULES:
            yield name, rule, *lifetimes(step, rule)
