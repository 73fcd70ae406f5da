"""The `map` kernel against kernels/program.py: every opcode, dtype, stride and block."""

import ctypes
import math
from dataclasses import replace

import numpy as np
import pytest

from cases import MIXED, mixed_program, row_major
from lazydiff.dtypes import ALL, FLOATS, bits, bool_, f32, f64, u8
from lazydiff.kernels.opcodes import BY_NAME, LOAD, MOVE, OPCODES, STORE
from lazydiff.kernels.program import NO_TILE, Instruction, MapInput, Program, run_program
from lazydiff.plan.model import KERNELS, MAP
from native import build, call

SMALL = ("-O2", "-DLZD_SMALL=1", "-DLZD_FAST_STRIDES=0")  # as on a microcontroller: k_map.h, not k_map_wide.h


@pytest.fixture(scope="module", params=[("-O3",), SMALL], ids=["wide", "small"])
def lib(request, tmp_path_factory):
    return build(tmp_path_factory.mktemp("map"), "gcc", *request.param)


def numbers(dtype, size, seed=3):
    rng = np.random.default_rng(seed)
    if dtype is bits:
        return rng.integers(0, 256, bits.size_bytes(size), np.uint8)
    if dtype is bool_:
        return rng.integers(0, 2, size).astype(bool)
    if not dtype.is_float:
        info = np.iinfo(dtype.numpy)
        return rng.integers(info.min, info.max, size, dtype.numpy, endpoint=True)
    special = np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1e-40, 300.7, -129.5, 3e9, -3e9, 0.5, 1, -1], dtype.numpy)
    return np.resize(np.concatenate([special, rng.normal(size=50).astype(dtype.numpy)]), size)


