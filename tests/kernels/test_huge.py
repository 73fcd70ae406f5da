"""No index goes round in buffers of up to 2**31 bytes: kernels run on them, instrumented, in memory that is not there.

The attributes that a plan may have and the size of its buffers are limited (plan/SPEC.md, tests/plan/test_largest.py),
so that every index fits: huge.py runs each kernel at those limits, along one axis after the other.
"""

import os
import subprocess
import sys
from functools import cache

import pytest

from builds import SMALL, Build, compile_all
from native import ROOT
from tools_needed import missing, require

FLAGS = ("-g", "-fPIC", "-fsanitize=undefined,integer", "-fno-trapping-math")
BUILDS = {
    "scalar": Build("clang", ("-O1", *FLAGS)),
    "small": Build("clang", ("-O1", *FLAGS, *SMALL)),
}
ROUND = {  # lines of kernels whose unsigned integers go round on purpose; the functions of lzd_math*.h do too
    "k_conv2d_grad_w.h", "k_conv2d_grad_x.h", "k_map.h", "k_map_move.h", "k_map_slots.h", "k_map_wide.h", "k_pool.h",
    "k_random.h", "k_reduce.h", "k_scatter.h", "k_unpool.h",
}  # fmt: skip


@cache
def objects(name):
    folder = ROOT / "build/tests/huge" / name
    folder.mkdir(parents=True, exist_ok=True)
    sources = [*sorted((ROOT / "c_kernels/src").glob("k_*.c")), ROOT / "c_kernels/src/lzd_table.c"]
    return compile_all(folder, BUILDS[name], sources)


def run(folder, files, kernels=""):
    """What huge.py says of a library of these objects: its lines, and the places that went round only in huge ones."""
    runtime = subprocess.run(
        [require("clang"), "-print-file-name=libclang_rt.ubsan_standalone-x86_64.so"], capture_output=True, text=True
    ).stdout.strip()
    if not os.path.exists(runtime):
        missing("clang's sanitizer runtime for x86-64")
    subprocess.run(["clang", "-shared", *files, "-lm", "-o", folder / "lib.so"], check=True)
    here = ROOT / "tests/kernels"
    environment = {**os.environ, "LD_PRELOAD": runtime, "PYTHONPATH": f"{here}:{ROOT / 'tests'}"}
    command = [sys.executable, here / "huge.py", folder / "lib.so", kernels]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    before, _, after = done.stderr.partition("\nsmall\n")
    assert "runtime error" in before
    places = {line.rsplit("/", 1)[-1].split(":")[0] for line in before.splitlines() if "runtime error" in line}
    assert {p for p in places if not p.startswith("lzd_math")} <= ROUND
    return done.stdout.splitlines(), [line for line in after.splitlines() if "runtime error" in line]


@pytest.mark.parametrize("name", BUILDS)
def test_the_end_of_a_huge_problem_is_the_small_one_and_no_index_goes_round(name, tmp_path):
    lines, went_round = run(tmp_path, objects(name))
    assert [line for line in lines if not line.startswith("good")] == []
    assert len(lines) > 60
    assert went_round == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("(((size_t)n * s->h + r)", "(((size_t)(n & 0xFFFFFu) * s->h + r)"),  # an index of too few bits
        ("(((size_t)n * s->h + r)", "(((size_t)(n * 1000u) / 1000u * s->h + r)"),  # one that goes round
    ],
)
def test_an_index_that_goes_round_is_seen(old, new, tmp_path):
    text = (ROOT / "c_kernels/src/k_pool.h").read_text()
    assert text.count(old) == 1
    (tmp_path / "k_pool.h").write_text(text.replace(old, new))
    source = tmp_path / "k_pool_f32.c"
    source.write_text((ROOT / "c_kernels/src/k_pool_f32.c").read_text())
    files = [
        *compile_all(tmp_path, BUILDS["small"], [source]),
        *(o for o in objects("small") if o.stem != "k_pool_f32"),
    ]
    lines, went_round = run(tmp_path, files, "pool_gather")
    assert [line for line in lines if line.startswith("bad pool_gather")]
    assert bool(went_round) == ("1000u" in new)
