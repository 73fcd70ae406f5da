"""What a backward pass keeps: the fewest bytes that say it, with the same gradients."""

import numpy as np
import pytest

import lazydiff as ld
from lazydiff.plan.lifetimes import entry_lives


def alive_at_peak(plan):
    lives = entry_lives(plan, plan.entries[0])
    return sorted((owned for _, owned in lives.alive(lives.peak_step)), reverse=True)


@pytest.mark.parametrize("window", [(2, None, 0), (3, 1, 1)])  # apart, and overlapping with a border
def test_relu_before_a_pooling_is_asked_at_the_winners_only(window):
    size, stride, padding = window
    x0 = np.random.default_rng(0).integers(-2, 3, (2, 6, 6, 3)).astype(np.float32)  # ties, and windows without a winner
    x0[0, 0, 0] = np.nan
    x = ld.input("x", x0.shape)
    y = ld.relu(x)
    pooled = ld.max_pool2d(y, size, stride, padding)
    ct = ld.input("ct", pooled.shape)
    (short,) = ld.vjp([pooled], [x], [ct])
    (spread,) = ld.vjp([pooled], [y], [ct])
    given = np.random.default_rng(1).normal(size=pooled.shape).astype(np.float32)
    session = ld.Session(ld.compile(short=short, spread=spread))
    spread_values = session.spread(x=x0, ct=given)
    expected = np.where(x0 > 0, spread_values, np.float32(0))
    assert session.short(x=x0, ct=given).tobytes() == expected.tobytes()


def test_the_relu_before_a_pooling_is_not_kept():
    x = ld.input("x", (8, 16, 16, 1))
    w = ld.param("w", np.full((3, 3, 1, 8), 0.1, np.float32))
    pooled = ld.max_pool2d(ld.relu(ld.conv2d(x, w, 1, 1)), 2)
    plan = ld.compile(train=ld.train_step(ld.square(pooled).mean(), ld.sgd(0.1)))
    image = 8 * 16 * 16 * 8 * 4
    assert (
        sum(size == image for size in alive_at_peak(plan)) == 0
    )  # neither the activation nor its gradient is ever whole


def normalised():
    """Four convolutions, each with batch norm of the batch's own statistics and ReLU."""
    rng = np.random.default_rng(0)
    h = x = ld.input("x", (4, 8, 8, 4))
    moves = []
    for name in "abcd":
        w = ld.param(f"{name}.w", rng.normal(size=(3, 3, 4, 4)).astype(np.float32) * 0.2)
        gain, shift = ld.param(f"{name}.g", np.ones(4, np.float32)), ld.param(f"{name}.b", np.zeros(4, np.float32))
        mean, var = ld.state(f"{name}.m", np.zeros(4, np.float32)), ld.state(f"{name}.v", np.ones(4, np.float32))
        y, pairs = ld.batch_norm(ld.conv2d(h, w, 1, 1), gain, shift, mean, var)
        h, moves = ld.relu(y), moves + pairs
    return x, ld.train_step(ld.square(h).mean(), ld.sgd(0.1, momentum=0.9), updates=moves)


def test_a_batch_norm_and_its_relu_keep_one_array(monkeypatch):
    x, step = normalised()
    plan = ld.compile(train=step)
    image = 4 * x.size
    # the input, the centred values of four layers, what is computed again and a gradient
    assert sum(size == image for size in alive_at_peak(plan)) <= 7
    monkeypatch.setattr("lazydiff.entries.again", lambda roots: None)
    kept = ld.compile(train=step)
    assert plan.ram_bytes <= kept.ram_bytes - 3 * image + 256  # 256: small vectors that live longer
    data = np.random.default_rng(1).normal(size=x.shape).astype(np.float32)
    sessions = ld.Session(plan), ld.Session(kept)
    for _ in range(3):
        first, second = (s.train(x=data) for s in sessions)
        assert first == second
    for name, value in sessions[0].state().items():
        assert value.tobytes() == sessions[1].read(name).tobytes()
