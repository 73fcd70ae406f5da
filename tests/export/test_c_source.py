"""The exported folder builds alone and strictly, says the plan's numbers, holds only what it uses, keeps the bits."""

from __future__ import annotations

import dataclasses
import re
import socket
import subprocess
from pathlib import Path

import numpy as np
import pytest

import lazydiff as ld
from lazydiff.errors import ExportError
from lazydiff.plan.model import Plan, RamRegion
from small import joined, put_together
from tools_needed import require

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
STRICT = ["-std=c99", *WARNINGS, "-ffp-contract=off", "-fno-math-errno"]


def small_plan(
    weight: str = "layer1.w", bias: str = "b", x_name: str = "x", ram: dict[str, int | str] | None = None
) -> Plan:
    """A classifier of 4-8-3 with momentum: two parameters, two states, entries train and infer."""
    x, y = ld.input(x_name, (5, 4)), ld.input("y", (5,), ld.i32)
    w0 = (np.arange(32, dtype=np.float32).reshape(4, 8) - 15) / 40
    w = ld.param(weight, w0)
    b = ld.param(bias, np.zeros(8, np.float32))
    head = ld.param("head", (np.arange(24, dtype=np.float32).reshape(8, 3) - 12) / 24)
    logits = ld.tanh(x @ w + b) @ head
    loss = ld.cross_entropy(logits, y).mean()
    return ld.compile(train=ld.train_step(loss, ld.sgd(0.1, momentum=0.9)), infer=logits, ram=ram)


