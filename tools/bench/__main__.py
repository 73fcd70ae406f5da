"""The numbers in the README: `make bench`, or `python -m tools.bench [--json]`. Ratios are taken within one run."""

from __future__ import annotations

import argparse
import json

from tools.bench import compiling, stepping


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON list instead of a table")
    options = parser.parse_args()
    rows = [*stepping.rows(), *compiling.rows()]
    if options.json:
        print(json.dumps([row._asdict() for row in rows], indent=1))
        return
    for row in rows:
        goal = "" if row.goal is None else f"   goal {row.goal:g}"
        print(f"{row.what:<68} {row.value:>9.3f} {row.unit}{goal}")


main()
