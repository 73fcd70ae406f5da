"""A faster kernel with scratch is taken where its scratch fits, and nowhere else."""

import numpy as np

import lazydiff as ld
from lazydiff import fitting
from lazydiff.kernels.table import KERNELS

RNG = np.random.default_rng(3)


def deep(ram=None):
    """Two wide layers: the product for the first layer's gradient has a variant."""
    x, y = ld.input("x", (16, 24)), ld.input("y", (16, 8))
    w1 = ld.param("w1", RNG.normal(size=(24, 40)).astype(np.float32))
    w2 = ld.param("w2", RNG.normal(size=(40, 8)).astype(np.float32))
    loss = ld.mse(ld.tanh(x @ w1) @ w2, y)
    return ld.compile(ram=ram, train=ld.train_step(loss, ld.sgd(0.1)))


def names(plan):
    return [KERNELS[s.kernel].name for s in plan.entries[0].steps]


def test_a_variant_is_taken_with_room_and_gives_the_same_bits_and_no_byte_more(monkeypatch):
    tight, roomy = deep(), deep("64 KiB")
    monkeypatch.setattr(fitting, "faster", lambda entry, lives, *_: (entry, lives))
    plain = deep()
    assert "matmul_nt" in names(plain)
    assert "matmul_nt_turned" in names(roomy)
    assert plain.ram_bytes == tight.ram_bytes <= roomy.ram_bytes <= 65536
    x, y = RNG.normal(size=(16, 24)).astype(np.float32), RNG.normal(size=(16, 8)).astype(np.float32)
    states = []
    for plan in (plain, roomy):
        session = ld.Session(plan)
        session.write("w1", np.full((24, 40), 0.1, np.float32))
        session.write("w2", np.full((40, 8), 0.1, np.float32))
        for _ in range(3):
            session.train(x=x, y=y)
        states.append((session.read("w1").tobytes(), session.read("w2").tobytes()))
    assert states[0] == states[1]


def test_room_that_another_entry_needs_anyway_is_used_without_a_budget():
    x = ld.input("x", (64, 64))
    w = ld.param("w", RNG.normal(size=(24, 64)).astype(np.float32))
    wide = ld.param("wide", RNG.normal(size=(64, 256)).astype(np.float32))
    alone = ld.compile(f=x @ w.T)
    both = ld.compile(f=x @ w.T, g=x @ wide)
    assert names(alone) == ["matmul_nt"]
    assert names(both) == ["matmul_nt_turned"]
    assert both.ram_bytes == ld.compile(g=x @ wide).ram_bytes
