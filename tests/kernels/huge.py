"""Calls kernels on buffers of up to 2**31 bytes, most of whose pages nobody touches: huge.py <library> <kernels>.

A small problem lies in the last elements of a huge one that is zero elsewhere: in the last rows, columns and terms of
every operand. What the kernel makes of the last rows must be the small problem's results; an index that went round
would have read zeros, or written elsewhere. The library, built with sanitizers, names each place where an integer went
round once; after the line `small` it has named those that are meant to. Rows are up to 2**31 bytes apart; what one row
holds, and what most kernels without rows go through whole, is smaller, for time's sake.
"""

import ctypes
import math
import mmap
import sys

import numpy as np

from case_plan import NORMAL, fill
from cases import every_case
from lazydiff.dtypes import bits, f32, i32, u8
from lazydiff.kernels.opcodes import BY_NAME as OPCODE
from lazydiff.kernels.opcodes import LOAD, STORE
from lazydiff.kernels.program import NO_TILE, Instruction, MapInput, Program, run_program
from lazydiff.kernels.signature import extent_elements
from lazydiff.plan.model import KERNELS, MAP

MOST = 2**31  # bytes of a buffer, and elements of an output of which only a tile exists
SOME = 2**26  # bytes where all of them are gone through
SPARSE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000  # MAP_NORESERVE
_ROWS, _COUNT = ("outer", "red", "inner"), ("outer", "count", "inner")
_X, _Y, _W = ("n", "h", "w", "groups", "cg"), ("n", "oh", "ow", "groups", "fg"), ("kh", "kw", "cg", "groups", "fg")
_PX, _PY, _P = ("n", "h", "w", "c"), ("n", "oh", "ow", "c"), ("n", "poh", "pow", "fg")
AXES = {  # of each operand, in order
    **dict.fromkeys(("reduce_sum", "reduce_max", "reduce_min", "argmax"), (_ROWS, ("outer", "inner"))),
    "cumsum": (_ROWS, _ROWS),
    "sum_rows": (("n", "columns"), ("columns",)),
    "matmul_nn": (("batch", "m", "k"), ("batch", "k", "n"), ("batch", "m", "n")),
    "matmul_nt": (("batch", "m", "k"), ("batch", "n", "k"), ("batch", "m", "n")),
    "matmul_tn": (("batch", "k", "m"), ("batch", "k", "n"), ("batch", "m", "n")),
    "conv2d": (_X, _W, _Y),
    "conv2d_grad_x": (_Y, _W, _X),
    "conv2d_grad_w": (_X, _Y, _W),
    "max_pool_index": (_PX, _PY),
    "pool_gather": (_PX, _PY, _PY),
    "pool_scatter": (_PY, _PY, _PX),
    "unpool_grad_w": (_X, _P, _P, ("row",), _W),
    "unpool_grad_x": (_P, _P, _W, ("row",), _X),
    "take": (_ROWS, ("count",), _COUNT),
    "add_rows": (_COUNT, ("count",), _ROWS),
}
_BASE = {"outer": 2, "red": 8, "inner": 1, "count": 4, "columns": 5, "reverse": 0, "batch": 2, "m": 3, "k": 5}
_BASE |= {"n": 2, "h": 4, "w": 4, "cg": 2, "c": 5, "fg": 3, "groups": 1, "kh": 3, "kw": 3, "sh": 1, "sw": 1, "dh": 1}
_BASE |= {"dw": 1, "ph": 0, "pw": 0, "pkh": 1, "pkw": 1, "psh": 1, "psw": 1, "pph": 0, "ppw": 0}
_WIDE = {"n": 1, "h": 3, "w": 3}
GROWN = {  # what grows beside what, and up to how many bytes; by what a kernel's name begins with
    "reduce_sum": [
        ("outer", {}, MOST),
        ("red", {"outer": 1}, SOME),
        ("inner", {"outer": 1, "red": 2, "inner": 3}, SOME),
    ],
    "reduce": [("outer", {}, SOME), ("red", {"outer": 1}, SOME), ("inner", {"outer": 1, "red": 2, "inner": 3}, SOME)],
    "argmax": [("outer", {}, SOME), ("red", {"outer": 1}, SOME), ("inner", {"outer": 1, "red": 2, "inner": 3}, SOME)],
    "sum_rows": [("n", {}, SOME), ("columns", {}, SOME)],
    "cumsum": [("outer", {}, MOST), ("inner", {"outer": 1, "inner": 3}, SOME)],
    "matmul": [("batch", {}, MOST), ("m", {"batch": 1}, MOST), ("k", {"batch": 1}, SOME), ("n", {"batch": 1}, SOME)],
    "conv2d": [
        ("n", {}, MOST),
        ("n", {"kh": 1, "kw": 1}, MOST),
        ("n", {"cg": 1, "fg": 1, "groups": 5}, MOST),
        ("h", {"n": 1, "w": 8000}, MOST),
        ("cg", _WIDE, SOME),
        ("fg", _WIDE, SOME),
        ("fg", {**_WIDE, "kh": 1, "kw": 1}, SOME),
        ("groups", {**_WIDE, "cg": 1, "fg": 1}, SOME),
    ],
    "max_pool": [("n", {}, MOST), ("h", {"n": 1, "w": 8000}, MOST), ("c", _WIDE, SOME)],
    "pool": [("n", {}, MOST), ("h", {"n": 1, "w": 8000}, MOST), ("c", _WIDE, SOME)],
    "unpool": [("n", {"h": 3, "w": 3}, SOME), ("cg", _WIDE, SOME)],
    "take": [("outer", {"inner": 2}, MOST), ("inner", {"outer": 1}, SOME), ("red", {"outer": 1, "inner": 2}, MOST)],
    "add_rows": [("outer", {"inner": 2}, MOST), ("inner", {"outer": 1}, SOME), ("red", {"outer": 1}, MOST)],
}


