"""A plan written by hand: x @ w, its sum, and a step that takes 0.25 from every weight."""

from __future__ import annotations

import numpy as np

from lazydiff.dtypes import f32, i32
from lazydiff.kernels.opcodes import BY_NAME
from lazydiff.kernels.program import NO_TILE, Instruction, MapInput, Program
from lazydiff.plan.model import Buffer, Check, Entry, Kind, Plan, Region, Step, Symbol, executor_bytes

W0 = np.arange(6, dtype=np.float32).reshape(3, 2)
_MAP, _SUM, _MATMUL_NN = 1, 2, 10


def small_plan() -> Plan:
    """Entries: `train(x, y)` -> loss, w changes; `infer(x)` -> (2, 2); `both(x, scale)` -> a dict of two."""

    def ram(kind: Kind, offset: int, size_bytes: int, dtype=f32) -> Buffer:
        return Buffer(Region.RAM, kind, dtype, executor_bytes(1) + offset, size_bytes)

    w, x, y, product, total, w_new, scale = range(7)
    quarter, scaled = 7, 8
    buffers = (
        ram(Kind.PARAMS, 0, 24),
        ram(Kind.IO, 24, 24),
        ram(Kind.IO, 48, 8, i32),
        ram(Kind.IO, 56, 16),
        ram(Kind.IO, 72, 4),
        ram(Kind.PARAMS, 0, 24),
        ram(Kind.IO, 76, 4),
        Buffer(Region.CONST, Kind.CONST, f32, 0, 4),
        ram(Kind.IO, 80, 16),
    )
    matmul = Step(_MATMUL_NN, f32, (x, w, product), (1, 2, 3, 2, 0, 0))
    add_up = Step(_SUM, f32, (product, total), (1, 4, 1))

    def elementwise(name: str, n: int, a: int, b: int, out: int) -> Step:
        inputs = (MapInput(f32, 0, (1,)), MapInput(f32, 0, (0,)))
        body = (Instruction(BY_NAME[name].number, 2, 0, 1),)
        return Step(_MAP, f32, (a, b, out), Program((n,), inputs, (f32,), 0, n, NO_TILE, body).words())

    x_in, y_in = Symbol("x", x, (2, 3), check=Check.FINITE), Symbol("y", y, (2,), check=Check.RANGE, low=0, high=9)
    train = Entry(
        "train",
        (x_in, y_in),
        (Symbol("loss", total, ()),),
        (matmul, add_up, elementwise("subtract", 6, w, quarter, w_new)),
        ((w, w_new),),
    )
    infer = Entry("infer", (Symbol("x", x, (2, 3)),), (Symbol("infer", product, (2, 2)),), (matmul,))
    both = Entry(
        "both",
        (Symbol("x", x, (2, 3)), Symbol("scale", scale, ())),
        (Symbol("total", total, ()), Symbol("product", scaled, (2, 2))),
        (matmul, add_up, elementwise("multiply", 4, product, scale, scaled)),
    )
    return Plan(
        ram_bytes=executor_bytes(1) + 96,
        align=16,
        buffers=buffers,
        state=(Symbol("w", w, (3, 2), init=0),),
        entries=(train, infer, both),
        consts=np.float32(0.25).tobytes(),
        init=W0.tobytes(),
    )
