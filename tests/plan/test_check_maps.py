"""Maps and tiles that break a rule: the Python checker and the C checker both refuse every one."""

import numpy as np
import pytest

import lazydiff as ld
from lazydiff.dtypes import f32
from lazydiff.kernels.opcodes import LOAD, MOVE, STORE
from lazydiff.kernels.program import NO_TILE, Instruction
from lazydiff.plan.check import check
from lazydiff.plan.codec import encode
from lazydiff.plan.model import MAP, Buffer, Kind, Region
from mutations import change, first, refused, with_step
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
        if not any(plan.buffers[b].overlaps(plan.buffers[step.operands[0]]) for b in step.writes):
            check(fine)
            ld.Session(encode(fine))
        else:
            refused(fine, "over its operand")  # in place only where all of it is read as it lies
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
    refused(with_step(plan, at + 1, change(following, tile_rows=1)), "a map behind it")
    plain = first(plan, lambda s: s.kernel != MAP and not s.declared.rows)
    refused(with_step(plan, plain, change(steps[plain], tile_rows=1)), "needs rows")
    entry = plan.entries[0]
    alone = change(entry, steps=(*steps[: at + 1], steps[plain], *steps[at + 2 :]))
    refused(change(plan, entries=(alone, *plan.entries[1:])), "a map behind it")


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
    refused(with_program(tile=n), "not what the step before it writes")
    refused(with_program(tile=next(k for k in range(n) if k != program.tile)), "not what the step before it writes")
    refused(with_tile(offset=1), "as its rows lie")
    refused(with_tile(strides=tuple(2 * s for s in tile.strides)), "as its rows lie")
    refused(with_tile(window=tuple((0, dim) for dim in program.dims)), "as its rows lie")
    refused(with_program(dims=(program.dims[0] - 1, *program.dims[1:])), "as its rows lie")


def test_a_tiled_pair_that_writes_what_it_still_reads():
    """The product would read, for its second tile, what the map wrote after the first."""
    w = ld.param("w", np.ones((40, 4), np.float32))
    plan = ld.compile(train=ld.train_step(ld.square(ld.input("x", (4, 40)) @ w).sum(), ld.sgd(0.1)))
    at = max(i for i, s in enumerate(plan.entries[0].steps) if s.tile_rows > 0)
    step, following = plan.entries[0].steps[at : at + 2]
    weight = next(b for b in following.reads if plan.buffers[b].kind == Kind.PARAMS)
    refused(with_step(plan, at, change(step, operands=(weight, *step.operands[1:]))), "of the tiled step before it")
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
