"""Small plans that several tests use."""

import numpy as np

import lazydiff as ld
from lazydiff.plan.model import MAP


def classifier(batch=4):
    """An 4-8-3 classifier: dense, tanh, cross-entropy, SGD with momentum; entries train and infer."""
    rng = np.random.default_rng(0)
    x, y = ld.input("x", (batch, 4)), ld.input("y", (batch,), ld.i32)
    w1, b1 = ld.param("w1", rng.normal(size=(4, 8)).astype(np.float32)), ld.param("b1", np.zeros(8, np.float32))
    w2, b2 = ld.param("w2", rng.normal(size=(8, 3)).astype(np.float32)), ld.param("b2", np.zeros(3, np.float32))
    logits = ld.tanh(x @ w1 + b1) @ w2 + b2
    loss = ld.cross_entropy(logits, y).mean()
    return ld.compile(train=ld.train_step(loss, ld.sgd(0.1, momentum=0.9)), infer=ld.argmax(logits))


def convolution():
    """A convolution, a dense layer and a reduction with SGD: every kind of step and a tile, in a small file."""
    rng = np.random.default_rng(0)
    x = ld.input("x", (1, 3, 3, 1))
    h = ld.relu(ld.conv2d(x, ld.param("c", rng.normal(size=(2, 2, 1, 2)).astype(np.float32)), 1, 1))
    y = h.reshape(1, -1) @ ld.param("d", rng.normal(size=(32, 2)).astype(np.float32))
    loss = ld.cross_entropy(y, ld.input("y", (1,), ld.i32)).mean()
    return ld.compile(train=ld.train_step(loss, ld.sgd(0.1)))


def pooled(n=2, side=8, outputs=None, **options):
    """Two convolutions, pooled as their rows are made, and a dense layer; `outputs(maps)` names more outputs."""
    rng = np.random.default_rng(0)
    x, y = ld.input("x", (n, side, side, 2)), ld.input("y", (n,), ld.i32)
    c, d = (ld.param(k, rng.normal(size=(3, 3, a, 4)).astype(np.float32)) for k, a in (("c", 2), ("d", 4)))
    b = ld.param("b", rng.normal(size=4).astype(np.float32))
    first = ld.relu(ld.conv2d(x, c, 1, 1) + b)
    second = ld.conv2d(ld.max_pool2d(first, 2), d, 1, 1)
    h = ld.max_pool2d(second, 2).reshape(n, -1)
    loss = ld.cross_entropy(h @ ld.param("e", rng.normal(size=(h.shape[1], 3)).astype(np.float32)), y).mean()
    more = outputs((first, second)) if outputs else None
    step = ld.train_step(loss, ld.sgd(0.001, momentum=0.9), outputs=more)
    return ld.compile(train=step, infer=ld.argmax(h, axis=-1), **options)


def lookups():
    """Rows taken and added by indices that are constants, an input and computed; a running sum and a random key."""
    table, ids = ld.param("t", np.arange(6, dtype=np.float32).reshape(3, 2)), ld.input("i", (2,), ld.i32)
    known = ld.take(table, [2, 0, 2], 0)
    computed = ld.take(ld.embedding(table, ids), ld.astype(ld.constant([0.5, 1.5]), ld.i32), 0)
    key = ld.random_key("k", 1)
    loss = (ld.cumsum(known, 0)).sum() + (computed * ld.uniform(key, (2, 2))).sum()
    return ld.compile(train=ld.train_step(loss, ld.sgd(0.1), updates=[(key, ld.next_key(key))]))


def joined():
    """Three layers put together: through a map, as they are, and in a training step whose states make a sequence."""
    rng = np.random.default_rng(0)
    x = ld.input("x", (6, 3))
    a, b, c = (ld.param(k, rng.normal(size=(3, 5)).astype(np.float32)) for k in "abc")
    whole = ld.concat([ld.relu(x @ a), ld.tanh(x @ b), x @ c], 0)
    w, h, states = ld.param("w", rng.normal(size=(5, 5)).astype(np.float32)), x @ c, []
    for _ in range(6):
        h = ld.tanh(h @ w)
        states.append(h)
    loss = ld.mse(ld.concat(states, 0), ld.input("y", (36, 5)))
    return ld.compile(through=ld.exp(whole) * 2.0, plain=whole, train=ld.train_step(loss, ld.sgd(0.1)))


def put_together(plan):
    """(entry, step) of the maps that write over what they read through windows."""
    return [
        (n, at)
        for n, entry in enumerate(plan.entries)
        for at, s in enumerate(entry.steps)
        if s.kernel == MAP
        and any(
            item.window and plan.buffers[b].overlaps(plan.buffers[s.writes[0]])
            for item, b in zip(s.program.inputs, s.reads, strict=True)
        )
    ]
