"""Turns a plan into a folder of C99 that builds alone: the plan, the kernels it uses, the runtime, a self-test."""

from __future__ import annotations

import os
import shutil
import string
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

import numpy as np

from lazydiff.errors import ExportError
from lazydiff.export.c_names import Macros, check_name, quoted
from lazydiff.export.c_ready import ready_steps
from lazydiff.export.c_regions import ram_parts, size_macros
from lazydiff.export.c_runtime import config_of, files_of, tables_of
from lazydiff.export.c_text import array_items, hex_words, lines, plan_words
from lazydiff.plan.codec import encode
from lazydiff.plan.model import Entry, Plan, Symbol

_CONFIG = "lzd_config.h"
MAPS = ("generated", "interpreted")
_CRC_WORD = 4
_FIRST_ENTRY_WORD = 13  # of the header; then an entry's words for its first input and its first output
_ENTRY_WORDS, _FIRST_INPUT, _FIRST_OUTPUT = 10, 4, 6


@dataclass(frozen=True, slots=True)
class ExampleRun:
    """Consecutive runs of one entry from the plan's first values: the inputs, and one output's value after each."""

    entry: str
    inputs: tuple[Mapping[str, np.ndarray], ...]
    output: str
    expected: tuple[np.ndarray, ...]


class _Template(string.Template):
    """`@{name}` is filled in; `$` stays what it is in a Makefile."""

    delimiter = "@"


def _filled(template: str, values: Mapping[str, str]) -> str:
    text = resources.files("lazydiff.export").joinpath("templates", template).read_text(encoding="utf-8")
    return _Template(text).substitute(values)


@dataclass(frozen=True, slots=True)
class _Numbered:
    """A symbol with its number in the plan and the name of its macro."""

    number: int
    symbol: Symbol
    macro: str


@dataclass(frozen=True, slots=True)
class _Interface:
    """The names of one export: the text of the macros, and each entry's inputs and outputs."""

    macros: Macros
    sizes: str
    entries: str
    symbols: str
    state: tuple[_Numbered, ...]
    io: Mapping[str, tuple[tuple[_Numbered, ...], tuple[_Numbered, ...]]]


def _shape_text(plan: Plan, symbol: Symbol) -> str:
    return f"{plan.buffers[symbol.buffer].dtype.name} ({', '.join(map(str, symbol.shape))})"


def _interface(plan: Plan, encoded: bytes, name: str) -> _Interface:
    macros = Macros(name.upper())
    macros.owners[macros.name("H")] = "the header's guard"
    sizes = size_macros(plan, macros)
    sizes += macros.define("the size of the plan", len(encoded), "PLAN_BYTES")
    entries = "/* Entries, for lzd_run and lzd_call. */\n"
    symbols = "/* Symbols: number and bytes, for lzd_data, lzd_read and lzd_write. */\n"

    def numbered(first: int, group: tuple[Symbol, ...], scope: str, what: str) -> tuple[_Numbered, ...]:
        nonlocal symbols
        found = []
        for number, symbol in enumerate(group, first):
            owner = f"{what} {quoted(symbol.name)}"
            symbols += f"/* {owner}: {_shape_text(plan, symbol)} */\n"
            symbols += macros.define(owner, number, scope, symbol.name)
            symbols += macros.define(owner, plan.buffers[symbol.buffer].size_bytes, scope, symbol.name, "BYTES")
            found.append(_Numbered(number, symbol, macros.name(scope, symbol.name)))
        return tuple(found)

    state = numbered(0, plan.state, "STATE", "state")
    io = {}
    (first_entry,) = struct.unpack_from("<I", encoded, 4 * _FIRST_ENTRY_WORD)
    for number, entry in enumerate(plan.entries):
        words = struct.unpack_from(f"<{_ENTRY_WORDS}I", encoded, first_entry + 4 * _ENTRY_WORDS * number)
        entries += macros.define(f"entry {quoted(entry.name)}", number, entry.name)
        scope = f"entry {quoted(entry.name)},"
        io[entry.name] = (
            numbered(words[_FIRST_INPUT], entry.inputs, entry.name, f"{scope} input"),
            numbered(words[_FIRST_OUTPUT], entry.outputs, entry.name, f"{scope} output"),
        )
    return _Interface(macros, sizes, entries, symbols, state, io)


def _check_example(plan: Plan, example: ExampleRun) -> Entry:
    """The example's entry. Raises ExportError where the example does not fit the plan."""
    if example.entry not in (e.name for e in plan.entries):
        raise ExportError(f"self-test: the plan has no entry {example.entry!r}")
    entry = plan.entry(example.entry)
    output = next((s for s in entry.outputs if s.name == example.output), None)
    if output is None or not plan.buffers[output.buffer].region.in_ram:
        raise ExportError(f"self-test: entry {entry.name!r} has no output {example.output!r} in RAM")
    if not example.inputs or len(example.inputs) != len(example.expected):
        raise ExportError(f"self-test: {len(example.inputs)} runs, {len(example.expected)} expected outputs; one each")
    for run, arrays in enumerate(example.inputs):
        for symbol in entry.inputs:
            if symbol.name not in arrays or np.shape(arrays[symbol.name]) != symbol.shape:
                raise ExportError(f"self-test: run {run} needs input {symbol.name!r} of shape {symbol.shape}")
    size_bytes = plan.buffers[output.buffer].size_bytes
    for run, value in enumerate(example.expected):
        if np.asarray(value).nbytes != size_bytes:
            raise ExportError(f"self-test: run {run}: {example.output!r} has {size_bytes} bytes")
    return entry


