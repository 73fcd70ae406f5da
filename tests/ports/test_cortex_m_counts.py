"""Instructions of a training step on an emulated Cortex-M4F stay within their budgets; they are counted exactly."""

import tomllib
from dataclasses import replace

import pytest

from exported_digits import ROOT
from tools.bench import cortex_m
from tools_needed import require

BUDGETS = tomllib.loads((ROOT / "tests/budgets.toml").read_text())["instructions"]


@pytest.fixture(autouse=True)
def _tools():
    for tool in ("make", "arm-none-eabi-gcc", "qemu-system-arm"):
        require(tool)


@pytest.mark.parametrize("name", [n for n in BUDGETS if n != "executor_step"])
def test_a_training_step_stays_within_its_instructions(name):
    count = cortex_m.counted(name)
    assert 0 < count.per_multiply_add <= BUDGETS[name]


def test_the_steps_counted_one_by_one_are_the_whole_step():
    whole = cortex_m.counted("dense")
    rows = cortex_m.counted_steps("dense")
    kernels = sum(r.instructions for r in rows)
    assert sum(r.multiply_adds for r in rows) == whole.multiply_adds
    assert all(r.instructions > 0 for r in rows)
    assert 0.8 * whole.instructions < kernels < 1.1 * whole.instructions  # the executor; the counters
    assert whole.instructions - kernels <= BUDGETS["executor_step"] * len(rows)
    again = cortex_m.counted("dense")
    assert abs(again.instructions - whole.instructions) <= 64  # one tick of the emulator's clock
    assert replace(again, instructions=whole.instructions) == whole
