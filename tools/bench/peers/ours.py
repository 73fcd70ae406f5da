"""lazydiff: a step a call from Python with the batches in turn, and many of one batch in a C call; maps either way."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

import lazydiff as ld
from lazydiff.errors import ToolError
from tools.bench.peers.contestant import Contestant, RefusalError
from tools.bench.workloads import lazy
from tools.bench.workloads.definitions import Workload


class Called:
    """`session.train(...)` once a step."""

    name, how = "lazydiff", "a call a step"

    def __init__(self, session: ld.Session, batches: list[dict[str, np.ndarray]]) -> None:
        self.session, self.batches = session, batches
        self.ram_bytes: int | None = session.ram_bytes
        self._train = session.entry("train")

    def restart(self) -> None:
        self.session.reset()

    def losses(self, n: int) -> list[float]:
        return [float(np.asarray(self._train(**self.batches[i % len(self.batches)]))) for i in range(n)]

    def steps(self, n: int) -> None:
        train, batches = self._train, self.batches
        for i in range(n):
            train(**batches[i % len(batches)])


class Repeated(Called):
    """`session.repeat("train", n, ...)`: what the step takes without Python."""

    name, how = "lazydiff, in C", "many steps a call"

    def steps(self, n: int) -> None:
        self.session.repeat("train", n, **self.batches[0])


COMPILED = ", compiled maps"


def ways(workload: Workload) -> list[Callable[[], Contestant]]:
    """Both ways on one session, and on another one whose maps a C compiler has made loops of."""
    batches = [{f"batch{k}": a for k, a in enumerate(batch)} for batch in workload.init()[2]]
    plan = lazy.compiled(workload)
    session = ld.Session(plan)
    compiled = [partial(_compiled, kind, plan, batches) for kind in (Called, Repeated)]
    return [partial(Called, session, batches), partial(Repeated, session, batches), *compiled]


def _compiled(kind: type[Called], plan: ld.Plan, batches: list[dict[str, np.ndarray]]) -> Contestant:
    try:
        made = kind(ld.Session(plan, maps="compiled"), batches)
    except ToolError as error:
        raise RefusalError(str(error)) from error
    made.name = kind.name.replace("lazydiff", f"lazydiff{COMPILED}")
    return made