LAST_ROWS = {"matmul": "m", "conv2d_grad_x": "h", "conv2d_grad_w": "cg", "conv2d": "oh", "max_pool": "oh"}
LAST_ROWS |= {
    "pool_gather": "oh",
    "pool_scatter": "h",
    "unpool": "cg",
    "take": "count",
    "add_rows": "red",
    "reduce": "outer",
    "argmax": "outer",
}


def zeros(dtype, shape):
    """An array of zeros without memory."""
    size = math.prod(shape)
    return np.frombuffer(mmap.mmap(-1, max(1, size * dtype.itemsize), SPARSE), dtype.numpy, size).reshape(shape)


def call(lib, kernel, dtype, arrays, words, begin, end):
    """Run one kernel on arrays as they lie."""
    pointers = (ctypes.c_void_p * len(arrays))(*(a.ctypes.data for a in arrays))
    attrs = (ctypes.c_uint32 * len(words))(*words)
    getattr(lib, kernel.c_symbol(dtype))(pointers, attrs, ctypes.c_uint32(begin), ctypes.c_uint32(end))


def values_of(kernel, given):
    """All attributes, what a convolution or a pooling makes of a side among them."""
    v = {**_BASE, **given}
    if kernel.name.startswith("matmul"):
        v = {"n": 7, **v, **given} if "n" in given else {**v, "n": 7}
        step = {"a_step": v["m"] * v["k"], "b_step": v["k"] * v["n"]}
        return v | step
    v |= {"oh": v["h"] - v["kh"] + 1, "ow": v["w"] - v["kw"] + 1}
    return v | {"poh": v["oh"], "pow": v["ow"], "row": v["ow"] * v["fg"] + v["cg"] * v["fg"]}


def fits(kernel, v, dtype, most):
    """Has each operand's buffer at most `most` bytes? Of an output that tiles can stand for, elements count."""
    sizes = [(extent_elements(o.extent, v), o) for o in kernel.operands]
    limits = [n if o.mode == "out" and kernel.rows else n * (o.dtype or dtype).itemsize for n, o in sizes]
    return max(limits) <= most and all(v[a.name] <= a.high for a in kernel.attrs)


def largest(kernel, grows, beside, dtype, most):
    """The attributes with the greatest value, a multiple of 8 more than the small one's, that has room."""
    small = values_of(kernel, beside)[grows]
    low, high = 0, 2**31
    while low < high:
        middle = (low + high + 1) // 2
        good = fits(kernel, values_of(kernel, {**beside, grows: small + 8 * middle}), dtype, most)
        low, high = (middle, high) if good else (low, middle - 1)
    return values_of(kernel, {**beside, grows: small + 8 * low})


def last(array, shape):
    """The last elements along every axis."""
    return array[tuple(slice(a - s, a) for a, s in zip(array.shape, shape, strict=True))]


def compare(lib, kernel, dtype, grows, beside, most):
    """A small problem by itself and as the end of a huge one: the same bits."""
    rng, v, big = np.random.default_rng(3), values_of(kernel, beside), largest(kernel, grows, beside, dtype, most)
    rows, rows_big = (extent_elements(kernel.rows, x) if kernel.rows else 0 for x in (v, big))
    axes = AXES[kernel.name]
    by_rows = kernel.rows and kernel.name != "sum_rows"  # which begins with the first row
    some = v[next(a for name, a in LAST_ROWS.items() if kernel.name.startswith(name))] if by_rows else 0
    arrays, huge = [], []
    for operand, names in zip(kernel.operands, axes, strict=True):
        kind = operand.dtype or dtype
        shape, wide = [v[a] for a in names], [big[a] for a in names]
        if operand.mode == "out" and kernel.rows:  # the last rows alone
            behind = next(
                k for k in range(len(names) + 1) if math.prod(shape[:k]) == rows and math.prod(wide[:k]) == rows_big
            )
            shape, wide = [some, *shape[behind:]], [some, *wide[behind:]]
        arrays.append(zeros(kind, shape))
        huge.append(zeros(kind, wide))
        if operand.mode == "in":
            taps = 1 if kernel.name.startswith("unpool") else 9  # as many as a pooling's window has
            data = rng.normal(size=shape) if kind.is_float else rng.integers(0, taps, shape)
            arrays[-1][:] = data.astype(kind.numpy)
            shift = big.get("red", 0) - v.get("red", 0) if kind is i32 else 0
            last(huge[-1], shape)[:] = arrays[-1] + np.array(shift, kind.numpy)
    for x, given, n in ((v, arrays, rows), (big, huge, rows_big)):
        call(lib, kernel, dtype, given, [x[a.name] for a in kernel.attrs], n - some if some else 0, n)
    found, wanted = last(huge[-1], arrays[-1].shape), arrays[-1]
    if kernel.name == "argmax":
        wanted = wanted + np.int32(big["red"] - v["red"])
    name = f"{kernel.name} {dtype} {grows}={big[grows]}"
    assert np.any(wanted), name
    print("good" if found.tobytes() == wanted.tobytes() else "bad", name, flush=True)


