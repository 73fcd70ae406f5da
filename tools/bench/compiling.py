"""Trace to plan for the demo network, the cost of `import lazydiff`, and how close the plans come to their bounds."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from lazydiff.examples import digits, maml, pinn
from lazydiff.plan.lifetimes import entry_lives
from tools import sizes
from tools.bench.networks import resnet8, unrolled
from tools.bench.row import Row


def _import_seconds(module: str) -> float:
    program = f"import time; t = time.process_time(); import {module}; print(time.process_time() - t)"
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", program]
    return float(subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout)


def _compile_seconds(build: Callable[[], object] = digits.build) -> float:
    began = time.process_time()
    build()
    return time.process_time() - began


def rows() -> list[Row]:
    digits.build()
    compiled = statistics.median(_compile_seconds() for _ in range(15))
    _import_seconds("lazydiff")  # the first import on a machine also writes the byte code
    pairs = [(_import_seconds("lazydiff"), _import_seconds("numpy")) for _ in range(9)]
    beyond = statistics.median(a for a, _ in pairs) - statistics.median(b for _, b in pairs)
    plan = digits.build()
    found = [
        Row("demo network: trace to plan", 1e3 * compiled, "ms", 150.0),
        Row("ResNet-8, training step and inference: trace to plan", _compile_seconds(resnet8), "s", 1.0),
        Row("MAML, second order, 25 tasks: trace to plan", _compile_seconds(maml.build), "s", 2.0),
        Row("3,000 steps of a recurrence: trace to plan", _compile_seconds(lambda: unrolled(3000)), "s", 2.0),
        Row(
            "1,000 steps of a recurrence, trained: trace to plan",
            _compile_seconds(lambda: unrolled(1000, True)),
            "s",
            10.0,
        ),
        Row("PINN for Burgers' equation: trace to plan", _compile_seconds(lambda: pinn.burgers(0.03).plan), "s", 2.0),
        Row("import lazydiff beyond NumPy's own import", 1e3 * beyond, "ms", 60.0),
        Row("demo network: RAM", plan.ram_bytes, "B", 64 * 1024),
    ]
    found += [
        Row(f"demo network: arena / lower bound, {e.name}", entry_lives(plan, e).arena_over_bound, "x", 1.0)
        for e in plan.entries
    ]
    if shutil.which("arm-none-eabi-gcc"):
        found.append(
            Row("C library for Cortex-M4F with the demo's kernels: text", sizes.demo_library_text(), "B", 24 * 1024)
        )
    return found
