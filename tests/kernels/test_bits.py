"""A kernel's order of operations is its contract: every build gives the same bits, and they are the contract's bits."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

import lazydiff as ld
from lazydiff.plan.model import MAP
from native import tree
from tools_needed import require

ROOT = Path(__file__).resolve().parents[2]
WARNINGS = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wdouble-promotion"]
WARNINGS += ["-Wmissing-prototypes", "-Werror"]
FLAGS = ["-ffp-contract=off", "-fno-math-errno", f"-I{ROOT}/c_kernels/include"]


def fma(a, b, c):
    """a * b + c with one rounding: a product of float32 is exact in 64 bits of mantissa, and so nearly is the sum."""
    return np.float32(np.longdouble(a) * np.longdouble(b) + np.longdouble(c))


def lanes(terms, add):
    lane = [np.float32(0)] * 8
    for k, term in enumerate(terms):
        lane[k % 8] = add(term, lane[k % 8])
    return tree(lane)


@pytest.mark.parametrize("width", [18, 71])
def test_the_contracts_bits_literally(width):
    rng = np.random.default_rng(8)
    a, b, c = (rng.normal(size=s).astype(np.float32) for s in ((3, 21), (21, width), (width, 21)))
    x = ld.input("x", (3, 21))
    outputs = {"nn": x @ b, "nt": x @ ld.constant(c).T, "sum": x.sum(axis=1), "columns": x.sum(axis=0)}
    plan = ld.compile(f=outputs)
    assert {s.declared.name for s in plan.entries[0].steps if s.kernel != MAP} == {
        "matmul_nn",
        "matmul_nt",
        "reduce_sum",
    }
    found = ld.Session(plan).f(x=a)
    for i in range(3):
        assert found["sum"][i] == lanes(a[i], lambda t, lane: lane + t)
        for j in range(width):
            total, across = np.float32(0), np.float32(0)
            for k in range(21):
                total, across = fma(a[i, k], b[k, j], total), fma(a[i, k], c[j, k], across)
            assert found["nn"][i, j] == total
            assert found["nt"][i, j] == across
    assert (found["columns"] == (np.float32(0) + a[0] + a[1]) + a[2]).all()


@pytest.mark.parametrize(
    ("cg", "fg", "groups", "dilation"),
    [(2, 9, 1, 1), (2, 3, 1, 3), (2, 10, 2, 1), (1, 1, 5, 2), (8, 9, 1, 1), (16, 3, 2, 2), (41, 67, 1, 1)],
    ids=str,
)
def test_convolution_and_its_transposes_literally(cg, fg, groups, dilation):
    rng = np.random.default_rng(9)
    x0 = rng.normal(size=(1, 4, 3, cg * groups)).astype(np.float32)
    w0 = rng.normal(size=(3, 3, cg, fg * groups)).astype(np.float32)
    x, w = ld.input("x", x0.shape), ld.param("w", w0)
    y = ld.conv2d(x, w, (2, 1), dilation, dilation, groups)
    g = rng.normal(size=y.shape).astype(np.float32)
    plan = ld.compile(f={"y": y, "gx": ld.vjp(y, x, g), "gw": ld.vjp(y, w, g)})
    found = ld.Session(plan).f(x=x0)
    sums, gw, gx = np.zeros(y.shape, np.float32), np.zeros(w0.shape, np.float32), np.zeros(x0.shape, np.float32)
    for i, j, f in np.ndindex(*y.shape[1:]):
        for di, dj, c in np.ndindex(3, 3, cg):
            r, q, channel = 2 * i + dilation * (di - 1), j + dilation * (dj - 1), f // fg * cg + c
            if 0 <= r < 4 and 0 <= q < 3:
                sums[0, i, j, f] = fma(x0[0, r, q, channel], w0[di, dj, c, f], sums[0, i, j, f])
                gw[di, dj, c, f] = fma(x0[0, r, q, channel], g[0, i, j, f], gw[di, dj, c, f])
    for di, dj, c, f in np.ndindex(w0.shape):  # the taps ascending, and f within each
        for i, j in np.ndindex(*y.shape[1:3]):
            r, q = 2 * i + dilation * (di - 1), j + dilation * (dj - 1)
            if 0 <= r < 4 and 0 <= q < 3:
                at = (0, r, q, f // fg * cg + c)
                gx[at] = fma(g[0, i, j, f], w0[di, dj, c, f], gx[at])
    assert found["y"].tobytes() == sums.tobytes()
    assert found["gx"].tobytes() == gx.tobytes()
    assert found["gw"].tobytes() == gw.tobytes()


@pytest.mark.parametrize("compiler", ["arm-none-eabi-gcc", "aarch64-linux-gnu-gcc"])
def test_the_runtime_compiles_clean_for_other_machines(compiler, tmp_path):
    """Without the kernels, which builds.py compiles for them."""
    core = ["-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"] if "eabi" in compiler else []
    for source in sorted((ROOT / "c_kernels/src").glob("lzd_*.c")):
        command = [require(compiler), *WARNINGS, *FLAGS, *core, "-O2", "-c", str(source), "-o", str(tmp_path / "x.o")]
        subprocess.run(command, check=True)
