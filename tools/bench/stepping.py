"""One training step of a 64-32-10 MLP, batch 1, SGD: Python's own cost around the C call."""

from __future__ import annotations

import numpy as np

import lazydiff as ld
from lazydiff.examples import digits
from tools.bench.row import Row, seconds_per_call

REPEATS = 200
_RNG = np.random.default_rng(0)
W1 = (_RNG.standard_normal((64, 32)) * 0.2).astype(np.float32)
W2 = (_RNG.standard_normal((32, 10)) * 0.2).astype(np.float32)
X, Y = _RNG.random((1, 64), np.float32), np.array([3], np.int32)


def mlp() -> ld.Session:
    x, y = ld.input("x", (1, 64)), ld.input("y", (1,), ld.i32)
    w1, b1 = ld.param("w1", W1), ld.param("b1", np.zeros(32, np.float32))
    w2, b2 = ld.param("w2", W2), ld.param("b2", np.zeros(10, np.float32))
    loss = ld.cross_entropy(ld.relu(x @ w1 + b1) @ w2 + b2, y).mean()
    return ld.Session(ld.compile(train=ld.train_step(loss, ld.sgd(0.01))))


def rows() -> list[Row]:
    session = mlp()
    whole, bound = seconds_per_call(lambda: session.train(x=X, y=Y)), seconds_per_call(session.train.bind(x=X, y=Y))
    in_c = seconds_per_call(lambda: session.repeat("train", REPEATS, x=X, y=Y)) / REPEATS
    found = [
        Row("MLP 64-32-10, batch 1: Session.train, Python and cffi around C", 1e6 * (whole - in_c), "us", 3.0),
        Row("MLP 64-32-10, batch 1: a bound call, Python and cffi around C", 1e6 * (bound - in_c), "us", 0.5),
        Row("MLP 64-32-10, batch 1: Session.train, whole step", 1e6 * whole, "us"),
        Row("MLP 64-32-10, batch 1: the step in C", 1e6 * in_c, "us"),
    ]
    data, demo = digits.load_digits(), ld.Session(digits.build())
    step = seconds_per_call(lambda: demo.train(x=data.train_images[:8], y=data.train_labels[:8]))
    found.append(Row("demo network, batch 8: training steps per second", 1 / step, "/s"))
    return found
