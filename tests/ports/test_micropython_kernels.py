"""The MicroPython port's kernels and opcodes, on real interpreters, against their numpy meaning."""

from __future__ import annotations

import numpy as np
import pytest

from lazydiff.dtypes import Dtype, bits, bool_, f32, f64, i8, i32, u8
from lazydiff.kernels.opcodes import BY_NAME, LOAD, OPCODES, STORE
from lazydiff.kernels.program import NO_TILE, Instruction, MapInput, Program
from lazydiff.kernels.signature import extent_elements
from lazydiff.kernels.table import KERNELS, Kernel
from micropython_runner import (
    Builder,
)

_SPECIAL = np.array(
    [0.0, -0.0, 1, -1, 2, -3, 0.5, -2.5, np.inf, -np.inf, np.nan, 1e-3, 89, -104, 750, -750, 1e30, -1e30, 3e9, 200.7],
    np.float32,
)


@pytest.mark.parametrize("dtype", [f32, f64], ids=["f32", "f64"])
@pytest.mark.parametrize("part", range(3))
def test_each_opcode_means_what_numpy_means_at_every_corner(interpreter, tmp_path, dtype, part):
    """A third of the opcodes at a time: their outputs share a small heap."""
    first, second = (g.reshape(-1) for g in np.meshgrid(_SPECIAL, _SPECIAL))
    b = Builder(dtype)
    either = [np.where(first > 0, first, 0), np.where(first > 0, 0, second)]  # join is for two of which one is +0
    count = first.size
    chosen = [code for code in OPCODES.values() if code not in (LOAD, STORE)][part::3]
    arguments = [b.given(first), b.given(second), b.given(first[::-1])]
    for code in chosen:
        given = [b.given(x) for x in either] if code.name == "join" else arguments
        out = b.shown(code.name, count)
        body = (Instruction(code.number, code.arity, *range(code.arity)),)
        inputs = (MapInput(dtype, 0, (1,)),) * code.arity
        b.map([*given[: code.arity], out], Program((count,), inputs, (dtype,), 0, 1, NO_TILE, body))
    with np.errstate(all="ignore"):
        b.compare(interpreter, tmp_path, 1e-6 if dtype is f32 else 1e-14)


def test_load_and_store_cross_every_dtype(interpreter, tmp_path):
    b = Builder()
    floats = b.given(_SPECIAL)
    for dtype in (i32, u8, i8, bool_, bits):
        # no output is made of bits: what is loaded from them shows what was stored
        stored = b.buffer(20, bits) if dtype is bits else b.shown(f"to_{dtype}", _SPECIAL.size, dtype)
        one = (MapInput(f32, 0, (1,)),)
        b.map([floats, stored], Program((20,), one, (dtype,), 0, 1, NO_TILE, (Instruction(STORE.number, 1, 0),)))
        loaded = b.shown(f"from_{dtype}", _SPECIAL.size)
        back = (MapInput(dtype, 19, (-1,)),)  # the last element first
        b.map([stored, loaded], Program((20,), back, (f32,), 0, 1, NO_TILE, (Instruction(LOAD.number, 1, 0),)))
    b.compare(interpreter, tmp_path, 0)


def test_map_reads_strides_runs_blocks_and_reuses_its_slots(interpreter, tmp_path):
    rng = np.random.default_rng(4)
    add, multiply, tanh = (BY_NAME[n].number for n in ("add", "multiply", "tanh"))
    b = Builder()
    whole, row, scalar = b.given(rng.normal(size=120)), b.given(rng.normal(size=5)), b.given(rng.normal(size=1))
    code = (
        Instruction(add, 5, 0, 1),
        Instruction(tanh, 6, 5),
        Instruction(multiply, 3, 6, 2),
        Instruction(add, 5, 3, 6),
        Instruction(multiply, 4, 5, 5),
    )
    for number, (dims, strides) in enumerate(
        [
            ((4, 6, 5), ((30, 5, 1), (0, 0, 1))),
            ((5, 6, 4), ((1, 5, 30), (1, 0, 0))),
            ((6, 1, 5), ((20, 9, -1), (0, 0, 0))),
        ]
    ):
        for block in (1, 3, 64):
            name = f"{number}_{block}"
            inputs = (MapInput(f32, 4, strides[0]), MapInput(f32, 0, strides[1]), MapInput(f32, 0, (0, 0, 0)))
            if number < 2:
                inputs = (MapInput(f32, 0, strides[0]), *inputs[1:])
            count = int(np.prod(dims))
            outs = [b.shown(f"{name}_{k}", count) for k in range(2)]
            operands = [whole, row, scalar, *outs, b.buffer(2 * block)]
            b.map(operands, Program(dims, inputs, (f32, f32), 2, block, NO_TILE, code))
    b.compare(interpreter, tmp_path, 1e-6)


