"""One measured number."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple


class Row(NamedTuple):
    """`goal` is the greatest value the project allows itself, or None."""

    what: str
    value: float
    unit: str
    goal: float | None = None


def markdown(rows: Sequence[Row]) -> list[str]:
    """The lines of a table, or none."""

    def number(value: float) -> str:
        return f"{value:,.0f}".replace(",", " ") if abs(value) >= 1000 else f"{value:.3g}"

    lines = [
        f"| {r.what} | {number(r.value)} {r.unit} | {'' if r.goal is None else f'{number(r.goal)} {r.unit}'} |"
        for r in rows
    ]
    return ["| what | measured | limit |", "| --- | --- | --- |", *lines] if lines else []


def seconds_per_call(function: Callable[[], object], block_seconds: float = 0.02, blocks: int = 25) -> float:
    """Median over blocks of CPU seconds per call; a block lasts at least `block_seconds`."""
    calls = 1
    while True:
        began = time.process_time()
        for _ in range(calls):
            function()
        if time.process_time() - began >= block_seconds:
            break
        calls *= 2
    times = []
    for _ in range(blocks):
        began = time.process_time()
        for _ in range(calls):
            function()
        times.append((time.process_time() - began) / calls)
    return statistics.median(times)
