"""Recomputation under budgets, as rows of the planner's table.

Activations of our own networks are what the entry needs at its peak with nothing computed twice, in the best order that
the planner finds, beyond parameters, state and the batch. Those of w1 to w9 are counted without any planner
(workloads/counting.py); their budget is parameters, state, slots, batch and half of that.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import lazydiff as ld
from lazydiff.frontend.training import Step
from lazydiff.plan.model import Region
from tools.bench.planner import nets
from tools.bench.workloads.counting import counted
from tools.bench.workloads.definitions import ALL
from tools.bench.workloads.lazy import step as workload_step

Row = dict[str, object]
CIFAR = ((64, 128, 256, 512), 2)
HALVES: dict[str, Callable[[], Step]] = {
    "ResNet-8, batch 1": lambda: nets.residual(1, True),
    "ResNet-8, batch 8": lambda: nets.residual(8, False),
    "ResNet-8, batch 32": lambda: nets.residual(32, False),
    "ResNet-18 (CIFAR), batch 8": lambda: nets.residual(8, False, *CIFAR),
    "MobileNetV1-0.25, batch 1": lambda: nets.mobilenet(1, True),
    "MobileNetV1-0.25, batch 8": lambda: nets.mobilenet(8, False),
    "MobileNetV1-0.25, batch 32": lambda: nets.mobilenet(32, False),
}


def fixed_bytes(plan: ld.Plan) -> int:
    """The executor's bytes, parameters, state and the inputs."""
    kept = [plan.buffers[s.buffer] for s in (*plan.state, *plan.entries[0].inputs)]
    return plan.executor_bytes + sum(b.size_bytes for b in kept if b.region == Region.RAM)


def activations(plan: ld.Plan) -> int:
    """Bytes at the peak beyond the fixed ones, with nothing computed twice."""
    assert plan.report is not None
    (saved,) = plan.report.savings().values()
    return plan.lower_bound + saved["recomputation"] - fixed_bytes(plan)


def under(what: str, limit: float, build: Callable[[], Step], budget: int) -> Row:
    """The row of one budget, for at most `limit` percent of extra work.

    Where recomputation alone does not meet it, micro-batches may be used too.
    """
    for parts in ((), ("auto",)):
        step = replace(build(), micro_batches="auto") if parts else build()
        start = time.process_time()
        try:
            plan = ld.compile(train=step, ram=budget)
        except ld.BudgetError as error:
            met, ours = False, f"not met: {error.needed_bytes:,} of {budget:,} B"
        else:
            assert plan.report is not None
            met = plan.report.extra_work <= limit
            words = ", in micro-batches" if parts else ""
            ours = f"+{plan.report.extra_work:.1f} % work, {plan.ram_bytes:,} of {budget:,} B{words}"
        seconds = time.process_time() - start
        if met:
            break
    return {"what": what, "goal": f"at most +{limit:g} % work", "ours": ours, "seconds": seconds, "met": met}


def halves() -> Iterator[Row]:
    """Half of the activations of networks like ResNet and MobileNet."""
    for name, build in HALVES.items():
        plan = ld.compile(train=build(), recompute="none")
        budget = fixed_bytes(plan) + activations(plan) // 2
        yield under(f"{name}: half of the activations", 10, build, budget)


def cifar() -> Iterator[Row]:
    """0.30 of the activations of a CIFAR ResNet-18, batch 1, by recomputation alone."""

    def build() -> Step:
        return nets.residual(1, True, *CIFAR)

    plan = ld.compile(train=build(), recompute="none")
    for share in (50, 40, 30):
        budget = fixed_bytes(plan) + activations(plan) * share // 100
        yield under(f"ResNet-18 (CIFAR), batch 1: 0.{share} of the activations", 50, build, budget)


def workloads() -> Iterator[Row]:
    """Half of the saved activations of w1 to w9."""
    for name, workload in ALL.items():
        b = counted(workload)
        if b.saved is not None:
            budget = b.state + b.slots + b.batch + b.saved // 2
            yield under(f"{name}: half of the saved activations", 10, partial(workload_step, workload), budget)


def rows() -> list[Row]:
    """All rows: what, goal, ours, seconds."""
    return [*halves(), *cifar(), *workloads()]
