"""Maps and tiles that break a rule: the Python checker and the C checker both refuse every one."""

import numpy as np
import pytest

import lazydiff as ld
from lazydiff.dtypes import bits, bool_, f32, u8
from lazydiff.kernels.opcodes import LOAD, MOVE, STORE
from lazydiff.kernels.program import NO_TILE, Instruction, MapInput, Program
from lazydiff.kernels.reduce import reduce_sum
from lazydiff.kernels.scan import cumsum
from lazydiff.plan.check import check
from lazydiff.plan.codec import encode
from lazydiff.plan.model import MAP, Buffer, Entry, Kind, Plan, Region, Step, Symbol, executor_bytes
from mutations import change, first, refused, with_buffer, with_step
from small import classifier, convolution


@pytest.fixture(params=[classifier, convolution])
def plan(request):
    plan = request.param()
    check(plan)
    ld.Session(encode(plan))
    return plan


def test_a_map_in_place_that_reads_its_input_again(plan):
    """One more instruction reads the input: before the output over it is written it may, after that it may not."""

    def in_place(s):
        return (
            s.kernel == MAP
            and not s.program.n_temps
            and any(plan.buffers[s.operands[-1]].overlaps(plan.buffers[b]) for b in s.reads)
        )

    at = first(plan, in_place)
    step = plan.entries[0].steps[at]
    program = step.program
    over = next(k for k, b in enumerate(step.reads) if plan.buffers[b].overlaps(plan.buffers[step.operands[-1]]))
    block = min(program.block, program.elements)
    scratch = Buffer(Region.RAM, Kind.WORK, f32, plan.ram_bytes, 4 * block)
    room = change(plan, ram_bytes=scratch.end + -scratch.end % 8, buffers=(*plan.buffers, scratch))
    again = Instruction(MOVE.number, len(step.operands), over)
    operands = (*step.operands, len(plan.buffers))

    def reading(instructions):
        words = change(program, n_temps=1, block=block, instructions=instructions).words()
        return with_step(room, at, change(step, operands=operands, attrs=words))

    sound = reading((again, *program.instructions))
    check(sound)
    ld.Session(encode(sound))
    refused(reading((*program.instructions, again)), "over its operand")


def test_a_map_that_reads_what_nothing_wrote(plan):
    at = first(plan, lambda s: s.kernel == MAP and s.program.n_temps > 0)
    step = plan.entries[0].steps[at]
    program = step.program
    refused(with_step(plan, at, change(step, attrs=change(program, instructions=program.instructions[1:]).words())))
    bad = change(program.instructions[0], opcode=200)
    refused(
        with_step(plan, at, change(step, attrs=change(program, instructions=(bad, *program.instructions[1:])).words()))
    )


def test_a_map_that_reads_beyond_its_input(plan):
    at = first(plan, lambda s: s.kernel == MAP and s.program.dims)
    step = plan.entries[0].steps[at]
    program = step.program
    for fields in (
        {"offset": 1 << 20},
        {"strides": tuple(-1 for _ in program.dims)},
        {"strides": (1 << 30,) * len(program.dims)},
    ):
        item = change(program.inputs[0], **fields)
        refused(with_step(plan, at, change(step, attrs=change(program, inputs=(item, *program.inputs[1:])).words())))


