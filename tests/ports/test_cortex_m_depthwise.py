"""Depthwise convolutions and their gradients on emulated Cortex-M4F and M7: the desktop's bits, whatever the window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import lazydiff as ld
from test_cortex_m import make, number
from tools_needed import require


def network(channels: int) -> tuple[ld.Plan, list[dict[str, np.ndarray]]]:
    """Three taps and others, strides, dilations; images high enough for four rows, two of them, and three batches."""
    rng = np.random.default_rng(channels)
    x = ld.input("x", (2, 11, 13, channels))
    windows = [
        (3, 1, 1, 1),
        (3, 2, 1, 1),
        (3, 1, 0, 2),
        ((1, 3), 1, (0, 1), 1),
        (5, 1, 2, 1),
        ((3, 4), (1, 2), 1, (2, 1)),
    ]
    total = ld.constant(np.float32(0))
    for k, (size, stride, padding, dilation) in enumerate(windows):
        kh, kw = size if isinstance(size, tuple) else (size, size)
        t = ld.tanh(x)
        for layer in range(2):
            w = ld.param(f"w{k}{layer}", rng.normal(size=(kh, kw, 1, channels)).astype(np.float32) / kw)
            t = ld.conv2d(t, w, stride if layer else 1, padding, dilation if layer else 1, groups=channels)
        total = total + ld.mean(ld.square(t))
    batches = [{"x": rng.normal(size=x.shape).astype(np.float32)} for _ in range(3)]
    return ld.compile(train=ld.train_step(total, ld.sgd(0.5))), batches


@pytest.mark.parametrize(("board", "channels"), [("an386", 16), ("an386", 13), ("an386", 3), ("an500", 9)])
def test_depthwise_training_gives_the_bits_of_the_desktop(board: str, channels: int, tmp_path: Path) -> None:
    require("qemu-system-arm")
    plan, batches = network(channels)
    ld.export_c(plan, tmp_path, name="depthwise", inputs=batches)
    assert "#define LZD_DEPTHWISE 1" in (tmp_path / "lzd_config.h").read_text()
    done = make(board, "LAYOUT=roomy", "run", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert number(done.stdout, "runs_that_differ") == 0


def test_without_loops_of_their_own_they_have_the_same_bits(tmp_path: Path) -> None:
    require("qemu-system-arm")
    plan, batches = network(5)
    ld.export_c(plan, tmp_path, name="depthwise", inputs=batches)
    config = tmp_path / "lzd_config.h"
    config.write_text(config.read_text().replace("#define LZD_DEPTHWISE 1", "#define LZD_DEPTHWISE 0"))
    done = make("an386", "LAYOUT=roomy", "run", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
