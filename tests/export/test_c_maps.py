"""Generated maps give the interpreter's bits: every opcode, dtype, stride, window and tile, over any range."""

from __future__ import annotations

import ctypes
import math
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import lazydiff as ld
from lazydiff.dtypes import ALL, FLOATS, Dtype, bits, bool_, f32
from lazydiff.errors import ExportError
from lazydiff.export.c_maps import maps_of
from lazydiff.export.map_elements import step_of
from lazydiff.export.map_forms import form_of
from lazydiff.kernels.opcodes import BY_NAME, LOAD, OPCODES, STORE
from lazydiff.kernels.program import NO_TILE, Instruction, MapInput, Program
from lazydiff.plan.model import KERNELS, MAP, Entry, Plan, Step
from test_c_source import STRICT, build, run, small_plan
from tools_needed import require

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests/kernels"))

import native  # noqa: E402

SCALAR = [o for o in OPCODES.values() if o not in (LOAD, STORE)]
SOURCES = (*ALL, bits)


def row_major(dims: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(math.prod(dims[d + 1 :]) for d in range(len(dims)))


def item(dims: tuple[int, ...], dtype: Dtype, rng: np.random.Generator) -> MapInput:
    """An input: straight on, one element, rows, columns, transposed, backwards, every other one, or behind a window."""
    rank, straight = len(dims), row_major(dims)
    offset = int(rng.integers(0, 4)) * int(rng.integers(0, 2))
    order = rng.permutation(rank)
    moved = row_major(tuple(dims[d] for d in order))
    turned = tuple(moved[list(order).index(d)] for d in range(rank))
    kept = rng.integers(0, 2, rank)
    choice = int(rng.integers(0, 8))
    if choice == 6 and rank:
        low = [int(rng.integers(0, d)) for d in dims]
        window = tuple((a, int(rng.integers(0, d - a + 1))) for a, d in zip(low, dims, strict=True))
        return MapInput(dtype, offset, turned, window)
    strides = {
        0: straight,
        1: straight,
        2: (0,) * rank,
        3: tuple(int(k) * s for k, s in zip(kept, straight, strict=True)),
        4: turned,
        5: tuple(-s for s in turned),
    }.get(choice, tuple(2 * s for s in straight))
    return MapInput(dtype, offset + (math.prod(dims) if choice == 5 else 0), strides)


def program_of(seed: int, dtype: Dtype) -> Program:
    """A random program: some inputs, each opcode's turn, an output or two, sometimes a tile."""
    rng = np.random.default_rng(seed)
    dims = tuple(int(rng.choice([1, 2, 3, 5, 8, 13, 16, 24, 33])) for _ in range(int(rng.integers(0, 5))))
    if seed % 3 == 0:
        dims = (int(rng.integers(1, 400)),)
    n_in = int(rng.integers(1, 5))
    kinds = [dtype if rng.integers(2) else SOURCES[int(rng.integers(len(SOURCES)))] for _ in range(n_in)]
    inputs = tuple(item(dims, kind, rng) for kind in kinds)
    tile = int(rng.integers(n_in)) if dims and rng.integers(4) == 0 else NO_TILE
    tiles = tile != NO_TILE and bool(rng.integers(2))
    inputs = tuple(MapInput(i.dtype, 0, row_major(dims)) if k == tile else i for k, i in enumerate(inputs))
    outputs = tuple(SOURCES[int(rng.integers(len(SOURCES)))] if rng.integers(3) else dtype for _ in range(1 + seed % 2))
    temp, code = n_in + len(outputs), []
    known = []
    for k, kind in enumerate(kinds):
        code.append(Instruction(LOAD.number, temp, k))
        known.append(temp)
        if kind == dtype:
            known.append(k)
        temp += 1
    names = ["add", "multiply", "where", "less", "fma", "maximum", "relu", "abs", "equal", "square"]
    wanted = [SCALAR[(seed * 2 + k) % len(SCALAR)].name for k in range(2)]
    for name in [names[int(rng.integers(len(names)))], *wanted][: 1 + seed % 3]:
        opcode = BY_NAME[name]
        arguments = [int(rng.choice(known)) for _ in range(opcode.arity)]
        code.append(Instruction(opcode.number, temp, *arguments))
        known.append(temp)
        temp += 1
    for k, kind in enumerate(outputs):
        copied = [n for n, source in enumerate(kinds) if source == kind != dtype and kind is not bits]
        if copied and rng.integers(2):
            code.append(Instruction(STORE.number, n_in + k, copied[0]))
        elif kind == dtype and rng.integers(2):
            code.append(Instruction(BY_NAME["move"].number, n_in + k, known[-1]))
        else:
            code.append(Instruction(STORE.number, n_in + k, known[-1 - k]))
    n_temps = temp - n_in - len(outputs)
    return Program(dims, inputs, outputs, n_temps, 1 + seed % 9, tile, tuple(code), tiles)


def every_opcode(dtype: Dtype) -> list[Program]:
    """Each opcode over enough elements that its loop is written out, its arguments moving or not."""
    found = []
    for opcode in SCALAR:
        for mixture in [(1, 1, 1), (0, 1, 1), (1, 0, 0)]:
            items = tuple(MapInput(dtype, k, (mixture[k],)) for k in range(opcode.arity))
            code = Instruction(opcode.number, opcode.arity, *range(opcode.arity))
            found.append(Program((71,), items, (dtype,), 0, 64, NO_TILE, (code,)))
    for source in SOURCES:
        for target in SOURCES:
            casts = (Instruction(LOAD.number, 2, 0), Instruction(STORE.number, 1, 2))
            for dims, strides, offset in [((203,), (1,), 0), ((12, 16), (0, 1), 8), ((5, 31), (1, 0), 0)]:
                found.append(Program(dims, (MapInput(source, offset, strides),), (target,), 1, 64, NO_TILE, casts))
    return found


def numbers(dtype: Dtype, size: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if dtype is bits:
        return rng.integers(0, 256, bits.size_bytes(size), np.uint8)
    if dtype is bool_:
        return rng.integers(0, 3, size).astype(np.uint8)
    if not dtype.is_float:
        info = np.iinfo(dtype.numpy)
        return rng.integers(info.min, info.max, size, dtype.numpy, endpoint=True)
    special = np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1e-40, 300.7, -129.5, 3e9, -3e9, 0.5, 1, -1], dtype.numpy)
    return rng.permutation(np.resize(np.concatenate([special, rng.normal(size=50).astype(dtype.numpy)]), size))


