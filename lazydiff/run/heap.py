"""Counts what a plan's steps allocate, by running them in a process whose heap calls are counted (Linux, glibc)."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lazydiff.errors import ToolError
from lazydiff.plan.model import Plan
from lazydiff.run.incremental import IncrementalCall
from lazydiff.run.native import HeapCounter
from lazydiff.run.session import Maps, Session


def count_allocations(
    plan: Plan | bytes,
    entry: str,
    inputs: Mapping[str, np.ndarray],
    steps: int = 1000,
    threads: int = 1,
    maps: Maps = "interpreted",
) -> int:
    """How many heap calls (malloc, calloc, realloc, free, aligned ones, mmap) `steps` runs of an entry make in C.

    `threads` and `maps` are the session's. Counts the whole process, libraries below lazydiff included; Python itself
    stands still meanwhile. Raises ToolError where the counter can't be used or does not count, InputError for inputs
    that the entry does not take.
    """
    library = HeapCounter.library()
    if library is None or not sys.platform.startswith("linux"):
        raise ToolError(
            f"count_allocations: no heap counter on {sys.platform}: it needs Linux with glibc\n"
            "  try: a Debian or Ubuntu machine or container"
        )
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "plan.lzp").write_bytes(plan.to_bytes() if isinstance(plan, Plan) else plan)
        np.savez(Path(folder, "inputs.npz"), **dict(inputs))  # type: ignore[arg-type]
        preload = " ".join(filter(None, (library, os.environ.get("LD_PRELOAD", ""))))
        paths = os.pathsep.join(p or os.getcwd() for p in sys.path)
        done = subprocess.run(
            [sys.executable, "-m", "lazydiff.run.heap", folder, entry, str(steps), str(threads), maps],
            env={**os.environ, "LD_PRELOAD": preload, "PYTHONPATH": paths},
            capture_output=True,
            text=True,
        )
    if done.returncode:
        raise ToolError(f"count_allocations: the counting process failed:\n{done.stderr.strip()}")
    return int(done.stdout)


def _count(folder: str, entry: str, steps: int, threads: int, maps: Maps) -> int:
    """In the counting process: the calls that `steps` runs make."""
    counter = HeapCounter()
    seen = counter.probe()
    if seen != 2:
        raise ToolError(f"heap counter: saw {seen} calls for one malloc and one free: it is not in LD_PRELOAD")
    session = Session(Path(folder, "plan.lzp"), threads, maps)
    with np.load(Path(folder, "inputs.npz")) as arrays:
        inputs = {name: arrays[name] for name in arrays.files}
    call = session.entry(entry)
    if isinstance(call, IncrementalCall):
        raise ToolError(f"heap counter: {entry!r} is incremental; count one of its segments, such as {entry}.0")
    return call.repeat_counted(steps, counter, **inputs)


if __name__ == "__main__":
    _, where, name, runs, n, way = sys.argv
    print(_count(where, name, int(runs), int(n), "compiled" if way == "compiled" else "interpreted"))
