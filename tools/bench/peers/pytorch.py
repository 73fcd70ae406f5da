"""torch on one thread: eager with autograd and torch.optim, and the whole step as a function under torch.compile."""

from __future__ import annotations

import os

os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")  # compilers in this process: it is pinned to one core

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from tools.bench.peers.contestant import NORM_EPS, SLOTS, Contestant, RefusalError, updated
from tools.bench.workloads.definitions import Workload

torch.set_num_threads(1)
Arrays = dict[str, Any]


class Ops:
    """The operations of workload.py. Images are (n, h, w, c); how they lie in memory is the caller's choice."""

    relu, tanh = staticmethod(torch.relu), staticmethod(torch.tanh)
    mean, mse = staticmethod(torch.mean), staticmethod(functional.mse_loss)

    def linear(self, x: Any, w: Any, b: Any) -> Any:
        return x @ w if b is None else torch.addmm(b, x, w)

    def conv2d(self, x: Any, w: Any, b: Any, stride: int, pad: tuple[int, int], groups: int) -> Any:
        return functional.conv2d(x.permute(0, 3, 1, 2), w, b, stride, pad, 1, groups).permute(0, 2, 3, 1)

    def bn(self, x: Any, p: Arrays, s: Arrays, name: str, train: bool) -> Any:
        first = x.permute(0, 3, 1, 2) if x.dim() == 4 else x
        y = functional.batch_norm(
            first, s[name + ".m"], s[name + ".v"], p[name + ".g"], p[name + ".b"], train, 0.1, NORM_EPS
        )  # fmt: skip
        return y.permute(0, 2, 3, 1) if x.dim() == 4 else y

    def maxpool2(self, x: Any) -> Any:
        return functional.max_pool2d(x.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)

    def gap(self, x: Any) -> Any:
        return x.mean((1, 2))

    def flatten(self, x: Any) -> Any:
        return x.reshape(x.shape[0], -1)

    def ce(self, logits: Any, labels: Any) -> Any:
        return functional.cross_entropy(logits, labels)

    def expand(self, x: Any, n: int) -> Any:
        return x.expand(n, *x.shape)

    def blinear(self, x: Any, w: Any, b: Any) -> Any:
        return torch.baddbmm(b.unsqueeze(1), x, w)


class Taped(Ops):
    """With derivatives by autograd's tape."""

    def grad(self, f: Callable[[Sequence[Any]], Any], xs: Sequence[Any]) -> list[Any]:
        return list(torch.autograd.grad(f(xs), xs, create_graph=True))

    def u_terms(self, net: Callable[[Any], Any], tx: Any) -> tuple[Any, ...]:
        z = tx.detach().requires_grad_()
        u = net(z)
        (g,) = torch.autograd.grad(u.sum(), z, create_graph=True)
        (h,) = torch.autograd.grad(g[:, 1].sum(), z, create_graph=True)
        return u, g[:, 0:1], g[:, 1:2], h[:, 1:2]


class Functional(Ops):
    """With derivatives by torch.func, which torch.compile traces through."""

    def grad(self, f: Callable[[Sequence[Any]], Any], xs: Sequence[Any]) -> list[Any]:
        return list(torch.func.grad(f)(list(xs)))

    def u_terms(self, net: Callable[[Any], Any], tx: Any) -> tuple[Any, ...]:
        def slope(z: Any) -> Any:
            return torch.func.grad(lambda a: net(a).sum())(z)

        g, h = slope(tx), torch.func.grad(lambda a: slope(a)[:, 1].sum())(tx)  # jvp in jvp in grad: torch refuses it
        return net(tx), g[:, 0:1], g[:, 1:2], h[:, 1:2]


def tensors(workload: Workload, channels_last: bool) -> tuple[Arrays, Arrays, list[tuple[Any, ...]]]:
    """Parameters, state, batches; filters (f, c / groups, h, w), images lying as asked."""
    arrays, state, batches = workload.init()
    kind = torch.channels_last if channels_last else torch.contiguous_format

    def parameter(a: np.ndarray) -> Any:
        t = torch.from_numpy(a.copy())
        return t.permute(3, 2, 0, 1).contiguous(memory_format=kind) if a.ndim == 4 else t

    def value(a: np.ndarray) -> Any:
        t = torch.from_numpy(a.astype(np.int64) if a.dtype == np.int32 else a)
        if a.ndim == 4:
            t = t.permute(0, 3, 1, 2).contiguous(memory_format=kind).permute(0, 2, 3, 1)
        return t

    p = {k: parameter(a) for k, a in arrays.items()}
    return p, {k: torch.from_numpy(a.copy()) for k, a in state.items()}, [tuple(map(value, b)) for b in batches]


