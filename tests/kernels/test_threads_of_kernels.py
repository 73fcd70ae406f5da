"""Every kernel on 1 to 4 threads: in each build of the library the bits of cases.c, and the work really split."""

import subprocess

import numpy as np
import pytest

import lazydiff as ld
from case_plan import NORMAL, SPECIAL, fill, hashed, one_plan
from lazydiff.plan.model import KERNELS, MAP
from lazydiff.run import native
from lazydiff.run.native import simd_names
from native import FLAGS, ROOT
from test_every_build import REFERENCE, built, found
from tools_needed import require


def inputs(cases, kind):
    return {
        f"c{c.number}_{k}": fill(c, k, kind) for c in cases for k, (_, mode, _) in enumerate(c.operands) if mode == "in"
    }


@pytest.mark.parametrize("kind", [NORMAL, SPECIAL], ids=["normal", "special"])
@pytest.mark.parametrize("simd", simd_names())
def test_the_library_gives_the_bits_of_every_build_on_any_number_of_threads(simd, kind, monkeypatch):
    monkeypatch.setattr(native, "LEAST_WORK", 0)
    monkeypatch.setenv("LZD_SIMD", simd)
    plan, cases = one_plan()
    given, reference = inputs(cases, kind), found(REFERENCE)
    for threads in (1, 2, 3, 4):
        results = ld.Session(plan, threads=threads).arrays("f", **given)
        outputs = {
            c: [results[f"c{c.number}_{k}"] for k, o in enumerate(c.operands) if o[1] in ("out", "add")] for c in cases
        }
        bits = {c: hashed(arrays) for c, arrays in outputs.items()}
        assert {c.name: bits[c] for c in cases if bits[c] != reference[c.number][kind]} == {}, threads


PIECES = 4  # for each thread, c_kernels/src/lzd_share.c


def parts(case, threads):
    """Into how many ranges a case is cut: of rows, or of a map's lines of 64 elements; no sums of rows."""
    if case.kernel == MAP:
        units = -(-case.rows // 64)
    else:
        units = 1 if any(mode == "add" for _, mode, _ in case.operands) else max(1, case.rows)
    return min(PIECES * threads, units) if threads > 1 else 1


def seen(plan, given, tmp_path):
    """The fields of what threads.c says of a plan: mode, threads, how many were there, a hash, calls of each step."""
    machine = subprocess.run([require("gcc"), "-dumpmachine"], check=True, capture_output=True, text=True).stdout
    if not machine.startswith("x86_64"):
        pytest.skip("threads.c reads the mode of an x86-64")
    (tmp_path / "plan.lzp").write_bytes(plan.to_bytes())
    (tmp_path / "inputs").write_bytes(b"".join(given[s.name].tobytes() for s in plan.entries[0].inputs))
    flags = [f for f in FLAGS if f != "-std=c99"]
    sources = [*sorted((ROOT / "c_kernels/src").glob("lzd_*.c")), ROOT / "tests/kernels/threads.c"]
    objects = sorted(built(REFERENCE).glob("k_*.o"))
    command = ["gcc", "-std=gnu11", *flags, "-O1", "-DLZD_THREADS=1", f"-I{ROOT}/c_kernels/src", *sources, *objects]
    subprocess.run([*command, "-o", tmp_path / "threads", "-lm", "-pthread"], check=True)
    done = subprocess.run(
        [tmp_path / "threads", tmp_path / "plan.lzp", tmp_path / "inputs"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert "bad" not in done.stdout, done.stdout[:300]
    return [line.split() for line in done.stdout.splitlines()]


def test_the_work_is_split_and_every_thread_keeps_its_mode(tmp_path):
    """Also where rounding is towards zero and subnormals are flushed when the threads start."""
    plan, cases = one_plan()
    lines = seen(plan, inputs(cases, NORMAL), tmp_path)
    assert [(int(mode), int(threads)) for mode, threads, *_ in lines] == [(m, n) for m in (0, 1) for n in (1, 2, 3, 4)]
    assert len({line[3] for line in lines[:4]}) == len({line[3] for line in lines[4:]}) == 1
    assert lines[0][3] != lines[4][3]  # the other mode was in force
    for _, threads, present, _, *calls in lines:
        assert min(2, int(threads)) <= int(present) <= int(threads)  # who is late finds nothing left
        assert [int(c) for c in calls] == [parts(case, int(threads)) for case in cases], threads
    split = {KERNELS[c.kernel].name for c in cases if parts(c, 2) > 1}
    whole = {"sum_rows", "cumsum", "uniform", "next_key", "unpool_grad_x"}
    assert split == {k.name for k in KERNELS.values()} - whole


def test_a_group_of_steps_is_split(tmp_path):
    """A convolution whose rows are rectified and pooled as they are made, and nothing else."""
    rng = np.random.default_rng(0)
    x = ld.input("x", (2, 8, 8, 2))
    rows = ld.relu(ld.conv2d(x, ld.constant(rng.normal(size=(3, 3, 2, 4)).astype(np.float32)), 1, 1))
    plan = ld.compile(f=ld.max_pool2d(rows, 2))
    steps = plan.entries[0].steps
    assert len(steps) > 2
    assert all(s.tile_rows for s in steps[:-1])
    lines = seen(plan, {"x": rng.normal(size=(2, 8, 8, 2)).astype(np.float32)}, tmp_path)
    assert [min(2, int(threads)) <= int(present) for _, threads, present, *_ in lines] == [True] * 8
    assert len({line[3] for line in lines[:4]}) == 1
