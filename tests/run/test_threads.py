"""Several threads: the bits of one, no allocation, nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import lazydiff as ld
from lazydiff.errors import InputError
from lazydiff.plan.model import MAP
from lazydiff.run import native
from lazydiff.run.heap import count_allocations
from lazydiff.run.native import HeapCounter
from small import classifier, convolution, lookups, pooled
from small_plan import small_plan
from tools.bench.workloads import lazy
from tools.bench.workloads.definitions import ALL
from tools_needed import RASPBERRY_PIS, require
from whole_runs import arrays, everything, network

ROOT = Path(__file__).resolve().parents[2]
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts threads in /proc")


def tasks():
    return len(list(Path("/proc/self/task").iterdir()))


@pytest.fixture(autouse=True)
def all_steps_are_large(monkeypatch):
    monkeypatch.setattr(native, "LEAST_WORK", 0)


@pytest.mark.parametrize("dtype", [ld.f32, ld.f64], ids=str)
def test_one_to_four_threads_give_the_same_bits(dtype):
    plan = network(dtype)
    steps = plan.entries[0].steps
    assert any(s.tile_rows for s in steps)
    assert any(s.kernel == MAP and s.program.n_temps for s in steps)
    alone = everything(ld.Session(plan), plan)
    for threads in (2, 3, 4):
        session = ld.Session(plan, threads=threads)
        assert session.threads == threads
        assert everything(session, plan) == alone, threads


@pytest.mark.parametrize("make", [classifier, convolution, pooled, lookups], ids=lambda make: make.__name__)
def test_every_small_plan_gives_the_same_bits(make):
    plan = make()
    alone = everything(ld.Session(plan), plan)
    for threads in (2, 3, 4):
        assert everything(ld.Session(plan, threads=threads), plan) == alone, threads


@pytest.mark.parametrize(
    "name", ["w1_mlp_b1", "w2_lenet_b1", "w3_ae_b1", "w4_dscnn_b1", "w7_pinn_f64", "w8_maml", "w9_hvp"]
)
def test_workloads_train_with_the_same_bits(name):
    workload = ALL[name]
    plan = lazy.compiled(workload)
    found = []
    for threads in (1, 2, 3, 4):
        session = ld.Session(plan, threads=threads)
        for batch in workload.init()[2][:2]:
            session.train(**{f"batch{k}": a for k, a in enumerate(batch)})
        found.append({name: value.tobytes() for name, value in session.state().items()})
    assert found[0] == found[1] == found[2] == found[3]


@linux
def test_threads_are_started_once_and_joined():
    before = tasks()
    plan = network()
    session = ld.Session(plan, threads=4)
    assert tasks() == before + 3
    found = everything(session, plan, 1)
    assert tasks() == before + 3
    session.close()
    session.close()
    assert tasks() == before
    assert session.threads == 1
    session.reset()
    assert everything(session, plan, 1) == found
    other = ld.Session(plan, threads=2)
    assert tasks() == before + 1
    step = other.train.bind(**arrays(plan, 0))
    del other
    step()
    assert tasks() == before + 1
    del step
    assert tasks() == before


@linux
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_goes_on_alone_and_its_parent_as_before():
    plan = network()
    session, inputs = ld.Session(plan, threads=3), arrays(plan, 0)
    expected = ld.Session(plan).train(**inputs)
    child = os.fork()
    if child == 0:
        good = session.threads == 1 and session.train(**inputs) == expected
        os._exit(0 if good else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert session.threads == 3
    assert session.train(**inputs) == expected


@pytest.mark.parametrize("threads", [0, -1, 65])
def test_a_number_of_threads_that_can_not_be_is_refused(threads):
    with pytest.raises(InputError, match=rf"threads={threads}\n  try: a number from 1 to 64"):
        ld.Session(small_plan(), threads=threads)


@pytest.mark.skipif(HeapCounter.library() is None, reason="the heap counter needs Linux with glibc")
def test_a_step_on_four_threads_makes_no_heap_call(monkeypatch):
    plan = network()
    assert count_allocations(plan, "train", arrays(plan, 0), steps=200, threads=4) == 0


HARNESS = r"""
#include "lzd.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static void *load(const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "rb");
    void *space = NULL;
    if (file == NULL || posix_memalign(&space, 16, 1u << 22) != 0) { exit(2); }
    *bytes = fread(space, 1, 1u << 22, file);
    fclose(file);
    return space;
}
int main(int argc, char **argv)
{
    size_t bytes;
    void *plan = load(argv[1], &bytes), *ram = NULL;
    const uint32_t size = lzd_ram_bytes(plan, bytes);
    lzd_model *model;
    if (argc < 2 || posix_memalign(&ram, 16, size) != 0) { return 2; }
    for (uint32_t threads = 1; threads <= 4; threads++) {
        memset(ram, 0, size);
        if (lzd_open(&model, plan, bytes, ram, size) != LZD_OK) { return 3; }
        if (lzd_threads_start(model, threads, 0) != LZD_OK) { return 4; }
        lzd_entry entry;
        uint32_t hash = 2166136261u;
        for (uint32_t e = 0; lzd_describe_entry(model, e, &entry) == LZD_OK; e++) {
            for (int run = 0; run < 20; run++) {
                for (uint32_t k = 0; k < entry.n_inputs; k++) {
                    lzd_symbol s;
                    lzd_describe(model, entry.first_input + k, &s);
                    float *x = lzd_data(model, entry.first_input + k);
                    memset(x, 0, s.bytes);
                    for (uint32_t i = 0; s.dtype == 1 && i < s.bytes / 4; i++) {
                        x[i] = (float)((i * 7 + 3u * (uint32_t)run) % 13) / 13;
                    }
                }
                if (lzd_run(model, e) != LZD_OK) { return 5; }
                for (uint32_t k = 0; k < entry.n_outputs; k++) {
                    lzd_symbol s;
                    lzd_describe(model, entry.first_output + k, &s);
                    const unsigned char *at = lzd_data(model, entry.first_output + k);
                    for (uint32_t i = 0; i < s.bytes; i++) { hash = (hash ^ at[i]) * 16777619u; }
                }
            }
        }
        lzd_threads_stop(model);
        printf("%08x\n", (unsigned)hash);
    }
    return 0;
}
"""


MACHINES = {
    "thread sanitizer": (("gcc", "-g", "-fsanitize=thread"), ()),
    **{name: ((gcc, "-static"), (qemu,)) for name, (gcc, qemu) in RASPBERRY_PIS.items()},
}


def test_threads_in_c_race_nowhere_and_give_the_same_bits_on_raspberry_pis(tmp_path):
    (tmp_path / "plan.lzp").write_bytes(network().to_bytes())
    (tmp_path / "main.c").write_text(HARNESS)
    sources = [str(tmp_path / "main.c"), *sorted(map(str, (ROOT / "c_kernels/src").glob("*.c")))]
    flags = ["-std=c99", "-D_POSIX_C_SOURCE=200809L", "-O1", "-ffp-contract=off", "-DLZD_THREADS=1"]
    flags += [f"-I{ROOT}/c_kernels/include"]
    hashes = []
    for (compiler, *more), runner in MACHINES.values():
        command = [require(compiler), *flags, *more, *sources, "-o", tmp_path / "run", "-lm", "-pthread"]
        subprocess.run(command, check=True)
        command = [*map(require, runner), tmp_path / "run", tmp_path / "plan.lzp"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        hashes += done.stdout.split()
    assert hashes == hashes[:1] * 12
