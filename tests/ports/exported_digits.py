"""The digits example as an exported folder whose self-test is twenty training steps: what the port tests run."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import lazydiff as ld
from lazydiff.examples import digits
from lazydiff.plan.model import Plan

ROOT = Path(__file__).resolve().parents[2]
STEPS = 20


@dataclass(frozen=True)
class Firmware:
    """An exported folder, its plan, and the bits of the losses that the desktop's Session gave."""

    folder: Path
    plan: Plan
    losses: tuple[str, ...]


def batches(count: int, size: int = 8) -> list[dict[str, np.ndarray]]:
    """The first `count` batches of the training images, in order."""
    data = digits.load_digits()
    return [
        {"x": data.train_images[size * i : size * (i + 1)], "y": data.train_labels[size * i : size * (i + 1)]}
        for i in range(count)
    ]


@functools.cache
def demo() -> Firmware:
    """Export once a test run, into build/tests."""
    plan = digits.build()
    inputs = batches(STEPS)
    session = ld.Session(plan)
    losses = tuple(np.float32(session.train(**arrays)).view(np.uint32).item() for arrays in inputs)
    folder = ROOT / "build/tests/digits"
    ld.export_c(plan, folder, name="digits", inputs=inputs)
    return Firmware(folder, plan, tuple(f"{bits:08x}" for bits in losses))


def printed_losses(output: str) -> tuple[str, ...]:
    """The bits in the lines `run <number> <bits> ...`."""
    rows = [line.split() for line in output.splitlines() if line.startswith("run ")]
    assert [int(row[1]) for row in rows] == list(range(len(rows)))
    return tuple(row[2] for row in rows)
