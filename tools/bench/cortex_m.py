"""Instructions of a training step on an emulated Cortex-M4F: `make bench-m4`, `python -m tools.bench.cortex_m [name]`.

QEMU's -icount gives each instruction the same virtual time, so a counter of the board counts instructions, exactly and
repeatably for one compiler. They are no cycles: flash wait states and the FPU's latencies are not in them. The whole
step is counted in an image as it would be flashed; `--steps` counts each step of the plan in a second image, in which
the linker puts a counter around every kernel (some ten instructions a call).
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

import lazydiff as ld
from lazydiff.examples import digits
from lazydiff.plan.codec import decode
from lazydiff.plan.model import Plan, Step
from tools.bench import networks, steps
from tools.bench.workloads import lazy
from tools.bench.workloads.definitions import ALL
from tools.sizes import PORT, ROOT, library_text

STEP_HEAD = 3  # words before a step's operands: plan/SPEC.md
Inputs = dict[str, np.ndarray]


@dataclass(frozen=True)
class Network:
    """A plan with the entry `train`, a first batch, and the instructions a multiply-add that are our goal."""

    build: Callable[[], tuple[Plan, Inputs]]
    goal: float | None = None


@dataclass(frozen=True)
class Count:
    """One training step. `instructions` counts everything from the call to its return."""

    network: str
    instructions: int
    multiply_adds: int
    ram_bytes: int
    text_bytes: int
    maps_bytes: int
    programs: int
    goal: float | None

    @property
    def per_multiply_add(self) -> float:
        """Instructions of the whole step for each multiply-add of its products."""
        return self.instructions / self.multiply_adds


@dataclass(frozen=True)
class StepCount:
    """One step of the plan (a tiled one with its map)."""

    kernel: str
    shape: str
    label: str
    calls: int
    instructions: int
    multiply_adds: int


def _demo() -> tuple[Plan, Inputs]:
    data = digits.load_digits()
    return digits.build(), {"x": data.train_images[:8], "y": data.train_labels[:8]}


def _workload(name: str) -> Callable[[], tuple[Plan, Inputs]]:
    def build() -> tuple[Plan, Inputs]:
        return lazy.compiled(ALL[name]), {f"batch{k}": a for k, a in enumerate(ALL[name].init()[2][0])}

    return build


NETWORKS = {
    "dense": Network(_workload("w1_mlp_b1"), 2.2),
    "conv3x3": Network(lambda: networks.convolutions(1), 1.9),
    "depthwise": Network(lambda: networks.convolutions(16), 3.0),
    "digits": Network(_demo),
    "w2_lenet_b1": Network(_workload("w2_lenet_b1")),
    "w4_dscnn_b1": Network(_workload("w4_dscnn_b1")),
    "w5_resnet8_b1": Network(_workload("w5_resnet8_b1")),
}

_COUNTERS = """
#include "harness.h"

#define COUNTER (*(const volatile uint32_t *)0x40028018u)
enum { MOST = 1024 };
static struct { const uint32_t *step; uint32_t calls, ticks; } spent[MOST];

static void add(const uint32_t *step, uint32_t ticks) {
    for (uint32_t k = 0; k < MOST; k++) {
        if (spent[k].step == step || spent[k].step == 0) {
            spent[k].step = step;
            spent[k].calls++;
            spent[k].ticks += ticks;
            return;
        }
    }
    end_run(99);
}

#define COUNTED(name)                                                                                    \\
    void __real_##name(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end);                 \\
    void __wrap_##name(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end);                 \\
    void __wrap_##name(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end) {                \\
        const uint32_t before = COUNTER;                                                                 \\
        __real_##name(p, v, begin, end);                                                                 \\
        add(v, COUNTER - before);                                                                        \\
    }

void put_counts(void);
void put_counts(void) {
    for (uint32_t k = 0; k < MOST && spent[k].step != 0; k++) {
        put_text("step ");
        put_decimal((uint32_t)(uintptr_t)spent[k].step / 4u);
        put_text(" ");
        put_decimal(spent[k].calls);
        put_text(" ");
        put_decimal((uint32_t)((uint64_t)spent[k].ticks * 40u / 64u));
        put_text("\\n");
    }
}
"""


def _exported(name: str) -> tuple[Path, Plan]:
    plan, inputs = NETWORKS[name].build()
    folder = ROOT / "build/cortex_m" / name
    ld.export_c(plan, folder, name="example", inputs=[inputs])
    return folder, plan


def _run(folder: Path, board: str, *arguments: str) -> tuple[str, Path]:
    """What the image printed, and the linker's map."""
    command = ["make", "-s", "-C", PORT, f"EXPORT={folder}", f"BOARD={board}", "LAYOUT=roomy", *arguments, "run"]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"bench: {folder.name} on {board}: {done.stdout}{done.stderr}")
    return done.stdout, folder / "build" / board / "app.map"


