"""Random programs of `map`, data for them, and calls of what runs them in the interpreter's place."""

from __future__ import annotations

import ctypes
import math

import numpy as np

import native
from lazydiff.dtypes import ALL, Dtype, bits, bool_
from lazydiff.kernels.opcodes import BY_NAME, LOAD, OPCODES, STORE
from lazydiff.kernels.program import NO_TILE, Instruction, MapInput, Program
from lazydiff.plan.model import KERNELS, MAP, Entry, Plan, Step

SCALAR = [o for o in OPCODES.values() if o not in (LOAD, STORE)]
SOURCES = (*ALL, bits)


def row_major(dims: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(math.prod(dims[d + 1 :]) for d in range(len(dims)))


def item(dims: tuple[int, ...], dtype: Dtype, rng: np.random.Generator) -> MapInput:
    """An input: straight on, one element, rows, columns, transposed, backwards, every other one, or behind a window."""
    rank, straight = len(dims), row_major(dims)
    offset = int(rng.integers(0, 4)) * int(rng.integers(0, 2))
    order = rng.permutation(rank)
    moved = row_major(tuple(dims[d] for d in order))
    turned = tuple(moved[list(order).index(d)] for d in range(rank))
    kept = rng.integers(0, 2, rank)
    choice = int(rng.integers(0, 8))
    if choice == 6 and rank:
        low = [int(rng.integers(0, d)) for d in dims]
        window = tuple((a, int(rng.integers(0, d - a + 1))) for a, d in zip(low, dims, strict=True))
        return MapInput(dtype, offset, turned, window)
    strides = {
        0: straight,
        1: straight,
        2: (0,) * rank,
        3: tuple(int(k) * s for k, s in zip(kept, straight, strict=True)),
        4: turned,
        5: tuple(-s for s in turned),
    }.get(choice, tuple(2 * s for s in straight))
    return MapInput(dtype, offset + (math.prod(dims) if choice == 5 else 0), strides)


def program_of(seed: int, dtype: Dtype) -> Program:
    """A random program: some inputs, each opcode's turn, an output or two, sometimes a tile."""
    rng = np.random.default_rng(seed)
    dims = tuple(int(rng.choice([1, 2, 3, 5, 8, 13, 16, 24, 33])) for _ in range(int(rng.integers(0, 5))))
    if seed % 3 == 0:
        dims = (int(rng.integers(1, 400)),)
    n_in = int(rng.integers(1, 5))
    kinds = [dtype if rng.integers(2) else SOURCES[int(rng.integers(len(SOURCES)))] for _ in range(n_in)]
    inputs = tuple(item(dims, kind, rng) for kind in kinds)
    tile = int(rng.integers(n_in)) if dims and rng.integers(4) == 0 else NO_TILE
    tiles = tile != NO_TILE and bool(rng.integers(2))
    inputs = tuple(MapInput(i.dtype, 0, row_major(dims)) if k == tile else i for k, i in enumerate(inputs))
    outputs = tuple(SOURCES[int(rng.integers(len(SOURCES)))] if rng.integers(3) else dtype for _ in range(1 + seed % 2))
    temp, code = n_in + len(outputs), []
    known = []
    for k, kind in enumerate(kinds):
        code.append(Instruction(LOAD.number, temp, k))
        known.append(temp)
        if kind == dtype:
            known.append(k)
        temp += 1
    names = ["add", "multiply", "where", "less", "fma", "maximum", "relu", "abs", "equal", "square"]
    wanted = [SCALAR[(seed * 2 + k) % len(SCALAR)].name for k in range(2)]
    for name in [names[int(rng.integers(len(names)))], *wanted][: 1 + seed % 3]:
        opcode = BY_NAME[name]
        arguments = [int(rng.choice(known)) for _ in range(opcode.arity)]
        code.append(Instruction(opcode.number, temp, *arguments))
        known.append(temp)
        temp += 1
    for k, kind in enumerate(outputs):
        copied = [n for n, source in enumerate(kinds) if source == kind != dtype and kind is not bits]
        if copied and rng.integers(2):
            code.append(Instruction(STORE.number, n_in + k, copied[0]))
        elif kind == dtype and rng.integers(2):
            code.append(Instruction(BY_NAME["move"].number, n_in + k, known[-1]))
        else:
            code.append(Instruction(STORE.number, n_in + k, known[-1 - k]))
    n_temps = temp - n_in - len(outputs)
    return Program(dims, inputs, outputs, n_temps, 1 + seed % 9, tile, tuple(code), tiles)


def every_opcode(dtype: Dtype) -> list[Program]:
    """Each opcode over enough elements that its loop is written out, its arguments moving or not."""
    found = []
    for opcode in SCALAR:
        for mixture in [(1, 1, 1), (0, 1, 1), (1, 0, 0)]:
            items = tuple(MapInput(dtype, k, (mixture[k],)) for k in range(opcode.arity))
            code = Instruction(opcode.number, opcode.arity, *range(opcode.arity))
            found.append(Program((71,), items, (dtype,), 0, 64, NO_TILE, (code,)))
    for source in SOURCES:
        for target in SOURCES:
            casts = (Instruction(LOAD.number, 2, 0), Instruction(STORE.number, 1, 2))
            for dims, strides, offset in [((203,), (1,), 0), ((12, 16), (0, 1), 8), ((5, 31), (1, 0), 0)]:
                found.append(Program(dims, (MapInput(source, offset, strides),), (target,), 1, 64, NO_TILE, casts))
    return found


def numbers(dtype: Dtype, size: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if dtype is bits:
        return rng.integers(0, 256, bits.size_bytes(size), np.uint8)
    if dtype is bool_:
        return rng.integers(0, 3, size).astype(np.uint8)
    if not dtype.is_float:
        info = np.iinfo(dtype.numpy)
        return rng.integers(info.min, info.max, size, dtype.numpy, endpoint=True)
    special = np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1e-40, 300.7, -129.5, 3e9, -3e9, 0.5, 1, -1], dtype.numpy)
    return rng.permutation(np.resize(np.concatenate([special, rng.normal(size=50).astype(dtype.numpy)]), size))


