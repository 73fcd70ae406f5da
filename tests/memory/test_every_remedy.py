"""Training with every stage of the planner on, in a tight budget, gives the bits of training with all of them off."""

from functools import partial

import numpy as np
import pytest

import lazydiff as ld
from lazydiff import candidates, entries
from lazydiff.memory import version


def normal(rng, *shape):
    return rng.normal(size=shape).astype(np.float32)


def residual():
    """Convolutions with batch norm, a skip connection, max pooling; momentum."""
    rng = np.random.default_rng(0)
    x, y = ld.input("x", (4, 8, 8, 3)), ld.input("y", (4,), ld.i32)
    moves = []

    def conv(t, name, features):
        w = ld.param(f"{name}.w", 0.2 * normal(rng, 3, 3, t.shape[-1], features))
        gain, shift = ld.param(f"{name}.g", np.ones(features, np.float32)), ld.param(f"{name}.b", normal(rng, features))
        mean, var = ld.state(f"{name}.m", np.zeros(features, np.float32)), ld.state(f"{name}.v", np.ones(features, "f"))
        t, pairs = ld.batch_norm(ld.conv2d(t, w, 1, 1), gain, shift, mean, var)
        moves.extend(pairs)
        return t

    h = ld.max_pool2d(ld.relu(conv(x, "a", 8)), 2)
    h = ld.relu(h + conv(ld.relu(conv(h, "b", 8)), "c", 8))
    loss = ld.cross_entropy(ld.mean(h, (1, 2)) @ ld.param("d", normal(rng, 8, 5)), y).mean()
    return ld.train_step(loss, ld.sgd(0.05, momentum=0.9), updates=moves), {"x": (4, 8, 8, 3), "y": 5}


def attention():
    """A block of attention and a perceptron behind it; Adam."""
    rng = np.random.default_rng(0)
    x = ld.input("x", (2, 8, 16))
    q, k, v, w = (ld.param(n, 0.3 * normal(rng, 16, 16)) for n in "qkvw")
    h = x + ld.scaled_dot_product_attention(x @ q, x @ k, x @ v, causal=True)
    return ld.train_step(ld.mse(h + ld.gelu(h @ w), x), ld.adam(0.01)), {"x": (2, 8, 16)}


def recurrent():
    """A GRU over 24 steps; RMSprop."""
    rng = np.random.default_rng(0)
    x, y = ld.input("x", (8, 24, 3)), ld.input("y", (8, 10))
    wi, wh = ld.param("wi", 0.3 * normal(rng, 3, 30)), ld.param("wh", 0.3 * normal(rng, 10, 30))
    _, h = ld.unroll(lambda a, b: ld.gru_cell(a, b, wi, wh), x, ld.zeros_like(y))
    return ld.train_step(ld.mse(h, y), ld.rmsprop(0.01)), {"x": (8, 24, 3), "y": (8, 10)}


def trained(plan, inputs):
    rng = np.random.default_rng(7)
    session = ld.Session(plan)
    losses = []
    for _ in range(3):
        given = {
            n: rng.integers(0, s, 4).astype(np.int32) if isinstance(s, int) else normal(rng, *s)
            for n, s in inputs.items()
        }
        losses.append(np.asarray(session.train(**given)).tobytes())
    return losses, [session.read(s.name).tobytes() for s in plan.state]


def nothing(monkeypatch):
    """Every map alone, nothing computed twice on purpose or saved as less, in the order written."""
    monkeypatch.setattr(candidates, "forms", partial(entries.forms, repeated=False, spared=False))
    monkeypatch.setattr(candidates, "written", partial(entries.written, fused=False))
    monkeypatch.setattr(entries, "apart", lambda made, most: [])
    monkeypatch.setattr(entries, "in_parts", lambda entry: None)
    monkeypatch.setattr(version, "best_first", lambda units, rules: [units.first()])
    monkeypatch.setattr(candidates, "faster", lambda entry, lives, *_: (entry, lives))


@pytest.mark.parametrize("network", [residual, attention, recurrent])
def test_all_remedies_together_keep_every_bit(network, monkeypatch):
    step, inputs = network()
    free = ld.compile(train=step)
    kept = sum(free.buffers[s.buffer].size_bytes for s in free.state)
    tight = next(
        plan
        for share in (0.7, 0.8, 0.9)
        if (plan := attempt(step, kept + int(share * (free.ram_bytes - kept)))) is not None
    )
    assert tight.report.extra_work > 1
    nothing(monkeypatch)
    plain = ld.compile(train=step)
    assert plain.ram_bytes > free.ram_bytes > tight.ram_bytes
    assert trained(tight, inputs) == trained(free, inputs) == trained(plain, inputs)


def attempt(step, budget):
    try:
        return ld.compile(train=step, ram=budget)
    except ld.BudgetError:
        return None