class Eager:
    """loss.backward() and torch.optim (its fused kernels), or autograd twice for w9."""

    def __init__(self, workload: Workload, channels_last: bool) -> None:
        self.name, self.how = "torch", "channels last" if channels_last else "channels first"
        self.ram_bytes: int | None = None
        self._workload = workload
        self._first = tensors(workload, channels_last)
        self._batches = self._first[2]
        self.restart()

    def restart(self) -> None:
        p, s, _ = self._first
        self.p = {k: a.clone().requires_grad_(k.startswith(self._workload.trained)) for k, a in p.items()}
        self.s = {k: a.clone() for k, a in s.items()}
        trained = [a for a in self.p.values() if a.requires_grad]
        kind, *numbers = self._workload.opt
        self.optimizer: Any = None
        if kind == "adam":
            self.optimizer = torch.optim.Adam(trained, numbers[0], fused=True)
        elif kind != "power":
            self.optimizer = torch.optim.SGD(trained, *numbers, fused=True)

    def _step(self, batch: tuple[Any, ...]) -> Any:
        if self.optimizer is None:
            return self._power(batch)
        self.optimizer.zero_grad()
        loss = self._workload.loss(Taped(), self.p, self.s, batch)
        loss.backward()
        self.optimizer.step()
        return loss

    def _power(self, batch: tuple[Any, ...]) -> Any:
        p, v = list(self.p.values()), [self.s["v." + k] for k in self.p]
        g = torch.autograd.grad(self._workload.loss(Taped(), self.p, self.s, batch), p, create_graph=True)
        hv = torch.autograd.grad(g, p, v)
        along = sum((a * h).sum() for a, h in zip(v, hv, strict=True))
        norm = torch.sqrt(sum((h * h).sum() for h in hv))
        for a, h in zip(v, hv, strict=True):
            torch.div(h, norm, out=a)
        return along

    def losses(self, n: int) -> list[float]:
        return [float(self._step(self._batches[i % len(self._batches)]).detach()) for i in range(n)]

    def steps(self, n: int) -> None:
        for i in range(n):
            self._step(self._batches[i % len(self._batches)])


class Compiled(Eager):
    """The step as one function, derivatives and update inside, compiled whole."""

    def __init__(self, workload: Workload, channels_last: bool) -> None:
        super().__init__(workload, channels_last)
        self.name = "torch.compile"
        torch._dynamo.reset()
        try:
            self.losses(1)
        except Exception as error:  # dynamo's and inductor's errors have no common kind
            raise RefusalError(f"{type(error).__name__}: {str(error).strip().splitlines()[0]}") from error
        self.restart()

    def restart(self) -> None:
        super().restart()
        workload = self._workload
        self.p = {k: a.detach() for k, a in self.p.items()}
        trained = {k: a for k, a in self.p.items() if k.startswith(workload.trained)}
        self.slots = {k: tuple(torch.zeros_like(a) for _ in SLOTS[workload.opt[0]]) for k, a in trained.items()}
        self.t = torch.zeros((), dtype=next(iter(self.p.values())).dtype)
        if not hasattr(self, "_compiled"):
            self._compiled = torch.compile(self._whole, fullgraph=True, dynamic=False)

    def _whole(self, p: Arrays, s: Arrays, slots: Arrays, t: Any, batch: tuple[Any, ...]) -> Any:
        workload = self._workload

        def loss(q: Arrays) -> Any:
            return workload.loss(Functional(), {**p, **q}, s, batch)

        if workload.opt[0] == "power":
            v = {k: s["v." + k] for k in p}
            _, hv = torch.func.jvp(torch.func.grad(loss), (p,), (v,))
            along = sum((v[k] * h).sum() for k, h in hv.items())
            norm = torch.sqrt(sum((h * h).sum() for h in hv.values()))
            for k, h in hv.items():
                s["v." + k].copy_(h / norm)
            return along
        trained = {k: p[k] for k in slots}
        grads, value = torch.func.grad_and_value(loss)(trained)
        t += 1
        for k, g in grads.items():
            w, new = updated(workload.opt, p[k], g, slots[k], t)
            p[k].copy_(w)
            for old, now in zip(slots[k], new, strict=True):
                old.copy_(now)
        return value

    def _step(self, batch: tuple[Any, ...]) -> Any:
        with torch.no_grad():
            return self._compiled(self.p, self.s, self.slots, self.t, batch)


def ways(workload: Workload) -> list[Callable[[], Contestant]]:
    """Eager and compiled, with images lying either way."""
    images = workload.init()[2][0][0].ndim == 4
    return [partial(k, workload, last) for k in (Eager, Compiled) for last in ((False, True) if images else (False,))]
