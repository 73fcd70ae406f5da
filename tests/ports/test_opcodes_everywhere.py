"""Every opcode over awkward numbers, on a Raspberry Pi and on Cortex-M under QEMU: the desktop's bits."""

from __future__ import annotations

import subprocess
from typing import Literal

import numpy as np
import pytest

import lazydiff as ld
from exported_digits import ROOT
from exported_opcodes import exported
from lazydiff.dtypes import Dtype
from tools_needed import RASPBERRY_PIS, require

PI64, PI32 = RASPBERRY_PIS["aarch64"], RASPBERRY_PIS["armv7"]
CORTEX = ("arm-none-eabi-gcc", "qemu-system-arm")
# A Cortex-M3 (an385) computes floats by integers, an M4F (an386) and an M33 (an505) doubles; an M7 (an500) has both.
TARGETS = {
    "aarch64 f32": ("raspberry_pi", "TARGET=aarch64", ld.f32, PI64),
    "aarch64 f64": ("raspberry_pi", "TARGET=aarch64", ld.f64, PI64),
    "armv7 f32": ("raspberry_pi", "TARGET=armv7", ld.f32, PI32),
    "armv7 f64": ("raspberry_pi", "TARGET=armv7", ld.f64, PI32),
    "Cortex-M3 f32": ("qemu_cortex_m", "BOARD=an385", ld.f32, CORTEX),
    "Cortex-M4F f32": ("qemu_cortex_m", "BOARD=an386", ld.f32, CORTEX),
    "Cortex-M4F f64": ("qemu_cortex_m", "BOARD=an386 LAYOUT=roomy", ld.f64, CORTEX),
    "Cortex-M33 f32": ("qemu_cortex_m", "BOARD=an505", ld.f32, CORTEX),
    "Cortex-M7 f64": ("qemu_cortex_m", "BOARD=an500", ld.f64, CORTEX),
}


def printed_bits(output: str, dtype: Dtype) -> np.ndarray:
    """The outputs in the lines `run <number> <word> ...`, as unsigned numbers: (runs, elements)."""
    lines = [line.split() for line in output.splitlines() if line.startswith("run ")]
    assert [int(line[1]) for line in lines] == list(range(len(lines)))
    words = np.array([[int(word, 16) for word in line[2:]] for line in lines], "<u4")
    return words.view(f"<u{dtype.itemsize}")


@pytest.mark.parametrize("maps", ["generated", "interpreted"])
@pytest.mark.parametrize("name", TARGETS)
def test_every_opcode_has_the_bits_of_the_desktop(name: str, maps: Literal["generated", "interpreted"]) -> None:
    port, target, dtype, tools = TARGETS[name]
    for tool in ("make", *tools):
        require(tool)
    folder, rows, wanted = exported(dtype, maps)
    command = ["make", "-s", "-C", str(ROOT / "ports" / port), f"EXPORT={folder}", *target.split(), "run"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "run 0 " in done.stdout, done.stdout + done.stderr
    found = printed_bits(done.stdout, dtype).reshape(wanted.shape)
    differ = {row: int((found[:, i] != wanted[:, i]).sum()) for i, row in enumerate(rows)}
    assert {row: count for row, count in differ.items() if count} == {}
    assert done.returncode == 0, done.stdout[-300:] + done.stderr
