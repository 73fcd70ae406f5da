"""Whole plans, as rows of the planner's table: the demo network, w1 to w9 without a budget, and compile time."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

import lazydiff as ld
from lazydiff.examples import digits
from lazydiff.graph.walk import topological
from tools.bench.workloads.counting import counted
from tools.bench.workloads.definitions import ALL
from tools.bench.workloads.lazy import compiled

Row = dict[str, object]
LIMITS = {50: 0.1, 500: 1.0, 5000: 10.0}  # seconds, by nodes


def demo() -> Iterator[Row]:
    """The network of `make demo`, batch 8, momentum."""
    start = time.process_time()
    plan = digits.build(8, "64 KiB")
    seconds = time.process_time() - start
    assert plan.report is not None
    yield {
        "what": "demo network, batch 8, momentum",
        "goal": '"64 KiB" without recomputation',
        "ours": f"{plan.ram_bytes:,} B",
        "seconds": seconds,
        "met": plan.ram_bytes <= 65536,
    }


def workloads() -> Iterator[Row]:
    """RAM <= parameters + state + slots + batch + 0.8 x saved activations, no budget set."""
    for name, workload in ALL.items():
        goal = counted(workload).goal
        if goal:
            start = time.process_time()
            plan = compiled(workload)
            yield {
                "what": name,
                "goal": f"{goal:,} B",
                "ours": f"{plan.ram_bytes:,} B, {plan.ram_bytes / goal:.3f} of the goal",
                "seconds": time.process_time() - start,
                "met": plan.ram_bytes <= goal,
            }


def perceptron(layers: int, skips: bool = False) -> ld.Step:
    """A deep perceptron with momentum; each layer may add its input."""
    rng = np.random.default_rng(0)
    h, y = ld.input("x", (8, 16)), ld.input("y", (8,), ld.i32)
    for i in range(layers):
        w = ld.param(f"w{i}", rng.normal(size=(16, 16)).astype(np.float32))
        t = ld.tanh(h @ w + ld.param(f"b{i}", np.zeros(16, np.float32)))
        h = h + t if skips else t
    return ld.train_step(ld.cross_entropy(h, y).mean(), ld.sgd(0.1, momentum=0.9))


def _nodes(step: ld.Step) -> int:
    return len(topological([*step.outputs.values(), *(new for _, new in step.updates)]))


def seconds() -> Iterator[Row]:
    """Trace to plan of the largest perceptron of so many nodes: without a budget, and with one to recompute for."""
    for count, limit in LIMITS.items():
        for skips in (False, True):
            layers = next(n for n in range(1, count) if _nodes(perceptron(n + 1, skips)) > count)
            step = perceptron(layers, skips)
            name = f"{'residual ' if skips else ''}perceptron of {_nodes(step):,} nodes"
            plan = None
            for words, ram in (("", None), (", three quarters of the activations", 0.75)):
                budget = None
                if ram is not None:
                    assert plan is not None
                    kept = sum(plan.buffers[s.buffer].size_bytes for s in plan.state)
                    budget = kept + int(ram * (plan.ram_bytes - kept))
                yield _timed(name + words, step, budget, limit)
                plan = plan or ld.compile(train=step)


def _timed(what: str, step: ld.Step, budget: int | None, limit: float) -> Row:
    start = time.process_time()
    try:
        ld.compile(train=step, ram=budget)
        ours = "a plan"
    except ld.BudgetError:
        ours = "no plan found"
    found = time.process_time() - start
    return {"what": what, "goal": f"{limit} s", "ours": ours, "seconds": found, "met": found < limit}


def rows() -> list[Row]:
    """All of them."""
    return [*demo(), *workloads(), *seconds()]
