"""Meta-learning by MAML (Finn et al. 2017): learn weights from which one gradient step fits a new sinusoid.

    python -m lazydiff.examples.maml [--iterations 2000] [--json]

The network is 1-40-40-1 with ReLU; a task is a sinusoid of amplitude 0.1 .. 5 and phase 0 .. pi on -5 .. 5; the inner
step is one SGD step on 10 points of a task; the outer loss is that of the adapted weights on 10 other points, averaged
over 25 tasks. The meta-gradient goes through the inner gradient (second order); first-order MAML, which stops there,
runs beside it.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

import lazydiff as ld
from lazydiff.dtypes import Dtype

SIZES = (1, 40, 40, 1)
TASKS, SHOTS = 25, 10
INNER_RATE, OUTER_RATE = 0.01, 0.006
ITERATIONS = 2000


def initial(seed: int = 0, dtype: Dtype = ld.f32) -> list[ld.Tensor]:
    """Weights w1 b1 w2 b2 w3 b3 as parameters, uniform within 1/sqrt(fan-in): biases too, or every kink lies at 0."""
    rng = np.random.default_rng(seed)
    made = []
    for n, (a, b) in enumerate(pairwise(SIZES), 1):
        w, c = (rng.uniform(-1, 1, shape) / np.sqrt(a) for shape in ((a, b), (b,)))
        made += [ld.param(f"w{n}", w.astype(dtype.numpy)), ld.param(f"b{n}", c.astype(dtype.numpy))]
    return made


def network(x: ld.Tensor, weights: Sequence[ld.Tensor]) -> ld.Tensor:
    """(tasks, shots, 1) -> the same shape; each task has its own weights: w (tasks, in, out), b (tasks, 1, out)."""
    layers = list(zip(weights[::2], weights[1::2], strict=True))
    for n, (w, b) in enumerate(layers):
        x = x @ w + b
        if n + 1 < len(layers):
            x = ld.relu(x)
    return x


def of_each_task(weights: Sequence[ld.Tensor], tasks: int) -> list[ld.Tensor]:
    """The shared weights as one copy a task: views, which cost no bytes."""
    rows = [w if w.ndim == 2 else w.reshape(1, -1) for w in weights]
    return [ld.broadcast_to(w, (tasks, *w.shape)) for w in rows]


def adapted(loss: ld.Tensor, weights: Sequence[ld.Tensor], second_order: bool) -> list[ld.Tensor]:
    """One SGD step on each task's own loss, as a graph of the weights before it."""
    gradients = ld.grad(loss, weights)
    if not second_order:
        gradients = [ld.stop_gradient(g) for g in gradients]
    return [w - INNER_RATE * g for w, g in zip(weights, gradients, strict=True)]


@dataclass(frozen=True, slots=True)
class Losses:
    """Mean squared errors over all tasks on the query points, before and after adaptation."""

    before: ld.Tensor
    after: ld.Tensor


def losses(weights: Sequence[ld.Tensor], tasks: int, second_order: bool, dtype: Dtype = ld.f32) -> Losses:
    """The graph of inputs xs ys (support) and xq yq (query), each (tasks, shots, 1)."""
    xs, ys, xq, yq = (ld.input(n, (tasks, SHOTS, 1), dtype) for n in ("xs", "ys", "xq", "yq"))
    own = of_each_task(weights, tasks)
    # summed over tasks, so that each task's gradient is that of its own mean
    inner = ld.square(network(xs, own) - ys).sum() / float(SHOTS)
    new = adapted(inner, own, second_order)
    return Losses(ld.mse(network(xq, own), yq), ld.mse(network(xq, new), yq))


def build(second_order: bool = True, tasks: int = TASKS) -> ld.Plan:
    """The plan: `train` (a meta step with Adam -> loss after adaptation), `adapt` (-> before, after)."""
    found = losses(initial(), tasks, second_order)
    step = ld.train_step(found.after, ld.adam(OUTER_RATE))
    return ld.compile(train=step, adapt={"before": found.before, "after": found.after})


def sample(rng: np.random.Generator, tasks: int) -> dict[str, np.ndarray]:
    """Sinusoids: support and query points, f32 (tasks, shots, 1)."""
    amplitude, phase = rng.uniform(0.1, 5, (tasks, 1, 1)), rng.uniform(0, np.pi, (tasks, 1, 1))
    made: dict[str, np.ndarray] = {}
    for name in ("s", "q"):
        x = rng.uniform(-5, 5, (tasks, SHOTS, 1))
        made |= {f"x{name}": x.astype(np.float32), f"y{name}": (amplitude * np.sin(x - phase)).astype(np.float32)}
    return made


def train(plan: ld.Plan, iterations: int, seed: int = 1) -> ld.Session:
    """A session after some meta steps."""
    session, rng = ld.Session(plan), np.random.default_rng(seed)
    for _ in range(iterations):
        session.run("train", **sample(rng, TASKS))
    return session


def evaluate(session: ld.Session, rounds: int = 40, seed: int = 2) -> tuple[float, float]:
    """Mean losses before and after adaptation on tasks that were not trained on."""
    rng = np.random.default_rng(seed)
    found = [session.arrays("adapt", **sample(rng, TASKS)) for _ in range(rounds)]
    before, after = (float(np.mean([f[k] for f in found])) for k in ("before", "after"))
    return before, after


def main(argv: Sequence[str] | None = None) -> None:
    """Run both orders and print what they reach and what they cost."""
    parser = argparse.ArgumentParser(description="second- and first-order MAML on sinusoids")
    parser.add_argument("--iterations", type=int, default=ITERATIONS, help="meta steps (2000)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args(argv)
    figures = {}
    for name, second_order in (("second_order", True), ("first_order", False)):
        started = time.perf_counter()
        plan = build(second_order)
        compiled = time.perf_counter()
        session = train(plan, options.iterations)
        trained = time.perf_counter()
        before, after = evaluate(session)
        figures[name] = {
            "ram_bytes": plan.ram_bytes,
            "steps": len(plan.entry("train").steps),
            "compile_seconds": round(compiled - started, 3),
            "milliseconds_per_step": round(1e3 * (trained - compiled) / max(1, options.iterations), 3),
            "before": before,
            "after": after,
        }
        if not options.json:
            print(f"{name.replace('_', ' ')}: {plan.ram_bytes:,} bytes of RAM, {len(plan.entry('train').steps)} steps")
            print(f"  loss before adaptation {before:.3f}, after one step on {SHOTS} points {after:.3f}")
    if options.json:
        print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
