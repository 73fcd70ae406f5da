"""RAM of the steps w1 to w9 beside what they have to keep: `python -m tools.bench.workloads [name] [--peak]`."""

from __future__ import annotations

import argparse

from lazydiff.plan.lifetimes import entry_lives
from tools.bench.workloads.counting import counted
from tools.bench.workloads.definitions import ALL
from tools.bench.workloads.lazy import compiled


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.bench.workloads", description=__doc__)
    parser.add_argument("name", nargs="?", default="", help="part of a workload's name (default: all)")
    parser.add_argument("--peak", action="store_true", help="who is alive at the peak, greatest first")
    options = parser.parse_args()
    heads = ("RAM", "bound", "goal", "RAM / goal", "state", "slots", "batch", "saved")
    print(f"{'workload':<20}" + "".join(f"{h:>12}" for h in heads))
    for name, workload in ALL.items():
        if options.name not in name:
            continue
        plan, b = compiled(workload), counted(workload)
        lives = entry_lives(plan, plan.entries[0])
        share = f"{plan.ram_bytes / b.goal:.3f}" if b.goal else "-"
        cells = (plan.ram_bytes, lives.lower_bound_bytes, b.goal or "-", share, b.state, b.slots, b.batch)
        print(f"{name:<20}" + "".join(f"{c:>12}" for c in (*cells, "-" if b.saved is None else b.saved)))
        if options.peak:
            step = lives.entry.steps[lives.peak_step]
            print(f"    step {lives.peak_step + 1} of {len(lives.entry.steps)}: {step.label} ({step.source})")
            for life, owned in lives.alive(lives.peak_step):
                kind = life.buffer.kind.name.lower()
                print(f"    {owned:>10}  {life.first:>4} ..{life.last:>4}  {kind:<7}{life.name}")


main()
