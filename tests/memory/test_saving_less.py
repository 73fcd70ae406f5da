"""Masks instead of numbers, states before parameters, gradients apart: fewer bytes are kept, every bit is the same."""

import numpy as np
import pytest

import lazydiff as ld
from lazydiff import entries
from lazydiff.examples import digits
from lazydiff.plan.model import Kind


def network(optimizer):
    """Two dense layers over a batch that is larger than their weights."""
    rng = np.random.default_rng(0)
    x, y = ld.input("x", (64, 12)), ld.input("y", (64, 4))
    w, v = (ld.param(n, rng.normal(size=s).astype(np.float32)) for n, s in (("w", (12, 16)), ("v", (16, 4))))
    return ld.train_step(ld.mse(ld.relu(x @ w) @ v, y), optimizer)


def trained(plan):
    rng = np.random.default_rng(1)
    session = ld.Session(plan)
    for _ in range(3):
        session.train(x=rng.normal(size=(64, 12)).astype(np.float32), y=rng.normal(size=(64, 4)).astype(np.float32))
    return [session.read(s.name).tobytes() for s in plan.state]


def plain(monkeypatch):
    """Turns saving less off."""
    monkeypatch.setattr(entries, "_lean", lambda roots, outputs: None)
    monkeypatch.setattr(entries, "apart", lambda made: [])


OPTIMIZERS = {
    "sgd": lambda: ld.sgd(0.1),
    "momentum": lambda: ld.sgd(0.1, momentum=0.9),
    "adam": lambda: ld.adam(0.1),
    "lion": lambda: ld.lion(0.1),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_it_takes_fewer_bytes_and_gives_the_same_bits(name, monkeypatch):
    less = ld.compile(train=network(OPTIMIZERS[name]()))
    plain(monkeypatch)
    more = ld.compile(train=network(OPTIMIZERS[name]()))
    activations = 64 * 16 * 4
    assert less.ram_bytes <= more.ram_bytes - activations // 2
    assert trained(less) == trained(more)


def test_the_demo_network_trains_in_64_kib():
    plan = digits.build(8, "64 KiB")
    assert plan.ram_bytes <= 65536
    assert plan.report.extra_work < 2  # nothing is recomputed: maps that were one are two


def steps_of(plan):
    return [
        ({plan.buffers[b].kind for b in s.writes}, [plan.buffers[b].kind for b in s.reads])
        for s in plan.entries[0].steps
    ]


@pytest.mark.parametrize("name", ["momentum", "adam"])
def test_states_take_the_gradient_in_and_the_parameter_waits(name):
    """The second layer's state changes before its parameter is read by the gradient of the first one's output."""
    plan = ld.compile(train=network(OPTIMIZERS[name]()))
    v = next(s.buffer for s in plan.state if s.name == "v")
    states = {s.buffer for s in plan.state if s.name.startswith("v.")}
    offsets = {plan.buffers[b].offset for b in states}
    steps = plan.entries[0].steps
    first = min(
        t for t, s in enumerate(steps) if any(plan.buffers[b].offset in offsets and b not in states for b in s.writes)
    )
    assert any(v in s.reads for s in steps[first + 1 :])
    writes = steps[first].writes
    assert len([b for b in writes if plan.buffers[b].kind == Kind.STATE]) == (1 if name == "momentum" else 2)


def test_a_mask_is_a_byte_an_element_and_not_made_for_what_is_kept_anyway():
    plan = ld.compile(train=network(ld.sgd(0.1, momentum=0.9)))
    assert [b.size_bytes for b in plan.buffers if b.dtype is ld.bool_] == [64 * 16]
    x, w = ld.input("x", (64, 12)), ld.param("w", np.ones((12, 16), np.float32))
    small = ld.compile(train=ld.train_step(ld.relu(x @ w).sum(), ld.sgd(0.1)))
    assert not [b for b in small.buffers if b.dtype is ld.bool_]
