"""Runs a plan in a real MicroPython, for the tests of the port: the interpreters, a working folder, a plan builder."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from lazydiff.dtypes import Dtype, f32
from lazydiff.kernels.program import Program
from lazydiff.plan.check import check
from lazydiff.plan.model import MAP, Buffer, Entry, Kind, Plan, Region, Step, Symbol, executor_bytes
from lazydiff.run.reference import Reference
from tools_needed import missing, require

ROOT = Path(__file__).resolve().parents[2]
PORT = ROOT / "ports/micropython"
HERE = Path(__file__).parent
_CODES = {"float32": "f", "float64": "d", "int32": "i", "uint8": "B"}
Arrays = Mapping[str, np.ndarray]
Run = Callable[[str, Path], list[list[str]]]


def run_unix(script: str, folder: Path, heap: str = "768k") -> list[list[str]]:
    """Run a script of this folder in a working folder; the words after `said` or `out` of each such line."""
    root = ROOT / "build/micropython/root"
    loaders = sorted(root.glob("usr/lib/*-linux-gnu*/ld-linux*"))
    if not loaders:
        missing("MicroPython (unix) in build/micropython")
    binary = [str(loaders[0]), "--library-path", str(loaders[0].parent), str(root / "usr/bin/micropython")]
    return _lines([*binary, "-X", f"heapsize={heap}", str(HERE / script)], folder, MICROPYPATH=str(PORT))


def run_wasm(script: str, folder: Path) -> list[list[str]]:
    """The same under node."""
    modules = ROOT / "build/node/node_modules"
    if not (modules / "@micropython").exists():
        missing("MicroPython (wasm) in build/node")
    command = [require("node"), str(PORT / "run.mjs"), str(HERE / script), str(PORT), str(folder)]
    return _lines(command, folder, NODE_PATH=str(modules))


def _lines(command: list[str], folder: Path, **environment: str) -> list[list[str]]:
    done = subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [line.split()[1:] for line in done.stdout.splitlines() if line.startswith(("said ", "out "))]


def write_case(
    folder: Path, plan: Plan, entry: str, batches: Arrays, show: tuple[str, ...], read: tuple[str, ...] = ()
) -> None:
    """A working folder: the plan, each input's values of all steps in one file, and what to call and print."""
    plan.save(str(folder / "m.lzp"))
    inputs = {}
    for name, data in batches.items():
        (folder / f"{name}.bin").write_bytes(np.ascontiguousarray(data).tobytes())
        inputs[name] = (_CODES[data.dtype.name], int(np.prod(data.shape[1:])))
    steps = max([len(d) for d in batches.values()], default=1)
    call = {"entry": entry, "steps": steps, "inputs": inputs, "show": show, "output": show[0]}
    (folder / "case.json").write_text(json.dumps({"calls": [call], "read": read}))


def outputs(lines: list[list[str]], name: str, dtype: str) -> np.ndarray:
    """The values printed for one name, all steps in a row."""
    return np.frombuffer(b"".join(bytes.fromhex(data) for _, n, data in lines if n == name), dtype)


class Builder:
    """A plan of steps on buffers of their own; its entry `run` shows all outputs."""

    def __init__(self, dtype: Dtype = f32) -> None:
        self.dtype = dtype
        self.buffers: list[Buffer] = []
        self.steps: list[Step] = []
        self.inputs: list[Symbol] = []
        self.outputs: list[Symbol] = []
        self.data: dict[str, np.ndarray] = {}
        self.end = executor_bytes(1)

    def buffer(self, count: int, dtype: Dtype | None = None) -> int:
        size = (dtype or self.dtype).size_bytes(count)
        self.buffers.append(Buffer(Region.RAM, Kind.IO, dtype or self.dtype, self.end, size))
        self.end += (size + 7) // 8 * 8
        return len(self.buffers) - 1

    def given(self, values: np.ndarray, dtype: Dtype | None = None) -> int:
        buffer = self.buffer(values.size, dtype)
        name = f"in{len(self.inputs)}"
        self.inputs.append(Symbol(name, buffer, (values.size,)))
        self.data[name] = values.astype((dtype or self.dtype).numpy).reshape(1, -1)
        return buffer

    def shown(self, name: str, count: int, dtype: Dtype | None = None) -> int:
        buffer = self.buffer(count, dtype)
        self.outputs.append(Symbol(name, buffer, (count,)))
        return buffer

    def step(self, kernel: int, operands: Sequence[int], attrs: Sequence[int], tile_rows: int = 0) -> None:
        self.steps.append(Step(kernel, self.dtype, tuple(operands), tuple(attrs), tile_rows))

    def map(self, operands: Sequence[int], program: Program) -> None:
        self.step(MAP, operands, program.words())

    def plan(self) -> Plan:
        entry = Entry("run", tuple(self.inputs), tuple(self.outputs), tuple(self.steps))
        plan = Plan(self.end, 16, tuple(self.buffers), (), (entry,), b"", b"")
        check(plan)
        return plan

    def compare(self, interpreter: Run, folder: Path, rtol: float) -> None:
        """Every output of the interpreter against the oracle's."""
        plan = self.plan()
        names = tuple(s.name for s in self.outputs)
        write_case(folder, plan, "run", self.data, names)
        wanted = Reference(plan).run("run", **{name: values[0] for name, values in self.data.items()})
        lines = interpreter("mpy_run.py", folder)
        assert len(lines) == len(names) > 0
        for name in names:
            got = outputs(lines, name, wanted[name].dtype.newbyteorder("<").str)
            np.testing.assert_allclose(got, wanted[name].reshape(-1), rtol=rtol, atol=rtol, err_msg=name)
