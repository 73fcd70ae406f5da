"""Two regions of RAM, as rows of the planner's table: how much more they take together than one block."""

from __future__ import annotations

import time
from collections.abc import Iterator

import lazydiff as ld
from tools.bench.planner.nets import mobilenet, residual

Row = dict[str, object]
FIRST = 0.25  # of the RAM of one block
MORE = (1.0, 1.001, 1.003, 1.01, 1.02, 1.05)  # of one block, both together; the first that has a plan counts
NETWORKS = {
    "ResNet-8, batch 4": lambda: residual(4, False),
    "ResNet-8, frozen statistics": lambda: residual(1, True),
    "ResNet-18 of CIFAR": lambda: residual(1, False, (16, 32, 64), 3),
    "MobileNet-0.25, frozen statistics": lambda: mobilenet(1, True),
}


def rows() -> Iterator[Row]:
    """All networks."""
    for name, build in NETWORKS.items():
        step = build()
        one = ld.compile(train=step).ram_bytes
        first = int(one * FIRST) // 8 * 8
        for share in MORE:
            start = time.process_time()
            try:
                plan = ld.compile(train=step, ram={"dtcm": first, "sram": int(one * share) - first}, recompute="none")
            except ld.BudgetError:
                continue
            yield {
                "what": f"{name}, a quarter in the first of two regions",
                "goal": "2 % more than one block",
                "ours": f"{plan.ram_bytes:,} B, {plan.ram_bytes / one:.4f} of one block",
                "seconds": time.process_time() - start,
                "met": plan.ram_bytes <= 1.02 * one,
            }
            break
