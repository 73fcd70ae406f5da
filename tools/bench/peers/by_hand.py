"""w1 at batch 1 as a person would write it in C, built with -O3 -march=native: no plan, one fixed network."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from tools.bench.peers.contestant import Contestant, RefusalError
from tools.bench.workloads.definitions import Workload

SOURCE = """
#include <math.h>
#include <string.h>
static float w1[64][32], b1[32], w2[32][10], b2[10];
void set(const float *p, const float *q, const float *r, const float *s) {
    memcpy(w1, p, sizeof w1); memcpy(b1, q, sizeof b1); memcpy(w2, r, sizeof w2); memcpy(b2, s, sizeof b2);
}
float steps(const float *images, const int *labels, int first, int n) {
    float loss = 0;
    for (int s = first; s < first + n; s++) {
        const float *x = images + s % 8 * 64;
        const int y = labels[s % 8];
        float h[32], z[10], g[32] = {0}, top = -1e30f, sum = 0;
        for (int j = 0; j < 32; j++) h[j] = b1[j];
        for (int i = 0; i < 64; i++) for (int j = 0; j < 32; j++) h[j] += x[i] * w1[i][j];
        for (int j = 0; j < 32; j++) h[j] = h[j] > 0 ? h[j] : 0;
        for (int k = 0; k < 10; k++) z[k] = b2[k];
        for (int j = 0; j < 32; j++) for (int k = 0; k < 10; k++) z[k] += h[j] * w2[j][k];
        for (int k = 0; k < 10; k++) top = z[k] > top ? z[k] : top;
        loss = top - z[y];
        for (int k = 0; k < 10; k++) sum += z[k] = expf(z[k] - top);
        loss += logf(sum);
        for (int k = 0; k < 10; k++) z[k] = z[k] / sum - (k == y);
        for (int j = 0; j < 32; j++) for (int k = 0; k < 10; k++) {
            g[j] += z[k] * w2[j][k];
            w2[j][k] -= 0.05f * h[j] * z[k];
        }
        for (int k = 0; k < 10; k++) b2[k] -= 0.05f * z[k];
        for (int j = 0; j < 32; j++) { g[j] = h[j] > 0 ? g[j] : 0; b1[j] -= 0.05f * g[j]; }
        for (int i = 0; i < 64; i++) for (int j = 0; j < 32; j++) w1[i][j] -= 0.05f * x[i] * g[j];
    }
    return loss;
}
"""


class ByHand:
    """Many steps a call, the batches in turn."""

    name, how, ram_bytes = "C by hand", "many steps a call", None

    def __init__(self, workload: Workload) -> None:
        compiler = shutil.which("cc")
        if compiler is None:
            raise RefusalError("no C compiler here")
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "mlp.c").write_text(SOURCE)
            command = [compiler, "-O3", "-march=native", "-shared", "-fPIC", "mlp.c", "-o", "mlp.so", "-lm"]
            subprocess.run(command, cwd=folder, check=True)
            self._library = ctypes.CDLL(str(Path(folder) / "mlp.so"))
        self._library.steps.restype = ctypes.c_float
        arrays, _, batches = workload.init()
        self._first = [np.ascontiguousarray(arrays[k]) for k in ("w1", "b1", "w2", "b2")]
        self._data = [np.concatenate([b[k] for b in batches]) for k in range(2)]
        self.restart()

    def restart(self) -> None:
        self._library.set(*(ctypes.c_void_p(a.ctypes.data) for a in self._first))

    def _run(self, first: int, n: int) -> float:
        return float(self._library.steps(*(ctypes.c_void_p(a.ctypes.data) for a in self._data), first, n))

    def losses(self, n: int) -> list[float]:
        return [self._run(i, 1) for i in range(n)]

    def steps(self, n: int) -> None:
        self._run(0, n)


def ways(workload: Workload) -> list[Callable[[], Contestant]]:
    """One, of one workload."""
    return [partial(ByHand, workload)] if workload.name == "w1_mlp_b1" else []