def reach(program: Program, number: int) -> int:
    """How many elements an input's buffer has."""
    entry = program.inputs[number]
    window = entry.window or [(0, d) for d in program.dims]
    if any(e == 0 for _, e in window):
        return entry.offset + 1
    far = sum(max(0, s * (e - 1)) for s, (_, e) in zip(entry.strides, window, strict=True))
    return max(entry.offset + far + 1, program.elements)


def plan_of(programs: list[Program], dtype: Dtype) -> Plan:
    """A plan with a step for each program; operands but the last are not looked at."""
    steps = []
    for number, program in enumerate(programs):
        count = len(program.inputs) + len(program.outputs) + (program.n_temps > 0)
        steps.append(Step(MAP, dtype, (*(0,) * (count - 1), number + 1), program.words()))
    return Plan(64, 16, (), (), (Entry("f", (), (), tuple(steps)),), b"", b"")


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


def call(
    lib: ctypes.CDLL, dtype: Dtype, last: int, arrays: list[np.ndarray], words: tuple[int, ...], begin: int, end: int
) -> list[np.ndarray]:
    """The operands after a run; nothing beside them is written."""
    copies = [native.guarded(a) for a in arrays]
    pointers = (ctypes.c_void_p * len(arrays))(*(inside.ctypes.data for _, inside in copies))
    attrs = (ctypes.c_uint32 * (len(words) + 1))(last, *words)
    function = getattr(lib, KERNELS[MAP].c_symbol(dtype))
    function(pointers, ctypes.byref(attrs, 4), ctypes.c_uint32(begin), ctypes.c_uint32(end))
    for array, (whole, _) in zip(arrays, copies, strict=True):
        assert (whole[: native.GUARD] == 0xFF).all(), "wrote before an operand"
        assert (whole[native.GUARD + array.nbytes :] == 0xFF).all(), "wrote behind an operand"
    return [inside for _, inside in copies]


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal bytes; a NaN is a NaN."""
    if a.dtype.kind == "f":
        return bool(np.all((a.view(f"u{a.itemsize}") == b.view(f"u{b.itemsize}")) | (np.isnan(a) & np.isnan(b))))
    return a.tobytes() == b.tobytes()


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
