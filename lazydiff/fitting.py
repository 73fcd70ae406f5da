"""Entries and a budget -> the plan that needs the least extra work: as they are, recomputed, or in micro-batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lazydiff.entries import versions
from lazydiff.errors import GraphError
from lazydiff.frontend.training import Step
from lazydiff.memory.budgets.budget import LIMIT, require_fit
from lazydiff.memory.buffers import Lifetimes, lifetimes, unroll
from lazydiff.memory.calls import EntryCalls
from lazydiff.memory.facts import Facts, facts
from lazydiff.memory.lives import peak
from lazydiff.memory.lower import Store, alignment_unit, lower
from lazydiff.memory.ordering.order import best_first
from lazydiff.memory.ordering.schedule import orders
from lazydiff.memory.recompute.evict import work
from lazydiff.memory.recompute.portfolio import cheapest, impossible, lowest, needed
from lazydiff.memory.variants import faster
from lazydiff.passes.split_batch import Batch
from lazydiff.plan.model import Plan

RETRIES = 4  # placements may need more than the contention bound: so often the budget of a schedule is lowered


@dataclass(frozen=True, slots=True)
class Version:
    """One way to compute an entry, and the orders of its units, the lowest peak first."""

    entry: EntryCalls
    facts: Facts
    orders: list[list[int]]
    plain: list[int]  # the schedule without a budget: repeats only what ld.recompute hints at


@dataclass(frozen=True, slots=True)
class Prepared:
    """Entries, each in its versions, that share a store."""

    steps: dict[str, Step]
    store: Store
    unit: int  # bytes of alignment
    entries: list[list[Version]]

    def room(self, budget: int | None) -> int:
        """Bytes that a budget leaves for the area that entries take turns on; without one, none."""
        return (budget or 0) // 8 * 8 - self.store.ram_bytes(self.unit)


@dataclass(frozen=True, slots=True)
class Choice:
    """An entry's version and schedule, the entry as it will run, and who lives when."""

    version: Version
    schedule: list[int]
    entry: EntryCalls
    lives: Lifetimes

    @property
    def work(self) -> int:
        """The work of one run, repeats included."""
        return work(self.version.facts, self.schedule)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A plan, and how it came to be: the steps in the micro-batches chosen, and a choice for each."""

    plan: Plan
    choices: list[Choice]
    steps: dict[str, Step]
    unit: int  # bytes of alignment

    @property
    def work(self) -> int:
        """The work of all entries together."""
        return sum(c.work for c in self.choices)

    @property
    def highest(self) -> str:
        """The entry with the highest bound."""
        return max(self.choices, key=lambda c: c.lives.bound_bytes).entry.name


def fit(steps: dict[str, Step], budget: int | None, remake: bool) -> Candidate:
    """The plan of the entries, within the budget for the least extra work. Raises BudgetError.

    Where a step's micro-batches are "auto", whole and split ones compete. The entry with the highest bound is split
    further, as long as it is one that may be and the budget is not met without recomputation.
    """
    limit = budget or LIMIT - 1
    fitting: list[Candidate] = []
    left: dict[str, list[int]] = {}
    now = dict(steps)
    prepared = prepare(now, remake)
    whole = smallest = candidate = _plain(prepared, budget)
    while True:
        smallest = min(smallest, candidate, key=lambda c: c.plan.ram_bytes)
        if candidate.plan.ram_bytes <= limit:
            fitting.append(candidate)
            break
        if remake and (found := _remade(prepared, candidate, limit)) is not None:
            fitting.append(found)
        name = candidate.highest
        if name not in left:
            left[name] = _equal_parts(steps[name]) if steps[name].micro_batches == "auto" else []
        if not left[name]:
            break
        now[name] = replace(steps[name], micro_batches=left[name].pop(0))
        prepared = prepare(now, remake)
        candidate = _plain(prepared, budget)
    if fitting:
        return min(fitting, key=lambda c: c.work)
    if remake:
        smallest = min(smallest, _lowest(prepared, candidate), key=lambda c: c.plan.ram_bytes)
        if smallest.plan.ram_bytes <= limit:  # the search for the lowest met what the one for least work did not
            return smallest
    more = _splitting(steps, whole, smallest, limit)
    if not remake:
        again = _lowest(prepared, candidate).plan.ram_bytes
        more.insert(0, ('recompute="auto"', smallest.plan.ram_bytes - again))
    bound, why = _bound(prepared)
    floor = f"{why} {bound:,} B" if candidate is whole else ""
    proof = ""
    if candidate is whole and prepared.room(limit) >= 0:  # else the error says it more simply
        proof = floor if bound > limit else _searched(prepared, limit)
    require_fit(smallest.plan, budget, proof=proof, least_bytes=smallest.plan.ram_bytes, floor=floor, more=more)
    raise AssertionError("a plan that does not fit was let through")


def prepare(steps: Mapping[str, Step], remake: bool) -> Prepared:
    """The entries as calls, in every version."""
    store = Store({id(leaf) for s in steps.values() for leaf, _ in s.updates})
    made = [versions(store, name, s) for name, s in steps.items()]
    calls = [c for each in made for e in each for u in e.units for c in u.calls]
    unit = alignment_unit([v for c in calls for v in (*c.reads, *c.writes)])
    return Prepared(dict(steps), store, unit, [[_version(e, unit, remake) for e in each] for each in made])


def _version(entry: EntryCalls, unit: int, remake: bool) -> Version:
    known, _ = facts(entry, entry.units, unit)
    found = best_first(known, orders(known))
    return Version(entry, known, found, lowest(known, found, known.anew) if known.anew and remake else found[0])


def _choose(prepared: Prepared, version: Version, schedule: Sequence[int]) -> Choice:
    entry, order = unroll(version.entry, version.entry.units, schedule)
    return Choice(version, list(schedule), entry, lifetimes(entry, order, prepared.unit))


def _candidate(prepared: Prepared, choices: list[Choice], room: int) -> Candidate:
    """The plan, with faster kernels where their scratch fits the room, or what the plan takes anyway."""
    room = max([room, *(c.lives.placed().height for c in choices)])
    fast = [faster(c.entry, c.lives, room, prepared.unit) for c in choices]
    return Candidate(lower(prepared.store, fast, prepared.unit), choices, prepared.steps, prepared.unit)


def _plain(prepared: Prepared, budget: int | None) -> Candidate:
    """Each entry in the version and the order of the lowest bound; nothing runs twice for a budget's sake."""
    choices = []
    for each in prepared.entries:
        version = min(each, key=lambda v: peak(v.facts, v.plain))
        choices.append(_choose(prepared, version, version.plain))
    return _candidate(prepared, choices, prepared.room(budget))


