"""The digits network in the two memories of a Cortex-M7: the desktop's bits, and the planner's bytes in each."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

import lazydiff as ld
from exported_digits import batches, printed_losses
from lazydiff.examples import digits
from lazydiff.plan.model import Plan
from test_cortex_m import STACK, make, number
from tools_needed import require

STEPS = 5


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Path]:
    """The plan, and its export with the built image below build/an500."""
    plan, folder = digits.build(8, {"dtcm": "16 KiB", "sram": "64 KiB"}), tmp_path_factory.mktemp("regions")
    ld.export_c(plan, folder, name="digits", inputs=batches(STEPS))
    done = make("an500", "LAYOUT=an500_dtcm", "elf", folder=folder)
    assert done.returncode == 0, done.stderr
    return plan, folder


def test_the_linker_reports_the_planners_bytes_in_each_memory(firmware: tuple[Plan, Path]) -> None:
    plan, folder = firmware
    report = (folder / "build/an500/memory.txt").read_text()
    used = dict(re.findall(r"^\s*(\w+):\s+(\d+) B", report, re.MULTILINE))
    dtcm, sram = plan.regions
    assert 0 < dtcm.used_bytes < sram.used_bytes
    assert int(used["DTCM"]) == dtcm.used_bytes
    assert int(used["RAM"]) == sram.used_bytes + STACK


def test_each_region_is_an_array_in_its_memory(firmware: tuple[Plan, Path]) -> None:
    plan, folder = firmware
    nm = require("arm-none-eabi-nm")
    text = subprocess.run([nm, "-S", folder / "build/an500/app.elf"], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in text.splitlines()]
    found = {row[3]: (int(row[0], 16) >> 24, int(row[1], 16)) for row in rows if row[-1].startswith("digits_ram")}
    dtcm, sram = plan.regions
    assert found == {"digits_ram_dtcm": (0x20, dtcm.used_bytes), "digits_ram_sram": (0x60, sram.used_bytes)}


def test_training_in_two_memories_gives_the_bits_of_one_block(firmware: tuple[Plan, Path]) -> None:
    require("qemu-system-arm")
    done = make("an500", "LAYOUT=an500_dtcm", "run", folder=firmware[1])
    assert done.returncode == 0, done.stdout + done.stderr
    session = ld.Session(digits.build(8))
    losses = [np.float32(session.train(**arrays)).view(np.uint32).item() for arrays in batches(STEPS)]
    assert printed_losses(done.stdout) == tuple(f"{bits:08x}" for bits in losses)
    assert number(done.stdout, "runs_that_differ") == 0


def test_a_region_larger_than_its_memory_does_not_link(tmp_path: Path) -> None:
    plan = ld.compile(f=ld.exp(ld.input("x", (50_000,))), ram={"dtcm": "400 KiB"})
    ld.export_c(plan, tmp_path, name="wide")
    done = make("an500", "LAYOUT=an500_dtcm", "elf", folder=tmp_path)
    assert done.returncode != 0
    assert "overflowed" in done.stderr
