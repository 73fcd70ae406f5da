"""The main job, run as a user runs it: figures, files, and no progress bar in a pipe."""

import json
import os
import subprocess
import sys

import pytest

import lazydiff as ld
from lazydiff.examples import digits


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "lazydiff.examples.digits", "--json", "--out", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout), folder, done


def test_the_figures(demo):
    figures, _, _ = demo
    assert figures["accuracy"] >= 0.94
    assert figures["accuracy_flipped"] < 0.25
    assert figures["accuracy_recovered"] >= 0.85
    assert figures["allocations"] == 0
    assert figures["lower_bound_bytes"] <= figures["ram_bytes"] <= 64 * 1024
    assert figures["arena_over_bound"] == {"train": 1.0, "infer": 1.0}
    assert figures["steps_per_second"] > 0
    assert len(figures["losses_hex"]) == 20
    assert float.fromhex(figures["losses_hex"][0]) > float.fromhex(figures["losses_hex"][-1])


def test_the_files(demo):
    _, folder, _ = demo
    assert ld.load(str(folder / "digits.lzp")) == digits.build()
    assert (folder / "memory.svg").read_text().startswith("<svg")
    assert (folder / "firmware" / "digits.h").exists()


def test_a_pipe_gets_no_progress_bar(tmp_path):
    command = [sys.executable, "-m", "lazydiff.examples.digits", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "TERM": "xterm"})
    assert "\x1b" not in done.stdout + done.stderr
    assert "arena / lower bound" in done.stdout
    assert "Heap allocations in 1,000 training steps: 0" in done.stdout


def test_the_split_is_by_writer_order():
    data = digits.load_digits()
    assert (len(data.train_images), len(data.test_images)) == (1347, 450)


def test_no_weight_has_a_gradient_buffer():
    plan = digits.build()
    weights = {b.size_bytes for b in plan.buffers if b.label.endswith(".w")}
    work = [b for b in plan.buffers if b.kind.name == "WORK" and b.label != "scratch"]
    assert weights == {288, 4608, 10240}
    assert not any(b.size_bytes in weights for b in work)
    tiled = [s.declared.name for s in plan.entry("train").steps if s.tile_rows]
    assert sorted(n for n in tiled if n.startswith(("conv", "matmul"))) == ["conv2d_grad_w"] * 2 + ["matmul_tn"]
