"""Writes every generated file of the repository; with --check says which are stale and exits 1.

Each row of FILES is a path and a function that gives its whole text: the same on every machine, no date, no host.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

from generate_micropython import more_opcodes_text, opcodes_text, table_text  # noqa: E402
from lazydiff.dtypes import FLOATS, f32, f64  # noqa: E402
from lazydiff.export.tables import render_attrs, render_ops, render_table  # noqa: E402
from lazydiff.kernels.opcodes import OPCODES  # noqa: E402
from lazydiff.plan.model import KERNELS  # noqa: E402 - it also fills the registry
from native_source import native_source  # noqa: E402

_KERNELS = [KERNELS[n] for n in sorted(KERNELS) if "c" in KERNELS[n].ports]
_OPCODES = [OPCODES[n] for n in sorted(OPCODES)]
_SRC = "c_kernels/src/"

FILES: list[tuple[str, Callable[[], str]]] = [
    (_SRC + "lzd_attrs.h", lambda: render_attrs(_KERNELS, _OPCODES)),
    (_SRC + "lzd_table.c", lambda: render_table(dict.fromkeys(FLOATS, _KERNELS), dict.fromkeys(FLOATS, _OPCODES))),
    (_SRC + "k_ops_f32.c", lambda: render_ops(_OPCODES, f32)),
    (_SRC + "k_ops_f64.c", lambda: render_ops(_OPCODES, f64)),
    ("lazydiff/run/csrc/native.c", lambda: native_source("run", "_native", "lzd_python.h")),
    ("lazydiff/memory/csrc/native.c", lambda: native_source("memory", "_native", "lzd_planner.h")),
    ("ports/micropython/lazydiff/opcodes.py", opcodes_text),
    ("ports/micropython/lazydiff/opcodes_more.py", more_opcodes_text),
    ("ports/micropython/lazydiff/table.py", table_text),
]


def main() -> int:
    """Write the files that changed, or only name them; 1 if --check found a stale one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is stale")
    check = parser.parse_args().check
    stale = [(path, text) for path, make in FILES for text in [make()] if _read(ROOT / path) != text]
    for path, text in stale:
        print(f"stale: {path} (make gen)" if check else f"wrote {path}")
        if not check:
            (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / path).write_text(text, encoding="utf-8", newline="\n")
    return 1 if check and stale else 0


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    sys.exit(main())
