"""The cases of cases.py as one plan, a step each: the same numbers go in and the same hashes come out as in cases.c."""

import numpy as np

from cases import every_case
from lazydiff.dtypes import bits, f32, f64, i32, u8
from lazydiff.plan.model import MAP, Buffer, Entry, Kind, Plan, Region, Step, Symbol, executor_bytes

NORMAL, SUBNORMAL, SPECIAL = range(3)
_F32 = [0, 0x80000000, 1, 0x80000001, 0x007FFFFF, 0x00800000, 0x7F7FFFFF, 0xFF7FFFFF]
_F32 += [0x7F800000, 0xFF800000, 0x7FC00000, 0xFFC12345, 0x7F800001, 0x3F800000, 0xCF000000, 0x42B17218]
_F64 = [0, 2**63, 1, 2**63 + 1, 0x000FFFFFFFFFFFFF, 0x0010000000000000, 0x7FEFFFFFFFFFFFFF, 0xFFEFFFFFFFFFFFFF]
_F64 += [0x7FF0000000000000, 0xFFF0000000000000, 0x7FF8000000000000, 0xFFF8123400000005, 0x7FF0000000000001]
_F64 += [0x3FF0000000000000, 0xC1E0000000000000, 0x40862E42FEFA39EF]
SPECIALS = {f32: np.array(_F32, np.uint32), f64: np.array(_F64, np.uint64)}


def mixed(seed, i):
    """Random words from a counter: 32 bits each."""
    h = i.astype(np.uint32) * np.uint32(0x9E3779B9) + np.uint32(seed)
    h = (h ^ h >> np.uint32(16)) * np.uint32(0x85EBCA6B)
    h = (h ^ h >> np.uint32(13)) * np.uint32(0xC2B2AE35)
    return h ^ h >> np.uint32(16)


def fill(case, operand, kind):
    """The elements of an operand for one kind of numbers, as cases.c makes them."""
    dtype, _, elements = case.operands[operand]
    i, seed = np.arange(elements, dtype=np.uint32), case.number * 64 + operand
    h, q = mixed(seed, i), mixed(seed ^ 0x5BD1E995, i)
    if dtype in SPECIALS:
        wide = dtype is f64
        low, fields = (493, 1020) if wide else (57, 124)
        shift = np.uint32(20 if wide else 23)
        exponent = (h >> shift & np.uint32(3)) + np.uint32(fields)
        if kind == SUBNORMAL:
            exponent = np.where(q & 3 == 0, 0, (h >> shift & np.uint32(7)) + np.uint32(low)).astype(np.uint32)
        words = h & np.uint32(0x800FFFFF if wide else 0x807FFFFF) | exponent << shift
        if wide:
            words = words.astype(np.uint64) << np.uint64(32) | q
        if kind == SPECIAL:
            words = np.where(q & (3 if case.kernel == MAP else 31) == 0, SPECIALS[dtype][q >> np.uint32(28)], words)
        return words.view(dtype.numpy)
    if dtype is i32:
        return (h if kind == SPECIAL else h % np.uint32(12)).view(np.int32)
    return (h % 12 if kind == NORMAL and dtype is u8 else h & 0xFF).astype(np.uint8).view(dtype.numpy)


def hashed(outputs):
    """The hash of a case's outputs, every NaN as good as any other."""
    words = []
    for array in outputs:
        flat = np.array(array).reshape(-1)
        if flat.dtype.kind == "f":
            quiet = SPECIALS[f32 if flat.itemsize == 4 else f64][10]
            flat.view(quiet.dtype)[np.isnan(flat)] = quiet
        words.append(flat.view(np.uint8 if flat.itemsize == 1 else np.uint32).astype(np.uint32))
    each = np.concatenate(words)
    each = (each ^ each >> np.uint32(16)) * np.uint32(0x85EBCA6B)
    each = (each ^ each >> np.uint32(13)) * np.uint32(0xC2B2AE35)
    each ^= each >> np.uint32(16)
    powers = np.cumprod(np.append(np.uint32(1), np.full(len(each) - 1, 16777619, np.uint32)), dtype=np.uint32)[::-1]
    return f"{int((each * powers).sum(dtype=np.uint32)):08x}"


def one_plan():
    """A plan whose steps are the cases without bits, which are of a plan's inside alone; and those cases, in order."""
    cases = [c for c in every_case() if all(dtype is not bits for dtype, _, _ in c.operands)]
    buffers, steps, inputs, outputs, offset = [], [], [], [], executor_bytes(1)
    for case in cases:
        first = len(buffers)
        for k, (dtype, mode, elements) in enumerate(case.operands):
            kind = Kind.WORK if mode == "scratch" else Kind.IO
            buffers.append(Buffer(Region.RAM, kind, dtype, offset, elements * dtype.itemsize))
            offset += -(-elements * dtype.itemsize // 16) * 16
            if mode != "scratch":
                symbols = inputs if mode == "in" else outputs
                symbols.append(Symbol(f"c{case.number}_{k}", first + k, (elements,)))
        steps.append(Step(case.kernel, case.dtype, tuple(range(first, len(buffers))), case.words))
    entry = Entry("f", tuple(inputs), tuple(outputs), tuple(steps), ())
    return Plan(offset, 16, tuple(buffers), (), (entry,), b"", b""), cases
