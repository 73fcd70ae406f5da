"""Turns a plan into the CSV of MiniMalloc's instances and solutions: one line per value, id,lower,upper,size,offset.

A value needs its bytes from time `lower` to before time `upper`, in half steps: step s (from 0) is the times 2 s and
2 s + 1, and a result that is written over an operand takes over between them. So no two lines share a byte at a time,
and the lines are a valid solution at the capacity `plan.ram_bytes`. Entries follow each other in time.

Of a plan whose regions of RAM have names each line also has its region, and `offset` counts through all of them.
"""

from __future__ import annotations

import csv
import io
from collections import Counter

from lazydiff.plan.lifetimes import entry_lives, spans
from lazydiff.plan.model import Plan

HEADER = ("id", "lower", "upper", "size", "offset")


def to_csv(plan: Plan) -> str:
    """The values of all entries, an id for each: "entry:name", and "#2", "#3" where names repeat.

    Parameters, state and the executor's bytes have a line in each entry.
    """
    lines: list[tuple[str | int, ...]] = []
    seen: Counter[str] = Counter()
    start = 0

    def named(name: str) -> str:
        seen[name] += 1
        return name if seen[name] == 1 else f"{name}#{seen[name]}"

    for entry in plan.entries:
        lives = entry_lives(plan, entry)
        steps = max(1, len(entry.steps))
        first = (plan.regions[0].name,) if plan.named else ()
        lines.append((named(f"{entry.name}:executor"), start, start + 2 * steps, plan.executor_bytes, 0, *first))
        for life, (begin, end) in zip(lives.lives, spans(lives), strict=True):
            where = (lives.region(life),) if plan.named else ()
            name, size = named(f"{entry.name}:{life.name}"), life.buffer.size_bytes
            lines.append((name, start + begin, start + end, size, life.begin, *where))
        start += 2 * steps
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*HEADER, "region") if plan.named else HEADER)
    writer.writerows(lines)
    return text.getvalue()
