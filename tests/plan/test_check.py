"""Mutations of a sound plan: the Python checker and the C checker both refuse every one."""

import pytest

import lazydiff as ld
from lazydiff.plan.check import check
from lazydiff.plan.codec import encode
from lazydiff.plan.model import MAP, Check, Kind, Region
from mutations import change, first, refused, with_attr, with_buffer, with_step
from small import classifier, convolution


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
        gone = step.writes[0]
        for kept in (b for b in step.reads if plan.buffers[b].kind == Kind.WORK and b in later):
            if plan.buffers[kept].size_bytes >= plan.buffers[gone].size_bytes:
                rename = {gone: kept}
                steps = tuple(change(s, operands=tuple(rename.get(o, o) for o in s.operands)) for s in entry.steps)
                refused(change(plan, entries=(change(entry, steps=steps), *plan.entries[1:])), "over its operand")
                caught += 1
    assert caught > 0


def test_two_values_under_one_number(plan):
    """Any two results of one size and dtype become one buffer: then a read could get the wrong one's value."""
    entry = plan.entries[0]
    made = [b for s in entry.steps for b in s.writes if plan.buffers[b].kind == Kind.WORK]
    kind = {b: (plan.buffers[b].size_bytes, plan.buffers[b].dtype) for b in made}
    pairs = [(a, b) for at, a in enumerate(made) for b in made[at + 1 :] if kind[a] == kind[b]]
    assert len(pairs) > 1
    for kept, gone in pairs:
        rename = {gone: kept}
        steps = tuple(change(s, operands=tuple(rename.get(o, o) for o in s.operands)) for s in entry.steps)
        refused(change(plan, entries=(change(entry, steps=steps), *plan.entries[1:])))


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


def test_two_entries_of_one_name_and_an_unknown_kernel(plan):
    with pytest.raises(ld.PlanError):
        check(change(plan, entries=(plan.entries[0], plan.entries[0])))
    refused(with_step(plan, 0, change(plan.entries[0].steps[0], kernel=9)))
