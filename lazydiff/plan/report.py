"""What is known of a plan beyond its bytes: its peak, what each stage of the planner saved, how to plan it again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lazydiff.errors import BudgetError, PlanError

if TYPE_CHECKING:
    from lazydiff.plan.model import Plan

Savings = Mapping[str, int]  # bytes by stage, in the planner's order
Waits = tuple[tuple[str, str], ...]  # (parameter, why its gradient waits before the update)
Asked = int | str | Mapping[str, int | str] | None  # a budget: what `compile(ram=...)` takes
Work = tuple[int, int]  # multiply-adds: of the graph as written, and done


@dataclass(frozen=True, slots=True)
class Report:
    """What compile() remembers of a plan: not part of the `.lzp` file, and no part of what makes two plans equal.

    `savings()` gives, by entry, the stages and the bytes that each took off the entry's contention bound (less than 0:
    it cost some; budgets/savings.py). `work()` gives, by entry, the multiply-adds of the graph as written and those of
    the plan. Both are worked out when they are first asked for. `waits` says, by entry, which parameters can't be
    updated as soon as their gradient exists, and why. `again` compiles the same entries for another budget; so a plan
    that was compiled keeps its graph alive.
    """

    savings: Callable[[], Mapping[str, Savings]]
    work: Callable[[], Mapping[str, Work]]
    waits: Mapping[str, Waits]
    again: Callable[[Asked], Plan]

    @property
    def extra_work(self) -> float:
        """What all entries do beyond the graphs as written, in percent of those."""
        works = list(self.work().values())
        return extra_percent((sum(once for once, _ in works), sum(done for _, done in works)))


def extra_percent(work: Work) -> float:
    """What is done beyond the graph as written, in percent of that."""
    once, done = work
    return 100.0 * (done - once) / once if once else 0.0


@dataclass(frozen=True, slots=True)
class Peak:
    """The moment at which a plan needs the most bytes. `alive` has (name, kind, bytes), greatest first.

    `step` counts from 0. `bytes` are those in use while it runs, parameters, state and the executor's included;
    `regions` has them by region of RAM, where those have names, and `where` the region of each that is alive.
    """

    entry: str
    step: int
    op: str
    source: str
    bytes: int
    alive: tuple[tuple[str, str, int], ...]
    regions: Mapping[str, int] = field(default_factory=dict)
    where: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Swept:
    """One row of a sweep: `ram_bytes` and `extra_work` (percent) of the plan for a budget, None where none was found.

    `least_bytes` is the RAM of the smallest plan that was found: `ram_bytes` where there is one.
    """

    budget: Asked
    ram_bytes: int | None
    least_bytes: int
    extra_work: float | None


def peak(plan: Plan) -> Peak:
    """The peak of the entry with the highest lower bound, the first of equals. Raises PlanError without entries."""
    if not plan.entries:
        raise PlanError("peak: the plan has no entries")
    from lazydiff.plan.lifetimes import entry_lives  # a plan that is only run needs none

    lives = max((entry_lives(plan, e) for e in plan.entries), key=lambda each: each.lower_bound_bytes)
    at = lives.peak_step
    step = lives.entry.steps[at] if lives.entry.steps else None
    owners = [(life, owned) for life, owned in lives.alive(at) if owned]
    return Peak(
        lives.entry.name,
        at,
        (step.label or step.declared.name) if step else "",
        step.source if step else "",
        lives.live_bytes[at],
        tuple((life.name, life.buffer.kind.name.lower(), owned) for life, owned in owners),
        {use.region.name: use.peak_bytes for use in lives.regions} if plan.named else {},
        tuple(lives.region(life) for life, _ in owners) if plan.named else (),
    )


def lower_bound(plan: Plan) -> int:
    """The most bytes that any entry needs at one step: no placement of these steps can be smaller."""
    from lazydiff.plan.lifetimes import entry_lives  # as above

    return max((entry_lives(plan, e).lower_bound_bytes for e in plan.entries), default=plan.executor_bytes)


def sweep(plan: Plan, budgets: Sequence[Asked]) -> list[Swept]:
    """The plan's entries compiled for each budget; see Plan.sweep."""
    if plan.report is None:
        raise PlanError(
            "sweep: this plan was read from a file, which has no graph to plan again\n"
            "  try: ld.compile(...) the entries again, and sweep what it gives"
        )
    rows = []
    for budget in budgets:
        try:
            found = plan.report.again(budget)
        except BudgetError as error:
            rows.append(Swept(budget, None, error.needed_bytes, None))
        else:
            extra = found.report.extra_work if found.report else 0.0
            rows.append(Swept(budget, found.ram_bytes, found.ram_bytes, extra))
    return rows
