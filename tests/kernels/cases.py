"""Every kernel with attributes that straddle every tile edge: the table of calls that cases.c runs.

Edges: vectors of 2, 4, 8 and 16 numbers, one, two and four of them; 4 and 8 rows; panels of 64 terms; the small core's
4 by 4 and 1 by 16; blocks of 128, 256 and 1024 elements of a map, and 256 bits.
"""

import math
from dataclasses import dataclass

from lazydiff.dtypes import ALL, FLOATS, Dtype, bits, f32, i32, u8
from lazydiff.kernels.opcodes import BY_NAME, LOAD, MOVE, OPCODES, STORE
from lazydiff.kernels.program import NO_TILE, Instruction, MapInput, Program
from lazydiff.kernels.signature import extent_elements
from lazydiff.plan.model import KERNELS, MAP

COLUMNS = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 20, 31, 32, 33, 63, 64, 65, 70)
ROWS = (1, 3, 4, 5, 7, 8, 9, 12, 13, 17)
TERMS = (1, 2, 3, 5, 63, 64, 65, 130)

_PRODUCTS = [(1, 5, 3, n) for n in COLUMNS] + [(1, m, 3, n) for m in ROWS for n in (5, 17)]
_PRODUCTS += [(1, 5, k, n) for k in TERMS for n in (9, 33)] + [(1, 1, 5, 130), (1, 33, 70, 120), (1, 32, 64, 130)]
_PRODUCTS += [(1, 1, 4 + n % 4, n) for n in COLUMNS] + [(1, 1, k, 14) for k in TERMS]  # a row
MATMULS = [  # batch m k n, and whether a and b repeat over the batch
    *((*product, 1, 1) for product in _PRODUCTS),
    (1, 5, 21, 33, 1, 1),
    (2, 4, 10, 16, 1, 1),
    (3, 6, 7, 29, 0, 1),
    (3, 5, 16, 3, 1, 0),
    (1, 9, 11, 44, 1, 1),
    (2, 1, 21, 43, 1, 1),
    (2, 19, 21, 1, 1, 1),  # a column
]
CONVOLUTIONS = [  # n h w cg oh ow fg groups kh kw sh sw dh dw ph pw
    (1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0),
    (2, 5, 9, 3, 5, 9, 19, 1, 3, 3, 1, 1, 1, 1, 1, 1),
    (1, 8, 11, 5, 4, 6, 8, 1, 3, 3, 2, 2, 1, 1, 1, 1),
    (2, 7, 13, 4, 3, 13, 9, 1, 2, 5, 3, 1, 1, 1, 1, 2),
    (1, 3, 3, 6, 3, 7, 4, 1, 5, 1, 1, 1, 1, 1, 2, 2),  # whole columns of the output see no input at all
    (1, 4, 4, 1, 2, 1, 2, 1, 1, 1, 2, 5, 1, 1, 0, 0),  # a stride beyond the image
    (2, 9, 11, 2, 7, 9, 5, 1, 3, 2, 1, 1, 2, 3, 1, 1),  # dilated
    (1, 13, 12, 4, 4, 3, 6, 1, 3, 3, 4, 3, 6, 2, 3, 2),  # strides and dilations with common divisors
    (1, 7, 9, 3, 4, 3, 4, 1, 4, 3, 2, 4, 3, 4, 3, 3),  # some input rows are read by no tap
    (2, 6, 7, 5, 6, 7, 3, 2, 3, 3, 1, 1, 1, 1, 1, 1),  # grouped
    (1, 6, 9, 1, 3, 8, 2, 5, 2, 3, 2, 1, 1, 2, 0, 1),
    (2, 6, 7, 1, 6, 7, 1, 21, 3, 3, 1, 1, 1, 1, 1, 1),  # depthwise
    (1, 9, 8, 1, 4, 3, 1, 6, 3, 3, 2, 3, 2, 2, 1, 2),
    (1, 5, 6, 2, 6, 9, 1, 3, 2, 2, 1, 1, 1, 1, 0, 3),  # asymmetric: nothing above, one row below
    *((1, 3, 4, 2, 3, 4, f, 1, 3, 3, 1, 1, 1, 1, 1, 1) for f in COLUMNS),
    *((1, 3, 4, c, 3, 4, 3, 1, 3, 3, 1, 1, 1, 1, 1, 1) for c in COLUMNS),
    *((1, 3, 5, 1, 3, 5, 1, g, 3, 3, 1, 1, 1, 1, 1, 1) for g in COLUMNS),  # depthwise
    *((1, 4, w, 2, 4, w, 3, 1, 3, 3, 1, 1, 1, 1, 1, 1) for w in (*ROWS, 65, 70)),
    *((1, 9, 4, 2, 9, 4, 3, 1, 3, 1, 1, 1, 1, 1, 1, 0) for _ in "."),  # rows below each other
    (1, 3, 3, 3, 3, 3, 65, 1, 3, 3, 1, 1, 1, 1, 1, 1),  # more terms than a panel has
    (1, 3, 3, 65, 3, 3, 2, 1, 1, 1, 1, 1, 1, 1, 0, 0),  # a pixel
    (1, 6, 6, 70, 6, 6, 120, 1, 1, 1, 1, 1, 1, 1, 0, 0),  # whose weight is worth copying
]
POOLS = [  # n h w c oh ow kh kw sh sw ph pw
    (1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0),
    (2, 6, 8, 5, 3, 4, 2, 2, 2, 2, 0, 0),
    (2, 7, 9, 3, 4, 5, 3, 3, 2, 2, 1, 1),  # overlapping, padded
    (1, 5, 6, 2, 4, 6, 2, 3, 1, 1, 0, 1),
    (1, 9, 11, 1, 2, 2, 2, 3, 5, 7, 0, 0),  # pixels that no window sees
    (1, 17, 16, 2, 1, 2, 17, 15, 1, 1, 0, 0),  # 255 taps
    (1, 2, 2, 3, 3, 3, 1, 1, 3, 3, 2, 2),  # windows that see padding only
    *((1, 4, 5, c, 2, 2, 2, 2, 2, 2, 0, 0) for c in COLUMNS),
    *((1, 4, 5, c, 4, 5, 5, 4, 1, 1, 2, 2) for c in (3, 17)),  # more taps than a vector has
]
POOLINGS = [(2, 2, 2, 2, 0, 0), (3, 2, 2, 1, 1, 0), (2, 3, 3, 2, 1, 2)]  # kh kw sh sw ph pw
UNPOOLED = [  # a convolution of one group and a pooling behind it, as far as there is room for a window
    (*conv[:7], *conv[8:], (conv[4] + 2 * ph - kh) // sh + 1, (conv[5] + 2 * pw - kw) // sw + 1, *pool)
    for number, conv in enumerate(CONVOLUTIONS)
    for pool in (POOLINGS if number < 14 else POOLINGS[:1])
    for kh, kw, sh, sw, ph, pw in [pool]
    if conv[7] == 1 and conv[4] + 2 * ph >= kh and conv[5] + 2 * pw >= kw
]
REDUCTIONS = [(1, 1, 1), (3, 8, 1), (2, 21, 1), (1, 7, 16), (2, 9, 5), (4, 1, 3)]  # outer red inner
REDUCTIONS += [(3, r, 1) for r in (2, 7, 9, 15, 16, 17, 33)] + [(2, 3, i) for i in COLUMNS[1:]]
INDEXED = [
    (1, 1, 1, 1),
    (1, 5, 9, 3),
    (3, 2, 4, 1),
    (2, 4, 1, 7),
    (2, 3, 17, 33),
    (1, 17, 5, 16),
]  # outer red count inner

_WORDS = [(batch, m, k, n, a * m * k, b * k * n) for batch, m, k, n, a, b in MATMULS]
_SHAPES = {  # by what a kernel's name begins with
    "reduce": REDUCTIONS,
    "argmax": REDUCTIONS,
    "cumsum": [(*words, reverse) for words in REDUCTIONS for reverse in (0, 1)],
    "matmul": _WORDS,
    "conv2d": CONVOLUTIONS,
    "max_pool": POOLS,
    "pool": POOLS,
    "unpool": UNPOOLED,
    "sum_rows": [*((7, c) for c in COLUMNS), *((r, 5) for r in ROWS)],
    "take": INDEXED,
    "add_rows": INDEXED,
    "uniform": [(1, 0), (2, 5), (21, 2**31 - 1), (64, 1)],
    "next_key": [(1,), (2**31 - 1,)],
}


def shapes(kernel):
    """The attributes that a kernel with fixed operands is tested with; none for one that nobody has thought of."""
    return next((words for name, words in _SHAPES.items() if kernel.name.startswith(name)), [])


@dataclass(frozen=True)
class Case:
    """A call of a kernel: (dtype, mode, elements) of each operand, the attribute words, the rows of its output."""

    number: int
    kernel: int
    dtype: Dtype
    operands: tuple[tuple[Dtype, str, int], ...]
    words: tuple[int, ...]
    rows: int

    @property
    def name(self):
        """For people."""
        if self.kernel == MAP:
            program = Program.from_words(self.words)
            return f"map {[OPCODES[i.opcode].name for i in program.instructions][:4]} {program.dims} {self.dtype}"
        return f"{KERNELS[self.kernel].name} {self.words} {self.dtype}"

    def table(self):
        """The case as words: how many, number, kernel, dtype, rows, operands (three words each), attributes."""
        modes = {"in": 0, "out": 1, "scratch": 2, "add": 3}
        words = [self.number, self.kernel, self.dtype.code, self.rows, len(self.operands)]
        for dtype, mode, elements in self.operands:
            words += [dtype.code, modes[mode], dtype.size_bytes(elements) // dtype.itemsize]
        return [len(words) + len(self.words) + 1, *words, *self.words]


def row_major(dims):
    """The strides of an array that lies row by row."""
    return tuple(math.prod(dims[d + 1 :]) for d in range(len(dims)))


def mixed_program(dims, temps):
    """All ways in which an input may lie: plain, repeated, turned, reversed, windowed, of bits and of bytes."""
    rank, size = len(dims), math.prod(dims)
    inner, turned = (0,) * (rank - 1) + (1,), tuple(reversed(row_major(tuple(reversed(dims)))))
    window = tuple((d // 4, d - d // 4 - d // 5) for d in dims)
    inputs = (
        MapInput(f32, 0, row_major(dims)),
        MapInput(f32, 2, inner),  # a row again and again
        MapInput(i32, 1, (*((1,) * (rank - 1)), 0)),  # a column, or many
        MapInput(f32, 0, turned),
        MapInput(f32, 3, row_major(dims), window),
        MapInput(bits, 5, row_major(dims)),
        MapInput(bits, 1, inner),
        MapInput(u8, size, tuple(-s for s in row_major(dims))),
        MapInput(f32, 4, (0,) * rank),
    )
    n, add, load = len(inputs), BY_NAME["add"].number, LOAD.number
    code = [Instruction(add, n + 1 + t, t % 2, 3) for t in range(temps)]
    code += [Instruction(add, n + 1, n + temps, 4), Instruction(add, n + 1, n + 1, 8)]
    for number in (2, 5, 6, 7):
        code += [Instruction(load, n, number), Instruction(add, n + 1, n + 1, n)]
    code += [Instruction(MOVE.number, n, n + 1)]
    return Program(dims, inputs, (f32,), temps, 64, NO_TILE, tuple(code))


MIXED = [(130, 20), (3, 700), (9, 11, 13), (40, 1, 33), (2, 257), (600, 3), (4, 130, 2)]


def _programs():
    for dtype in FLOATS:
        for code in OPCODES.values():
            arguments = dict(zip("abc", range(code.arity), strict=False))
            for size, strides in ((67, (1, 1, 1)), (67, (1, 0, 2)), (1, (0, 1, 1)), (19, (2, 1, 0))):
                if code not in (LOAD, STORE):
                    inputs = tuple(MapInput(dtype, k, (s,)) for k, s in zip(range(code.arity), strides, strict=False))
                    instruction = Instruction(code.number, code.arity, **arguments)
                    yield dtype, Program((size,), inputs, (dtype,), 0, 50, NO_TILE, (instruction,))
        for source in (*ALL, bits):
            for target in (*ALL, bits):
                cast = (Instruction(LOAD.number, 2, 0), Instruction(STORE.number, 1, 2))
                yield dtype, Program((531,), (MapInput(source, 0, (1,)),), (target,), 1, 64, NO_TILE, cast)
        square = (Instruction(BY_NAME["square"].number, 2, 0), Instruction(BY_NAME["exp"].number, 1, 2))
        for size in (127, 128, 129, 255, 256, 257, 1023, 1024, 1025):
            yield dtype, Program((size,), (MapInput(dtype, 0, (1,)),), (dtype,), 1, 64, NO_TILE, square)
    for dims in MIXED:
        for temps in (1, 3):
            yield f32, mixed_program(dims, temps)


def _reach(item, dims):
    """How many elements an input's buffer has to have."""
    extents = [e for _, e in item.window] if item.window else dims
    return item.offset + sum(max(0, s) * (e - 1) for s, e in zip(item.strides, extents, strict=True)) + 1


def every_case(dtypes=FLOATS):
    """All cases of these dtypes, each with its number among all. AssertionError if a kernel of the table has none."""
    found = []
    for kernel in KERNELS.values():
        for dtype in kernel.dtypes if kernel.number != MAP else ():
            for words in shapes(kernel):
                values = {a.name: w for a, w in zip(kernel.attrs, words, strict=True)}
                operands = tuple((o.dtype or dtype, o.mode, extent_elements(o.extent, values)) for o in kernel.operands)
                found.append((kernel.number, dtype, operands, words, kernel.row_count(words)))
    for dtype, program in _programs():
        operands = [(i.dtype, "in", _reach(i, program.dims)) for i in program.inputs]
        operands += [(d, "out", program.elements) for d in program.outputs]
        if program.n_temps:
            operands.append((dtype, "scratch", program.n_temps * program.block))
        found.append((MAP, dtype, tuple(operands), program.words(), program.elements))
    assert {kernel for kernel, *_ in found} == set(KERNELS)
    cases = [Case(number, *case) for number, case in enumerate(found)]
    return [case for case in cases if case.dtype in dtypes]