def both(lib, program, dtype, inputs, begin=0, end=None):
    """The outputs from C and from numpy. Temporaries are NaN before; so are outputs of floats."""
    end = program.elements if end is None else end
    outputs = [np.full(d.size_bytes(program.elements) // d.itemsize, 99, d.numpy) for d in program.outputs]
    expected = [o.copy() for o in outputs]
    run_program(program, inputs, expected, dtype, begin, end)
    scratch = [np.full(program.n_temps * program.block, np.nan, dtype.numpy)] if program.n_temps else []
    call(lib, KERNELS[MAP], dtype, [*(i.copy() for i in inputs), *outputs, *scratch], program.words(), begin, end)
    return outputs, expected


def flat(size, inputs, outputs, instructions, temps=0, block=8, tile=NO_TILE):
    return Program((size,), tuple(MapInput(d, 0, (1,)) for d in inputs), outputs, temps, block, tile, instructions)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("name", [o.name for o in OPCODES.values() if o not in (LOAD, STORE)])
def test_every_opcode_over_every_mixture_of_strides(lib, name, dtype):
    code = BY_NAME[name]
    slots = (0, 1, 2)[: code.arity]
    arguments = dict(zip("abc", slots, strict=False))
    instruction = Instruction(code.number, len(slots), **arguments)
    data = [numbers(dtype, 2 * 169, seed)[::-1].copy() if seed else numbers(dtype, 2 * 169) for seed in slots]
    if name == "fma":  # numpy has none, and rounds twice
        data = [np.nan_to_num(d, nan=1.5, posinf=2, neginf=3) % 7 for d in data]
    for mixture in np.ndindex(*(3,) * code.arity):
        items = tuple(MapInput(dtype, s, (stride,)) for s, stride in zip(slots, mixture, strict=True))
        one = Program((163,), items, (dtype,), 0, 50, NO_TILE, (instruction,))
        (found,), (expected,) = both(lib, one, dtype, data)
        close = 2e-6 if dtype is f32 else 1e-14
        np.testing.assert_allclose(found, expected, rtol=close, atol=1e-38, err_msg=f"strides {mixture}")


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("source", [*ALL, bits], ids=str)
@pytest.mark.parametrize("target", [*ALL, bits], ids=str)
def test_load_and_store_cast_as_declared(lib, dtype, source, target):
    code = (Instruction(LOAD.number, 2, 0), Instruction(STORE.number, 1, 2))
    program = flat(67, (source,), (target,), code, temps=1)
    (found,), (expected,) = both(lib, program, dtype, [numbers(source, 67)])
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dims", [(), (1,), (29,), (5, 11), (3, 2, 13)], ids=str)
@pytest.mark.parametrize("block", [1, 3, 8, 64])
def test_bits_are_read_and_written_one_by_one(lib, dims, block):
    """Reversed, broadcast and windowed bits, or-ed, in ranges that begin and end inside a byte and leave its rest."""
    size, straight = math.prod(dims), row_major(dims)
    back = MapInput(bits, size + 4, tuple(-s for s in straight))
    row = MapInput(bits, 3, tuple(int(d == len(dims) - 1) for d in range(len(dims))))
    window = tuple((d // 3, d - d // 3) for d in dims)
    inside = MapInput(bits, 1, row_major([e for _, e in window]), window)
    code = [Instruction(LOAD.number, 5 + k, k) for k in range(3)]
    code += [Instruction(BY_NAME["maximum"].number, 5, 5, 6), Instruction(BY_NAME["maximum"].number, 4, 5, 7)]
    code += [Instruction(STORE.number, 3, 4)]
    program = Program(dims, (back, row, inside), (bits, f32), 3, block, NO_TILE, tuple(code))
    assert Program.from_words(program.words()) == program
    data = [numbers(bits, size + 5, seed) & numbers(bits, size + 5, seed + 9) for seed in range(3)]
    for begin, end in {(0, size), (size // 3, size), (size // 2, max(size // 2, size - 2))}:
        for found, expected in zip(*both(lib, program, f32, data, begin, end), strict=True):
            assert found.tobytes() == expected.tobytes(), (begin, end)
    (packed, floats), _ = both(lib, program, f32, data)
    assert np.unpackbits(packed, count=size, bitorder="little").tolist() == floats.tolist()


def test_bits_of_a_tile_are_read_from_its_start(lib):
    code = (Instruction(LOAD.number, 2, 0), Instruction(STORE.number, 1, 2))
    program = Program((6, 5), (MapInput(bits, 0, (5, 1)),), (bits,), 1, 64, 0, code)
    tile = np.array([0b10110101, 0b01], np.uint8)
    (found,), (expected,) = both(lib, program, f32, [tile], 15, 25)
    assert found.tobytes() == expected.tobytes()
    assert np.unpackbits(found, bitorder="little")[15:25].tolist() == [1, 0, 1, 0, 1, 1, 0, 1, 1, 0]


def test_any_nonzero_byte_is_true(lib):
    program = flat(4, (bool_,), (f32,), (Instruction(LOAD.number, 1, 0),))
    out = np.zeros(4, np.float32)
    call(lib, KERNELS[MAP], f32, [np.array([0, 1, 2, 255], np.uint8), out], program.words(), 0, 4)
    assert out.tolist() == [0, 1, 1, 1]


@pytest.mark.parametrize("dims", [(), (1,), (7,), (3, 5), (2, 1, 4), (2, 3, 4, 2, 1, 2, 1, 3)], ids=str)
@pytest.mark.parametrize("block", [1, 3, 64])
def test_views_of_any_rank_are_read_where_their_strides_say(lib, dims, block):
    """Straight, reversed, transposed and broadcast: x + y * z - w, in ranges that begin and end anywhere."""
    size, straight = math.prod(dims), row_major(dims)
    reversed_ = MapInput(f32, size - 1, tuple(-s for s in straight))
    order = sorted(range(len(dims)), key=lambda d: (d * 5 + 3) % 8)
    moved = row_major([dims[d] for d in order])
    transposed = MapInput(f32, 2, tuple(moved[order.index(d)] for d in range(len(dims))))
    broadcast = MapInput(f32, 1, tuple(s if d % 2 else 0 for d, s in enumerate(straight)))
    inputs = (MapInput(f32, 0, straight), reversed_, transposed, broadcast)
    add, multiply, subtract = (BY_NAME[n].number for n in ("add", "multiply", "subtract"))
    code = (Instruction(multiply, 5, 1, 2), Instruction(add, 6, 0, 5), Instruction(subtract, 4, 6, 3))
    program = Program(dims, inputs, (f32,), 2, block, NO_TILE, code)
    data = [np.random.default_rng(s).normal(size=size + 2).astype(np.float32) for s in range(4)]
    for begin, end in {(0, size), (size // 3, size), (size // 2, max(size // 2, size - 2))}:
        (found,), (expected,) = both(lib, program, f32, data, begin, end)
        assert found.tobytes() == expected.tobytes(), (begin, end)


def windows(dims, rng):
    """Random (low, extent) of each dimension, inside it; some are whole."""
    low = [int(rng.integers(0, d)) if rng.integers(2) else 0 for d in dims]
    return tuple(
        (a, int(rng.integers(1, d - a + 1)) if rng.integers(3) else d - a) for a, d in zip(low, dims, strict=True)
    )


@pytest.mark.parametrize("dims", [(1,), (9,), (3, 5), (7, 1), (2, 3, 4), (2, 3, 4, 2, 1, 2, 1, 3)], ids=str)
@pytest.mark.parametrize("block", [1, 3, 64])
def test_an_input_is_zero_outside_its_window(lib, dims, block):
    """x where its window has it, plus a reversed u8 under another window."""
    rng = np.random.default_rng(len(dims))
    code = (Instruction(LOAD.number, 3, 1), Instruction(BY_NAME["add"].number, 2, 0, 3))
    for _ in range(30):
        first, second = windows(dims, rng), windows(dims, rng)
        sizes = [[e for _, e in w] for w in (first, second)]
        strides = [row_major(size) for size in sizes]
        back = MapInput(u8, math.prod(sizes[1]) - 1, tuple(-s for s in strides[1]), second)
        program = Program(dims, (MapInput(f32, 0, strides[0], first), back), (f32,), 1, block, NO_TILE, code)
        assert Program.from_words(program.words()) == program
        x = rng.normal(size=sizes[0]).astype(np.float32)
        y = rng.integers(0, 255, sizes[1]).astype(np.uint8)
        size = program.elements
        for begin, end in {(0, size), (size // 3, size - size // 4)}:
            (found,), (expected,) = both(lib, program, f32, [x.reshape(-1), y.reshape(-1)], begin, end)
            assert found.tobytes() == expected.tobytes(), (first, second, begin, end)
        whole = np.zeros(dims, np.float32)
        whole[tuple(slice(a, a + e) for a, e in first)] = x
        whole[tuple(slice(a, a + e) for a, e in second)] += np.flip(y)
        assert both(lib, program, f32, [x.reshape(-1), y.reshape(-1)])[0][0].tobytes() == whole.tobytes()


def test_an_empty_window_reads_nothing(lib):
    items = (MapInput(f64, 5, (1 << 30,), ((2, 0),)), MapInput(f64, 0, (1,), ((0, 3),)))
    program = Program((4,), items, (f64,), 0, 64, NO_TILE, (Instruction(BY_NAME["add"].number, 2, 0, 1),))
    (found,), (expected,) = both(lib, program, f64, [np.ones(1), np.arange(3.0) + 1])
    assert found.tolist() == expected.tolist() == [1, 2, 3, 0]


@pytest.mark.parametrize(("dtype", "tile_dtype"), [(f32, f32), (f64, f32), (f32, f64)], ids=str)
def test_a_tile_is_read_from_its_start_in_its_own_dtype(lib, dtype, tile_dtype):
    inputs = (MapInput(tile_dtype, 0, (5, 1)), MapInput(dtype, 0, (0, 1)))
    code = (Instruction(LOAD.number, 3, 0), Instruction(BY_NAME["add"].number, 2, 3, 1))
    program = Program((6, 5), inputs, (dtype,), 1, 64, 0, code)
    tile, row = np.arange(10, dtype=tile_dtype.numpy), np.arange(5, dtype=dtype.numpy) * 100
    (found,), (expected,) = both(lib, program, dtype, [tile, row], 15, 25)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(found[15:25], tile + np.tile(row, 2))
    assert (found[:15] == 99).all()


def test_an_output_that_is_a_tile_is_written_from_its_start(lib):
    program = flat(40, (f32, f32), (f32,), (Instruction(BY_NAME["add"].number, 2, 0, 1),), tile=0)
    program = replace(program, tiles=True)
    tile, whole = np.arange(10, dtype=np.float32), np.arange(40, dtype=np.float32) * 100
    (found,), (expected,) = both(lib, program, f32, [tile, whole], 15, 25)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(found[:10], tile + whole[15:25])


@pytest.mark.parametrize("block", [1, 7, 100])
def test_an_output_may_lie_on_its_input(lib, block):
    program = flat(100, (f32, f32), (f32,), (Instruction(BY_NAME["fma"].number, 2, 1, 0, 0),), block=block)
    x, y = np.random.default_rng(0).normal(size=(2, 100)).astype(np.float32)
    (apart,), _ = both(lib, program, f32, [x, y])
    pointers = np.array([x.ctypes.data, y.ctypes.data, x.ctypes.data], np.uintp)
    words = np.array(program.words(), np.uint32)
    lib.lzd_k_map_f32(ctypes.c_void_p(pointers.ctypes.data), ctypes.c_void_p(words.ctypes.data), 0, 100)
    assert x.tobytes() == apart.tobytes()


def test_two_outputs_and_an_output_read_again(lib):
    code = (Instruction(MOVE.number, 1, 0), Instruction(BY_NAME["square"].number, 2, 1))
    program = flat(20, (f32,), (f32, f32), code)
    found, expected = both(lib, program, f32, [np.arange(20, dtype=np.float32)])
    for f, e in zip(found, expected, strict=True):
        np.testing.assert_array_equal(f, e)


@pytest.mark.parametrize("temps", [1, 3, 200])
@pytest.mark.parametrize("dims", MIXED, ids=str)
def test_blocks_of_many_rows_and_rows_of_many_blocks(lib, dims, temps):
    size, program = math.prod(dims), mixed_program(dims, temps)
    data = [numbers(i.dtype, size + 16, k) for k, i in enumerate(program.inputs)]
    for begin, end in [(0, size), (size // 3, size - 1), (dims[-1], size), (1, 5)]:
        (found,), (expected,) = both(lib, program, f32, data, begin, end)
        np.testing.assert_array_equal(found, expected)