def reach(program: Program, number: int) -> int:
    """How many elements an input's buffer has."""
    entry = program.inputs[number]
    window = entry.window or [(0, d) for d in program.dims]
    if any(e == 0 for _, e in window):
        return entry.offset + 1
    far = sum(max(0, s * (e - 1)) for s, (_, e) in zip(entry.strides, window, strict=True))
    return max(entry.offset + far + 1, program.elements)


def plan_of(programs: list[Program], dtype: Dtype) -> Plan:
    """A plan with a step for each program; operands but the last are not looked at."""
    steps = []
    for number, program in enumerate(programs):
        count = len(program.inputs) + len(program.outputs) + (program.n_temps > 0)
        steps.append(Step(MAP, dtype, (*(0,) * (count - 1), number + 1), program.words()))
    return Plan(64, 16, (), (), (Entry("f", (), (), tuple(steps)),), b"", b"")


def call(
    lib: ctypes.CDLL, dtype: Dtype, last: int, arrays: list[np.ndarray], words: tuple[int, ...], begin: int, end: int
) -> list[np.ndarray]:
    """The operands after a run; nothing beside them is written."""
    copies = [native.guarded(a) for a in arrays]
    pointers = (ctypes.c_void_p * len(arrays))(*(inside.ctypes.data for _, inside in copies))
    attrs = (ctypes.c_uint32 * (len(words) + 1))(last, *words)
    function = getattr(lib, KERNELS[MAP].c_symbol(dtype))
    function(pointers, ctypes.byref(attrs, 4), ctypes.c_uint32(begin), ctypes.c_uint32(end))
    for array, (whole, _) in zip(arrays, copies, strict=True):
        assert (whole[: native.GUARD] == 0xFF).all(), "wrote before an operand"
        assert (whole[native.GUARD + array.nbytes :] == 0xFF).all(), "wrote behind an operand"
    return [inside for _, inside in copies]


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal bytes; a NaN is a NaN."""
    if a.dtype.kind == "f":
        return bool(np.all((a.view(f"u{a.itemsize}") == b.view(f"u{b.itemsize}")) | (np.isnan(a) & np.isnan(b))))
    return a.tobytes() == b.tobytes()
