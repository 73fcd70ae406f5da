"""Picks the runtime's files that a plan needs, and generates those that list its kernels and opcodes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from lazydiff.dtypes import Dtype, f64
from lazydiff.export.c_maps import maps_of
from lazydiff.export.tables import render_ops, render_table
from lazydiff.kernels.opcodes import OPCODES, Opcode
from lazydiff.kernels.sources import c_kernels_dir
from lazydiff.kernels.table import KERNELS
from lazydiff.plan.model import MAP, Plan, Step

_OPTION = re.compile(
    r"^(#define (LZD_MAX_REGIONS|LZD_F64|LZD_DEPTHWISE|LZD_UNPOOL|LZD_ONE_ROW)) \d+(u?)$", re.MULTILINE
)
_INCLUDE = re.compile(r'^#include "(.+)"', re.MULTILINE)
_FUNCTION = re.compile(r"\blzd_k_(\w+)(##)?")  # a function's name, or the start of those that a macro writes
_ONE_ROW = 1024  # multiply-adds from which on loops of its own for a product of one row are worth their 1.4 KB
_GENERATED = re.compile(r"(lzd_table|k_ops_\w+)\.c\Z")  # in c_kernels for every kernel; here for the plan's


def tables_of(plan: Plan, generated_for: int | None = None) -> dict[str, str]:
    """The text, by file name, of lzd_table.c and of the maps' code with what this plan uses and nothing else.

    That code is an opcode's function each (k_ops_<dtype>.c), for the interpreter; or, where `generated_for` is the CRC
    of the plan's bytes, a loop for each program (k_map_<dtype>.c).
    """
    steps, opcodes = _steps(plan), _opcodes(plan)
    kernels = {d: [KERNELS[n] for n in sorted({s.kernel for s in steps if s.dtype == d})] for d in _dtypes(steps)}
    text = {"lzd_table.c": render_table(kernels, opcodes, generated_for)}
    if generated_for is not None:
        return text | maps_of(plan)
    return text | {f"k_ops_{dtype.name}.c": render_ops(used, dtype) for dtype, used in opcodes.items()}


def files_of(plan: Plan, generated: Mapping[str, str]) -> dict[str, Path]:
    """The files to copy, by name: lzd_*.c, every k_*.c that defines a kernel of the plan, and what they include.

    `generated`: the text of those that are not copied (`tables_of`), by name.
    """
    home = c_kernels_dir()
    places = {path.name: path for folder in ("include", "src") for path in sorted((home / folder).iterdir())}
    texts = {name: path.read_text(encoding="utf-8") for name, path in places.items()}
    used = {(step.declared.name, step.dtype.name) for step in _steps(plan)}
    todo = [name for text in generated.values() for name in _INCLUDE.findall(text)]
    sources = [name for name in texts if name.endswith(".c") and not _GENERATED.match(name) and name not in generated]
    todo += [n for n in sources if not n.startswith("k_") or any(_defines(n, texts, k, dtype) for k, dtype in used)]
    todo += [f"k_{part}_{dtype}.c" for part in ("soft", "sums") for _, dtype in used]  # of small cores; on others empty
    files: dict[str, Path] = {}
    while todo:
        name = todo.pop()
        if name not in files and name in places:
            files[name] = places[name]
            todo += _INCLUDE.findall(texts[name])
    return dict(sorted(files.items()))


def config_of(plan: Plan, text: str) -> str:
    """lzd_config.h for this plan: without the code for several regions of RAM, f64 or some kernels, if unused."""
    fixed = [step.values for step in _steps(plan) if step.kernel != MAP]
    values = {
        "LZD_DEPTHWISE": int(any(v.get("cg") == v.get("fg") == 1 for v in fixed)),
        "LZD_UNPOOL": int(any(s.declared.name.startswith("unpool_") for s in _steps(plan))),
        "LZD_ONE_ROW": int(any(v.get("m") == 1 and v["k"] * v["n"] >= _ONE_ROW for v in fixed)),
        "LZD_MAX_REGIONS": max(2, len(plan.named)) if plan.named else 1,
        "LZD_F64": int(any(buffer.dtype == f64 for buffer in plan.buffers)),
    }
    config, found = _OPTION.subn(lambda m: f"{m[1]} {values[m[2]]}{m[3]}", text)
    if found != len(values):
        raise ValueError("lzd_config.h does not define each option of a plan once")
    return config


def _defines(name: str, texts: dict[str, str], kernel: str, dtype: str) -> bool:
    """True if k_<family>_<dtype>.c, or the k_<family>.h it includes, writes `lzd_k_<kernel>` (or a macro does)."""
    if not name.endswith(f"_{dtype}.c"):
        return False
    parts = [name, *(i for i in _INCLUDE.findall(texts[name]) if i.startswith("k_"))]
    written = [found for part in parts for found in _FUNCTION.findall(texts[part])]
    return any(kernel.startswith(stem) if pasted else kernel == stem for stem, pasted in written)


def _steps(plan: Plan) -> list[Step]:
    return [step for entry in plan.entries for step in entry.steps]


def _opcodes(plan: Plan) -> dict[Dtype, list[Opcode]]:
    maps = [step for step in _steps(plan) if step.kernel == MAP]
    found: dict[Dtype, list[Opcode]] = {}
    for dtype in _dtypes(maps):
        numbers = {i.opcode for step in maps if step.dtype == dtype for i in step.program.instructions}
        found[dtype] = [OPCODES[n] for n in sorted(numbers)]
    return found


def _dtypes(steps: list[Step]) -> list[Dtype]:
    return sorted({step.dtype for step in steps}, key=lambda dtype: dtype.code)
