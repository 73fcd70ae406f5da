"""Training steps w1 to w9 that libraries are compared on: shapes, seeded first values, losses, optimizers, tolerances.

A loss is written once, against an object `b` that has the operations (lazy.py runs them, counting.py counts them):

    linear(x, w, bias)                 x @ w + bias; w (in, out), bias may be None
    conv2d(x, w, bias, stride, pad, groups)    x (n, h, w, c), w (kh, kw, c / groups, out), pad (rows, columns)
    bn(x, p, s, name, train)           batch norm over all but the channels: with the batch's statistics, which also
                                       move the running ones by 0.1 (s[name + ".m"], s[name + ".v"]), or with those
    relu  tanh  maxpool2  gap (global average)  flatten  ce(logits, labels)  mse(a, b)  mean
    u_terms(net, tx)                   u, u_t, u_x, u_xx of a scalar net at rows (t, x)
    grad(f, xs)   expand(x, n)   blinear(x, w, bias): a linear of n sets of weights

Eight batches take turns. The network shapes are those of MLPerf Tiny (w3 to w6), of Raissi and others (w7) and Finn and
others (w8). Values are drawn as (out, in, ..) and laid out channels last.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

BATCHES = 8
Arrays = dict[str, np.ndarray]
Init = Callable[[], tuple[Arrays, Arrays, list[tuple[np.ndarray, ...]]]]


@dataclass(frozen=True)
class Workload:
    """`loss(b, parameters, state, batch)`; `init()` gives parameters, state and the eight batches.

    `opt` is ("sgd", rate), ("momentum", rate, mu), ("adam", rate) or ("power",): the state v becomes Hv / |Hv|, and the
    loss is v . Hv. `trained` is the prefix of the names of the trained parameters. `order` 2: the loss takes gradients.
    """

    name: str
    title: str
    loss: Callable[..., Any]
    init: Init
    opt: tuple[Any, ...]
    trained: str = ""
    dtype: type = np.float32
    order: int = 1
    multiply_adds: int = 0  # of products, where they can't be counted op by op: gradients in the loss, or by hand
    tolerance: float = 2e-3  # of the losses of the first eight steps, relative


ALL: dict[str, Workload] = {}


def workload(name: str, title: str, **rest: Any) -> None:
    ALL[name] = Workload(name, title, **rest)


def he(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Drawn (out, in, ..), given as (.., in, out)."""
    drawn = (rng.standard_normal(shape) * np.sqrt(2.0 / np.prod(shape[1:]))).astype(np.float32)
    return np.ascontiguousarray(drawn.transpose(*range(2, len(shape)), 1, 0))


def glorot(rng: np.random.Generator, out: int, inp: int) -> np.ndarray:
    return np.ascontiguousarray((rng.standard_normal((out, inp)) * np.sqrt(2.0 / (inp + out))).astype(np.float32).T)


def zeros(n: int) -> np.ndarray:
    return np.zeros(n, np.float32)


def add_bn(p: Arrays, s: Arrays, name: str, channels: int) -> None:
    p[name + ".g"], p[name + ".b"] = np.ones(channels, np.float32), zeros(channels)
    s[name + ".m"], s[name + ".v"] = zeros(channels), np.ones(channels, np.float32)


def images(rng: np.random.Generator, n: int, shape: tuple[int, int, int], classes: int) -> list[tuple[np.ndarray, ...]]:
    """Drawn (n, c, h, w), given channels last."""
    return [
        (
            np.ascontiguousarray(rng.standard_normal((n, *shape)).astype(np.float32).transpose(0, 2, 3, 1)),
            rng.integers(0, classes, n).astype(np.int32),
        )
        for _ in range(BATCHES)
    ]


def digit_batches(n: int) -> list[tuple[np.ndarray, ...]]:
    from lazydiff.examples import digits  # here: a peer's cold start must not pay for lazydiff

    data, rng = digits.load_digits(), np.random.default_rng(1)
    x = np.concatenate([data.train_images, data.test_images]).reshape(-1, 64)
    y = np.concatenate([data.train_labels, data.test_labels])
    return [(x[i], y[i]) for i in rng.permutation(len(x))[: n * BATCHES].reshape(BATCHES, n)]
