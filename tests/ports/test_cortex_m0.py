"""A perceptron is trained on an emulated micro:bit: a Cortex-M0 of 16 KB, no FPU, that refuses unaligned words."""

from pathlib import Path

import lazydiff as ld
from exported_digits import batches
from test_cortex_m import STACK, make, number
from tools.bench.workloads import lazy
from tools.bench.workloads.definitions import ALL
from tools_needed import require


def test_twenty_training_steps_give_the_bits_of_the_desktop_in_16_kb(tmp_path: Path) -> None:
    require("qemu-system-arm")
    plan = lazy.compiled(ALL["w1_mlp_b1"])
    images = [{"batch0": b["x"].reshape(1, 64), "batch1": b["y"]} for b in batches(20, 1)]
    ld.export_c(plan, tmp_path, name="perceptron", inputs=images)
    done = make("microbit", "run", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("\nrun ") == 20
    assert number(done.stdout, "runs_that_differ") == 0
    assert number(done.stdout, "ram_bytes") + STACK < 16384
