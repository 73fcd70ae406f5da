"""Entries and a budget -> the plan that needs the least extra work: as they are, recomputed, or in micro-batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from lazydiff.entries import values, written
from lazydiff.errors import GraphError
from lazydiff.frontend.training import Step
from lazydiff.memory.apart import apart
from lazydiff.memory.budgets.budget import require_fit
from lazydiff.memory.budgets.proofs import enough_bytes, enough_places
from lazydiff.memory.budgets.ram import Ram
from lazydiff.memory.buffers import Lifetimes, lifetimes, unroll
from lazydiff.memory.calls import EntryCalls
from lazydiff.memory.layout import Layout, spread_out, stacked
from lazydiff.memory.lives import peak
from lazydiff.memory.lower import Store, alignment_unit, lower
from lazydiff.memory.recompute.evict import work
from lazydiff.memory.recompute.portfolio import cheapest, impossible, lowest
from lazydiff.memory.variants import faster
from lazydiff.memory.version import Version, lowest_version
from lazydiff.passes.split_batch import Batch
from lazydiff.plan.model import Plan

RETRIES = 4  # placements may need more than the contention bound: so often the budget of a schedule is lowered
SPARE = 1024  # without a budget, faster kernels may cost this part of the bytes, and no more


@dataclass(frozen=True, slots=True)
class Prepared:
    """Entries, each in its versions, that share a store and the RAM there is."""

    steps: dict[str, Step]
    ram: Ram
    store: Store
    unit: int  # bytes of alignment
    entries: list[list[Version]]
    _layouts: dict[tuple[int, ...], tuple[list[Lifetimes], Layout]] = field(default_factory=dict, repr=False)

    @property
    def front(self) -> int:
        """Bytes beside what entries take turns on: the executor's, parameters and state."""
        return self.ram.executor_bytes + self.store.kept_bytes(self.unit)

    @property
    def room(self) -> int:
        """Bytes that all regions leave for what entries take turns on."""
        return sum(size // 8 * 8 for size in self.ram.sizes) - self.front

    def layout(self, lives: Sequence[Lifetimes], search: bool = True) -> Layout:
        """Where everything lies if each entry runs so. Several regions are searched for once; `search=False`: never."""
        if not self.ram.names:
            return stacked(self.store.kept, lives, self.unit)
        key = tuple(map(id, lives))  # the lives are kept, so no other's ids
        if key in self._layouts:
            return self._layouts[key][1]
        found = spread_out(self.store.kept, lives, self.unit, self.ram, search)
        if search:
            self._layouts[key] = list(lives), found
        return found

    def fits_with(self, lives: Sequence[Lifetimes], n: int, wide: Lifetimes) -> bool:
        """True if the regions hold these lives, with `wide` for entry n, without a search."""
        changed = [wide if m == n else each for m, each in enumerate(lives)]
        return max(self.layout(changed, search=False).beyond) <= 0

    def beyond(self, lives: Sequence[Lifetimes]) -> list[int]:
        """By entry: by how many bytes it exceeds the room if it runs so; 0 or less if it fits."""
        if self.ram.names:
            return self.layout(lives).beyond
        return [each.placed(self.room).height - self.room for each in lives]


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


def fit(steps: dict[str, Step], ram: Ram, remake: bool) -> Candidate:
    """The plan of the entries, within the RAM there is for the least extra work. Raises BudgetError.

    Where a step's micro-batches are "auto", whole and split ones compete. The entry with the highest bound is split
    further, as long as it is one that may be and the budget is not met without recomputation.
    """

    def size(c: Candidate) -> int:
        return ram.missing(c.plan)

    fitting: list[Candidate] = []
    left: dict[str, list[int]] = {}
    now = dict(steps)
    prepared = prepare(now, ram, remake)
    whole = smallest = candidate = _plain(prepared)
    if ram.limited and (roomy := _roomy(prepared, whole)) is not None:
        fitting.append(roomy)
    while True:
        smallest = min(smallest, candidate, key=size)
        if size(candidate) <= 0:
            fitting.append(candidate)
            break
        if remake and (found := _remade(prepared, candidate)) is not None:
            fitting.append(found)
        name = candidate.highest
        if name not in left:
            left[name] = _equal_parts(steps[name]) if steps[name].micro_batches == "auto" else []
        if not left[name]:
            break
        now[name] = replace(steps[name], micro_batches=left[name].pop(0))
        prepared = prepare(now, ram, remake)
        candidate = _plain(prepared)
    if fitting:
        return min(fitting, key=lambda c: c.work)
    if remake:
        smallest = min(smallest, _lowest(prepared, candidate), key=size)
        if size(smallest) <= 0:  # the search for the lowest met what the one for least work did not
            return smallest
    more = _splitting(steps, whole, smallest, ram)
    if not remake:
        more.insert(0, ('recompute="auto"', size(smallest) - size(_lowest(prepared, candidate))))
    floor, proof = _reasons(prepared) if candidate is whole else ("", "")
    require_fit(smallest.plan, ram, proof=proof, searched=True, floor=floor, more=more)
    raise AssertionError("a plan that does not fit was let through")


def prepare(steps: Mapping[str, Step], ram: Ram, remake: bool) -> Prepared:
    """The entries as calls, in every version."""
    store = Store({id(leaf) for s in steps.values() for leaf, _ in s.updates})
    made = [written(store, name, s) for name, s in steps.items()]
    unit = alignment_unit(values(e for each in made for e in each))
    versions = [[Version(e, unit, remake) for e in each] for each in made]
    return Prepared(dict(steps), ram, store, unit, [each + apart(each) for each in versions])


def _choose(prepared: Prepared, version: Version, schedule: Sequence[int]) -> Choice:
    entry, order = unroll(version.entry, version.entry.units, schedule)
    return Choice(version, list(schedule), entry, lifetimes(entry, order, prepared.unit))


def _candidate(prepared: Prepared, choices: list[Choice]) -> Candidate:
    """The plan, with faster kernels where their scratch fits the room, or about what the plan takes anyway."""
    fast = [(c.entry, c.lives) for c in choices]
    if not prepared.ram.names:
        least = max(c.lives.placed().height for c in choices)
        room = max(prepared.room, least) if prepared.ram.limited else least + least // SPARE
        fast = [faster(*each, room, prepared.unit, lambda wide: wide.placed().height <= room) for each in fast]
    elif max(prepared.beyond([c.lives for c in choices])) <= 0:
        for n, each in enumerate(fast):
            others = [lives for _, lives in fast]
            fast[n] = faster(*each, prepared.room, prepared.unit, partial(prepared.fits_with, others, n))
    layout = prepared.layout([lives for _, lives in fast])
    return Candidate(lower(prepared.store, fast, layout, prepared.ram), choices, prepared.steps, prepared.unit)


def _plain(prepared: Prepared) -> Candidate:
    """Each entry in the version and the order of the lowest bound; nothing runs twice for a budget's sake."""
    least = [lowest_version(each) for each in prepared.entries]
    return _candidate(prepared, [_choose(prepared, v, v.plain) for v in least])


def _roomy(prepared: Prepared, plain: Candidate) -> Candidate | None:
    """Each entry in the version of least work, where there is room for them all; None too if that is the plain plan."""
    quick = []
    for each in prepared.entries:
        least = min(v.work for v in each)
        quick.append(lowest_version([v for v in each if v.work == least]))
    if all(v is c.version for v, c in zip(quick, plain.choices, strict=True)):
        return None
    choices = [_choose(prepared, v, v.plain) for v in quick]
    return _candidate(prepared, choices) if max(prepared.beyond([c.lives for c in choices])) <= 0 else None


def _remade(prepared: Prepared, plain: Candidate) -> Candidate | None:
    """With what is too much recomputed, for the least work; None if that was not found."""
    choices = list(plain.choices)
    targets = [prepared.room] * len(choices)
    for tries in range(RETRIES + 1):
        beyond = prepared.beyond([c.lives for c in choices])
        if max(beyond) <= 0:
            return _candidate(prepared, choices)
        for n, excess in enumerate(beyond):
            if excess > 0:
                targets[n] -= max(prepared.unit, excess) if tries else 0
                choice = _cheapest(prepared, prepared.entries[n], targets[n]) if tries < RETRIES else None
                if choice is None:
                    return None
                choices[n] = choice
    return None


def _cheapest(prepared: Prepared, each: list[Version], target: int) -> Choice | None:
    found = cheapest([(v.facts, v.orders) for v in each], target)
    return _choose(prepared, each[found[0]], found[1]) if found else None


def _lowest(prepared: Prepared, plain: Candidate) -> Candidate:
    """Each entry as low as recomputation gets it."""
    choices = []
    for each in prepared.entries:
        rough = [(peak(v.facts, lowest(v.facts, v.orders, moves=False)), n) for n, v in enumerate(each)]
        version = each[min(rough)[1]]
        schedule = lowest(version.facts, version.orders)
        choices.append(_choose(prepared, version, schedule))
    return min(plain, _candidate(prepared, choices), key=lambda c: prepared.ram.missing(c.plan))


def _reasons(prepared: Prepared) -> tuple[str, str]:
    """A sentence on what every plan needs, and one that proves that none fits, or "".

    No proof where parameters and state alone are too much: the error says it more simply.
    """
    cases = [[(v.entry, v.facts) for v in each] for each in prepared.entries]
    bound, floor = enough_bytes(cases, prepared.front)
    if prepared.room < 0:
        return floor, ""
    if bound > prepared.ram.total:
        return floor, floor
    proof = enough_places(cases, prepared.store.kept, prepared.unit, prepared.ram) if prepared.ram.names else ""
    return floor, proof or _searched(prepared)


def _searched(prepared: Prepared) -> str:
    """The proof that no order of an entry's calls, whatever it repeats, keeps to the budget; "" if there is none."""
    for each in prepared.entries:
        if impossible([(v.facts, v.orders) for v in each], prepared.room):
            calls = max(len(v.orders[0]) for v in each)
            return f"all orders of the {calls} calls of `{each[0].entry.name}` were searched, with all repeats"
    return ""


def _splitting(steps: dict[str, Step], plain: Candidate, smallest: Candidate, ram: Ram) -> list[tuple[str, int]]:
    """What micro-batches would save where nobody asked for them: the first of a few numbers that fits, or the best.

    They are counted from the smallest plan without, as the message does.
    """
    name = plain.highest
    best = ram.missing(smallest.plan), 1
    for parts in _equal_parts(steps[name])[:4] if steps[name].micro_batches is None else ():
        found = _plain(prepare(steps | {name: replace(steps[name], micro_batches=parts)}, ram, False))
        best = min(best, (ram.missing(found.plan), parts))
        if best[0] <= 0:
            break
    return [(f"train_step(..., micro_batches={best[1]})", ram.missing(smallest.plan) - best[0])]


def _equal_parts(step: Step) -> list[int]:
    """The numbers of micro-batches of equal size, fewest first, from 2; none for a step that can't be split."""
    try:
        n = Batch(step.roots).samples
    except GraphError:
        return []
    return [k for k in range(2, n + 1) if n % k == 0]