def elementwise(lib, program, dtype):
    """The last elements of a map, and numpy's."""
    begin, end, rng = program.elements - 300, program.elements, np.random.default_rng(4)
    reach = [
        i.offset + sum(max(0, s) * (d - 1) for s, d in zip(i.strides, program.dims, strict=True))
        for i in program.inputs
    ]
    arrays = [zeros(item.dtype, (high + 1,)) for item, high in zip(program.inputs, reach, strict=True)]
    for array in arrays:
        array[-500:] = rng.integers(1, 100, array[-500:].size)
        array[:500] = rng.integers(1, 100, array[:500].size)
    outputs = [zeros(kind, (program.elements,)) for kind in program.outputs]
    wanted = [zeros(kind, (program.elements,)) for kind in program.outputs]
    scratch = [zeros(dtype, (program.n_temps * program.block,))] if program.n_temps else []
    call(lib, KERNELS[MAP], dtype, [*arrays, *outputs, *scratch], program.words(), begin, end)
    run_program(program, arrays, wanted, dtype, begin, end)
    same = all(a[begin:].tobytes() == b[begin:].tobytes() for a, b in zip(outputs, wanted, strict=True))
    assert all(np.any(a[begin:]) for a in wanted)
    print("good" if same else "bad", f"map {program.dims} of {program.outputs}", flush=True)


def programs():
    """A map over as many floats and bytes as go: straight, backwards, turned, rows and columns repeated, bits out."""
    add, load, store = OPCODE["add"].number, LOAD.number, STORE.number
    n = 2**29
    plain, back = MapInput(f32, 0, (1,)), MapInput(f32, n - 1, (-1,))
    yield Program((n,), (plain, back), (f32,), 0, 64, NO_TILE, (Instruction(add, 2, 0, 1),))
    high, wide = 2**14, 2**15
    turned, row, column = MapInput(f32, 0, (1, high)), MapInput(f32, 0, (0, 1)), MapInput(f32, 0, (wide, 0))
    body = (Instruction(add, 4, 0, 1), Instruction(add, 4, 4, 2), Instruction(OPCODE["abs"].number, 3, 4))
    yield Program((high, wide), (turned, row, column), (f32,), 1, 64, NO_TILE, body)
    code = (Instruction(load, 2, 0), Instruction(store, 1, 2))
    yield Program((2**31,), (MapInput(u8, 0, (1,)),), (u8,), 1, 64, NO_TILE, code)
    yield Program((2**16, 2**15), (MapInput(u8, 0, (1, 2**16)),), (u8,), 1, 64, NO_TILE, code)


def bits_at_the_end(lib):
    """2**31 bits in, bits out: the last 300."""
    code = (Instruction(LOAD.number, 2, 0), Instruction(STORE.number, 1, 2))
    program = Program((2**31,), (MapInput(bits, 0, (1,)),), (bits,), 1, 64, NO_TILE, code)
    given, out = zeros(u8, (2**28,)), zeros(u8, (2**28,))
    given[-100:] = np.random.default_rng(5).integers(1, 255, 100)
    call(lib, KERNELS[MAP], f32, [given, out, zeros(f32, (64,))], program.words(), 2**31 - 304, 2**31)
    print("good" if (out[-38:] == given[-38:]).all() else "bad", "map of bits", flush=True)


def main():
    """All cases of the table, so that what is meant to go round does; then the huge ones."""
    lib = ctypes.CDLL(sys.argv[1])
    for case in every_case():
        arrays = [fill(case, k, NORMAL) for k in range(len(case.operands))]
        call(lib, KERNELS[case.kernel], case.dtype, arrays, case.words, 0, case.rows)
    sys.stderr.write("small\n")
    for kernel in (k for k in KERNELS.values() if k.name.startswith(sys.argv[2])):
        for grown in next((g for name, g in GROWN.items() if kernel.name.startswith(name)), []):
            compare(lib, kernel, f32, *grown)
    if "map".startswith(sys.argv[2]):
        for program in programs():
            elementwise(lib, program, f32)
        bits_at_the_end(lib)


if __name__ == "__main__":
    main()