REGIONS: dict[str, int | str] = {"dtcm": 512, "sram": "4 KiB", "spare": "4 KiB"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small plan's export."""
    target = tmp_path_factory.mktemp("export") / "firmware"
    ld.export_c(small_plan(), target, name="iris")
    return target


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def build(compiler: str, folder: Path, main: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """Compile every C file of the folder and `main` with the strict flags."""
    sources = [*sorted(folder.glob("*.c")), folder / "selftest/selftest_data.c", main]
    include = [f"-I{folder}", f"-I{folder / 'selftest'}"]
    return run(require(compiler), *STRICT, "-O1", *include, *sources, "-lm", "-o", out, cwd=folder)


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_folder_builds_strictly_and_its_selftest_passes(compiler: str, folder: Path, tmp_path: Path) -> None:
    done = build(compiler, folder, folder / "selftest/selftest.c", tmp_path / "selftest")
    assert done.returncode == 0, done.stderr
    ran = run(tmp_path / "selftest", cwd=tmp_path)
    assert ran.returncode == 0, ran.stdout
    assert ran.stdout.endswith("selftest: ok\n")
    assert ran.stdout.count("run ") == 3


def test_makefile_of_the_folder_builds_and_tests_it(tmp_path: Path) -> None:
    require("make")
    require("cc")
    ld.export_c(small_plan(), tmp_path, name="iris")
    done = run("make", "test", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "\nselftest: ok\n" in done.stdout


def test_cmake_project_of_the_folder_builds_and_tests_it(folder: Path, tmp_path: Path) -> None:
    cmake = require("cmake")
    for command in ([cmake, "-S", str(folder), "-B", "."], [cmake, "--build", "."], ["ctest", "--output-on-failure"]):
        done = run(*command, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr


def test_selftest_fails_when_one_bit_differs(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    ld.export_c(small_plan(), copy, name="iris")
    data = copy / "selftest/selftest_data.c"
    head, table, tail = data.read_text().rpartition("lzd_example_expected")
    word = re.search(r"0x([0-9a-f]{8})u", tail)
    assert word
    data.write_text(head + table + tail.replace(word.group(0), f"0x{int(word.group(1), 16) ^ 1:08x}u", 1))
    assert build("gcc", copy, copy / "selftest/selftest.c", tmp_path / "selftest").returncode == 0
    ran = run(tmp_path / "selftest", cwd=tmp_path)
    assert ran.returncode == 1
    assert ran.stdout.endswith("selftest: FAILED\n")


NUMBERS = """
#include <stdio.h>
#include "iris.h"
int main(void) {
    lzd_model *model;
    if (iris_open(&model) != LZD_OK) { return 1; }
    const struct { uint32_t number, found, bytes; } rows[] = {
        {IRIS_TRAIN_X, lzd_find_io(model, IRIS_TRAIN, "x"), IRIS_TRAIN_X_BYTES},
        {IRIS_TRAIN_Y, lzd_find_io(model, IRIS_TRAIN, "y"), IRIS_TRAIN_Y_BYTES},
        {IRIS_TRAIN_LOSS, lzd_find_io(model, IRIS_TRAIN, "loss"), IRIS_TRAIN_LOSS_BYTES},
        {IRIS_INFER_X, lzd_find_io(model, IRIS_INFER, "x"), IRIS_INFER_X_BYTES},
        {IRIS_INFER_INFER, lzd_find_io(model, IRIS_INFER, "infer"), IRIS_INFER_INFER_BYTES},
        {IRIS_STATE_LAYER1_W, lzd_find(model, "layer1.w"), IRIS_STATE_LAYER1_W_BYTES},
        {IRIS_STATE_B, lzd_find(model, "b"), IRIS_STATE_B_BYTES},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        lzd_symbol symbol;
        if (lzd_describe(model, rows[i].found, &symbol) != LZD_OK) { return 2; }
        if (rows[i].number != rows[i].found || rows[i].bytes != symbol.bytes) { return 3; }
    }
    printf("%lu %lu %lu", (unsigned long)IRIS_RAM_BYTES, (unsigned long)lzd_ram_bytes(iris_plan, sizeof iris_plan),
           (unsigned long)sizeof iris_ram);
    return lzd_find_entry(model, "train") == IRIS_TRAIN && lzd_find_entry(model, "infer") == IRIS_INFER ? 0 : 4;
}
"""


def test_macros_are_the_numbers_of_the_plan(folder: Path, tmp_path: Path) -> None:
    main = tmp_path / "numbers.c"
    main.write_text(NUMBERS)
    done = build("gcc", folder, main, tmp_path / "numbers")
    assert done.returncode == 0, done.stderr
    ran = run(tmp_path / "numbers", cwd=tmp_path)
    assert ran.returncode == 0
    assert ran.stdout == " ".join([str(small_plan().ram_bytes)] * 3)


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_a_plan_of_several_regions_builds_and_its_selftest_passes(compiler: str, tmp_path: Path) -> None:
    plan = small_plan(ram=REGIONS)
    ld.export_c(plan, tmp_path / "iris", name="iris")
    done = build(compiler, tmp_path / "iris", tmp_path / "iris/selftest/selftest.c", tmp_path / "selftest")
    assert done.returncode == 0, done.stderr
    ran = run(tmp_path / "selftest", cwd=tmp_path)
    assert ran.stdout.endswith("selftest: ok\n")
    header = (tmp_path / "iris/iris.h").read_text()
    sizes = {r.name: r.used_bytes for r in plan.regions}
    assert sizes["spare"] == 0 < sizes["dtcm"] <= 512 < sizes["sram"]
    for name, size in sizes.items():
        assert f"#define IRIS_RAM_{name.upper()}_BYTES {size}u\n" in header
    assert f"#define IRIS_RAM_BYTES {sum(sizes.values())}u\n" in header


def test_each_region_has_a_section_and_a_macro_for_another_one(tmp_path: Path) -> None:
    ld.export_c(small_plan(ram=REGIONS), tmp_path, name="iris")
    objdump = require("objdump")
    for define, dtcm in (
        ((), ".bss.iris_ram_dtcm"),
        (('-DIRIS_RAM_DTCM_SECTION=__attribute__((section(".fast")))',), ".fast"),
    ):
        done = run(require("gcc"), *STRICT, *define, "-c", "iris.c", "-o", "iris.o", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        rows = [line.split() for line in run(objdump, "-t", "iris.o", cwd=tmp_path).stdout.splitlines()]
        found = {row[-1]: row[-3] for row in rows if row and row[-1].startswith("iris_ram_")}
        assert found == {"iris_ram_dtcm": dtcm, "iris_ram_sram": ".bss.iris_ram_sram"}


def test_a_header_of_other_regions_does_not_compile(tmp_path: Path) -> None:
    ld.export_c(small_plan(ram=REGIONS), tmp_path, name="iris")
    header = tmp_path / "iris.h"
    header.write_text(re.sub(r"(IRIS_RAM_SRAM_BYTES) \d+u", r"\1 8u", header.read_text()))
    done = run(require("gcc"), *STRICT, "-c", "iris.c", cwd=tmp_path)
    assert done.returncode != 0
    assert "iris_ram_sram_is_what_the_planner_said" in done.stderr


def test_a_region_that_takes_another_ones_macro_is_refused(tmp_path: Path) -> None:
    plan = small_plan(ram={"a": "8 KiB", "b": 8})
    odd = dataclasses.replace(plan, named=(dataclasses.replace(plan.named[0], name="a b"), RamRegion("a_b", 8, 0)))
    with pytest.raises(ExportError, match="region 'a_b' and the size of region 'a b' both want the C macro"):
        ld.export_c(odd, tmp_path, name="iris")


def test_headers_are_clean_cpp17(folder: Path, tmp_path: Path) -> None:
    main = tmp_path / "main.cpp"
    main.write_text('#include "iris.h"\nint main() { lzd_model *m; return iris_open(&m) + iris_ram[0]; }\n')
    flags = ["-std=c++17", *WARNINGS, "-fsyntax-only", f"-I{folder}"]
    for compiler in ("g++", "clang++"):
        done = run(require(compiler), *flags, main, cwd=tmp_path)
        assert done.returncode == 0, done.stderr


def test_a_header_of_another_export_does_not_compile(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "iris"
    ld.export_c(small_plan(), copy, name="iris")
    header = copy / "iris.h"
    ram = small_plan().ram_bytes
    header.write_text(header.read_text().replace(f"IRIS_RAM_BYTES {ram}u", f"IRIS_RAM_BYTES {ram - 16}u"))
    done = build("gcc", copy, copy / "selftest/selftest.c", tmp_path / "x")
    assert done.returncode != 0
    assert "iris_ram_is_what_the_planner_said" in done.stderr


def test_two_exports_are_the_same_bytes_and_name_no_machine(folder: Path, tmp_path: Path) -> None:
    ld.export_c(small_plan(), tmp_path, name="iris")
    names = sorted(p.relative_to(folder) for p in folder.rglob("*") if p.is_file())
    assert names == sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file())
    for name in names:
        data = (folder / name).read_bytes()
        assert data == (tmp_path / name).read_bytes(), name
        for word in (str(folder), str(Path.cwd()), str(Path.home()) + "/", socket.gethostname()):
            assert word.encode() not in data, (name, word)


def test_folder_holds_only_the_kernels_opcodes_and_dtypes_of_the_plan(tmp_path: Path) -> None:
    folder = tmp_path
    ld.export_c(small_plan(), folder, name="iris", maps="interpreted")
    table = (folder / "lzd_table.c").read_text()
    assert "lzd_k_matmul_nn_f32" in table
    assert "lzd_op_tanh_f32" in table
    for absent in ("conv2d", "_f64,", "lzd_op_power", "argmax"):
        assert absent not in table, absent
    files = {p.name for p in folder.glob("*")}
    assert not [f for f in files if "f64" in f or "conv" in f]


def test_exported_plan_has_no_debug_section_and_still_loads(folder: Path) -> None:
    text = (folder / "iris.c").read_text()
    data = b"".join(int(w, 16).to_bytes(4, "little") for w in re.findall(r"0x([0-9a-f]{8})u", text))
    assert len(data) < len(small_plan().to_bytes())
    assert data[27 * 4 : 28 * 4] == bytes(4)
    x = np.ones((5, 4), np.float32)
    assert np.array_equal(ld.Session(data).infer(x=x), ld.Session(small_plan()).infer(x=x))


@pytest.mark.parametrize(
    "name", ["9lives", "a-b", "", "int", "class", "lzd_run", "k_ops_f32", "stdint", "a b", "naïve"]
)
def test_a_name_that_c_can_not_take_is_refused_and_nothing_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="name="):
        ld.export_c(small_plan(), tmp_path / "out", name=name)
    assert not (tmp_path / "out").exists()


def test_symbols_that_want_one_macro_are_refused_with_both_names(tmp_path: Path) -> None:
    with pytest.raises(ExportError) as refused:
        ld.export_c(small_plan(weight="layer.w", bias="layer_w"), tmp_path / "out", name="iris")
    assert '"layer.w"' in str(refused.value)
    assert '"layer_w"' in str(refused.value)
    assert "IRIS_STATE_LAYER_W" in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_a_symbol_name_can_not_break_out_of_its_comment(tmp_path: Path) -> None:
    ld.export_c(small_plan(weight='w */ #error "out" /*', bias="б"), tmp_path, name="iris")
    done = build("gcc", tmp_path, tmp_path / "selftest/selftest.c", tmp_path / "selftest.out")
    assert done.returncode == 0, done.stderr


def test_inputs_that_do_not_fit_are_refused() -> None:
    x, y = np.ones((5, 4), np.float32), np.zeros(5, np.int32)
    with pytest.raises(ld.LazydiffError):
        ld.export_c(small_plan(), "unused", name="iris", inputs=[{"x": x[:3], "y": y}])
    with pytest.raises(ExportError, match="no entry 'trian'"):
        ld.export_c(small_plan(), "unused", name="iris", entry="trian", inputs=[{"x": x, "y": y}])
    assert not Path("unused").exists()


def test_a_float64_plan_keeps_its_bits_too(tmp_path: Path) -> None:
    a, b = ld.input("a", (3,), ld.f64), ld.input("b", (3,), ld.f64)
    plan = ld.compile(f=ld.log(ld.abs(b)) * ld.tanh(a / b) + ld.exp(a))
    ld.export_c(plan, tmp_path, name="seed", inputs=[{"a": np.array([1, 2, 3.0]), "b": np.array([4, 5, 0.1])}])
    done = build("gcc", tmp_path, tmp_path / "selftest/selftest.c", tmp_path / "selftest.out")
    assert done.returncode == 0, done.stderr
    ran = run(tmp_path / "selftest.out", cwd=tmp_path)
    assert ran.stdout.endswith("selftest: ok\n"), ran.stdout
    assert not [p.name for p in tmp_path.glob("k_*_f32.c")]


@pytest.mark.parametrize("maps", ["generated", "interpreted"])
def test_parts_put_together_in_their_places_keep_their_bits(maps, tmp_path: Path) -> None:
    plan = joined()
    assert len(put_together(plan)) >= 2
    ld.export_c(plan, tmp_path, name="parts", maps=maps)
    done = build("gcc", tmp_path, tmp_path / "selftest/selftest.c", tmp_path / "selftest.out")
    assert done.returncode == 0, done.stderr
    assert run(tmp_path / "selftest.out", cwd=tmp_path).stdout.endswith("selftest: ok\n")


def test_a_plan_that_counts_in_f64_beside_its_f32_builds(tmp_path: Path) -> None:
    count, w = ld.state("count", [2**24], ld.i32), ld.param("w", np.ones(3, np.float32))
    loss = ld.square(w * ld.astype(count, ld.f32)).sum()
    plan = ld.compile(train=ld.train_step(loss, ld.sgd(0.1), updates=[(count, count + 1)]))
    assert {s.dtype for s in plan.entries[0].steps} == {ld.f32, ld.f64}
    ld.export_c(plan, tmp_path, name="counter")
    done = build("gcc", tmp_path, tmp_path / "selftest/selftest.c", tmp_path / "selftest.out")
    assert done.returncode == 0, done.stderr
    assert run(tmp_path / "selftest.out", cwd=tmp_path).stdout.endswith("selftest: ok\n")
    assert not (tmp_path / "k_reduce_f64.c").exists()
    assert "lzd_op_multiply_f64" not in (tmp_path / "lzd_table.c").read_text()


def test_a_plan_without_f64_is_built_without_it_and_then_refuses_one_that_has_some(tmp_path: Path) -> None:
    x = ld.input("x", (3,))
    single, double = ld.compile(f=ld.exp(x)), ld.compile(f=ld.exp(ld.astype(ld.input("x", (3,), ld.f64), ld.f32)))
    assert {s.dtype for s in double.entries[0].steps} == {ld.f32}
    for plan, name, option in ((single, "single", 0), (double, "double", 1)):
        ld.export_c(plan, tmp_path / name, name="example", maps="interpreted")
        assert f"#define LZD_F64 {option}\n" in (tmp_path / name / "lzd_config.h").read_text()
        done = build("gcc", tmp_path / name, tmp_path / name / "selftest/selftest.c", tmp_path / "selftest.out")
        assert done.returncode == 0, done.stderr
        assert run(tmp_path / "selftest.out", cwd=tmp_path).returncode == 0
    for part in ("example.c", "example.h", "selftest/selftest_data.c", "selftest/selftest_data.h"):
        (tmp_path / "single" / part).write_bytes((tmp_path / "double" / part).read_bytes())
    done = build("gcc", tmp_path / "single", tmp_path / "single/selftest/selftest.c", tmp_path / "selftest.out")
    assert done.returncode == 0, done.stderr
    assert "this build does not have" in run(tmp_path / "selftest.out", cwd=tmp_path).stdout


def test_an_entry_without_training_can_be_the_selftest(tmp_path: Path) -> None:
    ld.export_c(small_plan(), tmp_path, name="iris", entry="infer")
    done = build("gcc", tmp_path, tmp_path / "selftest/selftest.c", tmp_path / "selftest.out")
    assert done.returncode == 0, done.stderr
    ran = run(tmp_path / "selftest.out", cwd=tmp_path)
    assert ran.stdout.endswith("selftest: ok\n"), ran.stdout


ELSEWHERE = """
#include <stdio.h>
#include <string.h>
#include "iris.h"
#include "selftest_data.h"
LZD_ALIGNED static uint8_t other[IRIS_RAM_BYTES];
static void steps(lzd_model *model) {
    void *const nothing[LZD_EXAMPLE_OUTPUTS] = {NULL};
    for (uint32_t run = 0; run < 2u * LZD_EXAMPLE_RUNS; run++) {
        lzd_call(model, LZD_EXAMPLE_ENTRY, lzd_example_inputs[run % LZD_EXAMPLE_RUNS], nothing);
    }
}
int main(void) {
    lzd_model *here, *there;
    if (iris_open(&here) != LZD_OK) { return 1; }
    if (lzd_open(&there, iris_plan, sizeof iris_plan, other, sizeof other) != LZD_OK) { return 2; }
    steps(here), steps(there);
    for (uint32_t s = 0; lzd_data(here, s) != NULL; s++) {
        lzd_symbol symbol;
        lzd_describe(here, s, &symbol);
        if (symbol.kind < 3 && memcmp(lzd_data(here, s), lzd_data(there, s), symbol.bytes) != 0) { return 3; }
    }
    return (const uint8_t *)here != iris_ram || (const uint8_t *)there != other;
}
"""


def test_a_plan_in_another_array_than_its_own_has_the_same_bits(folder: Path, tmp_path: Path) -> None:
    """In its own the steps are ready in flash (c_ready.py), in another one each is when it runs."""
    assert re.search(
        r"\nstatic const lzd_ready steps\[\] = \{\n    \{operands \+ 0, lzd_k_", (folder / "iris.c").read_text()
    )
    main = tmp_path / "main.c"
    main.write_text(ELSEWHERE)
    assert build("gcc", folder, main, tmp_path / "elsewhere").returncode == 0
    assert run(tmp_path / "elsewhere", cwd=tmp_path).returncode == 0


def test_one_unnamed_or_named_block_of_ram_has_its_steps_ready_and_several_have_not(tmp_path: Path) -> None:
    for ram, ready in ((None, True), ({"dtcm": "8 KiB"}, True), (REGIONS, False)):
        ld.export_c(small_plan(ram=ram), tmp_path, name="iris")
        assert ("static const lzd_ready steps" in (tmp_path / "iris.c").read_text()) == ready
    ld.export_c(small_plan(), tmp_path, name="iris", maps="interpreted")  # it runs other plans too
    assert "lzd_ready" not in (tmp_path / "iris.c").read_text()
