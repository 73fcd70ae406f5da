"""A network with every kind of step, and all the bytes that runs of a plan give: for tests of equal bits."""

import numpy as np

import lazydiff as ld


def network(dtype=ld.f32):
    """A training step with plain, tiled and grouped steps, maps with temporaries, bits and windows among them."""
    rng = np.random.default_rng(3)

    def param(name, *shape):
        return ld.param(name, (0.3 * rng.normal(size=shape)).astype(dtype.numpy))

    x, y = ld.input("x", (4, 9, 9, 3), dtype), ld.input("y", (4,), ld.i32)
    h = ld.max_pool2d(ld.relu(ld.conv2d(x, param("c", 3, 3, 3, 8), padding=1)), 3, 2, 1)
    h = ld.relu(ld.conv2d(h, param("d", 3, 3, 1, 8), padding=1, groups=8)).reshape(4, -1)
    h = ld.tanh(h @ param("w", 200, 48) + param("b", 48))
    logits = ld.concat([h, ld.square(h)], 1) @ param("v", 96, 10)
    loss = ld.cross_entropy(logits, y).mean()
    return ld.compile(train=ld.train_step(loss, ld.adam(0.01)), infer=ld.softmax(logits))


def arrays(plan, entry, seed=4):
    rng = np.random.default_rng(seed)
    found = {}
    for s in plan.entries[entry].inputs:
        dtype = plan.buffers[s.buffer].dtype.numpy
        found[s.name] = (
            rng.integers(0, 3, s.shape).astype(dtype) if dtype.kind in "iub" else rng.normal(size=s.shape).astype(dtype)
        )
    return found


def everything(session, plan, runs=3):
    """The bytes of every output of some runs of each entry, and of the state that they leave."""
    found = []
    for number, entry in enumerate(plan.entries):
        for seed in range(runs):
            found += [a.tobytes() for a in session.arrays(entry.name, **arrays(plan, number, seed)).values()]
    return [*found, *(a.tobytes() for a in session.state().values())]
