"""Turns a plan into a trace for chrome://tracing and Perfetto: steps, bytes by kind, and a bar for each value's life.

A plan has no clock: each step takes a millisecond. An entry is a process of its own, and starts at 0.
"""

from __future__ import annotations

import json

from lazydiff.plan.lifetimes import EntryLives, entry_lives, spans
from lazydiff.plan.model import Kind, Plan
from lazydiff.plan.show import op_of

STEP_US = 1000

Event = dict[str, object]


def to_trace(plan: Plan) -> str:
    """The trace as JSON text: complete events (X) for steps, counters (C) for bytes, async pairs (b, e) for values."""
    events: list[Event] = []
    for pid, entry in enumerate(plan.entries, 1):
        events.append({"ph": "M", "name": "process_name", "pid": pid, "tid": 0, "args": {"name": entry.name}})
        events.append({"ph": "M", "name": "thread_name", "pid": pid, "tid": 0, "args": {"name": "steps"}})
        lives = entry_lives(plan, entry)
        events += [event | {"pid": pid, "tid": 0} for event in (*_steps(lives), *_bytes(lives), *_values(lives))]
    return json.dumps({"displayTimeUnit": "ms", "traceEvents": events}, indent=0)


def _steps(lives: EntryLives) -> list[Event]:
    return [
        {"ph": "X", "cat": "step", "name": op_of(step), "ts": n * STEP_US, "dur": STEP_US}
        | {"args": {"step": n, "kernel": step.declared.name, "source": step.source, "bytes": lives.live_bytes[n]}}
        for n, step in enumerate(lives.entry.steps)
    ]


def _bytes(lives: EntryLives) -> list[Event]:
    """Bytes by kind in each half step, counted once where a value takes the place of another; the executor's too."""
    halves = 2 * max(1, len(lives.entry.steps))
    change = [dict.fromkeys(Kind, 0) for _ in range(halves + 1)]
    for life, (begin, end) in zip(lives.lives, spans(lives), strict=True):
        change[begin][life.buffer.kind] += life.buffer.size_bytes
        change[end][life.buffer.kind] -= life.buffer.size_bytes
    now = dict.fromkeys((Kind.PARAMS, Kind.STATE, Kind.IO, Kind.WORK), 0)
    events: list[Event] = []
    for half, by in enumerate(change[:halves]):
        if half and not any(by.values()):
            continue
        now = {kind: size + by[kind] for kind, size in now.items()}
        args = {"executor": lives.executor_bytes} | {kind.name.lower(): size for kind, size in now.items()}
        events.append({"ph": "C", "name": "bytes", "ts": half * STEP_US // 2, "args": args})
    return events


def _values(lives: EntryLives) -> list[Event]:
    events: list[Event] = []
    for n, (life, (begin, end)) in enumerate(zip(lives.lives, spans(lives), strict=True)):
        place = life.buffer
        head: Event = {"cat": place.kind.name.lower(), "name": life.name, "id": n}
        args = {"bytes": place.size_bytes, "offset": place.offset, "dtype": place.dtype.name}
        args |= {"region": lives.region(life)} if len(lives.regions) > 1 else {}
        events.append({"ph": "b", "ts": begin * STEP_US // 2, "args": args} | head)
        events.append({"ph": "e", "ts": end * STEP_US // 2} | head)
    return events