def counted(name: str, board: str = "an386") -> Count:
    """One training step of a network, in an image as it would be flashed. Its bits are the desktop's, or it stops."""
    folder, plan = _exported(name)
    printed, link_map = _run(folder, board)
    found = re.search(r"^instructions_of_last_run (\d+)$", printed, re.MULTILINE)
    assert found, printed
    products = sum(map(steps.multiply_adds, plan.entries[0].steps))
    text = library_text(link_map.read_text())
    sizes = [size for _, size in program_sizes(folder / "build" / board / "app.elf")]
    count = int(found.group(1))
    return Count(name, count, products, plan.ram_bytes, text, sum(sizes), len(sizes), NETWORKS[name].goal)


def program_sizes(image: Path) -> list[tuple[str, int]]:
    """Bytes of text of each function that export/c_maps.py generated, by its name in the C."""
    command = ["arm-none-eabi-nm", "-S", str(image)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [(name, int(size, 16)) for size, name in re.findall(r"^\w+ (\w+) t (map_\d+|op_\w+)$", text, re.MULTILINE)]


def counted_steps(name: str, board: str = "an386") -> list[StepCount]:
    """The same, kernel by kernel."""
    folder, plan = _exported(name)
    kernels = re.findall(r"\blzd_k_\w+", "".join(p.read_text() for p in folder.glob("lzd_table.c")))
    source = folder / "build" / "counters.c"
    source.parent.mkdir(exist_ok=True)
    source.write_text(_COUNTERS + "".join(f"COUNTED({k})\n" for k in kernels))
    wrap = " ".join(f"-Wl,--wrap={k}" for k in kernels)
    out = folder / "build" / f"{board}-counted"
    printed, _ = _run(folder, board, f"OUT={out}", f"EXTRA={source}", f"WRAP={wrap}")
    rows = [[int(word) for word in line.split()[1:]] for line in printed.splitlines() if line.startswith("step ")]
    entry = decode(plan.to_bytes()).entries[0]
    attributes, at = {}, 0
    for number, step in enumerate(entry.steps):
        attributes[at + STEP_HEAD + len(step.operands)] = number
        at += STEP_HEAD + len(step.operands) + len(step.attrs)
    base = min(row[0] for row in rows) - min(attributes)
    spent = {attributes[where - base]: (calls, instructions) for where, calls, instructions in rows}
    return [_step(entry.steps[a:b], [spent[k] for k in range(a, b)]) for a, b in steps.groups(entry.steps)]


def _step(group: tuple[Step, ...], spent: list[tuple[int, int]]) -> StepCount:
    kernel, text = steps.named(group)
    products = sum(map(steps.multiply_adds, group))
    return StepCount(kernel, text, group[0].label, spent[0][0], sum(i for _, i in spent), products)


HEADS = ("network", "instructions", "multiply-adds", "a multiply-add", "goal", "RAM", "library text", "of it maps")


def line(c: Count) -> str:
    """A row of the Markdown table."""
    goal = "" if c.goal is None else f"{c.goal:g}"
    cells = (c.network, c.instructions, c.multiply_adds, f"{c.per_multiply_add:.2f}", goal, c.ram_bytes, c.text_bytes)
    cells = (*cells, f"{c.maps_bytes} in {c.programs}")
    return f"| {' | '.join(f'{x:,}'.replace(',', ' ') if isinstance(x, int) else x for x in cells)} |"


def show(rows: list[StepCount]) -> None:
    """A table of the plan's steps."""
    total = sum(r.instructions for r in rows)
    print(f"{'kernel':<28}{'instructions':>13}{'share':>7}{'/ mul-add':>10}{'calls':>6}  shape")
    for r in rows:
        each = f"{r.instructions / r.multiply_adds:10.2f}" if r.multiply_adds else " " * 10
        print(
            f"{r.kernel:<28}{r.instructions:>13}{r.instructions / total:>7.1%}{each}{r.calls:>6}  {r.shape} ({r.label})"
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.bench.cortex_m", description=__doc__)
    parser.add_argument("name", nargs="?", default="", help=f"part of a name: {', '.join(NETWORKS)}")
    parser.add_argument("--board", default="an386", help="an386 (Cortex-M4F) or an500 (Cortex-M7)")
    parser.add_argument("--steps", action="store_true", help="each step of the plan")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    names = [n for n in NETWORKS if options.name in n]
    if options.steps:
        for name in names:
            rows = counted_steps(name, options.board)
            print(json.dumps([asdict(r) for r in rows], indent=1) if options.json else f"{name}:")
            if not options.json:
                show(rows)
                sizes = program_sizes(ROOT / "build/cortex_m" / name / "build" / f"{options.board}-counted" / "app.elf")
                print("text of the maps:", ", ".join(f"{program} {size}" for program, size in sizes))
        return
    if options.json:
        found = [counted(name, options.board) for name in names]
        print(json.dumps([asdict(c) | {"per_multiply_add": c.per_multiply_add} for c in found], indent=1))
        return
    print(f"| {' | '.join(HEADS)} |\n|{' --- |' * len(HEADS)}")
    for name in names:
        print(line(counted(name, options.board)), flush=True)


if __name__ == "__main__":
    main()
