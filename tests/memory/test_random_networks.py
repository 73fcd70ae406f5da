"""Random training steps under tight budgets: the plan fits, and trains to the bits of the plan without a budget."""

import numpy as np
import pytest

import lazydiff as ld
from lazydiff.memory.buffers import unroll
from lazydiff.memory.calls import Call, EntryCalls, Unit, Value
from lazydiff.plan.model import Kind

ACTIVATIONS = (ld.relu, ld.tanh, ld.gelu, ld.sigmoid, ld.silu, ld.leaky_relu)
OPTIMIZERS = (
    lambda: ld.sgd(0.05),
    lambda: ld.sgd(0.05, momentum=0.9),
    lambda: ld.sgd(0.05, momentum=0.9, nesterov=True),
    lambda: ld.adam(0.01),
    lambda: ld.rmsprop(0.01),
    lambda: ld.lion(0.001),
    lambda: ld.clip_by_global_norm(ld.sgd(0.1, momentum=0.9), 1.0),
)


class Network:
    """A random network: layers of one kind, skip connections where shapes allow them, an optimizer."""

    def __init__(self, seed):
        self.rng, self.count, self.moves = np.random.default_rng(seed), 0, []
        self.batch = int(self.rng.choice([2, 3, 4, 6]))
        self.shape, loss = (self.dense, self.images, self.attention)[seed % 3]()
        optimizer = OPTIMIZERS[self.rng.integers(len(OPTIMIZERS))]()
        self.step = ld.train_step(loss, optimizer, updates=self.moves)

    def param(self, *shape):
        self.count += 1
        return ld.param(f"p{self.count}", (0.3 * self.rng.normal(size=shape)).astype(np.float32))

    def activation(self, t):
        return ACTIVATIONS[self.rng.integers(len(ACTIVATIONS))](t)

    def dense(self):
        h = x = ld.input("x", (self.batch, int(self.rng.integers(3, 12))))
        for _ in range(self.rng.integers(2, 6)):
            width = int(self.rng.choice([4, 8, 16]))
            z = self.activation(h @ self.param(h.shape[-1], width) + self.param(width))
            if self.rng.random() < 0.3:
                z = ld.layer_norm(z, self.param(width), self.param(width))
            h = h + z if z.shape == h.shape else z
            if self.rng.random() < 0.2:
                h = ld.concat([h, h * 2.0], -1)
        labels = ld.constant(self.rng.integers(0, h.shape[-1], self.batch).astype(np.int32))
        return x.shape, ld.cross_entropy(h, labels).mean()

    def images(self):
        h = x = ld.input("x", (self.batch, 8, 8, 3))
        for _ in range(self.rng.integers(2, 5)):
            features = int(self.rng.choice([4, 8]))
            z = ld.conv2d(h, self.param(3, 3, h.shape[-1], features), 1, 1)
            if self.rng.random() < 0.5:
                mean = ld.state(f"mean{self.count}", np.zeros(features, np.float32))
                var = ld.state(f"var{self.count}", np.ones(features, np.float32))
                z, moves = ld.batch_norm(z, self.param(features), self.param(features), mean, var)
                self.moves += moves
            z = self.activation(z)
            h = h + z if z.shape == h.shape else z
            if self.rng.random() < 0.3 and h.shape[1] > 2:
                h = ld.max_pool2d(h, 2)
        return x.shape, ld.square(ld.mean(h, (1, 2)) @ self.param(h.shape[-1], 3)).mean()

    def attention(self):
        h = x = ld.input("x", (self.batch, 6, 8))
        for _ in range(self.rng.integers(1, 3)):
            q, k, v = (h @ self.param(8, 8) for _ in range(3))
            h = h + ld.scaled_dot_product_attention(q, k, v)
            h = h + self.activation(h @ self.param(8, 12)) @ self.param(12, 8)
        return x.shape, ld.square(h).mean()


def trained(plan, shape):
    rng = np.random.default_rng(5)
    session = ld.Session(plan)
    losses = [np.asarray(session.train(x=rng.normal(size=shape).astype(np.float32))).tobytes() for _ in range(2)]
    return losses, [session.read(s.name).tobytes() for s in plan.state]


@pytest.mark.parametrize("seed", range(12))
def test_a_budget_changes_no_bit(seed):
    network = Network(seed)
    free = ld.compile(train=network.step)
    kept = 64 + sum(free.buffers[s.buffer].size_bytes for s in free.state)
    wanted, met = trained(free, network.shape), 0
    for share in (0.95, 0.8):
        budget = kept + int(share * (free.ram_bytes - kept))
        plan = within(network.step, budget)
        if plan is not None:
            met += 1
            assert plan.ram_bytes <= budget
            assert trained(plan, network.shape) == wanted
    assert met >= 1


def within(step, budget):
    try:
        return ld.compile(train=step, ram=budget)
    except ld.BudgetError:
        return None


def test_an_entry_is_unrolled_as_often_as_one_likes():
    """Units that must come before are named by the copies of each unrolling, and the entry stays as it was."""
    a, b = (Value(ld.f32, 4, Kind.WORK, n) for n in "ab")
    first, second = Unit([Call(1, ld.f32, [], [a])]), Unit([Call(1, ld.f32, [], [b])])
    second.after = {first}
    entry = EntryCalls("f", {}, {}, {}, [first, second], [])
    for _ in range(2):
        _, order = unroll(entry, entry.units, [0, 0, 1])
        assert order[2].after == set(order[:2])
        assert second.after == {first}
