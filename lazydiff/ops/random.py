"""Random tensors from a key that is planned memory: four words of state, and a counter instead of hidden state.

A key has a seed and a count of steps. The same key gives the same numbers, in every runtime bit for bit; a training
step moves it on: `ld.train_step(loss, optimizer, updates=[(key, ld.next_key(key))])`. Draws of one step that should
differ have different `stream`s. The generator is Philox4x32-10 (lazydiff/kernels/random.py): good for dropout and for
sampling, not for secrets.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from lazydiff.dtypes import BY_NAME, Dtype, f32, i32
from lazydiff.errors import DtypeError, GraphError
from lazydiff.graph.node import Op, Operand, Tensor, apply, declare, user_line
from lazydiff.ops.elementwise import less, log, sqrt, where
from lazydiff.ops.functions import cos
from lazydiff.ops.leaves import checked_shape, state

Attrs = dict[str, object]
Shape = int | tuple[int, ...]


def _infer_uniform(xs: Sequence[Tensor], a: Attrs) -> tuple[tuple[int, ...], Dtype]:
    return tuple(a["shape"]), BY_NAME[str(a["dtype"])]  # type: ignore[arg-type]


declare(Op("uniform", "constant", _infer_uniform, kernels=("uniform",)))
declare(Op("next_key", "constant", lambda xs, a: ((4,), i32), kernels=("next_key",)))


def random_key(name: str, seed: int) -> Tensor:
    """A key: a state of i32[4] that begins at step 0 of `seed` (0 .. 2**64-1)."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**64:
        raise GraphError(f"{user_line()}: a seed is an integer in 0 .. 2**64-1, not {seed!r}")
    words = np.array([seed & 0xFFFFFFFF, int(seed) >> 32, 0, 0], np.uint32)
    return state(name, words.view(np.int32), i32)


def _key(key: Tensor) -> Tensor:
    if not isinstance(key, Tensor) or key.shape != (4,) or key.dtype != i32:
        raise DtypeError(f"{user_line()}: a random key is i32[4], from ld.random_key(name, seed), not {key!r}")
    return key


def next_key(key: Tensor, steps: int = 1) -> Tensor:
    """The key some steps further (i32[4]): the new value of the state in `updates`."""
    if not 0 < steps < 2**31:
        raise GraphError(f"{user_line()}: next_key by {steps} steps; 1 .. 2**31-1 go")
    return apply("next_key", _key(key), steps=int(steps))


def uniform(key: Tensor, shape: Shape, dtype: Dtype = f32, stream: int = 0) -> Tensor:
    """Numbers evenly spread over [0, 1): multiples of 2**-24 in f32, of 2**-53 in f64.

    `stream` (0 .. 2**31-1) tells draws from one key apart: two of the same key, shape and stream are the same tensor.
    """
    if not dtype.is_float:
        raise DtypeError(f"{user_line()}: uniform gives f32 or f64, not {dtype}")
    if not 0 <= stream < 2**31:
        raise GraphError(f"{user_line()}: stream {stream!r} is not in 0 .. 2**31-1")
    return apply("uniform", _key(key), shape=checked_shape(shape), dtype=dtype.name, stream=int(stream))


def normal(key: Tensor, shape: Shape, dtype: Dtype = f32, stream: int = 0) -> Tensor:
    """Normal numbers of mean 0 and deviation 1, by Box and Muller: sqrt(-2 log(1 - u)) cos(2 pi v), within +-5.8 in f32
    and +-8.6 in f64.

    u and v are `uniform` of stream and of stream + 2**30, so stream is in 0 .. 2**30-1. The same bits in every build
    of C; numpy and MicroPython have their own log and cos.
    """
    if not 0 <= stream < 2**30:
        raise GraphError(f"{user_line()}: stream {stream!r} of normal is not in 0 .. 2**30-1")
    u, v = (uniform(key, shape, dtype, s) for s in (stream, stream + 2**30))
    return sqrt(-2.0 * log(1.0 - u)) * cos(2.0 * math.pi * v)


def bernoulli(key: Tensor, p: Operand, shape: Shape, stream: int = 0) -> Tensor:
    """bool: true with probability p, a number or a tensor that broadcasts to shape; draws as `uniform`."""
    dtype = p.dtype if isinstance(p, Tensor) and p.dtype.is_float else f32
    return less(uniform(key, shape, dtype, stream), p)


def dropout(x: Tensor, rate: float, key: Tensor, stream: int = 0) -> Tensor:
    """x / (1 - rate) with probability 1 - rate, else 0, each element apart; x itself for rate 0.

    For training only: leave it out of the graph that infers. Dropouts that share a key must differ in `stream`. What is
    drawn is f32 for any x, so that f32 and f64 keep the same elements.
    """
    if not 0 <= rate < 1:
        raise GraphError(f"{user_line()}: dropout takes 0 <= rate < 1, not {rate!r}")
    if rate == 0:
        return x
    return where(uniform(key, x.shape, f32, stream) >= rate, x * (1 / (1 - rate)), 0.0)
