"""Generated maps give the interpreter's bits: every opcode, dtype, stride, window and tile, over any range."""

from __future__ import annotations

import ctypes
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import lazydiff as ld
from lazydiff.dtypes import FLOATS, Dtype, f32
from lazydiff.errors import ExportError
from lazydiff.export.c_maps import maps_of
from lazydiff.export.map_elements import step_of
from lazydiff.export.map_forms import form_of
from lazydiff.kernels.opcodes import BY_NAME
from lazydiff.kernels.program import NO_TILE, Instruction, MapInput, Program
from lazydiff.plan.model import Entry, Plan
from test_c_source import STRICT, build, run, small_plan
from tools_needed import require

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests/kernels"))

import native  # noqa: E402
from map_programs import call, every_opcode, numbers, plan_of, program_of, reach, same  # noqa: E402


def library(folder: Path, plan: Plan, compiler: str, options: tuple[str, ...]) -> ctypes.CDLL:
    """The generated files as a shared library."""
    for name, text in maps_of(plan).items():
        (folder / name).write_text(text)
    out = folder / f"maps_{compiler}.so"
    warnings = ["-Wshadow", "-Wdouble-promotion"]
    include = [f"-I{ROOT}/c_kernels/include", f"-I{ROOT}/c_kernels/src"]
    sources = sorted(map(str, folder.glob("k_map_*.c")))
    command = [
        require(compiler),
        *STRICT,
        *warnings,
        *options,
        *include,
        "-shared",
        "-fPIC",
        *sources,
        "-lm",
        "-o",
        str(out),
    ]
    subprocess.run(command, check=True)
    return ctypes.CDLL(str(out))