def _selftest(plan: Plan, interface: _Interface, name: str, example: ExampleRun) -> dict[str, str]:
    entry = _check_example(plan, example)
    inputs, outputs = interface.io[entry.name]
    arrays, table = "", ""
    for run, given in enumerate(example.inputs):
        for position, item in enumerate(inputs):
            dtype = plan.buffers[item.symbol.buffer].dtype
            items = array_items(given[item.symbol.name], dtype)
            arrays += f"/* {quoted(item.symbol.name)} */\n"
            arrays += f"static const {dtype.c_name} run{run}_input{position}[] = {{\n{lines(items, 10)}}};\n"
        table += f"    {{{', '.join(f'run{run}_input{p}' for p in range(len(inputs))) or 'NULL'}}},\n"
    expected = [list(hex_words(np.ascontiguousarray(v).tobytes())) for v in example.expected]
    values = {
        "name": name,
        "prefix": interface.macros.prefix,
        "runs": str(len(example.inputs)),
        "inputs": str(max(1, len(inputs))),  # C has no empty arrays
        "outputs": str(len(outputs)),
        "words": str(len(expected[0])),
        "entry": interface.macros.name(entry.name),
        "output": interface.macros.name(entry.name, example.output),
        "arrays": arrays,
        "table": table,
        "expected": "".join(f"    {{\n{lines(words, 8, '        ')}    }},\n" for words in expected),
    }
    return {f"selftest/{f}": _filled(f, values) for f in ("selftest.c", "selftest_data.c", "selftest_data.h")}


def _readme(plan: Plan, interface: _Interface, example: ExampleRun, runtime: list[str]) -> dict[str, str]:
    """The values that only the README wants."""
    inputs, outputs = interface.io[example.entry]
    calls = ""
    for item in inputs:
        calls += f"        memcpy(lzd_data(model, {item.macro}), your_data, {item.macro}_BYTES);\n"
    calls += f"        if (lzd_run(model, {interface.macros.name(example.entry)}) != LZD_OK) ...\n"
    for item in outputs:
        calls += f"        memcpy(your_place, lzd_data(model, {item.macro}), {item.macro}_BYTES);\n"
    entries = ""
    for entry in plan.entries:
        entries += f"- `{interface.macros.name(entry.name)}`\n"
        for what, items in zip(("input", "output"), interface.io[entry.name], strict=True):
            for item in items:
                entries += f"  - {what} `{item.macro}`: {_shape_text(plan, item.symbol)}\n"
    many = len(example.inputs) > 1
    return {
        "runs": str(len(example.inputs)),
        "run_word": "runs" if many else "run",
        "entry": example.entry,
        "output": example.output,
        "calls": calls,
        "entries": entries,
        "runtime": ", ".join(f"`{f}`" for f in runtime),
    }


def export_c(
    plan: Plan,
    folder: str | os.PathLike[str],
    name: str = "model",
    *,
    example: ExampleRun,
    maps: Literal["generated", "interpreted"] = "generated",
) -> None:
    """Write `plan` as C99 into `folder`, made if missing; files of an earlier export are overwritten.

    `name` begins every C name: `<name>.h`, `<name>_ram`, `<NAME>_RAM_BYTES`. `example` becomes the self-test; its
    maker has computed it (firmware.py does), since this module runs nothing. The debug section of the plan is left out.
    Raises ExportError, before anything is written, for a name that C can't take, two symbols whose macros would be
    the same, or an example that does not fit the plan.
    """
    if maps not in MAPS:
        raise ExportError(f"export_c: maps={maps!r}\n  try: one of {', '.join(map(repr, MAPS))}")
    encoded = encode(plan, debug=False)
    crc = struct.unpack_from("<I", encoded, 4 * _CRC_WORD)[0] if maps == "generated" else None
    tables = tables_of(plan, crc)
    runtime = files_of(plan, tables)
    check_name(name, {*runtime, *tables})
    interface = _interface(plan, encoded, name)
    generated = _selftest(plan, interface, name, example)
    sources = sorted([f"{name}.c", *tables, *(f for f in runtime if f.endswith(".c"))])
    values = {
        "name": name,
        "prefix": interface.macros.prefix,
        "ram_bytes": str(plan.ram_bytes),
        "plan_bytes": str(len(encoded)),
        "executor_bytes": str(plan.executor_bytes),
        "n_regions": str(len(plan.regions)),
        "sizes": interface.sizes,
        "entries": interface.entries,
        "symbols": interface.symbols,
        "words": plan_words(encoded),
        "sources": " ".join(sources),
        "objects": " ".join(f[:-2] + ".o" for f in sources),
        "headers": " ".join(sorted([f"{name}.h", *(f for f in runtime if f.endswith(".h"))])),
    }
    values["ready"] = ready_steps(plan, encoded, name) if crc is not None else ""
    values["ready_includes"] = '#include "lzd_attrs.h"\n' if crc is not None else ""
    values["tables"] = ", ".join(f"`{f}`" for f in sorted(tables))
    values["maps"] = ", its elementwise programs as loops: this folder's code runs no other plan" if crc else ""
    values |= ram_parts(plan, interface.macros, name)
    generated |= {f"{name}.{end}": _filled(f"model.{end}", values) for end in ("h", "c")}
    generated |= {f: _filled(f, values) for f in ("Makefile", "CMakeLists.txt")}
    generated["README.md"] = _filled("README.md", values | _readme(plan, interface, example, sorted(runtime)))
    generated |= tables
    generated[_CONFIG] = config_of(plan, runtime.pop(_CONFIG).read_text(encoding="utf-8"))
    target = Path(folder)
    (target / "selftest").mkdir(parents=True, exist_ok=True)
    for file, source in runtime.items():
        shutil.copyfile(source, target / file)
    for file, text in generated.items():
        (target / file).write_text(text, encoding="utf-8", newline="\n")
