"""What the planner reaches, beside its goals: `python -m tools.bench.planner [--json] [part]`.

Seconds are of CPU. The parts are placement, region, recompute, remake and compiling.
"""

from __future__ import annotations

import argparse
import importlib
import json

PARTS = ("placement", "region", "recompute", "remake", "compiling")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.bench.planner", description=__doc__)
    parser.add_argument("part", nargs="?", choices=PARTS, help="one part (default: all)")
    parser.add_argument("--json", action="store_true", help="one JSON list instead of a table")
    options = parser.parse_args()
    found = []
    for part in [options.part] if options.part else PARTS:
        for row in importlib.import_module(f"tools.bench.planner.{part}_rows").rows():
            found.append({"part": part, **row})
            if not options.json:
                seconds = f"{row['seconds']:.2f} s"
                missed = "" if row.get("met", True) else "   MISSED"
                print(f"{row['what']:<62} {row['ours']:<44} {seconds:>9}   goal: {row['goal']}{missed}", flush=True)
    if options.json:
        print(json.dumps(found, indent=1))


main()
