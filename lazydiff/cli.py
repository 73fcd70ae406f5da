"""The command `lazydiff`: looks at a plan, judges it, exports it, and says what this machine has."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys

import numpy as np

from lazydiff.errors import LazydiffError, ToolError
from lazydiff.firmware import export_c
from lazydiff.pipeline import load
from lazydiff.plan.as_csv import to_csv
from lazydiff.plan.as_json import to_json
from lazydiff.plan.as_trace import to_trace
from lazydiff.plan.memory_map import memory_map, memory_map_svg
from lazydiff.run.native import extension, simd_names
from lazydiff.terminal import say

TOOLS = ("cc", "arm-none-eabi-gcc", "qemu-system-arm", "aarch64-linux-gnu-gcc", "arm-linux-gnueabihf-gcc", "node")

FORMS = {"json": to_json, "svg": memory_map_svg, "csv": to_csv, "trace": to_trace}


def show(options: argparse.Namespace) -> None:
    """Print the memory table and a map of each entry; or write what the plan holds as SVG, CSV, JSON or a trace."""
    plan = load(options.plan)
    wanted = [(form, file) for form in FORMS if (file := getattr(options, form)) is not None]
    for form, file in wanted:
        text = FORMS[form](plan)
        if file == "-":
            print(text, end="" if text.endswith("\n") else "\n")
        else:
            with open(file, "w", encoding="utf-8", newline="\n") as out:
                out.write(text)
            print(f"wrote {file}")
    if not wanted:
        say("\n\n".join([str(plan), *(memory_map(plan, entry.name) for entry in plan.entries)]))


def check(options: argparse.Namespace) -> None:
    """Judge a plan by the rules of plan/SPEC.md, in Python and in C."""
    plan = load(options.plan)
    from lazydiff.run.session import Session

    Session(options.plan)
    print(f"{options.plan}: sound; {plan.ram_bytes} bytes of RAM, entries {', '.join(e.name for e in plan.entries)}")


def export(options: argparse.Namespace) -> None:
    """Write a plan as a folder of C99."""
    export_c(load(options.plan), options.folder, name=options.name, maps=options.maps)
    print(f"wrote {options.folder}/: make -C {options.folder} test builds it and runs its self-test")


def doctor(options: argparse.Namespace) -> None:
    """Say what this machine has: versions, the C extension, cross compilers and emulators."""
    print(f"python {platform.python_version()}, numpy {np.__version__}, {platform.machine()}")
    try:
        extension()
        print(f"C extension: ok, with kernels for {', '.join(simd_names())}")
    except ToolError as error:
        print(error)
    for tool in TOOLS:
        print(f"{tool}: {'ok' if shutil.which(tool) else 'missing (tools/toolchains.sh all installs it)'}")


def main(arguments: list[str] | None = None) -> int:
    """The command line; 0, or 1 with the error's text."""
    parser = argparse.ArgumentParser(prog="lazydiff", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(name: str, function: object, *, plan: bool = True) -> argparse.ArgumentParser:
        text = str(function.__doc__)
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(function=function)
        if plan:
            sub.add_argument("plan", help="a .lzp file")
        return sub

    showing = command("show", show)
    showing.add_argument("--json", metavar="FILE", nargs="?", const="-", help="the plan as JSON (to the screen)")
    showing.add_argument("--svg", metavar="FILE", help="the memory map as SVG")
    showing.add_argument("--csv", metavar="FILE", help="who lives where, in MiniMalloc's format")
    showing.add_argument("--trace", metavar="FILE", help="steps and bytes for chrome://tracing or Perfetto")
    command("check", check)
    exporting = command("export", export)
    exporting.add_argument("folder")
    exporting.add_argument("--name", default="model", help="begins every C name (default: model)")
    exporting.add_argument(
        "--maps",
        choices=("generated", "interpreted"),
        default="generated",
        help="elementwise programs: each a C loop (fast; the default), or data for one interpreter (least code)",
    )
    command("doctor", doctor, plan=False)
    options = parser.parse_args(arguments)
    try:
        options.function(options)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has seen enough; so Python shall not write the rest at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (LazydiffError, OSError) as error:
        print(f"lazydiff: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
