"""The segments of an incremental entry are plain entries for every runtime, and keep there what a full run has."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import lazydiff as ld
from lazydiff.plan.model import Plan
from lazydiff.run.reference import Reference
from test_c_source import STRICT, run
from tools_needed import require

A, B = np.arange(4, dtype=np.float32) / 3, np.arange(4, dtype=np.float32) / 5


def _plan() -> Plan:
    """Segments without inputs (exp(p)), without outputs (a's and b's) and one with an early output (a's tanh)."""
    a, b, p = ld.input("a", (4,)), ld.input("b", (4,)), ld.param("p", np.float32([1, 2, 3, 4]))
    scale = ld.exp(p)
    return ld.compile(f=ld.incremental({"early": ld.tanh(a) * scale, "late": ld.sin(a) * ld.cos(b) + scale}))


_MAIN = """
#include <stdio.h>
#include <string.h>
#include "m.h"
static void put(const void *bytes) {
    for (int i = 0; i < 16; i++) printf("%02x", ((const unsigned char *)bytes)[i]);
}
int main(void) {
    float a[4], b[4];
    for (int i = 0; i < 4; i++) { a[i] = (float)i / 3.0f; b[i] = 0.0f; }
    lzd_model *model = NULL;
    if (m_open(&model) != LZD_OK) return 1;
    if (lzd_run(model, M_F_0) != LZD_OK) return 2;
    memcpy(lzd_data(model, M_F_1_A), a, sizeof a);
    if (lzd_run(model, M_F_1) != LZD_OK) return 3;
    memcpy(lzd_data(model, M_F_2_B), b, sizeof b);
    if (lzd_run(model, M_F_2) != LZD_OK || lzd_run(model, M_F_3) != LZD_OK) return 4;
    for (int i = 0; i < 4; i++) b[i] = (float)i / 5.0f; /* only b changes, so 0 and 1 need not run again */
    memcpy(lzd_data(model, M_F_2_B), b, sizeof b);
    if (lzd_run(model, M_F_2) != LZD_OK || lzd_run(model, M_F_3) != LZD_OK) return 5;
    put(lzd_data(model, M_F_1_EARLY));
    put(lzd_data(model, M_F_3_LATE));
    return 0;
}
"""


def test_segments_in_numpy_keep_their_values():
    plan = _plan()
    assert [len(e.inputs) for e in plan.entries] == [0, 1, 1, 0]
    assert [len(e.outputs) for e in plan.entries] == [0, 1, 0, 1]
    reference, session = Reference(plan), ld.Session(plan)
    found, given = {}, {"a": A, "b": B}
    for entry in plan.entries:
        found |= reference.run(entry.name, **{s.name: given[s.name] for s in entry.inputs})
    for name, value in session.f(a=A, b=B).items():
        np.testing.assert_allclose(found[name], value, rtol=1e-6)


def test_in_c_a_change_reruns_two_of_four_segments(tmp_path: Path) -> None:
    plan = _plan()
    ld.export_c(plan, tmp_path / "c", name="m")
    (tmp_path / "main.c").write_text(_MAIN)
    sources = [*sorted((tmp_path / "c").glob("*.c")), tmp_path / "main.c"]
    done = run(require("gcc"), *STRICT, f"-I{tmp_path / 'c'}", *sources, "-lm", "-o", "main", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    ran = run(tmp_path / "main", cwd=tmp_path)
    assert ran.returncode == 0
    whole = ld.Session(plan).f(a=A, b=B)
    assert ran.stdout == whole["early"].tobytes().hex() + whole["late"].tobytes().hex()
