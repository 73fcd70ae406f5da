"""Every kernel on 1 to 4 threads: in each build of the library the bits of cases.c, and the work really split."""

import subprocess

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


def parts(case, threads):
    """Into how many ranges a case is cut: of rows, or of a map's lines of 64 elements; no scratch, no sums of rows."""
    if case.kernel == MAP:
        return min(threads, -(-case.rows // 64))
    scratch = any(mode in ("scratch", "add") for _, mode, _ in case.operands)
    return 1 if scratch or not case.rows else min(threads, case.rows)


def test_the_work_is_split_and_every_thread_keeps_its_mode(tmp_path):
    """Also where rounding is towards zero and subnormals are flushed when the threads start."""
    machine = subprocess.run([require("gcc"), "-dumpmachine"], check=True, capture_output=True, text=True).stdout
    if not machine.startswith("x86_64"):
        pytest.skip("threads.c reads the mode of an x86-64")
    plan, cases = one_plan()
    (tmp_path / "plan.lzp").write_bytes(plan.to_bytes())
    given = inputs(cases, NORMAL)
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
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [(int(mode), int(threads)) for mode, threads, *_ in lines] == [(m, n) for m in (0, 1) for n in (1, 2, 3, 4)]
    assert len({line[3] for line in lines[:4]}) == len({line[3] for line in lines[4:]}) == 1
    assert lines[0][3] != lines[4][3]  # the other mode was in force
    for _, threads, present, _, *calls in lines:
        assert int(present) == int(threads)
        assert [int(c) for c in calls] == [parts(case, int(threads)) for case in cases], threads
    split = {KERNELS[c.kernel].name for c in cases if parts(c, 4) == 4}
    whole = {"sum_rows", "cumsum", "uniform", "next_key"}
    assert split == {k.name for k in KERNELS.values()} - whole - {"unpool_grad_w", "unpool_grad_x"}
