"""Mutations of a sound plan: the Python checker and the C checker both refuse every one."""

import dataclasses

import pytest

import lazydiff as ld
from lazydiff.plan.check import check
from lazydiff.plan.codec import encode
from lazydiff.plan.model import MAP, Kind
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


def refused(plan):
    with pytest.raises(ld.PlanError):
        check(plan)
    with pytest.raises(ld.PlanError):
        ld.Session(encode(plan))


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
    refused(change(plan, entries=(change(entry, updates=entry.updates[1:]), *plan.entries[1:])))


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
    refused(with_step(plan, at, change(step, operands=(*step.operands[:n], const, *step.operands[n + 1 :]))))


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
    at = first(plan, lambda s: s.tile_rows > 0)
    step = plan.entries[0].steps[at]
    refused(with_step(plan, at, change(step, tile_rows=0)))
    refused(with_step(plan, at, change(step, tile_rows=step.rows + 1)))
    following = plan.entries[0].steps[at + 1]
    program = change(following.program, tile=0xFFFFFFFF)
    refused(with_step(plan, at + 1, change(following, attrs=program.words())))


def test_two_entries_of_one_name_and_an_unknown_kernel(plan):
    with pytest.raises(ld.PlanError):
        check(change(plan, entries=(plan.entries[0], plan.entries[0])))
    refused(with_step(plan, 0, change(plan.entries[0].steps[0], kernel=9)))
