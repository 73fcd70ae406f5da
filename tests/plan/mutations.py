"""Sound plans changed in one place, and what both checkers must say of them."""

import dataclasses

import pytest

import lazydiff as ld
from lazydiff.plan.check import check
from lazydiff.plan.codec import encode


def change(item, **fields):
    return item._replace(**fields) if isinstance(item, tuple) else dataclasses.replace(item, **fields)


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
