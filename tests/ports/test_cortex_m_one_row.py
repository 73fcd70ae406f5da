"""Dense networks of batch 1 on emulated Cortex-M4F and M7: the desktop's bits, whatever the widths."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import lazydiff as ld
from test_cortex_m import make, number
from tools_needed import require


def network(widths: tuple[int, ...]) -> tuple[ld.Plan, list[dict[str, np.ndarray]]]:
    """A perceptron of these layers, and three batches of one."""
    rng = np.random.default_rng(sum(widths))
    x = ld.input("x", (1, widths[0]))
    t = x
    for k, (n, m) in enumerate(pairwise(widths)):
        t = ld.tanh(t @ ld.param(f"w{k}", (rng.normal(size=(n, m)) / n).astype(np.float32)))
    batches = [{"x": rng.normal(size=x.shape).astype(np.float32)} for _ in range(3)]
    return ld.compile(train=ld.train_step(ld.mean(ld.square(t)), ld.sgd(0.5))), batches


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("board", ["an386", "an500"])
@pytest.mark.parametrize("widths", [(19, 61, 10, 31, 2), (7, 69, 15, 3, 9, 1)], ids=str)
def test_training_one_row_gives_the_bits_of_the_desktop(
    widths: tuple[int, ...], board: str, own: bool, tmp_path: Path
) -> None:
    """With the loops of its own and without them, which a plan of more rows leaves out."""
    require("qemu-system-arm")
    plan, batches = network(widths)
    ld.export_c(plan, tmp_path, name="perceptron", inputs=batches)
    config = tmp_path / "lzd_config.h"
    assert "#define LZD_ONE_ROW 1" in config.read_text()
    assert "LZD_SMALL && column" in (tmp_path / "k_map_f32.c").read_text()
    if not own:
        config.write_text(config.read_text().replace("#define LZD_ONE_ROW 1", "#define LZD_ONE_ROW 0"))
    done = make(board, "LAYOUT=roomy", "run", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert number(done.stdout, "runs_that_differ") == 0


@pytest.mark.parametrize(("rows", "k", "wanted"), [(1, 63, 0), (1, 64, 1), (2, 64, 0)])
def test_small_products_and_those_of_more_rows_have_none_of_their_own(
    rows: int, k: int, wanted: int, tmp_path: Path
) -> None:
    x, w = ld.input("x", (rows, k)), ld.param("w", np.ones((k, 16), np.float32))
    ld.export_c(ld.compile(train=ld.train_step(ld.mean(ld.square(x @ w)), ld.sgd(0.5))), tmp_path, name="rows")
    assert f"#define LZD_ONE_ROW {wanted}" in (tmp_path / "lzd_config.h").read_text()
