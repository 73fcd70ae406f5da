"""Every offset shifted, every dependent pair swapped, every life cut short, all pairs of values merged.

Both checkers must refuse each; where a shifted buffer only moved into free bytes the plan is as sound as before, and
then both must accept it and it must compute the same bits, whatever lay in its RAM.
"""

import dataclasses
from itertools import combinations, permutations

import numpy as np
import pytest

import lazydiff as ld
from bits import results, verdict
from lazydiff.examples import digits
from lazydiff.plan.model import Region
from mutations import change, with_buffer
from regions import halves
from small import classifier, convolution, joined, lookups


def recurrent():
    """Four steps of a recurrence with Adam, and an inference of its own."""
    x = ld.input("x", (4, 2, 3))
    w, u = (ld.param(n, np.linspace(-1, 1, 3 * k, dtype=np.float32).reshape(k, 3)) for n, k in (("w", 3), ("u", 3)))
    h = x[0] @ u
    for t in range(1, 4):
        h = ld.tanh(h @ w + x[t] @ u)
    loss = ld.mean(ld.square(h))
    return ld.compile(train=ld.train_step(loss, ld.adam(0.01)), infer=h)


PLANS = {f.__name__: f for f in (classifier, convolution, lookups, recurrent)} | {
    "digits": lambda: digits.build(2, None),
    "regions": lambda: halves(classifier(), 3),
    "joined": joined,
}


@pytest.fixture(scope="module", params=PLANS.values(), ids=PLANS)
def plan(request):
    made = request.param()
    bare = [dataclasses.replace(b, label="") for b in made.buffers]  # labels cost the time of writing them
    entries = [
        change(e, steps=tuple(dataclasses.replace(s, label="", source="") for s in e.steps)) for e in made.entries
    ]
    return change(made, buffers=tuple(bare), entries=tuple(entries))


def lives(plan, entry):
    """By buffer in RAM: the step that writes it (-1: it is there from the start), and the last that needs it."""
    born, last = {}, {}
    for s in (*plan.state, *entry.inputs):
        born[s.buffer] = -1
    for at, step in enumerate(entry.steps):
        for b in step.reads:
            last[b] = at
        for b in step.writes:
            born.setdefault(b, at)
            last.setdefault(b, at)
    replaced = dict(entry.updates)
    for b in [s.buffer for s in entry.outputs] + [replaced.get(s.buffer, s.buffer) for s in plan.state]:
        last[b] = len(entry.steps)
    return {b: (born[b], last[b]) for b in born if b in last and plan.buffers[b].region.in_ram}


def with_steps(plan, number, steps):
    entries = list(plan.entries)
    entries[number] = change(entries[number], steps=tuple(steps))
    return change(plan, entries=tuple(entries))


def test_every_offset_shifted_by_an_alignment_unit(plan):
    sound, caught = results(plan), 0
    for number, b in enumerate(plan.buffers):
        for by in (-4, 4) if b.region.in_ram else ():
            if b.offset + by < 0:
                continue
            moved = with_buffer(plan, number, offset=b.offset + by)
            if verdict(moved):
                assert results(moved) == sound, f"buffer {number} moved by {by} is accepted and changes a result"
            else:
                caught += 1
    assert caught > len(plan.buffers) / 2


def test_every_dependent_pair_swapped(plan):
    caught = 0
    for number, entry in enumerate(plan.entries):
        for (i, a), (j, b) in combinations(enumerate(entry.steps), 2):
            if set(a.writes) & set(b.reads):
                steps = list(entry.steps)
                steps[i], steps[j] = b, a
                assert not verdict(with_steps(plan, number, steps)), f"{entry.name}: steps {i} and {j} swapped"
                caught += 1
    assert caught >= 10


def test_every_life_cut_short(plan):
    """What is written while another value is still needed is laid over it, at its beginning and at its end."""
    over = []
    for entry in plan.entries:
        known = lives(plan, entry)
        for (b, (born, last)), (other, (start, _)) in permutations(known.items(), 2):
            if born < start < last:
                place, size = plan.buffers[b], plan.buffers[other].size_bytes
                low = plan.executor_bytes if place.region == Region.RAM else 0
                over += [(other, b, offset) for offset in {place.offset, max(low, place.end - size)}]
    assert len(over) > 50
    for other, b, offset in over[:: 1 + len(over) // 1000]:  # of the large plan, some of them
        laid = with_buffer(plan, other, offset=offset, region=plan.buffers[b].region)
        assert not verdict(laid), f"buffer {other} over {b} at {offset}"


def test_every_two_values_merged(plan):
    """A value that a step makes gets the buffer of another that is alive then."""
    caught = 0
    for number, entry in enumerate(plan.entries):
        known = lives(plan, entry)
        for (gone, (born, last)), (kept, (other_born, other_last)) in permutations(known.items(), 2):
            a, b = plan.buffers[gone], plan.buffers[kept]
            if born < 0 or a.dtype != b.dtype or a.size_bytes > b.size_bytes:
                continue
            if max(born, other_born) < min(last, other_last):
                steps = [change(s, operands=tuple(kept if o == gone else o for o in s.operands)) for s in entry.steps]
                assert not verdict(with_steps(plan, number, steps)), f"{entry.name}: {gone} became {kept}"
                caught += 1
    assert caught > 20
