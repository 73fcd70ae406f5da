"""Prints the worst error of the runtime's functions in ulp: float32 over all 2**32 arguments, float64 over a sample.

`make accuracy` takes an hour or two on two cores; `tools/accuracy.py --every 1021 NAME..` looks at one float in 1,021
of some functions in seconds. The truth is the C library's function of double, or of long double where that is wider.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FLOATS = 1 << 32
SAMPLE = 1 << 26  # of doubles
FLAGS = ["-std=gnu99", "-O2", "-march=native", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"]


def build(folder: Path, *options: str) -> Path:
    """accuracy.c as a program in `folder`."""
    path = folder / f"accuracy{''.join(options)}"
    include = [f"-I{ROOT / 'c_kernels' / part}" for part in ("include", "src")]
    source = str(ROOT / "tools" / "accuracy.c")
    subprocess.run(["cc", *FLAGS, *include, *options, source, "-lm", "-o", str(path)], check=True)
    return path


def worst(program: Path, name: str, count: int, every: int, jobs: int = os.cpu_count() or 1) -> tuple[float, float]:
    """The greatest error of a function over every `every`-th of `count` arguments, and the argument."""

    def part(k: int) -> tuple[float, float]:
        first, last = (count * j // (8 * jobs) for j in (k, k + 1))
        command = [str(program), name, str(first), str(last - first), str(every)]
        error, where = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        return float(error), float(where)

    with ThreadPoolExecutor(jobs) as pool:
        return max(pool.map(part, range(8 * jobs)))


def main() -> None:
    """A table in Markdown: function, worst error in float32 and where, worst error met in float64."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="look at one argument in so many")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        single, double = build(Path(folder)), build(Path(folder), "-DDOUBLE")
        known = subprocess.run([str(single)], check=True, capture_output=True, text=True).stdout.split()
        if unknown := set(options.names) - set(known):
            sys.exit(f"accuracy: no function {', '.join(sorted(unknown))}; there are {', '.join(known)}")
        print("| function | float32, worst | at | float64, worst met |\n| --- | --- | --- | --- |")
        for name in options.names or known:
            error, where = worst(single, name, FLOATS, options.every)
            wide, _ = worst(double, name, SAMPLE, options.every)
            print(f"| {name} | {error:.3f} | {where:.9g} | {wide:.3f} |", flush=True)


if __name__ == "__main__":
    main()
