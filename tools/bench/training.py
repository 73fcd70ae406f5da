"""The training steps w1 to w9 beside the installed peers, on one core: CPU time, in turn, the same losses or no figure.

A contestant first shows that its losses of the first eight steps are those of lazydiff. Of several ways of one library
the fastest of a trial stays. Then rounds: a block of steps of each contestant in turn, from the first values, about
`BLOCK_SECONDS` long; the figure is the median over rounds.
"""

from __future__ import annotations

import importlib
import os
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from tools.bench.peers.contestant import Contestant, RefusalError
from tools.bench.peers.ours import COMPILED
from tools.bench.roofline import Roofline, measured
from tools.bench.workloads import lazy
from tools.bench.workloads.counting import Counts, counted
from tools.bench.workloads.definitions import ALL, Workload

PEERS = {"by_hand": ("C by hand",), "pytorch": ("torch", "torch.compile"), "jax_": ("JAX",)}
CHECKED_STEPS, BLOCK_SECONDS, ROUNDS = 8, 0.02, 15


@dataclass
class Result:
    """One workload: seconds a step by contestant, and why one has none."""

    workload: Workload
    counts: Counts
    roofline_seconds: float | None
    seconds: dict[str, float] = field(default_factory=dict)
    how: dict[str, str] = field(default_factory=dict)
    bytes: dict[str, int] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def gflops(self) -> float:
        """Of lazydiff's step in C; two a multiply-add of its products, nothing else counted."""
        return 2e-9 * self.counts.multiply_adds / self.seconds["lazydiff, in C"]

    @property
    def of_roofline(self) -> float | None:
        """The least time possible over that of lazydiff's step in C."""
        return None if self.roofline_seconds is None else self.roofline_seconds / self.seconds["lazydiff, in C"]

    @property
    def peers(self) -> list[str]:
        """Who was timed beside lazydiff."""
        return [p for p in self.seconds if not p.startswith("lazydiff")]

    def ratio(self, peer: str, maps: str = "") -> float:
        """lazydiff's time over the peer's: below 1 lazydiff is the faster. A peer in a loop is met by the step in C.

        `maps` is what its name has for how maps run: "", or ours.COMPILED.
        """
        looped = self.how[peer] in ("one loop", "many steps a call")
        return self.seconds[f"lazydiff{maps}{', in C' if looped else ''}"] / self.seconds[peer]

    def to_best(self, maps: str = "") -> float | None:
        """The ratio to the peer that comes nearest; None without one, or without maps of that kind."""
        found = [p for p in self.peers if p != "C by hand"] if f"lazydiff{maps}" in self.seconds else []
        return max((self.ratio(p, maps) for p in found), default=None)

    def told(self) -> dict[str, object]:
        """For JSON."""
        compiled = COMPILED if f"lazydiff{COMPILED}" in self.seconds else ""
        return {
            "workload": self.workload.name,
            "microseconds": {k: 1e6 * v for k, v in self.seconds.items()},
            "how": self.how,
            "ratios": {p: self.ratio(p) for p in self.peers},
            "ratios_with_compiled_maps": {p: self.ratio(p, compiled) for p in self.peers},
            "missing": self.missing,
            "multiply_adds": self.counts.multiply_adds,
            "gflops": self.gflops,
            "of_roofline": self.of_roofline,
            "bytes": self.bytes,
        }


def pin() -> None:
    """This thread and those it starts on one core, the first that it may use; before a peer is imported."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def block(contestant: Contestant, steps: int) -> float:
    """CPU seconds of so many steps from the first values."""
    contestant.restart()
    began = time.process_time()
    contestant.steps(steps)
    return time.process_time() - began


def enough(contestant: Contestant) -> tuple[int, float]:
    """How many steps a block takes, and the seconds of one step in a trial."""
    block(contestant, 1)  # whatever happens once only
    steps, took = 1, block(contestant, 1)
    while took < BLOCK_SECONDS:
        steps = max(2 * steps, int(1.2 * steps * BLOCK_SECONDS / took)) if took > BLOCK_SECONDS / 50 else 16 * steps
        took = block(contestant, steps)
    return steps, took / steps


def entered(module: str, reference: list[float], result: Result) -> dict[str, tuple[Contestant, int]]:
    """A module's contestants by name, the fastest way of each, with the steps of a block. They computed `reference`."""
    workload = result.workload
    found: dict[str, tuple[Contestant, int, float]] = {}
    try:
        ways = importlib.import_module(f"tools.bench.peers.{module}").ways(workload)
    except ImportError as error:
        result.missing |= dict.fromkeys(PEERS[module], f"not installed ({error.name})")
        return {}
    for way in ways:
        try:
            one = way()
            one.restart()
            losses = one.losses(CHECKED_STEPS)
        except RefusalError as why:
            result.missing[PEERS[module][-1]] = str(why)
            continue
        if not np.allclose(losses, reference, rtol=workload.tolerance, atol=0):
            raise SystemExit(
                f"bench: {workload.name}: {one.name} computes {losses}, lazydiff {reference}: not the same step"
            )
        steps, seconds = enough(one)
        if one.name not in found or seconds < found[one.name][2]:
            found[one.name] = one, steps, seconds
    return {name: (one, steps) for name, (one, steps, _) in found.items()}


