"""Turns a plan into the CSV of MiniMalloc's instances and solutions: one line per value, id,lower,upper,size,offset.

A value needs its bytes from time `lower` to before time `upper`, in half steps: step s (from 0) is the times 2 s and
2 s + 1, and a result that is written over an operand takes over between them. So no two lines share a byte at a time,
and the lines are a valid solution at the capacity `plan.ram_bytes`. Entries follow each other in time.
"""

from __future__ import annotations

import csv
import io
from collections import Counter

from lazydiff.plan.lifetimes import entry_lives, spans
from lazydiff.plan.model import EXECUTOR_BYTES, Plan

HEADER = ("id", "lower", "upper", "size", "offset")


def to_csv(plan: Plan) -> str:
    """The values of all entries, an id for each: "entry:name", and "#2", "#3" where names repeat.

    Parameters, state and the executor's bytes have a line in each entry.
    """
    lines: list[tuple[str, int, int, int, int]] = []
    seen: Counter[str] = Counter()
    start = 0

    def named(name: str) -> str:
        seen[name] += 1
        return name if seen[name] == 1 else f"{name}#{seen[name]}"

    for entry in plan.entries:
        lives = entry_lives(plan, entry)
        steps = max(1, len(entry.steps))
        lines.append((named(f"{entry.name}:executor"), start, start + 2 * steps, EXECUTOR_BYTES, 0))
        for life, (begin, end) in zip(lives.lives, spans(lives), strict=True):
            place = life.buffer
            lines.append(
                (named(f"{entry.name}:{life.name}"), start + begin, start + end, place.size_bytes, place.offset)
            )
        start += 2 * steps
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(lines)
    return text.getvalue()