def _remade(prepared: Prepared, plain: Candidate, budget: int) -> Candidate | None:
    """With what is too much recomputed, for the least work; None if that was not found."""
    room = prepared.room(budget)
    choices = []
    for each, choice in zip(prepared.entries, plain.choices, strict=True):
        target = room
        for tries in range(RETRIES + 1):
            height = choice.lives.placed(room).height
            if height <= room:
                break
            if tries:
                target -= max(prepared.unit, height - room)
            cheapest = _cheapest(prepared, each, target)
            if cheapest is None or tries == RETRIES:
                return None
            choice = cheapest
        choices.append(choice)
    return _candidate(prepared, choices, room)


def _cheapest(prepared: Prepared, each: list[Version], target: int) -> Choice | None:
    found = cheapest([(v.facts, v.orders) for v in each], target)
    return _choose(prepared, each[found[0]], found[1]) if found else None


def _lowest(prepared: Prepared, plain: Candidate) -> Candidate:
    """Each entry as low as recomputation gets it."""
    choices = []
    for each in prepared.entries:
        tries = [(v, lowest(v.facts, v.orders)) for v in each]
        version, schedule = min(tries, key=lambda pair: peak(pair[0].facts, pair[1]))
        choices.append(_choose(prepared, version, schedule))
    return min(plain, _candidate(prepared, choices, 0), key=lambda c: c.plan.ram_bytes)


def _bound(prepared: Prepared) -> tuple[int, str]:
    """Bytes that every plan of these versions needs, and why."""
    best = 0, ""
    for each in prepared.entries:
        least: tuple[int, str] | None = None
        for v in each:
            size, unit = needed(v.facts)
            call = v.entry.units[unit].calls[-1] if unit >= 0 else None
            where = f"{call.label or 'a step'} ({call.source})" if call else "the inputs"
            words = f"what {where} of `{v.entry.name}` reads and writes takes {size:,} B, with parameters and state"
            least = min(least or (size + 1, ""), (size, words))
        assert least is not None
        best = max(best, least, key=lambda found: found[0])
    return best[0] + prepared.store.ram_bytes(prepared.unit), best[1]


def _searched(prepared: Prepared, budget: int) -> str:
    """The proof that no order of an entry's calls, whatever it repeats, keeps to the budget; "" if there is none."""
    for each in prepared.entries:
        if impossible([(v.facts, v.orders) for v in each], prepared.room(budget)):
            calls = max(len(v.orders[0]) for v in each)
            return f"all orders of the {calls} calls of `{each[0].entry.name}` were searched, with all repeats"
    return ""


def _splitting(steps: dict[str, Step], plain: Candidate, smallest: Candidate, budget: int) -> list[tuple[str, int]]:
    """What micro-batches would save where nobody asked for them: the first of a few numbers that fits, or the best.

    They are counted from the smallest plan without, as the message does.
    """
    name = plain.highest
    best = smallest.plan.ram_bytes, 1
    for parts in _equal_parts(steps[name])[:4] if steps[name].micro_batches is None else ():
        found = _plain(prepare(steps | {name: replace(steps[name], micro_batches=parts)}, False), budget)
        best = min(best, (found.plan.ram_bytes, parts))
        if found.plan.ram_bytes <= budget:
            break
    return [(f"train_step(..., micro_batches={best[1]})", smallest.plan.ram_bytes - best[0])]


def _equal_parts(step: Step) -> list[int]:
    """The numbers of micro-batches of equal size, fewest first, from 2; none for a step that can't be split."""
    try:
        n = Batch(step.roots).samples
    except GraphError:
        return []
    return [k for k in range(2, n + 1) if n % k == 0]
