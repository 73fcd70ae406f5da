"""Mutations of a sound plan: the Python checker and the C checker both refuse every one."""

import dataclasses

import pytest

import lazydiff as ld
from lazydiff.dtypes import f32
from lazydiff.kernels.opcodes import LOAD, MOVE, STORE
from lazydiff.kernels.program import NO_TILE, Instruction
from lazydiff.plan.check import check
from lazydiff.plan.codec import encode
from lazydiff.plan.model import MAP, Buffer, Check, Kind, Region
from small import classifier, convolution


def change(item, **fields):
    return dataclasses.replace(item, **fields)


def with_step(plan, index, step):
    entry = plan.entries[0]
    steps = (*entry.steps[:index], step, *entry.steps[index + 1 :])
    return change(plan, entries=(change(entry, steps=steps), *plan.entries[1:]))


def with_buffer(plan, index, **fields):
    buffers = list(plan.buffers)
    buffers[index] = change(buffers[index], **fields)
    return change(plan, buffers=tuple(buffers))


def with_attr(plan, index, position, value):
    step = plan.entries[0].steps[index]
    attrs = (*step.attrs[:position], value, *step.attrs[position + 1 :])
    return with_step(plan, index, change(step, attrs=attrs))


def first(plan, wanted):
    return next(i for i, s in enumerate(plan.entries[0].steps) if wanted(s))


def refused(plan, reason=None):
    """Both checkers refuse the plan; the Python one gives this reason."""
    blob = encode(plan)  # outside: what can't be written down was not refused by the C checker
    with pytest.raises(ld.PlanError, match=reason):
        check(plan)
    with pytest.raises(ld.PlanError):
        ld.Session(blob)


@pytest.fixture(params=[classifier, convolution])
def plan(request):
    plan = request.param()
    check(plan)
    ld.Session(encode(plan))
    return plan


def test_steps_in_the_wrong_order(plan):
    entry = plan.entries[0]
    caught = 0
    for i in range(len(entry.steps) - 1):
        a, b = entry.steps[i], entry.steps[i + 1]
        if set(a.writes) & set(b.reads) and not a.tile_rows:
            steps = (*entry.steps[:i], b, a, *entry.steps[i + 2 :])
            refused(change(plan, entries=(change(entry, steps=steps), *plan.entries[1:])))
            caught += 1
    assert caught > 2


def test_a_buffer_moved_onto_a_live_neighbour(plan):
    """Each work buffer that outlives a step is moved onto the buffers alive beside it."""
    steps = plan.entries[0].steps
    caught = 0
    for at, step in enumerate(steps):
        for b in step.writes:
            later = [s for s in steps[at + 1 :] if b in s.reads]
            if plan.buffers[b].kind != Kind.WORK or not later:
                continue
            for other in step.reads:
                if plan.buffers[other].region == 0 and other in {x for s in steps[at + 1 :] for x in s.reads}:
                    moved = with_buffer(plan, b, offset=plan.buffers[other].offset)
                    if moved.buffers[b].end <= plan.ram_bytes:
                        refused(moved)
                        caught += 1
    assert caught > 2


def test_two_live_buffers_merged_into_one(plan):
    """A step's output becomes one buffer with an input of it that is read again later."""
    entry = plan.entries[0]
    caught = 0
    for at, step in enumerate(entry.steps):
        later = {b for s in entry.steps[at + 1 :] for b in s.reads}
        if step.kernel == MAP or step.tile_rows:
            continue
        (gone,) = step.writes
        for kept in (b for b in step.reads if plan.buffers[b].kind == Kind.WORK and b in later):
            if plan.buffers[kept].size_bytes >= plan.buffers[gone].size_bytes:
                rename = {gone: kept}
                steps = tuple(change(s, operands=tuple(rename.get(o, o) for o in s.operands)) for s in entry.steps)
                refused(change(plan, entries=(change(entry, steps=steps), *plan.entries[1:])), "over its operand")
                caught += 1
    assert caught > 0


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


def test_parameters_that_share_bytes(plan):
    a, b = (s.buffer for s in plan.state[:2])
    refused(with_buffer(plan, a, offset=plan.buffers[b].offset))


def test_a_buffer_outside_the_ram(plan):
    b = plan.entries[0].inputs[0].buffer
    refused(with_buffer(plan, b, offset=plan.ram_bytes - 4))
    refused(with_buffer(plan, b, offset=0))
    refused(with_buffer(plan, b, offset=plan.buffers[b].offset + 2))


