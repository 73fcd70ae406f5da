"""Where a training step's time goes: `python -m tools.bench.steps w5_resnet8_b1 [--by-kernel] [--maps compiled] ...`.

Each step of the plan is timed alone, with the RAM as the steps before it leave it: in an opened plan the entry's record
is narrowed to that step, and the entry is called in C. So caches are warmer than in a whole step; the sum beside the
whole step's time says by how much.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import get_args

import numpy as np

import lazydiff as ld
from lazydiff.kernels.opcodes import BY_NAME
from lazydiff.kernels.program import NO_TILE, Program
from lazydiff.plan.codec import decode
from lazydiff.plan.model import MAP, Plan, Step
from lazydiff.run.session import Maps
from tools.bench.workloads import lazy
from tools.bench.workloads.definitions import ALL

BLOCK_SECONDS, BLOCKS = 5e-4, 15
CALLS_IN_PLACE = 64  # a step that writes over its own input would drift to infinities or subnormals if called for ever
_H_ENTRIES, _ENTRY_WORDS, _STEP_HEAD = 13, 10, 3  # plan/SPEC.md


@dataclass(frozen=True, slots=True)
class Timed:
    """A step (a tiled one with its map) and the microseconds of one call. `multiply_adds` 0: not a product."""

    number: int
    kernel: str
    label: str
    shape: str
    bytes: int
    multiply_adds: int
    us: float

    @property
    def gflops(self) -> float:
        """Of a product; of other steps 0."""
        return 2e-3 * self.multiply_adds / self.us if self.us > 0 else 0.0


def multiply_adds(step: Step) -> int:
    """Of a matrix product, a map's over one term too, or a convolution (taps outside the image counted); else 0."""
    if step.kernel == MAP:
        return _outer_products(step.program)
    v = step.values
    if {"kh", "cg", "fg"} <= v.keys():
        results = v["poh"] * v["pow"] if "poh" in v else v["oh"] * v["ow"]  # pooled: those that went through
        return v["n"] * results * v.get("groups", 1) * v["fg"] * v["kh"] * v["kw"] * v["cg"]
    return v["batch"] * v["m"] * v["k"] * v["n"] if {"m", "k", "n"} <= v.keys() else 0


def _outer_products(program: Program) -> int:
    """Elements of a map's products of a column by a row, as passes/simplify.py writes them: each an fma."""
    along = [{d for d, stride in enumerate(i.strides) if stride and program.dims[d] > 1} for i in program.inputs]
    moves = dict(enumerate(along))
    found = 0
    for i in program.instructions:
        a, b = (moves[slot] for slot in (i.a, i.b)) if i.opcode == BY_NAME["fma"].number else (set(), set())
        found += bool(a and b and not a & b)
        moves[i.dst] = set().union(*(moves[slot] for slot in i.arguments))
    return found * program.elements


def shape(step: Step) -> str:
    """The attributes in short, those of value 1 or 0 left out."""
    if step.kernel == MAP:
        p = step.program
        tile = " tile" if p.tile != NO_TILE else ""
        return f"{'x'.join(map(str, p.dims)) or '1'} {len(p.instructions)} instr{tile}"
    return " ".join(f"{k}{v}" for k, v in step.values.items() if v > 1 and not k.endswith("_step"))


def named(group: tuple[Step, ...]) -> tuple[str, str]:
    """The kernels and shapes of steps that run as one."""
    one = group[0]
    text = " | ".join(shape(s) + (f" tile {s.tile_rows}" if s is one and s.tile_rows else "") for s in group)
    return "+".join(s.declared.name for s in group), text


class Narrow:
    """A session whose entry can be narrowed to a range of its steps."""

    def __init__(self, plan: Plan, entry: int, inputs: dict[str, np.ndarray], maps: Maps = "interpreted") -> None:
        self.session = ld.Session(plan, maps=maps)
        self.model = self.session._model
        # What the bytes say is what runs: the plan's own entry, read back.
        self.entry = decode(plan.to_bytes()).entries[entry]
        words = self.model._plan.view("<u4")
        at = int(words[_H_ENTRIES]) // 4 + entry * _ENTRY_WORDS
        self.record = words[at : at + _ENTRY_WORDS]
        self.whole = self.record.copy()
        self.call = self.session.entry(self.entry.name)._call
        self.arrays = [np.ascontiguousarray(inputs[s.name]) for s in self.entry.inputs]

    def narrow(self, begin: int, end: int) -> None:
        """Only steps begin..end-1, no inputs or outputs."""
        words = [_STEP_HEAD + len(s.operands) + len(s.attrs) for s in self.entry.steps]
        self.record[:] = self.whole
        self.record[1] += sum(words[:begin])
        self.record[2], self.record[3] = end - begin, sum(words[begin:end])
        self.record[5] = self.record[7] = self.record[9] = 0

    def run(self, times: int) -> None:
        """The narrowed entry, `times` times, in C."""
        status = self.call.repeat((), times)
        assert status == 0, self.model.failure(status)

    def begin(self) -> None:
        """The RAM as a whole step finds it: first values, inputs in place."""
        self.record[:] = self.whole
        self.model.reset()
        self.record[2], self.record[3], self.record[7], self.record[9] = 0, 0, 0, 0
        status = self.call.repeat(self.arrays, 1)
        assert status == 0, self.model.failure(status)

    def seconds(self, in_place: bool) -> float:
        """Of one call of the narrowed entry: the lower quartile over blocks. The RAM is left as it was found."""
        before, found, calls = [b.copy() for b in self.model.blocks], [], 1
        while len(found) < BLOCKS:
            began = time.thread_time()
            self.run(calls)
            took = time.thread_time() - began
            for block, old in zip(self.model.blocks, before, strict=True):
                block[:] = old
            if took < BLOCK_SECONDS and not (in_place and calls >= CALLS_IN_PLACE):
                calls *= 2
                if in_place:
                    calls = min(calls, CALLS_IN_PLACE)
            else:
                found.append(took / calls)
        return statistics.quantiles(found)[0]