def raced(workload: Workload, peers: Sequence[str], roofline: Roofline | None) -> Result:
    """One workload: lazydiff and the peers' modules in turn."""
    counts = counted(workload)
    least = None
    if roofline is not None:
        itemsize = np.dtype(workload.dtype).itemsize
        least = roofline.seconds(counts.multiply_adds, itemsize, counts.held, counts.moved)
    result = Result(workload, counts, least)
    reference = lazy.losses(workload, CHECKED_STEPS)
    contestants: dict[str, tuple[Contestant, int]] = {}
    for module in ("ours", *peers):
        contestants |= entered(module, reference, result)
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(ROUNDS):
        for name, (one, steps) in contestants.items():
            taken[name].append(block(one, steps) / steps)
    for name, (one, _) in contestants.items():
        result.seconds[name], result.how[name] = statistics.median(taken[name]), one.how
        if one.ram_bytes is not None:
            result.bytes[name] = one.ram_bytes
    return result


def results(part: str = "", peers: Sequence[str] = tuple(PEERS)) -> Iterator[Result]:
    """Of the workloads whose name has `part` in it, one by one."""
    roofline = measured()
    for name, workload in ALL.items():
        if part in name:
            yield raced(workload, peers, roofline)


HEADS = ("workload", "lazydiff", "in C", "maps compiled", "in C", "torch", "torch.compile", "JAX")
HEADS += ("/ best", "maps compiled / best", "GFLOP/s", "of roofline", "RAM", "XLA's plan")
HEAD = f"| {' | '.join(HEADS)} |\n|{' --- |' * len(HEADS)}"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    us = 1e6 * seconds
    return f"{us:.2f}" if us < 10 else f"{us:.1f}" if us < 100 else f"{us:,.0f}".replace(",", " ")


def line(r: Result) -> str:
    """A row of the Markdown table under HEAD; microseconds a step."""
    names = PEERS["pytorch"] + PEERS["jax_"]
    ours = [f"lazydiff{maps}{where}" for maps in ("", COMPILED) for where in ("", ", in C")]
    times = [_time(r.seconds.get(n)) for n in (*ours, *names)]
    ratios = ["-" if (found := r.to_best(maps)) is None else f"{found:.2f}" for maps in ("", COMPILED)]
    share = "-" if r.of_roofline is None else f"{r.of_roofline:.0%}"
    sizes = [f"{r.bytes[n]:,}".replace(",", " ") if n in r.bytes else "-" for n in ("lazydiff", "JAX")]
    return f"| {' | '.join([r.workload.name, *times, *ratios, f'{r.gflops:.1f}', share, *sizes])} |"


def notes(found: Sequence[Result]) -> list[str]:
    """Lines under the table: who is missing and why, and the step by hand."""
    why: dict[tuple[str, str], list[str]] = {}
    for r in found:
        for peer, reason in r.missing.items():
            why.setdefault((peer, reason), []).append(r.workload.name)
    told = [f"{peer}: {reason} ({', '.join(w) if len(w) < len(found) else 'all'})" for (peer, reason), w in why.items()]
    for r in found:
        if "C by hand" in r.seconds:
            took = 1e6 * r.seconds["C by hand"]
            told.append(
                f"{r.workload.name} by hand in C: {took:.2f} us; lazydiff in C / by hand: {r.ratio('C by hand'):.2f}"
            )
    for maps, which in (("", "maps interpreted"), (COMPILED, "maps compiled")):
        ratios = [ratio for r in found if (ratio := r.to_best(maps)) is not None]
        if ratios:
            told.append(f"geometric mean of lazydiff / best, {which}: {statistics.geometric_mean(ratios):.3f}")
    return told
