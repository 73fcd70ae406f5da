"""What a workload's step has to keep and to do, counted without any planner: what plans and times are measured against.

Saved activations are the bytes that a backward pass must find again if nothing is computed twice: inputs of products
and of batch norms (each once), values of tanh, one bit an element for a ReLU, one byte an output for a pooling by
maxima, logits. A plan that keeps less than that has computed something again, or has found another way to say it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from tools.bench.workloads.definitions import Workload

SLOTS = {"sgd": 0, "momentum": 1, "adam": 2, "power": 1}  # of the size of the trained parameters each
SHARE = 0.8  # the goal: of the saved activations, beside parameters, state, slots and the batch


class Shape:
    """A shape and whether its gradient is needed."""

    def __init__(self, shape: Any, needed: bool = False) -> None:
        self.shape, self.needed = tuple(int(e) for e in shape), needed

    def _with(self, other: Any) -> Shape:
        if not isinstance(other, Shape):
            return self
        return Shape(np.broadcast_shapes(self.shape, other.shape), self.needed or other.needed)

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _with

    def __getitem__(self, index: Any) -> Shape:
        return Shape(np.empty(self.shape, np.int8)[index].shape, self.needed)


class Counter:
    """The operations of workload.py on shapes; `saved_bytes` and `multiply_adds`, forward and backward, grow."""

    def __init__(self, itemsize: int) -> None:
        self.itemsize, self.saved_bytes, self.multiply_adds = itemsize, 0, 0
        self._seen: list[Shape] = []

    def _save(self, x: Shape, needed: bool) -> None:
        if needed and not any(x is s for s in self._seen):
            self._seen.append(x)
            self.saved_bytes += self.itemsize * math.prod(x.shape)

    def _product(self, shape: Any, x: Shape, w: Shape, b: Shape | None) -> Shape:
        self._save(x, w.needed)
        y = Shape(shape, x.needed or w.needed or (b is not None and b.needed))
        self.multiply_adds += math.prod(y.shape) * math.prod(w.shape[:-1]) * (1 + x.needed + w.needed)
        return y

    def linear(self, x: Shape, w: Shape, b: Shape | None) -> Shape:
        return self._product((*x.shape[:-1], w.shape[-1]), x, w, b)

    blinear = linear

    def conv2d(self, x: Shape, w: Shape, b: Shape, stride: int, pad: tuple[int, int], groups: int) -> Shape:
        sides = [(e + 2 * p - k) // stride + 1 for e, p, k in zip(x.shape[1:3], pad, w.shape[:2], strict=True)]
        return self._product((x.shape[0], *sides, w.shape[3]), x, w, b)

    def bn(self, x: Shape, p: dict[str, Shape], s: Any, name: str, train: bool) -> Shape:
        needed = x.needed or p[name + ".g"].needed
        self._save(x, needed)
        return Shape(x.shape, needed)

    def relu(self, x: Shape) -> Shape:
        self.saved_bytes += math.prod(x.shape) // 8 if x.needed else 0
        return Shape(x.shape, x.needed)

    def tanh(self, x: Shape) -> Shape:
        y = Shape(x.shape, x.needed)
        self._save(y, x.needed)
        return y

    def maxpool2(self, x: Shape) -> Shape:
        n, h, w, c = x.shape
        y = Shape((n, h // 2, w // 2, c), x.needed)
        self.saved_bytes += math.prod(y.shape) if x.needed else 0
        return y

    def gap(self, x: Shape) -> Shape:
        return Shape((x.shape[0], x.shape[3]), x.needed)

    def flatten(self, x: Shape) -> Shape:
        return Shape((x.shape[0], math.prod(x.shape[1:])), x.needed)

    def ce(self, x: Shape, y: Shape) -> Shape:
        self._save(x, x.needed)
        return Shape((), x.needed)

    mse = ce

    def mean(self, x: Shape) -> Shape:
        return Shape((), x.needed)


@dataclass(frozen=True)
class Counts:
    """Bytes of one step, by what they hold, and its multiply-adds."""

    state: int  # all parameters and the state of the network
    trained: int  # of that, the trained parameters
    slots: int  # the optimizer's
    batch: int
    saved: int | None  # None where operations on shapes do not say it: gradients inside the loss
    multiply_adds: int  # of products and convolutions (taps outside the image counted), forward and backward

    @property
    def moved(self) -> int:
        """Read and written: state forward, what is trained twice more, slots and what is saved twice, the batch."""
        return self.state + 2 * self.trained + 2 * self.slots + self.batch + 2 * (self.saved or 0)

    @property
    def held(self) -> int:
        """Of parameters, state, slots and saved activations: what lies in some level of the caches."""
        return self.state + self.slots + (self.saved or 0)

    @property
    def goal(self) -> int | None:
        """The most RAM that a plan may need, without a budget."""
        return None if self.saved is None else self.state + self.slots + self.batch + int(SHARE * self.saved)


def counted(workload: Workload) -> Counts:
    """The bytes and multiply-adds of a workload's step."""
    p, s, batches = workload.init()
    itemsize = np.dtype(workload.dtype).itemsize
    trained = {k for k in p if k.startswith(workload.trained)}
    saved, multiply_adds = None, workload.multiply_adds
    if workload.order == 1:
        counter = Counter(itemsize)
        shapes = {k: Shape(a.shape, k in trained) for k, a in p.items()}
        workload.loss(counter, shapes, s, tuple(Shape(a.shape) for a in batches[0]))
        saved = counter.saved_bytes
        multiply_adds = multiply_adds or counter.multiply_adds
    return Counts(
        itemsize * sum(a.size for a in (*p.values(), *s.values())),
        itemsize * sum(p[k].size for k in trained),
        itemsize * sum(p[k].size for k in trained) * SLOTS[workload.opt[0]],
        sum(a.nbytes for a in batches[0]),
        saved,
        multiply_adds,
    )
