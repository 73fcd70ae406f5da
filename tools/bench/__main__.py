"""The numbers in the README as Markdown: `make bench`, or `python -m tools.bench [--json] [--only w5] [--peers jax_]`.

Ratios are taken within one run. Peers that are not installed are named and left out: the extra `bench` brings them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable

from tools.bench import cold, compiling, stepping, training
from tools.bench.row import Row, markdown


def _rows(only: str) -> Iterable[Row]:
    return () if only else [*stepping.rows(), *compiling.rows(), *cold.rows()]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    parser.add_argument("--only", default="", help="workloads whose name has this in it, and no other rows")
    parser.add_argument("--peers", default=",".join(training.PEERS), help="comma between; empty: none")
    options = parser.parse_args()
    training.pin()
    found, peers = [], tuple(filter(None, options.peers.split(",")))
    if not options.json:
        print(training.HEAD)
    for result in training.results(options.only, peers):
        found.append(result)
        if not options.json:
            print(training.line(result), flush=True)
    rows = list(_rows(options.only))
    if options.json:
        told = {"training": [r.told() for r in found], "rows": [row._asdict() for row in rows]}
        print(json.dumps(told, indent=1))
        return
    print("", *training.notes(found), "", *markdown(rows), sep="\n")


main()
