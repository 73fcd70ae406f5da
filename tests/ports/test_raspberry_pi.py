"""The exported digits network built for a Raspberry Pi and run under qemu-user: the desktop's bits."""

from __future__ import annotations

import subprocess

import pytest

from exported_digits import ROOT, STEPS, demo, printed_losses
from tools_needed import require

TARGETS = {"aarch64": ("aarch64-linux-gnu-gcc", "qemu-aarch64"), "armv7": ("arm-linux-gnueabihf-gcc", "qemu-arm")}


@pytest.mark.parametrize("target", TARGETS)
def test_twenty_training_steps_give_the_bits_of_the_desktop(target: str) -> None:
    for tool in ("make", *TARGETS[target]):
        require(tool)
    port = ROOT / "ports/raspberry_pi"
    command = ["make", "-s", "-C", port, f"EXPORT={demo().folder}", f"TARGET={target}", "run"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    losses = printed_losses(done.stdout)
    assert len(losses) == STEPS
    assert losses == demo().losses
    assert done.stdout.endswith("selftest: ok\n")