@pytest.fixture(scope="module")
def interpreters(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ctypes.CDLL]:
    """Those of a desktop and of a microcontroller."""
    small = ("-O2", "-DLZD_SMALL=1", "-DLZD_FAST_STRIDES=0")
    folder = tmp_path_factory.mktemp("interpreters")
    return {"wide": native.build(folder, "gcc", "-O2"), "small": native.build(folder, "gcc", *small)}


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_generated_maps_have_the_bits_of_the_interpreter(
    interpreters: dict[str, ctypes.CDLL], compiler: str, dtype: Dtype, tmp_path: Path
) -> None:
    programs = every_opcode(dtype) + [program_of(seed, dtype) for seed in range(250)]
    forms = [form_of(p, dtype) for p in programs]
    steps = {step_of(form, p.elements) for form, p in zip(forms, programs, strict=True)}
    assert steps >= ({1, 4, 8} if dtype == f32 else {1, 8})
    assert {i.reach for form in forms for i in form.inputs} == {"one", "flat", "tile", "rows", "none"}
    assert any(form.windowed for form in forms)
    lib = library(tmp_path, plan_of(programs, dtype), compiler, ("-O2",))
    for number, program in enumerate(programs):
        size = program.elements
        inputs = [numbers(i.dtype, reach(program, k) + 16, number + k) for k, i in enumerate(program.inputs)]
        outputs = [np.full(d.size_bytes(size) // d.itemsize, 99, d.numpy) for d in program.outputs]
        scratch = [np.full(program.n_temps * program.block, np.nan, dtype.numpy)] if program.n_temps else []
        for begin, end in {(0, size), (size // 3, size), (size // 2, size - size // 3)}:
            arrays = [*inputs, *outputs, *scratch]
            found = call(lib, dtype, number + 1, arrays, program.words(), begin, end)
            for name, interpreter in interpreters.items():
                wanted = call(interpreter, dtype, number + 1, arrays, program.words(), begin, end)
                for k in range(len(inputs), len(inputs) + len(outputs)):
                    assert same(found[k], wanted[k]), (name, number, program, begin, end)


def test_an_output_may_lie_on_an_input_that_goes_straight_on(tmp_path: Path) -> None:
    fma = (Instruction(BY_NAME["fma"].number, 2, 1, 0, 0),)
    program = Program((103,), (MapInput(f32, 0, (1,)), MapInput(f32, 0, (1,))), (f32,), 0, 64, NO_TILE, fma)
    lib = library(tmp_path, plan_of([program], f32), "gcc", ("-O3",))
    x, y = np.random.default_rng(0).normal(size=(2, 103)).astype(np.float32)
    apart = call(lib, f32, 1, [x, y, np.zeros_like(x)], program.words(), 0, 103)[2]
    pointers = (ctypes.c_void_p * 3)(x.ctypes.data, y.ctypes.data, x.ctypes.data)
    attrs = (ctypes.c_uint32 * (len(program.words()) + 1))(1, *program.words())
    lib.lzd_k_map_f32(pointers, ctypes.byref(attrs, 4), ctypes.c_uint32(0), ctypes.c_uint32(103))
    assert x.tobytes() == apart.tobytes()


def outer_product(rows: int, columns: int, w_first: bool, code: str) -> Program:
    """w + (c a) b, or w - a b, of a column a, a row b and a matrix w, each with other numbers before it."""
    column, row, w = MapInput(f32, 3, (2, 0)), MapInput(f32, 5, (0, 1)), MapInput(f32, 0, (columns, 1))
    inputs = (MapInput(f32, 1, (0, 0)), column, *((w, row) if w_first else (row, w)))
    b, at = (3, 2) if w_first else (2, 3)
    multiply, last = BY_NAME["multiply"].number, BY_NAME[code].number
    if code == "fma":
        steps = (Instruction(multiply, 5, 0, 1), Instruction(last, 4, 5, b, at))
    else:
        steps = (Instruction(multiply, 5, 1, b), Instruction(last, 4, at, 5))
    return Program((rows, columns), inputs, (f32,), 1, 64, NO_TILE, steps)


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("code", ["fma", "subtract"])
@pytest.mark.parametrize("w_first", [False, True])
def test_outer_products_are_added_four_rows_at_a_time_on_small_cores(
    interpreters: dict[str, ctypes.CDLL], w_first: bool, code: str, compiler: str, tmp_path: Path
) -> None:
    programs = [outer_product(m, n, w_first, code) for m in (3, 4, 9, 26) for n in (11, 15, 16, 18, 40)]
    plan = plan_of(programs, f32)
    assert maps_of(plan)["k_map_f32.c"].count("LZD_SMALL") == 1
    lib = library(tmp_path, plan, compiler, ("-O2", "-DLZD_SMALL=1", "-DLZD_FAST_STRIDES=0"))
    for number, program in enumerate(programs):
        at = 2 if w_first else 3
        inputs = [numbers(f32, reach(program, k) + 16, number + k) for k in range(4)]
        arrays = [*inputs, np.full_like(inputs[at], 99), np.zeros(64, np.float32)]
        size, n = program.elements, program.dims[1]
        for begin, end in {(0, size), (n, size), (n // 2, size), (0, size - 1), (1, min(size, 4 * n + 1))}:
            words, last = program.words(), number + 1
            wanted = call(interpreters["small"], f32, last, arrays, words, begin, end)[4]
            assert same(call(lib, f32, last, arrays, words, begin, end)[4], wanted)
            places = [a.copy() for a in inputs]
            pointers = (ctypes.c_void_p * 6)(*(a.ctypes.data for a in [*places, places[at], arrays[5]]))
            attrs = (ctypes.c_uint32 * (len(words) + 1))(last, *words)
            lib.lzd_k_map_f32(pointers, ctypes.byref(attrs, 4), ctypes.c_uint32(begin), ctypes.c_uint32(end))
            assert same(places[at][begin:end], wanted[begin:end]), (program.dims, begin, end)
            places[at][begin:end] = inputs[at][begin:end]
            assert all(a.tobytes() == b.tobytes() for a, b in zip(places, inputs, strict=True))


def test_steps_that_differ_in_extents_alone_share_a_function(tmp_path: Path) -> None:
    add = (Instruction(BY_NAME["add"].number, 2, 0, 1),)
    two = (MapInput(f32, 0, (1,)), MapInput(f32, 0, (1,)))
    flat = [Program((n,), two, (f32,), 0, 64, NO_TILE, add) for n in (3, 400)]
    sizes = [(3, 40), (7, 9)]
    over = [(MapInput(f32, 0, (m, 1)), MapInput(f32, 0, (0, 1))) for _, m in sizes]
    rows = [Program(dims, items, (f32,), 0, 64, NO_TILE, add) for dims, items in zip(sizes, over, strict=True)]
    text = maps_of(plan_of(rows + flat, f32))["k_map_f32.c"]
    assert len(re.findall(r"^static void map_\d+\(", text, re.MULTILINE)) == 2


def test_two_maps_with_one_last_operand_are_refused() -> None:
    add, multiply = ((Instruction(BY_NAME[n].number, 2, 0, 1),) for n in ("add", "multiply"))
    flat = Program((9,), (MapInput(f32, 0, (1,)),) * 2, (f32,), 0, 64, NO_TILE, add)
    plan = plan_of([flat, replace(flat, instructions=multiply)], f32)
    steps = tuple(replace(s, operands=(0, 0, 5)) for s in plan.entries[0].steps)
    with pytest.raises(ExportError, match="interpreted"):
        maps_of(replace(plan, entries=(Entry("f", (), (), steps),)))


@pytest.mark.parametrize("maps", ["generated", "interpreted"])
def test_a_folder_holds_loops_or_the_interpreter(maps: str, tmp_path: Path) -> None:
    ld.export_c(small_plan(), tmp_path, name="iris", maps=maps)  # type: ignore[arg-type]
    interpreted = maps == "interpreted"
    names = {p.name for p in tmp_path.iterdir()}
    assert ({"k_map.h", "k_map_wide.h", "k_ops_f32.c", "lzd_ops.h"} <= names) == interpreted
    assert ("k_map.h" in names) == interpreted
    assert ("lzd_ops_f32" in (tmp_path / "lzd_table.c").read_text()) == interpreted
    assert ("static void map_0(" in (tmp_path / "k_map_f32.c").read_text()) == (not interpreted)
    done = build("gcc", tmp_path, tmp_path / "selftest/selftest.c", tmp_path / "selftest.out")
    assert done.returncode == 0, done.stderr
    assert run(tmp_path / "selftest.out", cwd=tmp_path).stdout.endswith("selftest: ok\n")


def test_a_build_with_generated_maps_refuses_another_plan(tmp_path: Path) -> None:
    """Which would run the wrong loops; an interpreting build runs it."""
    for maps, says in (("generated", "generated for another plan"), ("interpreted", "selftest: ok")):
        folder, other = tmp_path / maps, tmp_path / f"{maps}_other"
        ld.export_c(small_plan(), folder, name="iris", maps=maps)  # type: ignore[arg-type]
        ld.export_c(small_plan(weight="other"), other, name="iris", maps=maps)  # type: ignore[arg-type]
        for part in ("iris.c", "iris.h", "selftest/selftest_data.c", "selftest/selftest_data.h"):
            (folder / part).write_bytes((other / part).read_bytes())
        done = build("gcc", folder, folder / "selftest/selftest.c", tmp_path / "selftest.out")
        assert done.returncode == 0, done.stderr
        assert says in run(tmp_path / "selftest.out", cwd=tmp_path).stdout


def test_another_word_than_the_two_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="maps='fast'"):
        ld.export_c(small_plan(), tmp_path / "out", maps="fast")  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()
