"""`ram=` as a number of bytes, and the error that teaches when a plan does not fit."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lazydiff.errors import BudgetError, GraphError
from lazydiff.memory.buffers import Lifetimes
from lazydiff.memory.calls import EntryCalls
from lazydiff.plan.model import EXECUTOR_BYTES, Kind, Plan, Region

_UNITS = {"": 1, "b": 1, "kb": 1000, "kib": 1024, "k": 1024, "mb": 1000**2, "mib": 1024**2, "m": 1024**2}


def parse_bytes(ram: int | str | None) -> int | None:
    """Bytes from 65536, "64 KiB" (1024) or "64 kB" (1000). Raises GraphError for anything else."""
    if ram is None:
        return None
    if isinstance(ram, str):
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", ram)
        if not found or found[2].lower() not in _UNITS:
            raise GraphError(f'ram={ram!r} is no size; write bytes as a number, "64 KiB" (1024) or "64 kB" (1000)')
        ram = int(float(found[1]) * _UNITS[found[2].lower()])
    if isinstance(ram, bool) or not isinstance(ram, int) or not 0 < ram < 2**32:
        raise GraphError(f"ram={ram!r}: a budget is between 1 byte and 4 GiB")
    return ram


def require_fit(plan: Plan, entries: Sequence[tuple[EntryCalls, Lifetimes]], budget: int | None) -> None:
    """Raise BudgetError if the plan needs more than the budget: how much, who is alive at the peak, what would help."""
    if budget is None or plan.ram_bytes <= budget:
        return
    kept = sum(b.size_bytes for b in (plan.buffers[s.buffer] for s in plan.state) if b.region == Region.RAM)
    slots = sum(
        plan.buffers[s.buffer].size_bytes
        for s in plan.state
        if plan.buffers[s.buffer].kind == Kind.STATE and plan.buffers[s.buffer].region == Region.RAM
    )
    entry, lives = max(entries, key=lambda pair: pair[1].bound_bytes)
    alive_at = [
        [
            (p.values[-1], i.size_bytes)
            for p, i in zip(lives.places, lives.intervals, strict=True)
            if i.start <= t <= i.end
        ]
        for t in range(lives.steps)
    ]
    peak = max(range(lives.steps), key=lambda t: sum(b for _, b in alive_at[t]))
    call = lives.order[peak].calls[0] if lives.order else None
    before, steps = (sum(len(u.calls) for u in us) for us in (lives.order[:peak], lives.order))  # as the plan counts
    alive = sorted(alive_at[peak], key=lambda pair: -pair[1])[:6]
    bound = EXECUTOR_BYTES + kept + lives.bound_bytes
    lines = [
        f"`{entry.name}` needs {plan.ram_bytes:,} B, ram= gives {budget:,} B ({plan.ram_bytes - budget:,} B too many); "
        f"parameters and state {kept:,} B, lower bound {bound:,} B",
        f"  peak at step {before + 1} of {steps}: {f'{call.label} ({call.source})' if call else ''}   alive: "
        + ", ".join(f"{v.label} {b:,}" for v, b in alive),
        "  try: " + "; ".join(_remedies(entry, lives, slots, plan.ram_bytes - budget)),
    ]
    raise BudgetError("\n".join(lines), plan.ram_bytes, budget, bound)


def _remedies(entry: EntryCalls, lives: Lifetimes, slots: int, missing: int) -> list[str]:
    said = []
    batch = max((v.shape[0] for v in entry.inputs.values() if v.shape), default=1)
    if batch > 1:
        per = lives.bound_bytes // batch
        fewer = min(batch - 1, -(-missing // max(1, per)))
        said.append(f"a batch of {batch - fewer} instead of {batch} saves about {per * fewer:,} B")
    if slots:
        said.append(f"an optimizer without state (sgd without momentum) saves {slots:,} B")
    said.append("training fewer parameters (trainable=[...]) moves the frozen ones to flash")
    return said