def test_an_input_is_zero_outside_its_window(interpreter, tmp_path):
    rng = np.random.default_rng(6)
    b = Builder()
    x, y = b.given(rng.normal(size=12)), b.given(rng.normal(size=9))
    code = (Instruction(BY_NAME["tanh"].number, 3, 0), Instruction(BY_NAME["add"].number, 2, 3, 1))
    for block in (1, 4, 64):
        for k, (first, second) in enumerate(
            [(((1, 3), (2, 4)), ((0, 3), (0, 3))), (((0, 5), (6, 1)), ((4, 1), (1, 0))), (((0, 4), (0, 3)), ())]
        ):
            inputs = (MapInput(f32, 1, (2, 1), first), MapInput(f32, 0, (1, 1), second))
            if not k:
                inputs = (MapInput(f32, 3, (4, -1), first), inputs[1])
            elif k == 2:
                inputs = (MapInput(f32, 0, (3, 1), first), MapInput(f32, 0, (1, 0), ()))
            out = b.shown(f"{block}_{k}", 35)
            b.map([x, y, out, b.buffer(block)], Program((5, 7), inputs, (f32,), 1, block, NO_TILE, code))
    b.compare(interpreter, tmp_path, 1e-6)


def test_each_kernel_agrees_with_its_numpy_meaning_whole_and_in_tiles(interpreter, tmp_path):
    rng = np.random.default_rng(5)
    b = Builder()
    seen = set()
    for kernel in (k for k in KERNELS.values() if k.operands and "micropython" in k.ports):
        for trial, attrs in enumerate(_attributes(kernel)):
            values = dict(zip((a.name for a in kernel.attrs), attrs, strict=True))
            sizes = [extent_elements(o.extent, values) for o in kernel.operands]
            inputs = [
                b.given(_values(rng, o.dtype, size), o.dtype)
                for o, size in zip(kernel.operands, sizes, strict=False)
                if not o.writes
            ]
            at = len(inputs)
            name, dtype = f"{kernel.name}_{trial}", kernel.operands[at].dtype or f32
            written = [
                b.shown(name, size, dtype) if o.mode in ("out", "add") else b.buffer(size, dtype)
                for o, size in zip(kernel.operands[at:], sizes[at:], strict=True)
            ]
            b.step(kernel.number, [*inputs, *written], attrs)
            seen.add(kernel.name)
            rows = extent_elements(kernel.rows, values) if kernel.rows else 0
            if kernel.operands[-1].mode == "add":
                n, columns = attrs
                tile, total = b.buffer(-(-n // 3) * columns, dtype), b.shown(name + "_added", columns)
                program = Program(
                    (n * columns,),
                    (MapInput(f32, 0, (1,)),),
                    (f32,),
                    0,
                    1,
                    NO_TILE,
                    (Instruction(LOAD.number, 1, 0),),
                    True,
                )
                b.step(1, [inputs[0], tile], program.words(), -(-n // 3) * columns)
                b.step(kernel.number, [tile, total], attrs)
            elif rows:
                tile_rows = max(1, rows // 2)
                tile, out = b.buffer(tile_rows * sizes[-1] // rows, dtype), b.shown(name + "_tiled", sizes[-1])
                scratch = [b.buffer(size, dtype) for size in sizes[at:-1]]
                b.step(kernel.number, [*inputs, *scratch, tile], attrs, tile_rows)
                program = Program(
                    (sizes[-1],),
                    (MapInput(dtype, 0, (1,)),),
                    (f32,),
                    0,
                    1,
                    0,
                    (Instruction(BY_NAME["neg"].number if dtype is f32 else LOAD.number, 1, 0),),
                )
                b.map([tile, out], program)
    assert {"reduce_sum", "argmax", "matmul_tn", "conv2d_grad_x", "pool_scatter"} <= seen
    b.compare(interpreter, tmp_path, 1e-5)


def _values(rng: np.random.Generator, dtype: Dtype | None, size: int) -> np.ndarray:
    """Operands: floats, tap indices (u8; some are none), row indices (i32; some out of range), keys (four i32)."""
    if dtype is u8:
        return rng.integers(0, 12, size)
    if dtype is i32 and size == 4:
        return rng.integers(-(2**31), 2**31, size)
    return rng.normal(size=size) * (3.0 if dtype else 1.0)


def _attributes(kernel: Kernel) -> list[tuple[int, ...]]:
    """Some attributes for a kernel, by the names it has."""
    names = [a.name for a in kernel.attrs]
    if names[-1] == "reverse":
        return [(2, 5, 3, 0), (2, 5, 3, 1), (1, 4, 1, 1)]
    if "count" in names:
        return [(2, 5, 7, 3), (1, 1, 2, 1), (3, 2, 1, 4), (2, 3, 4, 1)]
    if names[-1] == "stream":
        return [(9, 0), (4, 7)]
    if names == ["steps"]:
        return [(1,), (2**31 - 1,)]
    if names[0] == "outer":
        return [(2, 5, 3), (3, 1, 1), (1, 9, 1), (4, 3, 2)]
    if names[0] == "batch":
        return [(1, 3, 4, 5, 0, 0), (2, 3, 2, 4, 6, 8), (3, 1, 7, 2, 0, 14), (2, 5, 1, 1, 5, 0)]
    if names == ["n", "columns"]:
        return [(1, 1), (7, 5), (6, 2), (3, 1)]
    if "cg" not in names:
        return [
            (2, 6, 7, 3, 3, 4, 3, 3, 2, 2, 1, 1),
            (1, 4, 6, 2, 2, 3, 2, 2, 2, 2, 0, 0),
            (1, 5, 5, 1, 5, 4, 2, 3, 1, 1, 1, 0),
        ]
    shapes = []
    for h, w, groups, cg, fg, kh, kw, sh, sw, dh, dw, ph, pw in [
        (5, 4, 1, 2, 3, 3, 3, 1, 1, 1, 1, 1, 1),
        (6, 7, 1, 1, 2, 3, 2, 2, 3, 1, 1, 0, 1),
        (4, 4, 1, 3, 1, 1, 1, 1, 2, 1, 1, 0, 0),
        (3, 5, 1, 1, 4, 2, 4, 3, 1, 1, 1, 1, 2),
        (7, 6, 1, 2, 3, 3, 2, 2, 1, 2, 3, 2, 1),
        (5, 4, 3, 2, 3, 3, 2, 1, 1, 1, 1, 1, 1),
        (5, 5, 4, 1, 1, 2, 3, 1, 2, 2, 1, 1, 1),
    ]:
        values = {"n": 2, "h": h, "w": w, "cg": cg, "fg": fg, "groups": groups, "kh": kh, "kw": kw, "sh": sh, "sw": sw}
        values |= {"dh": dh, "dw": dw, "ph": ph, "pw": pw}
        values["oh"], values["ow"] = (
            (h + 2 * ph - dh * (kh - 1) - 1) // sh + 1,
            (w + 2 * pw - dw * (kw - 1) - 1) // sw + 1,
        )
        pool = (2, 2, 2, 2, 0, 0) if h % 2 else (2, 3, 1, 2, 1, 1)  # the second overlaps
        values |= dict(zip(("pkh", "pkw", "psh", "psw", "pph", "ppw"), pool, strict=True))
        for side in ("h", "w"):
            room = values["o" + side] + 2 * values["pp" + side] - values["pk" + side]
            values["po" + side] = room // values["ps" + side] + 1
        if "poh" not in names or (groups == 1 and values["poh"] > 0 and values["pow"] > 0):
            shapes.append(tuple(values[name] for name in names))
    return shapes
