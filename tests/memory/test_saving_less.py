"""Masks instead of numbers, states before parameters, gradients apart: fewer bytes are kept, every bit is the same."""

import numpy as np
import pytest

import lazydiff as ld
from lazydiff import entries
from lazydiff.dtypes import bits
from lazydiff.examples import digits
from lazydiff.plan.model import Kind
from lazydiff.run.reference import Reference


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
    monkeypatch.setattr(entries, "lean", lambda roots, outputs: None)
    monkeypatch.setattr(entries, "apart", lambda made, most: [])


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
    assert plan.report.extra_work < 3  # maps that were one are two, rows of gradients are made again


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


def test_a_mask_is_a_bit_an_element_and_not_made_for_what_is_kept_anyway():
    plan = ld.compile(train=network(ld.sgd(0.1, momentum=0.9)))
    assert [b.size_bytes for b in plan.buffers if b.dtype is bits] == [64 * 16 // 8]
    x, w = ld.input("x", (64, 12)), ld.param("w", np.ones((12, 16), np.float32))
    small = ld.compile(train=ld.train_step(ld.relu(x @ w).sum(), ld.sgd(0.1)))
    assert not [b for b in small.buffers if b.dtype is bits]


def masked(shape, hidden, make):
    """A network whose activation is `make`, and its plan with masks in buffers of their own."""
    rng = np.random.default_rng(3)
    x, y = ld.input("x", shape), ld.input("y", (*shape[:-1], 4))
    w, v = (ld.param(n, rng.normal(size=s).astype(np.float32)) for n, s in (("w", (12, hidden)), ("v", (hidden, 4))))
    return ld.compile(train=ld.train_step(ld.mse(make(x @ w) @ v, y), ld.sgd(0.1)))


ACTIVATIONS = {
    "relu": (ld.relu, 1),
    "leaky_relu": (ld.leaky_relu, 1),  # what the forward pass compares too
    "relu6": (ld.relu6, 2),
    "a mean over rows": (lambda h: ld.broadcast_to(ld.mean(ld.relu(h), 0, keepdims=True), h.shape), 1),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("hidden", [16, 13])
def test_masks_of_a_bit_give_the_bits_that_whole_activations_give(name, hidden, monkeypatch):
    """Also of rows that end inside a byte (13), and read by a map that runs over them row by row (the mean)."""
    make, count = ACTIVATIONS[name]
    rng = np.random.default_rng(1)
    data = {"x": rng.normal(size=(3, 67, 12)).astype(np.float32), "y": rng.normal(size=(3, 67, 4)).astype(np.float32)}
    less = masked((67, 12), hidden, make)
    assert [b.size_bytes for b in less.buffers if b.dtype is bits] == [-(-67 * hidden // 8)] * count
    plain(monkeypatch)
    more = masked((67, 12), hidden, make)
    assert not [b for b in more.buffers if b.dtype is bits]
    assert less.ram_bytes < more.ram_bytes

    def states(plan, runner):
        for x, y in zip(data["x"], data["y"], strict=True):
            runner.run("train", x=x, y=y)
        return [runner.read(s.name) for s in plan.state]

    found = states(less, ld.Session(less))
    assert [f.tobytes() for f in found] == [s.tobytes() for s in states(more, ld.Session(more))]
    for f, r in zip(found, states(less, Reference(less)), strict=True):
        np.testing.assert_allclose(f, r, rtol=1e-5, atol=1e-6)


def test_a_mask_that_more_than_maps_read_stays_whole():
    """What the loss's second output shows, and what a kernel takes, has a byte an element."""
    x, w = ld.input("x", (64, 12)), ld.param("w", np.ones((12, 16), np.float32))
    v = ld.param("v", np.ones((16, 16), np.float32))
    h = ld.relu(x @ w)
    step = ld.train_step(ld.mean(ld.square(h @ v)), ld.sgd(0.1), outputs={"mask": h > 0})
    plan = ld.compile(train=step)
    assert not [b for b in plan.buffers if b.dtype is bits]
    x = np.random.default_rng(0).normal(size=(64, 12)).astype(np.float32)
    found = ld.Session(plan).run("train", x=x)
    assert found["mask"].dtype == bool
    np.testing.assert_array_equal(found["mask"], x @ np.ones((12, 16)) > 0)
