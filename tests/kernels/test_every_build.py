"""Every kernel in every build: the same bits for any numbers, no byte beside its operands, the mode left as it was.

Shapes straddle every tile edge (cases.py). Denormals, infinities and NaN are among the numbers; any NaN counts as any
other, since which one an operation returns is the machine's choice. Exception flags may be raised.
"""

import shutil
from functools import cache
from pathlib import Path

import pytest

from builds import BUILDS, compile_all, hashes, link, program, run, runs_here
from cases import every_case, shapes
from lazydiff.kernels.opcodes import LOAD, OPCODES, STORE
from lazydiff.plan.model import KERNELS, MAP
from native import ROOT

REFERENCE = "scalar -O0"


@cache
def built(name: str) -> Path:
    """The folder with a build's objects and program, made once a test run."""
    folder = ROOT / "build/tests/cases" / name.replace(" ", "_")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    program(folder, BUILDS[name])
    return folder


@cache
def found(name):
    """Each case's hashes from one build, which must have run them all without a complaint."""
    done = run(built(name) / "cases", BUILDS[name])
    assert done.stderr == ""
    assert [line for line in done.stdout.splitlines() if line.startswith("bad")] == []
    assert done.stdout.endswith("done\n"), done.stdout[-300:]
    assert done.returncode == 0
    return hashes(done)


def test_no_kernel_and_no_opcode_is_left_out(monkeypatch):
    cases = every_case()
    assert {c.kernel for c in cases} == set(KERNELS)
    used = {c.words[-2] & 255 for c in cases if c.kernel == MAP}
    assert used | {LOAD.number, STORE.number} == set(OPCODES)
    assert all(shapes(k) for k in KERNELS.values() if k.number != MAP)
    monkeypatch.setitem(KERNELS, 99, next(iter(KERNELS.values())))  # a new one, of which nobody thought
    with pytest.raises(AssertionError):
        every_case()


@pytest.mark.parametrize("name", BUILDS)
def test_every_build_gives_the_same_bits(name):
    build = BUILDS[name]
    if not runs_here(build):
        pytest.skip(f"this machine has no {build.needs}")
    cases, reference = every_case(build.dtypes), found(REFERENCE)
    bits = found(name)
    assert set(bits) == {c.number for c in cases}
    assert {c.name: bits[c.number] for c in cases if bits[c.number] != reference[c.number]} == {}


def test_the_numbers_are_what_they_are_said_to_be():
    """Some results are subnormal, and the three kinds of numbers differ: a case of constants would show nothing."""
    found_here = found(REFERENCE)
    assert len({h for each in found_here.values() for h in each}) > 4000
    assert sum(len(set(each)) == 3 for each in found_here.values()) > 0.7 * len(found_here)


FAULTS = {  # what is done to the last line of cumsum's loop, and what each kind of guard says
    "writes behind": ("out[at] = sum;", "out[at] = sum, out[row] = 0;"),
    "writes before": ("out[at] = sum;", "out[at] = sum, *(out - 1) = 0;"),
    "reads behind": ("sum += x[at];", "sum += x[at] + x[row] - x[row];"),
    "sets the mode": (
        "out[at] = sum;",
        'out[at] = sum; __asm volatile("ldmxcsr %0" : : "m"(*(const uint32_t[]){0x9FC0}));',
    ),
}
SEEN = {
    ("writes behind", "small sanitized"): "heap-buffer-overflow",
    ("writes before", "small sanitized"): "heap-buffer-overflow",
    ("reads behind", "small sanitized"): "heap-buffer-overflow",
    ("writes behind", REFERENCE): "",  # a page that is not there: the signal alone
    ("writes before", REFERENCE): "",
    ("reads behind", REFERENCE): "",
    ("sets the mode", REFERENCE): "changed the mode",
    ("writes behind", "Cortex-M4F"): "wrote beside an operand",
    ("writes before", "Cortex-M4F"): "wrote beside an operand",
}


@pytest.mark.parametrize(("fault", "name"), SEEN, ids=str)
def test_a_kernel_that_does_it_wrong_is_seen(fault, name, tmp_path):
    """One line of one kernel changed."""
    old, new = FAULTS[fault]
    build, text = BUILDS[name], (ROOT / "c_kernels/src/k_scan.h").read_text()
    assert text.count(old) == 1
    (tmp_path / "k_scan.h").write_text(text.replace(old, new))
    source = tmp_path / "k_scan_f32.c"
    source.write_text((ROOT / "c_kernels/src/k_scan_f32.c").read_text())
    objects = compile_all(tmp_path, build, [source])
    objects += [o for o in built(name).glob("*.o") if o.name != "k_scan_f32.o"]
    done = run(link(tmp_path, build, objects), build)
    assert done.returncode != 0
    assert SEEN[fault, name] in done.stdout + done.stderr
