"""Turns a plan into a C folder with a self-test: runs it here, and bakes the inputs and the results into the export."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from lazydiff.errors import ExportError
from lazydiff.export import c_source
from lazydiff.export.c_source import ExampleRun
from lazydiff.plan.model import Check, Entry, Plan, Symbol
from lazydiff.run.session import Session

SELFTEST_RUNS = 3


def export_c(
    plan: Plan,
    folder: str | os.PathLike[str],
    name: str = "model",
    *,
    entry: str | None = None,
    inputs: Sequence[Mapping[str, np.ndarray]] | None = None,
    maps: Literal["generated", "interpreted"] = "generated",
) -> None:
    """Write `plan` as a folder of C99 that builds alone; `name` begins every C name in it (README.md there says more).

    The folder's self-test runs `entry` ("train", else the first that has outputs) once for each item of `inputs`,
    arrays by input name; without `inputs`, three times on made-up ones. It compares `loss` (else the first output in
    RAM) bit for bit with what this machine computed.

    `maps`: how elementwise programs run. "generated": each is a C loop of its own, some seven times as fast on a
    Cortex-M, and the folder runs this plan alone. "interpreted": they are data for one kernel, which is the least code
    where there are many, and other plans of the same kernels run too. The bits are the same.

    Raises ExportError for a name that C can't take, inputs that do not fit or another word in `maps`, InputError for
    values the entry refuses, ToolError where the C extension is missing.
    """
    names = [e.name for e in plan.entries]
    speaking = [e.name for e in plan.entries if e.outputs] or names  # a segment may do nothing but keep values
    chosen = entry or ("train" if "train" in names else speaking[0])
    if chosen not in names:
        raise ExportError(f"export_c: the plan has no entry {chosen!r}; it has {', '.join(names)}")
    declared = plan.entry(chosen)
    if inputs is None:
        inputs = [made_up_inputs(plan, declared, run) for run in range(SELFTEST_RUNS)]
    c_source.export_c(plan, folder, name, example=record(plan, declared, inputs), maps=maps)


def record(plan: Plan, entry: Entry, inputs: Sequence[Mapping[str, np.ndarray]]) -> ExampleRun:
    """Run an entry on each item of `inputs`, from the plan's first values; keep one output's value after each run."""
    candidates = [s for s in entry.outputs if plan.buffers[s.buffer].region.in_ram]
    if not candidates:
        raise ExportError(f"export_c: entry {entry.name!r} has no output in RAM to compare\n  try: entry='another'")
    output = next((s for s in candidates if s.name == "loss"), candidates[0])
    session = Session(plan)
    expected = []
    for arrays in inputs:
        result = session.run(entry.name, **arrays)
        value = result[output.name] if isinstance(result, dict) else result
        expected.append(np.asarray(value, plan.buffers[output.buffer].dtype.numpy).copy())
    return ExampleRun(entry.name, tuple(inputs), output.name, tuple(expected))


def made_up_inputs(plan: Plan, entry: Entry, run: int) -> dict[str, np.ndarray]:
    """Inputs an entry takes, the same on every machine: floats in [-1, 1), integers within their range."""
    return {s.name: _made_up(plan, s, run * len(entry.inputs) + i) for i, s in enumerate(entry.inputs)}


def _made_up(plan: Plan, symbol: Symbol, seed: int) -> np.ndarray:
    dtype = plan.buffers[symbol.buffer].dtype
    # Knuth's multiplicative hash of the index: no generator whose stream could change with a numpy version.
    mixed = (np.arange(plan.elements(symbol), dtype=np.uint64) + np.uint64(1 + 9973 * seed)) * np.uint64(2654435761)
    bits = (mixed & np.uint64(0xFFFFFFFF)) >> np.uint64(8)  # 24 bits: exact in f32
    if dtype.is_float:
        return (bits.astype(np.float64) / 2.0**23 - 1.0).astype(dtype.numpy).reshape(symbol.shape)
    low, count = 0, 2 if dtype.name == "bool" else 10
    if symbol.check == Check.RANGE:
        low, count = symbol.low, symbol.high - symbol.low + 1
    return (low + bits.astype(np.int64) % count).astype(dtype.numpy).reshape(symbol.shape)
