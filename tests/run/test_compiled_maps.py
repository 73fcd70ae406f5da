"""Maps as compiled loops give the interpreter's bits; libraries are kept; what a compiler says is not lost."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import lazydiff as ld
from lazydiff.dtypes import FLOATS, Dtype, f32
from lazydiff.errors import InputError, ToolError
from lazydiff.export.c_runtime import tables_of
from lazydiff.kernels.opcodes import BY_NAME
from lazydiff.kernels.program import NO_TILE, Instruction, MapInput, Program
from lazydiff.plan.model import KERNELS, MAP
from lazydiff.run import compiled
from lazydiff.run.compiled import compile_maps
from lazydiff.run.heap import count_allocations
from lazydiff.run.loop_shapes import shape_of
from lazydiff.run.loops import loops_of
from lazydiff.run.native import simd_names
from small import classifier, convolution, lookups, pooled
from small_plan import small_plan
from tools.bench.workloads import lazy
from tools.bench.workloads.definitions import ALL
from tools_needed import RASPBERRY_PIS, require
from whole_runs import arrays, everything, network

sys.path.append(str(Path(__file__).resolve().parents[1] / "kernels"))

import native
from map_programs import call, every_opcode, numbers, plan_of, program_of, reach, same


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Libraries are kept in a folder of the test's own."""
    monkeypatch.setenv("LZD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Loaded:
    """Compiled maps as a library of kernels, for `call`."""

    def __init__(self, plan, simd: str, interpreter: ctypes.CDLL) -> None:
        made = compile_maps(plan, simd)
        assert made is not None
        prototype = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32)
        for dtype, (function, place) in made.functions.items():
            symbol = f"lzd_k_map_{dtype}"
            own = ctypes.cast(getattr(interpreter, symbol), ctypes.c_void_p)
            ctypes.c_void_p.from_address(place).value = own.value
            setattr(self, symbol, prototype(function))


