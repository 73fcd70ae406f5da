"""Parts of a whole that lies over them: what the checkers must catch."""

import pytest

from bits import results, verdict
from mutations import change, first, refused, with_buffer, with_step
from small import joined, put_together


@pytest.fixture
def plan():
    made = joined()
    assert put_together(made)
    return made


def the_map(plan):
    """The step of the first entry that puts parts together, and the buffers of its parts."""
    at = next(at for n, at in put_together(plan) if n == 0)
    step = plan.entries[0].steps[at]
    parts = [b for item, b in zip(step.program.inputs, step.reads, strict=True) if item.window]
    assert len(parts) == 3
    return at, step, parts


def test_a_shifted_part_is_refused(plan):
    _, _, parts = the_map(plan)
    for b in parts:
        for by in (-8, -4, 4, 8):
            moved = with_buffer(plan, b, offset=plan.buffers[b].offset + by)
            assert not verdict(moved), f"part {b} moved by {by}"


def test_a_shifted_whole_is_refused(plan):
    _, step, _ = the_map(plan)
    for by in (-4, 4):
        assert not verdict(with_buffer(plan, step.writes[0], offset=plan.buffers[step.writes[0]].offset + by))


def test_a_window_elsewhere_is_refused(plan):
    """A part that is read for another place than it lies at."""
    at, step, _ = the_map(plan)
    program = step.program
    for k, item in [(k, i) for k, i in enumerate(program.inputs) if i.window]:
        (low, extent), *rest = item.window
        for other in {low - 1, low + 1} & set(range(program.dims[0] - extent + 1)):
            inputs = list(program.inputs)
            inputs[k] = item._replace(window=((other, extent), *rest))
            words = change(program, inputs=tuple(inputs)).words()
            refused(with_step(plan, at, change(step, attrs=words)), "over its operand")


def test_a_missing_part_is_refused(plan):
    """Whatever makes a part is left out."""
    _, _, parts = the_map(plan)
    entry = plan.entries[0]
    for b in parts:
        steps = [s for s in entry.steps if b not in s.writes]
        assert len(steps) == len(entry.steps) - 1
        refused(change(plan, entries=(change(entry, steps=tuple(steps)), *plan.entries[1:])), "not written")


def test_a_part_written_twice_is_refused(plan):
    _, _, parts = the_map(plan)
    entry = plan.entries[0]
    for b in parts:
        at = first(plan, lambda s, b=b: b in s.writes)
        steps = (*entry.steps[: at + 1], *entry.steps[at:])
        refused(change(plan, entries=(change(entry, steps=steps), *plan.entries[1:])))


def test_the_plan_computes_the_same_whatever_lay_in_its_ram(plan):
    assert results(plan)