def groups(steps: tuple[Step, ...]) -> Iterator[tuple[int, int]]:
    """Ranges of steps that run as one: tiled steps with the one behind them."""
    begin = 0
    for at, step in enumerate(steps):
        if not step.tile_rows:
            yield begin, at + 1
            begin = at + 1


def profile(
    plan: Plan, inputs: dict[str, np.ndarray], maps: Maps = "interpreted", entry: int = 0
) -> tuple[list[Timed], float, float]:
    """The timed steps; microseconds of a call without steps, which they do not include; and of a whole step."""
    n = Narrow(plan, entry, inputs, maps)
    n.begin()
    n.narrow(0, 0)
    empty = n.seconds(False)
    found = []
    for begin, end in groups(n.entry.steps):
        n.narrow(begin, end)
        steps = n.entry.steps[begin:end]
        reads = [plan.buffers[b] for s in steps for b in s.reads]
        writes = [plan.buffers[b] for s in steps for b in s.writes]
        in_place = any(r.overlaps(w) for r in reads for w in writes)
        us = 1e6 * (n.seconds(in_place) - empty)
        n.run(1)
        kernel, text = named(steps)
        size = sum(plan.buffers[b].size_bytes for b in {b for s in steps for b in s.operands})
        found.append(Timed(begin, kernel, steps[0].label, text, size, sum(map(multiply_adds, steps)), us))
    n.narrow(0, len(n.entry.steps))
    n.record[5] = n.whole[5]  # inputs are copied in again: the step before has written over them
    calls, times = 1, []
    while len(times) < 2 * BLOCKS:
        began = time.thread_time()
        assert n.call.repeat(n.arrays, calls) == 0
        took = time.thread_time() - began
        if took < 0.01:
            calls *= 2
        else:
            times.append(took / calls)
    return found, 1e6 * empty, 1e6 * statistics.quantiles(times)[0]


def by_kernel(rows: list[Timed]) -> list[Timed]:
    """The rows of one kernel (with its map, if tiled) added up."""
    found: dict[str, list[Timed]] = {}
    for row in rows:
        found.setdefault(row.kernel, []).append(row)
    return [
        Timed(
            len(group), name, "", "", sum(r.bytes for r in group), sum(r.multiply_adds for r in group),
            sum(r.us for r in group),
        )
        for name, group in found.items()
    ]  # fmt: skip


def show(rows: list[Timed], total: float) -> None:
    """A table."""
    print(f"{'step':>5}  {'kernel':<32}{'us':>10}{'share':>8}{'GFLOP/s':>9}{'KiB':>9}  shape")
    for r in rows:
        rate = f"{r.gflops:9.1f}" if r.multiply_adds else " " * 9
        place = f"{r.shape}  ({r.label})" if r.label else r.shape
        print(f"{r.number:>5}  {r.kernel:<32}{r.us:>10.2f}{r.us / total:>8.1%}{rate}{r.bytes / 1024:>9.1f}  {place}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.bench.steps", description=__doc__)
    parser.add_argument("name", help=f"part of a workload's name: {', '.join(ALL)}")
    parser.add_argument("--top", type=int, default=0, help="only so many steps, the longest first")
    parser.add_argument("--by-kernel", action="store_true", help="added up by kernel (`step` counts the calls)")
    parser.add_argument("--maps", choices=get_args(Maps), default="interpreted", help="how maps run")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    for name, workload in ALL.items():
        if options.name not in name:
            continue
        batch = {f"batch{k}": a for k, a in enumerate(workload.init()[2][0])}
        rows, empty, whole = profile(lazy.compiled(workload), batch, options.maps)
        total = sum(r.us for r in rows)
        if options.by_kernel:
            rows = by_kernel(rows)
        if options.by_kernel or options.top:
            rows.sort(key=lambda r: -r.us)
        rows = rows[: options.top or None]
        if options.json:
            told = {"workload": name, "whole_us": whole, "steps_us": total, "empty_us": empty}
            print(json.dumps(told | {"steps": [asdict(r) | {"gflops": r.gflops} for r in rows]}, indent=1))
            continue
        print(f"{name}: whole step {whole:.2f} us, steps alone {total:.2f} us, a call of no step {1e3 * empty:.0f} ns")
        show(rows, total)


if __name__ == "__main__":
    main()
