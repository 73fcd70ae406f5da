"""The exported digits network built for a Raspberry Pi and run under qemu-user: the desktop's bits."""

from __future__ import annotations

import subprocess

import pytest

from exported_digits import ROOT, STEPS, demo, printed_losses
from tools_needed import RASPBERRY_PIS, require


@pytest.mark.parametrize("target", RASPBERRY_PIS)
def test_twenty_training_steps_give_the_bits_of_the_desktop(target: str) -> None:
    for tool in ("make", *RASPBERRY_PIS[target]):
        require(tool)
    port = ROOT / "ports/raspberry_pi"
    command = ["make", "-s", "-C", port, f"EXPORT={demo().folder}", f"TARGET={target}", "run"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    losses = printed_losses(done.stdout)
    assert len(losses) == STEPS
    assert losses == demo().losses
    assert done.stdout.endswith("selftest: ok\n")
