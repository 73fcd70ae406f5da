"""Entries in their versions -> candidates for the plan: as they are for the fewest bytes, or for the least work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from lazydiff.entries import forms, grown, values, written
from lazydiff.frontend.training import Step
from lazydiff.memory.budgets.ram import Ram
from lazydiff.memory.buffers import Lifetimes, lifetimes, living, unroll
from lazydiff.memory.calls import EntryCalls
from lazydiff.memory.layout import Layout, spread_out, stacked
from lazydiff.memory.lower import Store, alignment_unit, lower
from lazydiff.memory.variants import faster
from lazydiff.memory.version import Version, lowest_version
from lazydiff.passes.crossing import crossing_bytes
from lazydiff.plan.model import Plan

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

    @property
    def least_work(self) -> list[int]:
        """By entry, the work of its versions with least."""
        return [min(v.work for v in each) for each in self.entries]

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
        return self.version.facts.work(self.schedule)


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


def prepare(steps: Mapping[str, Step], ram: Ram, remake: bool, every: bool = True) -> Prepared:
    """The entries as calls, in every version; or only in those that may be the lowest."""
    store = Store({id(leaf) for s in steps.values() for leaf, _ in s.updates})
    made = [_Written(store, name, s, every) for name, s in steps.items()]
    unit = alignment_unit(values(e for each in made for e in each.made.values()))
    first = sum(len(each.made) for each in made)
    entries = [each.versions(unit, remake) for each in made]
    late = sum(len(each.made) for each in made) > first
    if late and unit != alignment_unit(values(e for each in made for e in each.made.values())):
        return prepare(steps, ram, remake)  # a version that was made late has larger elements
    return Prepared(dict(steps), ram, store, unit, entries)


class _Written:
    """An entry's forms, and the calls of those that are asked for: of all, or first of those that keep the least."""

    def __init__(self, store: Store, name: str, step: Step, every: bool) -> None:
        self.forms = forms(step)
        self.write = partial(written, store, name, step)
        self.least = [0 if every else crossing_bytes(roots) for roots in self.forms]
        self.made = {n: self.write(r) for n, r in enumerate(self.forms) if self.least[n] == min(self.least)}

    def versions(self, unit: int, remake: bool) -> list[Version]:
        """All versions but those that take more, whatever their order, than another one in a known order."""
        found = {n: Version(e, unit, remake) for n, e in self.made.items()}
        for n in sorted(range(len(self.forms)), key=self.least.__getitem__):
            if n not in found and self.least[n] <= min(v.rules_peak for v in found.values()):
                self.made[n] = self.write(self.forms[n])
                found[n] = Version(self.made[n], unit, remake)
        return grown([found[n] for n in sorted(found)], len(self.forms))


def choose(prepared: Prepared, version: Version, schedule: Sequence[int]) -> Choice:
    """A version in this schedule."""
    entry, order = unroll(version.entry, version.entry.units, schedule)
    if len(order) == len(version.entry.units):
        lives = living(version.facts, version.values, schedule, order)
    else:  # what is made again has values of its own
        lives = lifetimes(entry, order, prepared.unit)
    return Choice(version, list(schedule), entry, lives)


def candidate_of(prepared: Prepared, choices: list[Choice]) -> Candidate:
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


def lowest_candidate(prepared: Prepared) -> Candidate:
    """Each entry in the version and the order of the lowest bound; nothing runs twice for a budget's sake."""
    least = [lowest_version(each) for each in prepared.entries]
    return candidate_of(prepared, [choose(prepared, v, v.plain) for v in least])


def quickest_candidate(prepared: Prepared, plain: Candidate) -> Candidate | None:
    """Each entry in the version of least work, where there is room for them all; None too if that is the plain plan."""
    pairs = zip(prepared.entries, prepared.least_work, strict=True)
    quick = [lowest_version([v for v in each if v.work == least]) for each, least in pairs]
    if all(v is c.version for v, c in zip(quick, plain.choices, strict=True)):
        return None
    choices = [choose(prepared, v, v.plain) for v in quick]
    return candidate_of(prepared, choices) if max(prepared.beyond([c.lives for c in choices])) <= 0 else None
