"""The error that teaches when a plan does not fit."""

from __future__ import annotations

from collections.abc import Sequence

from lazydiff.errors import BudgetError
from lazydiff.memory.budgets.ram import Ram
from lazydiff.memory.budgets.remedies import remedies
from lazydiff.plan.lifetimes import EntryLives, entry_lives
from lazydiff.plan.model import Plan


def require_fit(
    plan: Plan,
    ram: Ram,
    *,
    proof: str = "",
    searched: bool = False,
    floor: str = "",
    more: Sequence[tuple[str, int]] = (),
) -> None:
    """Raise BudgetError if the plan, the smallest that was found, needs more than the budget gives.

    The message says how much, which entries, who is alive at the peak, whether it is proved that nothing fits (`proof`:
    a sentence; without one, where the caller `searched`, the plan's bytes are the least budget with a plan, and `floor`
    is a sentence on what every plan needs), and what each remedy saves; `more` are remedies that the caller has tried:
    (what, bytes saved). Of several regions it is the last that a plan exceeds.
    """
    missing = ram.missing(plan)
    if missing <= 0:
        return
    kept = sum(b.size_bytes for b in (plan.buffers[s.buffer] for s in plan.state) if b.region.in_ram)
    every = [entry_lives(plan, entry) for entry in plan.entries]
    worst = max(every, key=lambda each: (_needs(each, ram), each.lower_bound_bytes))
    bound = max(each.lower_bound_bytes for each in every)
    gives = "ram= gives " + (_by_name(ram.by_name) or f"{ram.total:,} B")
    used = {r.name: r.used_bytes for r in plan.named}
    too_many = f"too many in {ram.names[-1]}" if ram.names else "too many"
    lines = [
        f"`{worst.entry.name}` needs {plan.ram_bytes:,} B, {gives} ({missing:,} B {too_many}); "
        f"parameters and state {kept:,} B, lower bound {bound:,} B"
    ]
    needs = [(each.entry.name, _needs(each, ram)) for each in every]
    too = [f"`{n}` needs {b:,} B" for n, b in needs if b > ram.total]
    if len(every) > 1 and too:
        lines.append("  " + "; ".join(too + [f"`{n}` fits in {b:,} B" for n, b in needs if b <= ram.total]))
    if worst.entry.steps:
        at = worst.peak_step
        step = worst.entry.steps[at]
        place = {r.begin: f" in {r.region.name}" for r in worst.regions} if ram.names else {}
        alive = [f"{life.name} {owned:,}{place.get(life.base, '')}" for life, owned in worst.alive(at) if owned]
        rest = [f"and {len(alive) - 6} more"] if len(alive) > 6 else []
        lines.append(
            f"  peak at step {at + 1} of {len(worst.entry.steps)}: {step.label or step.declared.name}"
            f"{f' ({step.source})' if step.source else ''}   alive: {', '.join([*alive[:6], *rest])}"
        )
    if not proof and plan.executor_bytes + kept > ram.total:
        proof = (
            f"parameters, state and the executor's {plan.executor_bytes} B alone are {plan.executor_bytes + kept:,} B"
        )
    if proof:
        lines.append(f"  no plan can fit: {proof}")
    elif searched:
        least = _by_name(used) or f"{plan.ram_bytes:,} B"
        lines.append(f"  no plan was found, and none was ruled out: the least budget with a plan is {least}")
        lines += [f"    {floor}"] if floor else []
    said = [(what, saved, True) for what, saved in more]
    said += [(what, saved, not ram.names) for what, saved in remedies(plan, worst, missing)]  # else: who knows where
    words = [
        f"{what} saves {saved:,} B{' (enough)' if saved >= missing and sure else ''}"
        for what, saved, sure in said
        if saved > 0
    ]
    lines.append("  try: " + ("; ".join(words) or f"ram={used or plan.ram_bytes}, or a smaller network"))
    raise BudgetError("\n".join(lines), plan.ram_bytes, ram.total, bound, used)


def _needs(lives: EntryLives, ram: Ram) -> int:
    """An entry's bytes; of several regions, where it may lie higher for another entry's sake, those of its peak."""
    return lives.lower_bound_bytes if ram.names else lives.arena_bytes


def _by_name(regions: dict[str, int]) -> str:
    return " and ".join(f"{name} {size:,} B" for name, size in regions.items())
