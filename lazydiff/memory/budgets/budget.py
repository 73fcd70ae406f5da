"""`ram=` as a number of bytes, and the error that teaches when a plan does not fit."""

from __future__ import annotations

import operator
import re
from collections.abc import Sequence
from fractions import Fraction

from lazydiff.errors import BudgetError, GraphError
from lazydiff.memory.budgets.boards import BOARDS
from lazydiff.memory.budgets.remedies import remedies
from lazydiff.plan.lifetimes import entry_lives
from lazydiff.plan.model import EXECUTOR_BYTES, Plan, Region

LIMIT = 2**32  # a plan's offsets have 32 bits
_UNITS = {"": 1, "b": 1} | {
    prefix + unit: base**power
    for power, prefix in enumerate("kmgt", 1)
    for unit, base in (("b", 1000), ("ib", 1024), ("", 1024))
}


def parse_bytes(ram: int | str | None) -> int | None:
    """Bytes from 65536, "64 KiB" (1024 each), "64 kB" (1000 each), in any case, or a board's name such as "pico".

    "64 K" is 64 KiB. None is no budget. Raises GraphError for anything else: below one byte, 4 GiB or more, no number,
    an unknown unit or board (it names the nearest boards).
    """
    if ram is None:
        return None
    size: object = ram
    if isinstance(ram, str):
        found = re.fullmatch(r"\s*([+-]?\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", ram)
        name = ram.strip().lower().replace("-", "_")
        if name in BOARDS:
            return BOARDS[name]
        if not found or found[2].lower() not in _UNITS:
            raise GraphError(f"ram={ram!r} is no size and no board; {_nearest(name)}")
        size = int(Fraction(found[1]) * _UNITS[found[2].lower()])
    try:
        if isinstance(size, bool):
            raise TypeError
        size_bytes = operator.index(size)  # type: ignore[arg-type]
    except TypeError:
        raise GraphError(f'ram={ram!r} is no whole number of bytes; write 65536 or "64 KiB"') from None
    if size_bytes < 1:
        raise GraphError(f"ram={ram!r}: a budget is at least 1 byte; ram=None is a plan without one")
    if size_bytes >= LIMIT:
        raise GraphError(f"ram={ram!r}: a plan has less than 4 GiB (its offsets have 32 bits); ram=None: no budget")
    return size_bytes


def _nearest(name: str) -> str:
    import difflib  # for this error only

    near = difflib.get_close_matches(name, sorted(BOARDS), n=3, cutoff=0.5)
    sizes = 'write bytes as a number, "64 KiB" (1024 each) or "64 kB" (1000 each)'
    if near and re.search("[a-z]", name):
        return f"did you mean {' or '.join(repr(n) for n in near)}? Else {sizes}"
    return f"{sizes}, or a board: {', '.join(sorted(BOARDS))}"


def require_fit(
    plan: Plan,
    budget: int | None,
    *,
    proof: str = "",
    least_bytes: int | None = None,
    floor: str = "",
    more: Sequence[tuple[str, int]] = (),
) -> None:
    """Raise BudgetError if the plan, the smallest that was found, needs more than the budget.

    The message says how much, which entries, who is alive at the peak, whether it is proved that nothing fits (`proof`:
    a sentence; without one `least_bytes`, the least budget for which there is a plan, and `floor`, a sentence on what
    every plan needs), and what each remedy saves; `more` are remedies that the caller has tried: (what, bytes saved).
    """
    if plan.ram_bytes < (LIMIT if budget is None else budget + 1):
        return
    budget = LIMIT - 1 if budget is None else budget
    kept = sum(b.size_bytes for b in (plan.buffers[s.buffer] for s in plan.state) if b.region == Region.RAM)
    every = [entry_lives(plan, entry) for entry in plan.entries]
    worst = max(every, key=lambda each: (each.arena_bytes, each.lower_bound_bytes))
    bound = max(each.lower_bound_bytes for each in every)
    missing = plan.ram_bytes - budget
    lines = [
        f"`{worst.entry.name}` needs {plan.ram_bytes:,} B, ram= gives {budget:,} B ({missing:,} B too many); "
        f"parameters and state {kept:,} B, lower bound {bound:,} B"
    ]
    if len(every) > 1:
        needs = [(each.entry.name, each.arena_bytes) for each in every]
        too = [f"`{n}` needs {b:,} B" for n, b in needs if b > budget]
        fits = [f"`{n}` fits in {b:,} B" for n, b in needs if b <= budget]
        lines.append("  " + "; ".join(too + fits))
    if worst.entry.steps:
        at = worst.peak_step
        step = worst.entry.steps[at]
        alive = [f"{life.name} {owned:,}" for life, owned in worst.alive(at) if owned]
        rest = [f"and {len(alive) - 6} more"] if len(alive) > 6 else []
        lines.append(
            f"  peak at step {at + 1} of {len(worst.entry.steps)}: {step.label or step.declared.name}"
            f"{f' ({step.source})' if step.source else ''}   alive: {', '.join([*alive[:6], *rest])}"
        )
    if not proof and EXECUTOR_BYTES + kept > budget:
        proof = f"parameters, state and the executor's {EXECUTOR_BYTES} B alone are {EXECUTOR_BYTES + kept:,} B"
    if proof:
        lines.append(f"  no plan can fit: {proof}")
    elif least_bytes is not None:
        lines.append(f"  no plan was found, and none was ruled out: the least budget with a plan is {least_bytes:,} B")
        lines += [f"    {floor}"] if floor else []
    said = [*more, *remedies(plan, worst, missing)]
    words = [f"{what} saves {saved:,} B{' (enough)' if saved >= missing else ''}" for what, saved in said if saved > 0]
    lines.append("  try: " + ("; ".join(words) or f"ram={plan.ram_bytes}, or a smaller network"))
    raise BudgetError("\n".join(lines), plan.ram_bytes, budget, bound)
