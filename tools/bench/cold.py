"""Cold start: a new process from its first line through import and plan or compilation to the loss of the first step.

CPU seconds of all its threads, the interpreter's own start included, the making of the data not.
"""

from __future__ import annotations

import importlib
import os
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from tools.bench.row import Row

ROOT = Path(__file__).resolve().parents[2]
WORKLOAD, REPEATS = "w6_vww_full_b1", 5
NAMES = {"ours": "lazydiff", "pytorch": "torch, eager", "jax_": "JAX"}
GOAL_SECONDS = 0.3


def first_step(module: str) -> float:
    """Of this process up to the first step's end; to be called first."""
    from tools.bench.workloads.definitions import ALL  # brings NumPy, which everybody pays for

    began = time.process_time()
    made = ALL[WORKLOAD].init()
    data = time.process_time() - began
    workload = replace(ALL[WORKLOAD], init=lambda: made)
    (loss,) = importlib.import_module(f"tools.bench.peers.{module}").ways(workload)[0]().losses(1)
    assert loss > 0
    return time.process_time() - data


def seconds(module: str) -> float | None:
    """The median of a few processes after one that fills the caches of byte code; None if the peer isn't installed."""
    program = f"from tools.bench.cold import first_step; print(first_step({module!r}))"
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    found = []
    for _ in range(1 + REPEATS):
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            if "ModuleNotFoundError" in done.stderr:
                return None
            raise SystemExit(f"bench: cold start of {module}: {done.stderr}")
        found.append(float(done.stdout))
    return statistics.median(found[1:])


def rows() -> list[Row]:
    found = []
    for module, name in NAMES.items():
        took = seconds(module)
        if took is not None:
            goal = GOAL_SECONDS if module == "ours" else None
            found.append(Row(f"MobileNetV1-0.25, cold start to the first step: {name}", took, "s", goal))
    return found