@pytest.fixture(scope="module")
def interpreter(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    return native.build(tmp_path_factory.mktemp("interpreter"), "gcc", "-O2")


@pytest.mark.parametrize(
    ("simd", "compiler"), [*((simd, "gcc") for simd in simd_names()), (simd_names()[0], "clang")], ids=str
)
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_loops_have_the_bits_of_the_interpreter(
    interpreter: ctypes.CDLL, dtype: Dtype, simd: str, compiler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", require(compiler))
    programs = every_opcode(dtype) + [program_of(seed, dtype) for seed in range(150)]
    shapes = [shape for p in programs if (shape := shape_of(p, dtype))]
    assert 0.7 * len(programs) < len(shapes) < len(programs)
    assert {s.reach(k) for s in shapes for k in range(len(s.program.inputs))} == {"one", "flat", "tile", "rows"}
    assert {(s.gathers, s.packed, s.width > 0) for s in shapes} >= {(True, True, True), (False, True, True)}
    lib = Loaded(plan_of(programs, dtype), simd, interpreter)
    for number, program in enumerate(programs):
        size = program.elements
        inputs = [numbers(i.dtype, reach(program, k) + 16, number + k) for k, i in enumerate(program.inputs)]
        outputs = [np.full(d.size_bytes(size) // d.itemsize, 99, d.numpy) for d in program.outputs]
        scratch = [np.full(program.n_temps * program.block, np.nan, dtype.numpy)] if program.n_temps else []
        arrays = [*inputs, *outputs, *scratch]
        for begin, end in {(0, size), (size // 3, size), (size // 2, size - size // 3)}:
            found = call(lib, dtype, number + 1, arrays, program.words(), begin, end)
            wanted = call(interpreter, dtype, number + 1, arrays, program.words(), begin, end)
            for k in range(len(inputs), len(inputs) + len(outputs)):
                assert same(found[k], wanted[k]), (number, program, begin, end)


def write_table(path: Path, programs: list[Program], dtype: Dtype) -> None:
    """The header that maps_cross.c includes."""
    words, data = [], bytearray()
    for number, program in enumerate(programs):
        inputs = [numbers(i.dtype, reach(program, k), number + k) for k, i in enumerate(program.inputs)]
        outputs = [np.full(d.size_bytes(program.elements) // d.itemsize, 99, d.numpy) for d in program.outputs]
        scratch = [np.zeros(program.n_temps * program.block, dtype.numpy)] if program.n_temps else []
        arrays = [*inputs, *outputs, *scratch]
        words += [program.elements, len(arrays)]
        for a in arrays:
            words += [a.nbytes, a.itemsize if a.dtype.kind == "f" else 0, len(data)]
            data += a.tobytes()
        words += [len(scratch), len(program.words()), number + 1, *program.words()]
    path.write_text(
        f"enum {{ N_PROGRAMS = {len(programs)} }};\n#define TABLE_IS_F64 {int(dtype.itemsize == 8)}\n"
        f"static const uint32_t table[] = {{{','.join(f'{w}u' for w in words)}}};\n"
        f"static const uint8_t data[] = {{{','.join(map(str, data))}}};\n"
    )


SANITIZED = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
MACHINES = {
    **{name: (gcc, ("-static",), (qemu,)) for name, (gcc, qemu) in RASPBERRY_PIS.items()},  # aarch64: vectors of NEON
    "sanitized": ("gcc", (*SANITIZED, *compiled._SIMD_FLAGS.get(simd_names()[0], ())), ()),
}


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_loops_have_the_bits_of_the_interpreter_on_other_machines(dtype: Dtype, machine: str, tmp_path: Path) -> None:
    """On Raspberry Pis, with the flags that a session there would use, and with each operand of its exact size."""
    compiler, more, runner = MACHINES[machine]
    programs = [p for p in every_opcode(dtype)[::3] if p.elements < 100] + [program_of(s, dtype) for s in range(60)]
    plan, kernels = plan_of(programs, dtype), native.ROOT / "c_kernels"
    write_table(tmp_path / "maps_table.h", programs, dtype)
    (text,) = loops_of(plan).values()
    for name, content in {"maps.c": text, **tables_of(plan)}.items():  # and the interpreter, with no other kernel
        (tmp_path / name).write_text(content)
    sources = [*tmp_path.glob("*.c"), kernels / f"src/k_map_{dtype}.c", native.ROOT / "tests/kernels/maps_cross.c"]
    include = [f"-I{folder}" for folder in (tmp_path, kernels / "src", kernels / "include")]
    flags = [f for f in compiled._FLAGS if f not in ("-shared", "-fPIC")]
    command = [require(compiler), *flags, *more, *include, *sources, "-lm", "-o", tmp_path / "maps"]
    subprocess.run(command, check=True)
    command = [*map(require, runner), tmp_path / "maps"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (f"{len(programs)} the same\n", "")


def test_wide_rows_and_long_ones_with_bits(interpreter: ctypes.CDLL) -> None:
    """Longer than what is unpacked at a time, and than what a loop's length is written out for."""
    gate = (
        Instruction(1, 4, 1),
        Instruction(BY_NAME["gate"].number, 5, 4, 0),
        Instruction(2, 2, 5),
        Instruction(2, 3, 4),
    )
    programs = []
    for dims in [(3, 1000), (2, 5, 2048), (1, 1500), (7, 300)]:
        row = (0,) * (len(dims) - 1) + (1,)
        straight = tuple(int(np.prod(dims[k + 1 :])) for k in range(len(dims)))
        items = (MapInput(f32, 0, row), MapInput(ld.dtypes.bits, 5, straight))
        programs.append(Program(dims, items, (f32, ld.dtypes.bits), 2, 64, NO_TILE, gate))
    lib = Loaded(plan_of(programs, f32), simd_names()[0], interpreter)
    for number, program in enumerate(programs):
        assert shape_of(program, f32) is not None
        arrays = [numbers(i.dtype, reach(program, k) + 16, k) for k, i in enumerate(program.inputs)]
        arrays += [np.zeros(d.size_bytes(program.elements) // d.itemsize, d.numpy) for d in program.outputs]
        arrays.append(np.zeros(128, np.float32))
        for begin, end in [(0, program.elements), (8, program.elements - 3)]:
            found = call(lib, f32, number + 1, arrays, program.words(), begin, end)
            wanted = call(interpreter, f32, number + 1, arrays, program.words(), begin, end)
            assert all(same(a, b) for a, b in zip(found, wanted, strict=True)), (program, begin)


def test_an_output_may_lie_on_an_input_that_goes_straight_on(interpreter: ctypes.CDLL) -> None:
    fma = (Instruction(BY_NAME["fma"].number, 2, 1, 0, 0),)
    program = Program((103,), (MapInput(f32, 0, (1,)), MapInput(f32, 0, (1,))), (f32,), 0, 64, NO_TILE, fma)
    lib = Loaded(plan_of([program], f32), simd_names()[0], interpreter)
    x, y = np.random.default_rng(0).normal(size=(2, 103)).astype(np.float32)
    apart = call(interpreter, f32, 1, [x, y, np.zeros_like(x)], program.words(), 0, 103)[2]
    pointers = (ctypes.c_void_p * 3)(x.ctypes.data, y.ctypes.data, x.ctypes.data)
    attrs = (ctypes.c_uint32 * (len(program.words()) + 1))(1, *program.words())
    getattr(lib, KERNELS[MAP].c_symbol(f32))(pointers, ctypes.addressof(attrs) + 4, 0, 103)
    assert x.tobytes() == apart.tobytes()


def test_steps_that_differ_in_offsets_alone_share_a_function_and_those_not_told_apart_have_none() -> None:
    add, multiply = ((Instruction(BY_NAME[n].number, 2, 0, 1),) for n in ("add", "multiply"))
    items = [(MapInput(f32, k, (1,)), MapInput(f32, 0, (1,))) for k in (3, 5)]
    plan = plan_of([Program((9,), i, (f32,), 0, 64, NO_TILE, add) for i in items], f32)
    assert loops_of(plan)[f32].count("static void map_") == 1
    other = plan_of([Program((9,), items[0], (f32,), 0, 64, NO_TILE, code) for code in (add, multiply)], f32)
    steps = tuple(replace(s, operands=(0, 0, 5)) for s in other.entries[0].steps)
    assert loops_of(replace(other, entries=(replace(other.entries[0], steps=steps),))) == {}


@pytest.mark.parametrize("simd", simd_names())
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_a_session_gives_the_same_bits(dtype: Dtype, simd: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LZD_SIMD", simd)
    plan = network(dtype)
    wanted = everything(ld.Session(plan), plan)
    monkeypatch.setattr("lazydiff.run.native.LEAST_WORK", 0)
    for threads in (1, 3):
        session = ld.Session(plan, threads=threads, maps="compiled")
        assert (session.maps, session.simd, session.threads) == ("compiled", simd, threads)
        assert everything(session, plan) == wanted, threads


@pytest.mark.parametrize("make", [classifier, convolution, pooled, lookups], ids=lambda make: make.__name__)
def test_every_small_plan_gives_the_same_bits(make) -> None:
    plan = make()
    assert everything(ld.Session(plan.to_bytes(), maps="compiled"), plan) == everything(ld.Session(plan), plan)


@pytest.mark.parametrize("name", ["w1_mlp_b32", "w2_lenet_b1", "w3_ae_b1", "w4_dscnn_b1", "w7_pinn_f32", "w8_maml"])
def test_workloads_train_with_the_same_bits(name: str) -> None:
    workload = ALL[name]
    plan = lazy.compiled(workload)
    shapes = [shape_of(s.program, s.dtype) for e in plan.entries for s in e.steps if s.kernel == MAP]
    assert sum(shape is not None for shape in shapes) > 0.8 * len(shapes)
    found = []
    for maps in ("interpreted", "compiled"):
        session = ld.Session(plan, maps=maps)  # type: ignore[arg-type]
        for batch in workload.init()[2][:2]:
            session.train(**{f"batch{k}": a for k, a in enumerate(batch)})
        found.append({name: value.tobytes() for name, value in session.state().items()})
    assert found[0] == found[1]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the heap counter is for Linux")
def test_a_step_with_compiled_maps_makes_no_heap_call() -> None:
    plan = network()
    assert count_allocations(plan, "train", arrays(plan, 0), steps=200, maps="compiled") == 0


def test_a_library_is_made_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    run = subprocess.run
    monkeypatch.setattr(compiled.subprocess, "run", lambda command, **k: (ran.append(command[0]), run(command, **k))[1])
    ld.Session(small_plan(), maps="compiled")
    (kept,) = cache.iterdir()
    assert (len(ran), kept.stat().st_mode & 0o077) == (1, kept.stat().st_mode & 0o055)
    ld.Session(small_plan(), maps="compiled")
    assert len(ran) == 1
    ld.Session(network(), maps="compiled")
    assert (len(ran), len(list(cache.iterdir()))) == (2, 2)
    monkeypatch.setenv("LZD_SIMD", "scalar" if "scalar" in simd_names() else simd_names()[-1])
    ld.Session(small_plan(), maps="compiled")
    assert len(ran) == (3 if len(simd_names()) > 1 else 2)


def test_a_broken_library_is_made_again(cache: Path) -> None:
    text = "import sys; import lazydiff as ld; ld.Session(sys.argv[1], maps='compiled')"
    ld.Session(small_plan(), maps="compiled")
    (kept,) = cache.iterdir()
    plan = cache.parent / "small.lzp"
    small_plan().save(plan)
    size = kept.stat().st_size
    kept.unlink()  # this process has it mapped
    kept.write_bytes(b"not a library")
    subprocess.run([sys.executable, "-c", text, str(plan)], check=True)
    assert kept.stat().st_size == size


def test_a_folder_that_others_may_write_to_is_not_used(cache: Path) -> None:
    cache.mkdir()
    cache.chmod(0o777)
    assert ld.Session(small_plan(), maps="compiled").maps == "compiled"
    assert not list(cache.iterdir())


def test_libraries_are_kept_in_the_users_cache_or_a_folder_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value, folder in [
        ("LZD_CACHE", "kept", tmp_path / "kept"),
        ("XDG_CACHE_HOME", str(tmp_path / "xdg"), tmp_path / "xdg/lazydiff"),
        ("HOME", str(tmp_path), tmp_path / ".cache/lazydiff"),
    ]:
        monkeypatch.delenv("LZD_CACHE", raising=False)
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        monkeypatch.setenv(name, value)
        assert compiled._cache() == folder
        assert folder.stat().st_mode & 0o777 == 0o700
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # nobody's home
    assert compiled._cache() is None


def test_a_cache_that_can_not_be_is_not_needed(cache: Path) -> None:
    cache.write_text("a file")
    assert ld.Session(small_plan(), maps="compiled").maps == "compiled"


def test_without_a_compiler_the_message_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(ToolError, match=r"no C compiler.*cc, gcc or clang(.|\n)*apt install gcc"):
        ld.Session(small_plan(), maps="compiled")
    monkeypatch.setenv("CC", "no-such-compiler -O1")
    with pytest.raises(ToolError, match="no-such-compiler"):
        ld.Session(small_plan(), maps="compiled")
    assert ld.Session(small_plan()).maps == "interpreted"


def test_what_a_failing_compiler_says_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fails = tmp_path / "fails"
    fails.write_text("#!/bin/sh\necho 'k_map_f32.c:1: no space' >&2\nexit 3\n")
    fails.chmod(0o755)
    monkeypatch.setenv("CC", os.fspath(fails))
    with pytest.raises(ToolError, match=r"ended with 3\nk_map_f32.c:1: no space\n  try:"):
        ld.Session(small_plan(), maps="compiled")


def test_another_word_is_refused() -> None:
    with pytest.raises(InputError, match="maps='fast'\n  try: 'interpreted' or 'compiled'"):
        ld.Session(small_plan(), maps="fast")  # type: ignore[arg-type]


def test_a_plan_that_breaks_a_rule_is_refused_before_anything_is_compiled(cache: Path) -> None:
    data = bytearray(small_plan().to_bytes())
    data[len(data) // 2] ^= 1
    with pytest.raises(ld.PlanError):
        ld.Session(bytes(data), maps="compiled")
    assert not cache.exists()
