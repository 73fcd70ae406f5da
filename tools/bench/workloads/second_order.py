"""w7 to w9: losses that take derivatives themselves."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from tools.bench.workloads.workload import BATCHES, Init, digit_batches, glorot, he, workload, zeros

# ---- w7: Burgers' equation at 1,000 points and 100 on the border, MLP 2-20x4-1 with tanh, Adam

W7_SIZES, NU = [2, 20, 20, 20, 20, 1], 0.01 / np.pi
# u, u_t, u_x and u_xx at 1,000 points and u at 100; each product forward and, backward, to both of its operands
W7_PRODUCTS = 3 * (4 * 1000 + 100) * sum(a * b for a, b in pairwise(W7_SIZES))


def w7_init(dtype: type) -> Init:
    def init() -> Any:
        rng, p = np.random.default_rng(7), {}
        for i, (a, b) in enumerate(pairwise(W7_SIZES)):
            p[f"l{i}.w"], p[f"l{i}.b"] = glorot(rng, b, a), zeros(b)
        batches = []
        for _ in range(BATCHES):
            tx = np.stack([rng.uniform(0, 1, 1000), rng.uniform(-1, 1, 1000)], 1)
            x0 = rng.uniform(-1, 1, 50)
            first = np.stack([np.zeros(50), x0], 1)  # u(0, x) = -sin(pi x)
            sides = np.stack([rng.uniform(0, 1, 50), np.sign(rng.uniform(-1, 1, 50))], 1)  # u(t, -1) = u(t, 1) = 0
            u = np.concatenate([-np.sin(np.pi * x0), np.zeros(50)])[:, None]
            batches.append(tuple(a.astype(dtype) for a in (tx, np.concatenate([first, sides]), u)))
        return {k: v.astype(dtype) for k, v in p.items()}, {}, batches

    return init


def w7_net(b: Any, p: Any, h: Any) -> Any:
    for i in range(4):
        h = b.tanh(b.linear(h, p[f"l{i}.w"], p[f"l{i}.b"]))
    return b.linear(h, p["l4.w"], p["l4.b"])


def w7_loss(b: Any, p: Any, s: Any, batch: Any) -> Any:
    tx, border, u_border = batch
    u, ut, ux, uxx = b.u_terms(lambda z: w7_net(b, p, z), tx)
    residual = ut + u * ux - NU * uxx
    return b.mean(residual * residual) + b.mse(w7_net(b, p, border), u_border)


def w7_taylor_loss(b: Any, p: Any, s: Any, batch: Any) -> Any:
    """The same loss with u, u_t, u_x and u_xx carried forward together by hand."""
    tx, border, u_border = batch
    z = b.linear(tx, p["l0.w"], p["l0.b"])
    zt, zx, zxx = p["l0.w"][0], p["l0.w"][1], None  # constant along the rows
    for i in range(1, 5):
        h = b.tanh(z)
        d = 1.0 - h * h
        dzx = d * zx
        hxx = -2.0 * h * zx * dzx if zxx is None else d * zxx - 2.0 * h * zx * dzx
        w = p[f"l{i}.w"]
        z, zt, zx, zxx = (b.linear(h, w, p[f"l{i}.b"]), *(b.linear(a, w, None) for a in (d * zt, dzx, hxx)))
    residual = zt + z * zx - NU * zxx
    return b.mean(residual * residual) + b.mse(w7_net(b, p, border), u_border)


for dtype, bits, tolerance in ((np.float32, 32, 2e-3), (np.float64, 64, 1e-8)):
    workload(
        f"w7_pinn_f{bits}",
        f"PINN for Burgers' equation, 1,000 points, f{bits}",
        loss=w7_loss,
        init=w7_init(dtype),
        opt=("adam", 1e-3),
        dtype=dtype,
        order=2,
        multiply_adds=W7_PRODUCTS,
        tolerance=tolerance,
    )
workload(
    "w7_pinn_f32_taylor",
    "the same by hand, f32",
    loss=w7_taylor_loss,
    init=w7_init(np.float32),
    opt=("adam", 1e-3),
    multiply_adds=W7_PRODUCTS,
)


# ---- w8: MAML on sinusoids, MLP 1-40-40-1, one inner step, 25 tasks of 10 shots, Adam

W8_NAMES = ("w0", "b0", "w1", "b1", "w2", "b2")


def w8_init() -> Any:
    rng = np.random.default_rng(8)
    p = {"w0": he(rng, 40, 1), "b0": zeros(40), "w1": he(rng, 40, 40), "b1": zeros(40)}
    p |= {"w2": he(rng, 1, 40), "b2": zeros(1)}
    batches = []
    for _ in range(BATCHES):
        amplitude, phase = rng.uniform(0.1, 5, (25, 1, 1)), rng.uniform(0, np.pi, (25, 1, 1))
        xs, xq = rng.uniform(-5, 5, (25, 10, 1)), rng.uniform(-5, 5, (25, 10, 1))
        four = xs, amplitude * np.sin(xs - phase), xq, amplitude * np.sin(xq - phase)
        batches.append(tuple(a.astype(np.float32) for a in four))
    return p, {}, batches


def w8_loss(b: Any, p: Any, s: Any, batch: Any, rate: float = 0.01, tasks: int = 25) -> Any:
    xs, ys, xq, yq = batch

    def net(w: Any, x: Any) -> Any:  # each task has its own weights
        h = b.relu(b.blinear(x, w[0], w[1]))
        return b.blinear(b.relu(b.blinear(h, w[2], w[3])), w[4], w[5])

    w = [b.expand(p[k], tasks) for k in W8_NAMES]
    g = b.grad(lambda w: b.mse(net(w, xs), ys) * float(tasks), w)  # the sum over tasks of the mean over shots
    return b.mse(net([x - rate * y for x, y in zip(w, g, strict=True)], xq), yq)


# Products of one forward: 3 for the inner gradient, 3 for the query's, 4 for the gradient of the inner gradient
workload(
    "w8_maml",
    "MAML, 25 tasks x 10 shots, second order",
    loss=w8_loss,
    init=w8_init,
    opt=("adam", 1e-3),
    order=2,
    multiply_adds=10 * 25 * 10 * (40 + 40 * 40 + 40),
)

# ---- w9: a Hessian-vector product of an MLP's loss, one step of power iteration

W9_SIZES = [64, 128, 128, 10]


def w9_init() -> Any:
    rng, p = np.random.default_rng(9), {}
    for i, (a, b) in enumerate(pairwise(W9_SIZES)):
        p[f"l{i}.w"], p[f"l{i}.b"] = glorot(rng, b, a), zeros(b)
    v = {}
    for k, a in p.items():
        drawn = rng.standard_normal(a.shape[::-1]).astype(np.float32)
        v["v." + k] = np.ascontiguousarray(drawn.T)
    norm = np.sqrt(sum((a.astype(np.float64) ** 2).sum() for a in v.values()))
    return p, {k: (a / norm).astype(np.float32) for k, a in v.items()}, digit_batches(32)


def w9_loss(b: Any, p: Any, s: Any, batch: Any) -> Any:
    h, y = batch
    for i in range(2):
        h = b.tanh(b.linear(h, p[f"l{i}.w"], p[f"l{i}.b"]))
    return b.ce(b.linear(h, p["l2.w"], p["l2.b"]), y)


# Forward 1, its tangent 2, to the layer below 1, its tangent 2, tangent of the weights' gradient 2
workload(
    "w9_hvp",
    "Hessian-vector product, MLP 64-128-128-10",
    loss=w9_loss,
    init=w9_init,
    opt=("power",),
    order=2,
    multiply_adds=8 * 32 * sum(a * b for a, b in pairwise(W9_SIZES)),
)
