"""The exported digits network on emulated Cortex-M3, M4F, M7 and M33: same bits, the planned bytes, no allocator."""

from __future__ import annotations

import functools
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from exported_digits import ROOT, STEPS, demo, printed_losses
from sizes import library_text
from tools_needed import missing, require

PORT = ROOT / "ports/qemu_cortex_m"
BUDGETS = tomllib.loads((ROOT / "tests/budgets.toml").read_text())
STACK = 2048
ALLOCATORS = re.compile(r"_?(malloc|calloc|realloc|free|sbrk)(_r)?\Z")


def make(board: str, *arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    gcc = require("arm-none-eabi-gcc")
    require("make")
    libc = subprocess.run([gcc, "-print-file-name=libc.a"], capture_output=True, text=True, check=True).stdout.strip()
    if not Path(libc).is_file():
        missing("newlib (libnewlib-arm-none-eabi)")
    variables = [f"EXPORT={folder or demo().folder}", f"BOARD={board}", f"STACK={STACK}"]
    command = ["make", "-s", "-C", str(PORT), *variables, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@functools.cache
def built(board: str) -> Path:
    """The folder with app.elf, app.map and memory.txt."""
    done = make(board, "elf")
    assert done.returncode == 0, done.stderr
    return demo().folder / "build" / board


@functools.cache
def ran(board: str) -> str:
    """What the program printed."""
    require("qemu-system-arm")
    built(board)
    done = make(board, "run")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def number(output: str, name: str) -> int:
    found = re.search(rf"^{name} (\d+)$", output, re.MULTILINE)
    assert found, f"{name} is not in {output!r}"
    return int(found.group(1))


def symbols(board: str) -> dict[str, tuple[int, int]]:
    """Address and bytes of each symbol of the image."""
    nm = require("arm-none-eabi-nm")
    text = subprocess.run([nm, "-S", built(board) / "app.elf"], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in text.splitlines()]
    return {row[-1]: (int(row[0], 16), int(row[1], 16) if len(row) == 4 else 0) for row in rows}


boards = pytest.mark.parametrize("board", ["an385", "an386", "an500", "an505"])


@boards
def test_twenty_training_steps_give_the_bits_of_the_desktop(board: str) -> None:
    losses = printed_losses(ran(board))
    assert len(losses) == STEPS
    assert losses == demo().losses
    assert number(ran(board), "runs_that_differ") == 0


@boards
def test_ram_the_linker_reports_is_the_planners_number_plus_the_stack(board: str) -> None:
    report = (built(board) / "memory.txt").read_text()
    used = re.search(r"^\s*RAM:\s+(\d+) B", report, re.MULTILINE)
    assert used, report
    harness = 0  # sections.ld asserts that the test program keeps nothing in RAM
    assert int(used.group(1)) == demo().plan.ram_bytes + STACK + harness
    assert number(ran(board), "ram_bytes") == demo().plan.ram_bytes


@boards
def test_the_only_object_in_ram_is_the_plans_block(board: str) -> None:
    in_ram = {name: size for name, (address, size) in symbols(board).items() if address >= 0x20000000 and size}
    assert in_ram == {"digits_ram": demo().plan.ram_bytes}


@boards
def test_image_holds_no_allocator(board: str) -> None:
    names = symbols(board)
    assert "lzd_call" in names
    assert [name for name in names if ALLOCATORS.match(name)] == []
    archives = (built(board) / "app.map").read_text().partition("Discarded")[0]
    members = re.findall(r"^\S*\((\S+)\)$", archives, re.MULTILINE)
    assert "memcpy" in " ".join(members)  # what the map says of newlib is seen here
    assert [m for m in members if re.search("malloc|sbrk|free", m)] == []


MALLOC_CALLER = """
#include <stdlib.h>
void *_sbrk(ptrdiff_t more);
void *_sbrk(ptrdiff_t more) { static char heap[64]; static ptrdiff_t used; used += more; return heap + used - more; }
void SysTick_Handler(void);
__attribute__((used, section(".vectors"))) void *(*const keep)(size_t) = malloc;
"""


def test_a_program_that_calls_malloc_does_not_link(tmp_path: Path) -> None:
    source = tmp_path / "calls_malloc.c"
    source.write_text(MALLOC_CALLER)
    refused = make("an386", f"OUT={tmp_path}/refused", f"EXTRA={source}", "elf")
    assert refused.returncode != 0
    assert "lazydiff: malloc is linked in" in refused.stderr
    allowed = make("an386", f"OUT={tmp_path}/allowed", f"EXTRA={source}", "NOALLOC=", "elf")
    assert allowed.returncode == 0, allowed.stderr  # so nothing but noalloc.ld refused it


@boards
def test_a_stack_that_is_too_small_faults_before_it_can_compute_nonsense(board: str, tmp_path: Path) -> None:
    require("qemu-system-arm")
    done = make(board, f"OUT={tmp_path}/small", "STACK=512", "run")
    assert done.returncode != 0
    assert "fault: exception 3" in done.stdout
    assert "run 0" not in done.stdout


def test_library_fits_its_flash_budget_on_a_cortex_m4f() -> None:
    assert 0 < library_text((built("an386") / "app.map").read_text()) <= BUDGETS["text"]["library_most"]


@boards
def test_stack_of_a_training_step_stays_within_its_budget(board: str) -> None:
    output, core = ran(board), "_soft" if board == "an385" else ""
    assert 0 < number(output, "stack_of_one_run_bytes") <= BUDGETS["stack"][f"run_most{core}"]
    assert number(output, "stack_high_water_bytes") <= BUDGETS["stack"][f"open_most{core}"]


@boards
def test_no_function_of_the_library_takes_more_stack_than_its_budget(board: str) -> None:
    frames = {}
    for path in (built(board) / "model").glob("*.su"):
        for line in path.read_text().splitlines():
            where, size, how = line.split("\t")
            assert "static" in how, line  # a frame whose size only the run decides has no bound
            frames[where] = int(size)
    assert frames
    assert {w: s for w, s in frames.items() if s > BUDGETS["stack"]["frame_most"]} == {}
    kernels = {w: s for w, s in frames.items() if re.search(":lzd_(k|op)_", w)}
    assert kernels
    assert {w: s for w, s in kernels.items() if s > BUDGETS["stack"]["kernel_frame_most"]} == {}