def test_an_update_that_is_forgotten(plan):
    entry = plan.entries[0]
    for i in range(len(entry.updates)):
        updates = (*entry.updates[:i], *entry.updates[i + 1 :])
        refused(change(plan, entries=(change(entry, updates=updates), *plan.entries[1:])), "at its end")


def test_an_extent_beyond_its_buffer(plan):
    at = first(plan, lambda s: s.kernel != MAP)
    step = plan.entries[0].steps[at]
    for position, (attr, value) in enumerate(zip(step.declared.attrs, step.attrs, strict=True)):
        if attr.low == 1:  # not the strides between the matrices of a batch of one, nor padding
            refused(with_attr(plan, at, position, value + 1000))
    refused(with_attr(plan, at, 0, 0))
    refused(with_attr(plan, at, 0, 0xFFFFFFFF))


def test_a_write_to_a_constant(plan):
    const = next(i for i, b in enumerate(plan.buffers) if b.kind == Kind.CONST)
    at = first(plan, lambda s: s.kernel == MAP and len(s.writes) >= 1)
    step = plan.entries[0].steps[at]
    n = len(step.reads)
    operands = (*step.operands[:n], const, *step.operands[n + 1 :])
    refused(with_step(plan, at, change(step, operands=operands)))
    # and a constant that is large enough, of the right dtype, and read by nobody
    out = plan.buffers[step.operands[n]]
    flash = change(out, region=Region.CONST, kind=Kind.CONST, offset=len(plan.consts) + -len(plan.consts) % 8)
    room = change(plan, consts=plan.consts.ljust(flash.end, b"\0"), buffers=(*plan.buffers, flash))
    operands = (*step.operands[:n], len(plan.buffers), *step.operands[n + 1 :])
    refused(with_step(room, at, change(step, operands=operands)), "writes constant buffer")


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
    refused(with_program(dims=(program.dims[0] - 1, *program.dims[1:])), "as its rows lie")


def test_a_tiled_pair_that_writes_what_it_still_reads(plan):
    """The product would read, for its second tile, what the map wrote after the first."""
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


def test_a_block_of_ram_that_can_not_be(plan):
    refused(change(plan, align=4), "aligned to 4")


def test_state_and_inputs_in_buffers_of_another_kind(plan):
    refused(with_buffer(plan, plan.state[0].buffer, kind=Kind.WORK), "lies in a buffer of kind WORK")
    refused(with_buffer(plan, plan.entries[0].inputs[0].buffer, kind=Kind.WORK), "is not an io buffer")


def test_input_checks_that_do_not_fit_the_dtype(plan):
    entry = plan.entries[0]
    at = {plan.buffers[s.buffer].dtype.name: k for k, s in enumerate(entry.inputs)}

    def with_input(name, **fields):
        inputs = list(entry.inputs)
        inputs[at[name]] = change(inputs[at[name]], **fields)
        return change(plan, entries=(change(entry, inputs=tuple(inputs)), *plan.entries[1:]))

    refused(with_input("i32", check=Check.FINITE), "needs floats")
    refused(with_input("f32", check=Check.RANGE, low=0, high=1), "needs an i32")
    refused(with_input("i32", check=Check.RANGE, low=1, high=-1), "range check")
    refused(with_input("f32", shape=(3,)), "is not its buffer's")


def test_an_update_that_lies_elsewhere(plan):
    entry = plan.entries[0]
    (old, _), (_, other) = entry.updates[:2]
    wrong = change(entry, updates=((old, other), *entry.updates[1:]))
    refused(change(plan, entries=(wrong, *plan.entries[1:])), "lies elsewhere")
    nobody = plan.entries[0].steps[0].writes[0]
    wrong = change(entry, updates=(*entry.updates, (nobody, nobody)))
    refused(change(plan, entries=(wrong, *plan.entries[1:])), "is no state")


def test_a_kernel_with_other_operands_or_attributes(plan):
    at = first(plan, lambda s: s.kernel != MAP and not s.tile_rows)
    step = plan.entries[0].steps[at]
    for wrong in (
        change(step, operands=(step.operands[0], *step.operands)),
        change(step, operands=step.operands[1:]),
        change(step, attrs=(*step.attrs, 1)),
        change(step, attrs=step.attrs[:-1]),
    ):
        refused(with_step(plan, at, wrong), "operands and")


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


def test_two_entries_of_one_name_and_an_unknown_kernel(plan):
    with pytest.raises(ld.PlanError):
        check(change(plan, entries=(plan.entries[0], plan.entries[0])))
    refused(with_step(plan, 0, change(plan.entries[0].steps[0], kernel=9)))
