"""A plan that runs every opcode over awkward numbers, exported with a self-test that holds the desktop's bits."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Literal

import numpy as np

import lazydiff as ld
from exported_digits import ROOT
from lazydiff.dtypes import Dtype
from lazydiff.kernels.opcodes import BY_NAME, OPCODES
from lazydiff.plan.model import MAP

# 64 numbers: both zeros, halves, ends of the functions' ranges, huge angles, subnormal and largest numbers, NaN.
AWKWARD = [0.0, -0.0, 0.5, -0.5, 1, -1, 1.5, -1.5, 2.5, -2.5, 3, -3, 7, 0.1, -0.1, 0.7, -0.7, 0.9999, -0.9999, 1e-3]
AWKWARD += [-1e-3, 1e-7, -1e-7, 1.0001, 3.1415927, -1.5707963, 9.5, -9.5, 17.3, -17.3, 42.7, 88.7, -87.4, 89, -104]
AWKWARD += [709.7, -745.2, 1e4, -1e4, 123456.7, 1e9, -1e9, 1e15, 2.0**24, 2.0**31, 1e30, -1e30, 3e38, -3e38, 1e-30]
AWKWARD += [-1e-30, 1e-38, 1e-40, -1e-42, 1e-45, 1.7e308, -1e300, 1e-310, 5e-324, 6, -6, 1001, 1002, 1003]
STANDS_FOR = {1001: np.inf, 1002: -np.inf, 1003: np.nan}  # which C99 can't write as constants of a self-test


def _special(x: ld.Tensor) -> ld.Tensor:
    for number, value in STANDS_FOR.items():
        x = ld.where(ld.equal(x, number), value, x)
    return x


def outputs(a: ld.Tensor, b: ld.Tensor, c: ld.Tensor) -> dict[str, ld.Tensor]:
    """The result of each opcode, a NaN replaced by 7: its bits are the machine's own."""
    a, b, c = (_special(x) for x in (a, b, c))
    public = {n: f for n, f in vars(ld).items() if n in BY_NAME and n not in ("where", "load", "isnan")}
    found = {name: f(*(a, b, c)[: BY_NAME[name].arity]) for name, f in public.items()}
    found |= {"less_equal": a <= b, "where": ld.where(a > b, b, c), "isnan": ld.isnan(a)}
    found["gate"] = ld.where(ld.less(0, a), b, 0)
    for kind in (ld.i32, ld.u8, ld.i8, ld.bool_):  # the casts of `store` and `load`
        found[f"astype {kind}"] = ld.astype(a, kind)
    rows, columns = ld.reshape(a, (4, 16)), ld.reshape(b, (16, 4))
    shifted = ld.pad(ld.reshape(c, (8, 8))[1:7, 2:], ((1, 1), (2, 0)))
    shaped = {
        "rows": rows * rows[0] - ld.transpose(columns),
        "columns": ld.where(rows[:, :1] < columns[0, 0], ld.flip(rows, axis=1), 0.25),
        "window": ld.where(ld.reshape(a, (8, 8)) > shifted, shifted, ld.transpose(ld.reshape(b, (8, 8)))),
    }
    found |= {name: ld.reshape(y, (64,)) for name, y in shaped.items()}
    floats = {name: ld.astype(y, a.dtype) for name, y in found.items()}
    return {name: ld.where(ld.isnan(y), 7.0, y) for name, y in floats.items()}


@functools.cache
def exported(dtype: Dtype, maps: Literal["generated", "interpreted"]) -> tuple[Path, tuple[str, ...], np.ndarray]:
    """Export once a test run: the folder in build/tests, the names of the output's rows, its bits (run, row, 64)."""
    a, b, c = (ld.input(n, (64,), dtype) for n in "abc")
    rows = outputs(a, b, c)
    plan = ld.compile(f=ld.concat(list(rows.values())))
    programs = [s.program for s in plan.entries[0].steps if s.kernel == MAP]
    used = {i.opcode for p in programs for i in p.instructions}
    assert set(OPCODES) - used == set(), sorted(OPCODES[n].name for n in set(OPCODES) - used)
    with np.errstate(all="ignore"):
        values = np.array(AWKWARD).astype(dtype.numpy)
        values = np.where(np.isfinite(values), values, dtype.numpy.type(0.3))  # too large for f32
    inputs = [{"a": values, "b": np.roll(values, k), "c": np.roll(values[::-1], 3 * k)} for k in (0, 1, 7, 20, 33, 50)]
    folder = ROOT / f"build/tests/opcodes_{dtype}_{maps}"
    ld.export_c(plan, folder, name="opcodes", inputs=inputs, maps=maps)
    session = ld.Session(plan)
    bits = np.stack([session.f(**arrays).copy() for arrays in inputs]).view(f"u{dtype.itemsize}")
    return folder, tuple(rows), bits.reshape(len(inputs), len(rows), 64)