def test_windows_that_reach_too_far(plan):
    """A window keeps to its dimension; what it lets through keeps to the buffer; outside it nothing is read."""
    at = first(plan, lambda s: s.kernel == MAP and s.program.tile == NO_TILE and len(s.program.dims) == 1)
    step = plan.entries[0].steps[at]
    program = step.program
    (dim,) = program.dims
    room = plan.buffers[step.operands[0]].size_bytes // program.inputs[0].dtype.itemsize

    def with_input(**fields):
        item = change(program.inputs[0], **fields)
        words = change(program, inputs=(item, *program.inputs[1:])).words()
        return with_step(plan, at, change(step, attrs=words))

    for fields in (
        {"offset": room - 1, "strides": (1,), "window": ((dim - 1, 1),)},
        {"offset": room - 1, "strides": (1 - room,), "window": ((1, min(2, dim - 1)),)},
        {"offset": 1 << 20, "strides": (1 << 30,), "window": ((dim // 2, 0),)},
    ):
        fine = with_input(**fields)
        ((low, extent),) = fields["window"]
        own = extent == 1 and low == fields["offset"]  # what is read lies where its result goes
        if own or not any(plan.buffers[b].overlaps(plan.buffers[step.operands[0]]) for b in step.writes):
            check(fine)
            ld.Session(encode(fine))
        else:
            refused(fine, "over its operand")  # in place only where it is read as it lies
    for fields in (
        {"offset": 0, "strides": (0,), "window": ((1, dim),)},
        {"offset": 0, "strides": (0,), "window": ((dim + 1, 0),)},
        {"offset": 0, "strides": (0,), "window": ((2, (1 << 32) - 1),)},
    ):
        refused(with_input(**fields), "leaves the dimensions")
    for fields in (
        {"offset": room, "strides": (0,), "window": ((dim - 1, 1),)},
        {"offset": 0, "strides": (-1,), "window": ((0, 2),)},
        {"offset": 0, "strides": (1 << 30,), "window": ((0, 2),)},
        {"offset": room - 1, "strides": (1,), "window": ((dim - 2, 2),)},
    ):
        refused(with_input(**fields), "reads elements")
    words = list(with_input(offset=0, strides=(0,), window=((0, 1),)).entries[0].steps[at].attrs)
    words[8] += 1 << 8  # the input's window is number 2 of 1
    refused(with_step(plan, at, change(step, attrs=tuple(words))), "not a map program")
    words[6] += 1 << 12  # more windows than inputs
    refused(with_step(plan, at, change(step, attrs=tuple(words))), "too many")


def test_tiles_that_do_not_fit(plan):
    steps = plan.entries[0].steps
    at = max(i for i, s in enumerate(steps) if s.tile_rows > 0)
    step, following = steps[at : at + 2]
    refused(with_step(plan, at, change(step, tile_rows=0)))
    refused(with_step(plan, at, change(step, tile_rows=step.rows + 1)), "a tile of")
    refused(with_step(plan, at + 1, change(following, tile_rows=1)), "tile")
    plain = first(plan, lambda s: s.kernel == reduce_sum.number and s.attrs[0] == 1)
    scan = change(steps[plain], kernel=cumsum.number, attrs=(*steps[plain].attrs, 0), tile_rows=1)
    refused(with_step(plan, plain, scan), "a tile of 1 rows of 0")
    entry = plan.entries[0]
    alone = change(entry, steps=(*steps[: at + 1], steps[plain], *steps[at + 2 :]))
    refused(change(plan, entries=(alone, *plan.entries[1:])))


def test_a_tile_that_the_map_does_not_read_as_its_rows_lie(plan):
    at = max(i for i, s in enumerate(plan.entries[0].steps) if s.tile_rows > 0)
    following = plan.entries[0].steps[at + 1]
    program = following.program
    n, tile = len(program.inputs), program.inputs[program.tile]

    def with_program(**fields):
        return with_step(plan, at + 1, change(following, attrs=change(program, **fields).words()))

    def with_tile(**fields):
        inputs = list(program.inputs)
        inputs[program.tile] = change(tile, **fields)
        return with_program(inputs=tuple(inputs))

    refused(with_program(tile=NO_TILE), "go together")
    refused(with_program(tile=n), "not what a step before it writes")
    other = next(k for k in range(n) if k != program.tile)
    refused(with_program(tile=other), "as its rows lie|not what a step before it writes")
    refused(with_tile(offset=1), "as its rows lie")
    refused(with_tile(strides=tuple(2 * s for s in tile.strides)), "as its rows lie")
    refused(with_tile(window=tuple((0, dim) for dim in program.dims)), "as its rows lie")
    refused(with_program(dims=(program.dims[0] - 1, *program.dims[1:])), "as its rows lie|do not go together")


def test_a_tiled_pair_that_writes_what_it_still_reads():
    """The product would read, for its second tile, what the map wrote after the first."""
    w = ld.param("w", np.ones((40, 4), np.float32))
    plan = ld.compile(train=ld.train_step(ld.square(ld.input("x", (4, 40)) @ w).sum(), ld.sgd(0.1)))
    at = max(i for i, s in enumerate(plan.entries[0].steps) if s.tile_rows > 0)
    step, following = plan.entries[0].steps[at : at + 2]
    weight = next(b for b in following.reads if plan.buffers[b].kind == Kind.PARAMS)
    refused(with_step(plan, at, change(step, operands=(weight, *step.operands[1:]))), "of a tiled step before it")
    program = following.program
    twice = next(k for k, b in enumerate(following.reads) if b == weight)
    operands = (*following.operands[:twice], step.operands[-1], *following.operands[twice + 1 :])
    inputs = list(program.inputs)
    inputs[twice] = change(inputs[twice], strides=(0,) * len(program.dims))  # inside the tile's bytes
    attrs = change(program, inputs=tuple(inputs)).words()
    refused(with_step(plan, at + 1, change(following, operands=operands, attrs=attrs)), "the tile is read twice")


def test_instructions_that_break_their_own_rules(plan):
    """The map that compares labels: it loads an i32, works in a temporary and stores bools."""
    at = first(plan, lambda s: s.kernel == MAP and s.label == "matches")
    step = plan.entries[0].steps[at]
    program = step.program
    *_, store = code = program.instructions
    out, temp = len(program.inputs), len(program.inputs) + len(program.outputs)
    assert (store.opcode, store.dst, store.a) == (STORE.number, out, temp)

    def with_program(**fields):
        return with_step(plan, at, change(step, attrs=change(program, **fields).words()))

    refused(with_program(instructions=code[:-1]), "never written")
    refused(with_program(instructions=(*code, store)), "a second time")
    refused(with_program(instructions=(*code, Instruction(LOAD.number, temp, temp))), "load takes an input")
    refused(with_program(instructions=(*code, Instruction(STORE.number, temp, temp))), "store takes an output")
    refused(with_program(instructions=(*code[:-1], change(store, opcode=MOVE.number))), "on a slot that is not f32")
    refused(with_program(instructions=(change(code[0], dst=0), *code[1:])), "writes an input")
    whole = (change(program.inputs[0], dtype=f32), *program.inputs[1:])
    refused(with_program(inputs=whole), "its buffer i32")
    refused(with_program(block=0), "in blocks of 0")


def packed(size_bytes=3, out_bytes=3, out=bits, offset=0, stride=1, copy=False):
    """17 floats stored as bits in buffer 1, these (from `offset` on) as bits or bools in 2, and 2 as floats in 3."""
    sizes = [(f32, 68), (bits, size_bytes), (out, out_bytes), (f32, 68)]
    buffers, end = [], executor_bytes(1)
    for n, (dtype, size) in enumerate(sizes):
        buffers.append(Buffer(Region.RAM, Kind.WORK if n % 3 else Kind.IO, dtype, end, size))
        end += -(-size // 8) * 8
    scratch = Buffer(Region.RAM, Kind.WORK, f32, end, 32)
    load, store = Instruction(LOAD.number, 2, 0), Instruction(STORE.number, 1, 2)
    straight = MapInput(bits, offset, (stride,))
    programs = [
        Program((17,), (MapInput(f32, 0, (1,)),), (bits,), 0, 8, NO_TILE, (Instruction(STORE.number, 1, 0),)),
        Program((17,), (straight,), (out,), 0, 8, NO_TILE, (Instruction(STORE.number, 1, 0),)),
        Program((17,), (MapInput(out, 0, (1,)),), (f32,), 0, 8, NO_TILE, (Instruction(LOAD.number, 1, 0),)),
    ]
    operands = [(0, 1), (1, 2), (2, 3)]
    if not copy:
        programs[1] = Program((17,), (straight,), (out,), 1, 8, NO_TILE, (load, store))
        operands[1] = (1, 2, 4)
    steps = tuple(Step(MAP, f32, o, p.words()) for o, p in zip(operands, programs, strict=True))
    entry = Entry("f", (Symbol("x", 0, (17,)),), (Symbol("y", 3, (17,)),), steps)
    return Plan(end + 32, 16, (*buffers, scratch), (), (entry,), b"", b"")


def test_bits_that_end_outside_their_buffer_or_are_copied_or_shown():
    """Three bytes hold 17 bits and up to 24; an element is a bit, not a byte."""
    x = np.where(np.arange(17) % 3, 0, 1).astype(np.float32)
    for offset in (0, 7):
        fine = packed(offset=offset)
        check(fine)
        shown = np.unpackbits(np.packbits(x == 1, bitorder="little"), bitorder="little")[offset : offset + 17]
        assert ld.Session(fine).f(x=x)[: 17 - offset].tolist() == shown[: 17 - offset].tolist()
    check(packed(out=bool_, out_bytes=17))
    refused(packed(size_bytes=2), "an output needs 17 bits")
    refused(packed(out_bytes=2), "an output needs 17 bits")
    refused(packed(out=bool_, out_bytes=16), "an output needs 17 bool")
    refused(packed(offset=8), "reads elements 8 .. 24")
    refused(packed(offset=15, stride=-1), "reads elements -1 .. 15")
    refused(packed(copy=True), "store on a slot that is not f32")
    plan = packed(out_bytes=3)
    entry = plan.entries[0]
    refused(change(plan, entries=(change(entry, outputs=(Symbol("y", 1, (3,)),)),)), "made of bits")
    refused(change(plan, entries=(change(entry, outputs=(Symbol("y", 1, (17,)),)),)), "made of bits")
    refused(with_buffer(plan, 1, dtype=u8), "an output needs 17 bits")
    refused(with_buffer(plan, 1, dtype=bool_), "an output needs 17 bits")
