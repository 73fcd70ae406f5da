"""Learning rates that change: functions from the number of updates made so far (0-d float tensor) to a rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

from lazydiff.dtypes import i32
from lazydiff.errors import GraphError
from lazydiff.graph.node import Tensor, constant, user_line
from lazydiff.ops import elementwise as e
from lazydiff.ops.functions import cos
from lazydiff.ops.moves import reshape

# Give one as an optimizer's learning_rate. `step` is 0 in the first update; write your own with ld's functions.
Schedule: TypeAlias = Callable[[Tensor], Tensor]


def _positive(what: str, steps: int) -> float:
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise GraphError(f"{user_line()}: {what} takes a positive number of steps, not {steps!r}")
    return float(steps)


def _through(steps: float, step: Tensor) -> Tensor:
    """How much of `steps` is over: from 0 to 1, then 1."""
    return e.minimum(step / steps, 1.0)


def constant_schedule(value: float) -> Schedule:
    """Always `value`."""
    return lambda step: constant(float(value), step.dtype)


def linear_schedule(start: float, end: float, steps: int) -> Schedule:
    """From `start` at step 0 in a straight line to `end` at `steps`, then `end`: warmup with start=0."""
    count = _positive("linear_schedule", steps)
    return lambda step: start + (end - start) * _through(count, step)


def step_decay(value: float, factor: float, every: int) -> Schedule:
    """value * factor**(step // every), torch's StepLR; `factor` is positive."""
    return _decay("step_decay", value, factor, every, staircase=True)


def exponential_decay(value: float, factor: float, every: int) -> Schedule:
    """value * factor**(step / every), without stairs; `factor` is positive."""
    return _decay("exponential_decay", value, factor, every, staircase=False)


def _decay(what: str, value: float, factor: float, every: int, staircase: bool) -> Schedule:
    count = _positive(what, every)
    if not factor > 0:
        raise GraphError(f"{user_line()}: {what} by a factor of {factor!r}; it is positive")

    def rate(step: Tensor) -> Tensor:
        stairs = _floor_divide(step, count) if staircase else step / count
        return value * e.exp(math.log(factor) * stairs)

    return rate


def _floor_divide(step: Tensor, count: float) -> Tensor:
    """step // count for integers up to 2**24: a quotient that rounding puts on the next integer is taken back."""
    quotient = step / count
    whole = e.astype(e.astype(quotient, i32), step.dtype)
    return e.where(whole * count > step, whole - 1.0, whole)


def cosine_decay(value: float, steps: int, alpha: float = 0.0) -> Schedule:
    """Half a cosine from `value` at step 0 to alpha * value at `steps`, then constant; optax has the same."""
    count = _positive("cosine_decay", steps)
    middle, half = 0.5 * value * (1.0 + alpha), 0.5 * value * (1.0 - alpha)
    return lambda step: middle + half * cos(math.pi * _through(count, step))


def join_schedules(schedules: Sequence[Schedule], boundaries: Sequence[int]) -> Schedule:
    """schedules[i] from boundaries[i - 1] on, each counting from its own boundary (optax's join_schedules)."""
    _increasing("join_schedules", boundaries, len(schedules) - 1)

    def rate(step: Tensor) -> Tensor:
        found = schedules[0](step)
        for schedule, start in zip(schedules[1:], boundaries, strict=True):
            found = e.where(step < float(start), found, schedule(e.maximum(step - float(start), 0.0)))
        return reshape(found, ())

    return rate


def piecewise_constant(values: Sequence[float], boundaries: Sequence[int]) -> Schedule:
    """values[i] from boundaries[i - 1] on."""
    return join_schedules([constant_schedule(v) for v in values], boundaries)


def _increasing(what: str, boundaries: Sequence[int], count: int) -> None:
    if len(boundaries) != count or list(boundaries) != sorted(set(boundaries)) or any(b < 1 for b in boundaries):
        raise GraphError(
            f"{user_line()}: {what} takes one boundary between each two pieces, positive and increasing, "
            f"not {list(boundaries)} for {count + 1} pieces"
        )
