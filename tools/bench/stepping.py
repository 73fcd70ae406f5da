"""One training step of a 64-32-10 MLP, batch 1, SGD: Python's own cost around the C call, and peers."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

import lazydiff as ld
from lazydiff.examples import digits
from tools.bench.row import Row, seconds_per_call

REPEATS = 200
_RNG = np.random.default_rng(0)
W1 = (_RNG.standard_normal((64, 32)) * 0.2).astype(np.float32)
W2 = (_RNG.standard_normal((32, 10)) * 0.2).astype(np.float32)
X, Y = _RNG.random((1, 64), np.float32), np.array([3], np.int32)


def mlp() -> ld.Session:
    x, y = ld.input("x", (1, 64)), ld.input("y", (1,), ld.i32)
    w1, b1 = ld.param("w1", W1), ld.param("b1", np.zeros(32, np.float32))
    w2, b2 = ld.param("w2", W2), ld.param("b2", np.zeros(10, np.float32))
    loss = ld.cross_entropy(ld.relu(x @ w1 + b1) @ w2 + b2, y).mean()
    return ld.Session(ld.compile(train=ld.train_step(loss, ld.sgd(0.01))))


def rows() -> list[Row]:
    session = mlp()
    whole = seconds_per_call(lambda: session.train(x=X, y=Y))
    in_c = seconds_per_call(lambda: session.repeat("train", REPEATS, x=X, y=Y)) / REPEATS
    found = [
        Row("MLP 64-32-10, batch 1: Session.train, Python and cffi around C", 1e6 * (whole - in_c), "us", 5.0),
        Row("MLP 64-32-10, batch 1: Session.train, whole step", 1e6 * whole, "us"),
        Row("MLP 64-32-10, batch 1: the step in C", 1e6 * in_c, "us"),
    ]
    for name, peer in (("hand-written C", hand_written()), ("torch, eager", torch_eager())):
        if peer is not None:
            seconds = seconds_per_call(peer[0]) / peer[1]
            found.append(Row(f"MLP 64-32-10, batch 1: {name}", 1e6 * seconds, "us"))
            found.append(Row(f"MLP 64-32-10, batch 1: whole step / {name}", whole / seconds, "x"))
    data, demo = digits.load_digits(), ld.Session(digits.build())
    step = seconds_per_call(lambda: demo.train(x=data.train_images[:8], y=data.train_labels[:8]))
    found.append(Row("demo network, batch 8: training steps per second", 1 / step, "/s"))
    return found


_C = """
#include <math.h>
static float w1[64][32], b1[32], w2[32][10], b2[10];
void set(const float *a, const float *b) {
    for (int i = 0; i < 64 * 32; i++) (&w1[0][0])[i] = a[i];
    for (int i = 0; i < 320; i++) (&w2[0][0])[i] = b[i];
}
float steps(const float *x, int y, int n) {
    float loss = 0;
    for (int s = 0; s < n; s++) {
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
            w2[j][k] -= 0.01f * h[j] * z[k];
        }
        for (int k = 0; k < 10; k++) b2[k] -= 0.01f * z[k];
        for (int j = 0; j < 32; j++) { g[j] = h[j] > 0 ? g[j] : 0; b1[j] -= 0.01f * g[j]; }
        for (int i = 0; i < 64; i++) for (int j = 0; j < 32; j++) w1[i][j] -= 0.01f * x[i] * g[j];
    }
    return loss;
}
"""


def hand_written() -> tuple[Callable[[], object], int] | None:
    """The same step as a person would write it in C, built with -O3 -march=native; (call, steps a call)."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    folder = Path(tempfile.mkdtemp())
    (folder / "mlp.c").write_text(_C)
    command = [compiler, "-O3", "-march=native", "-shared", "-fPIC", "mlp.c", "-o", "mlp.so", "-lm"]
    subprocess.run(command, cwd=folder, check=True)
    library = ctypes.CDLL(str(folder / "mlp.so"))
    shutil.rmtree(folder)
    pointer = ctypes.POINTER(ctypes.c_float)
    library.steps.restype = ctypes.c_float
    library.set(W1.ctypes.data_as(pointer), W2.ctypes.data_as(pointer))
    x = X.ctypes.data_as(pointer)
    loss, mine = library.steps(x, 3, 1), mlp().train(x=X, y=Y)
    if not np.isclose(loss, mine, rtol=1e-5):
        raise SystemExit(f"bench: the hand-written C computes {loss}, lazydiff {mine}: not the same step")
    return (lambda: library.steps(x, 3, REPEATS)), REPEATS


def torch_eager() -> tuple[Callable[[], object], int] | None:
    """The same step in torch's eager mode, on one thread, if torch is here."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(1)
    first, second = torch.nn.Linear(64, 32), torch.nn.Linear(32, 10)
    optimizer = torch.optim.SGD([*first.parameters(), *second.parameters()], lr=0.01)
    x, y = torch.from_numpy(X), torch.from_numpy(Y.astype(np.int64))

    def step() -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(second(torch.relu(first(x))), y).backward()
        optimizer.step()

    return step, 1
