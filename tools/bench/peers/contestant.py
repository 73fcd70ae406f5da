"""What the benchmark asks of whoever it times, and the optimizers' arithmetic for those who write it as a function."""

from __future__ import annotations

from typing import Any, Protocol

SLOTS = {"sgd": (), "momentum": ("v",), "adam": ("m", "v"), "power": ()}
B1, B2, ADAM_EPS, NORM_EPS = 0.9, 0.999, 1e-8, 1e-5


class Contestant(Protocol):
    """One way to run a workload's training step. A module's ways(workload) lists functions that make one each."""

    name: str
    how: str  # in which of several ways, of which the benchmark keeps the fastest
    ram_bytes: int | None  # all that the step takes, where the contestant plans it

    def restart(self) -> None:
        """Parameters, state and slots are the first ones again."""

    def losses(self, n: int) -> list[float]:
        """The losses of n steps, the batches in turn."""

    def steps(self, n: int) -> None:
        """n steps; it returns when they are done."""


class RefusalError(Exception):
    """The contestant can't run this workload, and why."""


def updated(opt: tuple[Any, ...], w: Any, g: Any, slots: tuple[Any, ...], t: Any) -> tuple[Any, tuple[Any, ...]]:
    """A parameter's new value and slots; t counts updates from 1 (an array)."""
    kind, *numbers = opt
    if kind == "sgd":
        return w - numbers[0] * g, ()
    if kind == "momentum":
        v = numbers[1] * slots[0] + g
        return w - numbers[0] * v, (v,)
    m, v = B1 * slots[0] + (1 - B1) * g, B2 * slots[1] + (1 - B2) * g * g
    return w - numbers[0] * (m / (1 - B1**t)) / ((v / (1 - B2**t)) ** 0.5 + ADAM_EPS), (m, v)
