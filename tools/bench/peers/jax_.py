"""JAX on one thread: the jitted step with donated buffers, a call a step or many steps in one loop on the device.

The loop saves a dispatch a step, but XLA's CPU backend has slower convolutions inside loops: the benchmark takes
whichever is faster.
"""

from __future__ import annotations

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["XLA_FLAGS"] = " ".join(
    [os.environ.get("XLA_FLAGS", ""), "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"]
)

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tools.bench.peers.contestant import NORM_EPS, SLOTS, Contestant, updated
from tools.bench.workloads.definitions import Workload

jax.config.update("jax_enable_x64", True)  # w7 in f64; every array of the others says float32
Arrays = dict[str, Any]


class Ops:
    """The operations of workload.py; `state` collects the running statistics."""

    def __init__(self) -> None:
        self.state: Arrays = {}

    relu, tanh, mean = staticmethod(jax.nn.relu), staticmethod(jnp.tanh), staticmethod(jnp.mean)

    def linear(self, x: Any, w: Any, b: Any) -> Any:
        return x @ w if b is None else x @ w + b

    def conv2d(self, x: Any, w: Any, b: Any, stride: int, pad: tuple[int, int], groups: int) -> Any:
        return b + lax.conv_general_dilated(
            x, w, (stride, stride), [(p, p) for p in pad],
            dimension_numbers=("NHWC", "HWIO", "NHWC"), feature_group_count=groups,
        )  # fmt: skip

    def bn(self, x: Any, p: Arrays, s: Arrays, name: str, train: bool) -> Any:
        mean, var = s[name + ".m"], s[name + ".v"]
        if train:
            axes = tuple(range(x.ndim - 1))
            new_mean, new_var = x.mean(axes), x.var(axes)
            n = x.size // x.shape[-1]
            self.state[name + ".m"] = 0.9 * mean + 0.1 * new_mean
            self.state[name + ".v"] = 0.9 * var + 0.1 * new_var * (n / (n - 1))
            mean, var = new_mean, new_var
        return (x - mean) * (lax.rsqrt(var + NORM_EPS) * p[name + ".g"]) + p[name + ".b"]

    def maxpool2(self, x: Any) -> Any:
        n, h, w, c = x.shape  # in this form XLA has no select-and-scatter in its backward pass, which is slow on a CPU
        return x.reshape(n, h // 2, 2, w // 2, 2, c).max((2, 4))

    def gap(self, x: Any) -> Any:
        return x.mean((1, 2))

    def flatten(self, x: Any) -> Any:
        return x.reshape(x.shape[0], -1)

    def ce(self, logits: Any, labels: Any) -> Any:
        return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1).mean()

    def mse(self, a: Any, b: Any) -> Any:
        return ((a - b) ** 2).mean()

    def u_terms(self, net: Callable[[Any], Any], tx: Any) -> tuple[Any, ...]:
        et, ex = (jnp.zeros_like(tx).at[:, k].set(1) for k in range(2))

        def along_x(z: Any) -> tuple[Any, Any]:
            return jax.jvp(net, (z,), (ex,))

        (u, ux), (_, uxx) = jax.jvp(along_x, (tx,), (ex,))
        return u, jax.jvp(net, (tx,), (et,))[1], ux, uxx

    def grad(self, f: Callable[[Sequence[Any]], Any], xs: Sequence[Any]) -> list[Any]:
        return jax.grad(f)(list(xs))

    def expand(self, x: Any, n: int) -> Any:
        return jnp.broadcast_to(x, (n, *x.shape))

    def blinear(self, x: Any, w: Any, b: Any) -> Any:
        return x @ w + b[:, None, :]


def step(workload: Workload) -> Callable[[Any, tuple[Any, ...]], tuple[Any, Any]]:
    """(parameters, state, slots, t), batch -> the same after a step, loss."""

    def run(carry: Any, batch: tuple[Any, ...]) -> tuple[Any, Any]:
        p, s, slots, t = carry

        def loss(q: Arrays) -> tuple[Any, Arrays]:
            b = Ops()
            return workload.loss(b, p | q, s, batch), b.state

        if workload.opt[0] == "power":
            v = {k: s["v." + k] for k in p}
            _, hv = jax.jvp(jax.grad(lambda q: loss(q)[0]), (p,), (v,))
            norm = jnp.sqrt(sum((h * h).sum() for h in hv.values()))
            along = sum((v[k] * h).sum() for k, h in hv.items())
            return (p, {"v." + k: h / norm for k, h in hv.items()}, slots, t), along
        trained = {k: a for k, a in p.items() if k.startswith(workload.trained)}
        (value, moved), grads = jax.value_and_grad(loss, has_aux=True)(trained)
        t = t + 1
        new = {k: updated(workload.opt, p[k], g, slots[k], t) for k, g in grads.items()}
        return (p | {k: n[0] for k, n in new.items()}, s | moved, {k: n[1] for k, n in new.items()}, t), value

    return run


class Called:
    """One call a step, its carry donated."""

    name, how = "JAX", "a call a step"

    def __init__(self, workload: Workload) -> None:
        arrays, state, batches = workload.init()
        slots = {
            k: tuple(np.zeros_like(a) for _ in SLOTS[workload.opt[0]])
            for k, a in arrays.items()
            if k.startswith(workload.trained)
        }
        self._first = arrays, state, slots, np.zeros((), workload.dtype)
        self._batches = [tuple(jnp.asarray(a) for a in b) for b in batches]
        self.restart()
        compiled = jax.jit(step(workload), donate_argnums=0).lower(self._carry, self._batches[0]).compile()
        memory = compiled.memory_analysis()
        self.ram_bytes: int | None = memory.temp_size_in_bytes + memory.argument_size_in_bytes
        self._one = compiled

    def restart(self) -> None:
        self._carry = jax.tree.map(jnp.array, self._first)

    def losses(self, n: int) -> list[float]:
        return [float(self._run(i, 1)) for i in range(n)]

    def steps(self, n: int) -> None:
        self._run(0, n).block_until_ready()

    def _run(self, first: int, n: int) -> Any:
        loss = None
        for i in range(first, first + n):
            self._carry, loss = self._one(self._carry, self._batches[i % len(self._batches)])
        return loss


class Looped(Called):
    """Many steps in one loop."""

    how = "one loop"

    def __init__(self, workload: Workload) -> None:
        super().__init__(workload)
        one, count = step(workload), len(self._batches)
        self._ring = tuple(jnp.stack(arrays) for arrays in zip(*self._batches, strict=True))

        def many(carry: Any, ring: tuple[Any, ...], first: Any, n: Any) -> Any:
            def body(i: Any, now: tuple[Any, Any]) -> tuple[Any, Any]:
                return one(now[0], tuple(a[i % count] for a in ring))

            return lax.fori_loop(first, first + n, body, (carry, jnp.zeros((), workload.dtype)))

        self._many = jax.jit(many, donate_argnums=0)

    def _run(self, first: int, n: int) -> Any:
        self._carry, loss = self._many(self._carry, self._ring, first, n)
        return loss


def ways(workload: Workload) -> list[Callable[[], Contestant]]:
    """A call a step, and a loop."""
    return [partial(Called, workload), partial(Looped, workload)]
