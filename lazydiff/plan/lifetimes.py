"""Turns one entry of a plan into lifetimes: which bytes of RAM hold a value at which steps, and the peak they make.

Works from the plan's steps alone, so its lower bound is independent of the planner's. A value lives from the step that
writes it (parameters, state and inputs: from the start) to the last step that reads it (outputs, parameters and state:
to the end). Bytes are counted as the union of live ranges, so an in-place output and its input, or a parameter and its
new value, count once. Steps that run together range by range (tiles) count as one moment.

Addresses count through all regions of RAM, as if their used bytes lay one behind another.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from lazydiff.plan.model import Buffer, Entry, Kind, Plan, RamRegion, executor_bytes

_ORDER = (Kind.PARAMS, Kind.STATE, Kind.IO, Kind.WORK)  # who is named where two share bytes


@dataclass(frozen=True, slots=True)
class Life:
    """One value in RAM: its place, and the steps `first`..`last` (both included) at which it must be kept.

    `base` is the address at which its region begins.
    `is_new` marks the value that an entry leaves in a parameter's or state's place; it has the old value's name.
    `given` values (inputs, parameters, state) are there before the first step.
    """

    name: str
    buffer: Buffer
    first: int
    last: int
    is_new: bool = False
    given: bool = False
    base: int = 0

    @property
    def begin(self) -> int:
        """The address of its first byte."""
        return self.base + self.buffer.offset

    @property
    def end(self) -> int:
        """The address behind its last byte."""
        return self.base + self.buffer.end


@dataclass(frozen=True, slots=True)
class RegionUse:
    """What an entry takes of a region of RAM: the bytes up to its last value's end, and those in use at the peak step.

    `region` and `begin` are the plan's region and the address at which it begins.
    """

    region: RamRegion
    begin: int
    arena_bytes: int
    peak_bytes: int


@dataclass(frozen=True, slots=True)
class EntryLives:
    """All values of an entry. `live_bytes[i]` is what must be in RAM while step i runs, executor included.

    `arena_bytes` and `lower_bound_bytes` are those of all regions together.
    """

    entry: Entry
    lives: tuple[Life, ...]
    live_bytes: tuple[int, ...]
    peak_step: int
    lower_bound_bytes: int
    arena_bytes: int
    regions: tuple[RegionUse, ...]

    @property
    def executor_bytes(self) -> int:
        """The runtime's bytes, at the start of the first region."""
        return executor_bytes(len(self.regions))

    @property
    def top(self) -> int:
        """The address behind the last byte."""
        return self.arena_bytes if len(self.regions) == 1 else self.regions[-1].begin + self.regions[-1].arena_bytes

    def region(self, life: Life) -> str:
        """The name of the region that a value lies in."""
        return self.regions[life.buffer.region.number].region.name

    @property
    def arena_over_bound(self) -> float:
        """1.0 when no placement of this step order can be smaller."""
        return self.arena_bytes / self.lower_bound_bytes

    def alive(self, step: int) -> list[tuple[Life, int]]:
        """Who is in RAM while a step runs, greatest first, each with the bytes not already counted for another."""
        return _owned(self.lives, step)


def _owned(lives: Iterable[Life], step: int) -> list[tuple[Life, int]]:
    here = [life for life in lives if life.first <= step <= life.last]
    here.sort(key=lambda life: (_ORDER.index(life.buffer.kind), life.first, life.begin))
    cuts = np.unique([at for life in here for at in (life.begin, life.end)])
    sizes = np.diff(cuts)
    owned = []
    for life in here:
        first, last = np.searchsorted(cuts, (life.begin, life.end)).tolist()
        owned.append((life, int(sizes[first:last].sum())))
        sizes[first:last] = 0  # each byte is counted for the first value that lies on it
    return sorted(owned, key=lambda pair: (-pair[1], pair[0].begin))


def union_bytes(ranges: Iterable[tuple[int, int]]) -> int:
    """How many bytes a set of (begin, end) ranges covers."""
    total, reached = 0, 0
    for begin, end in sorted(ranges):
        total += max(0, end - max(begin, reached))
        reached = max(reached, end)
    return total


def spans(lives: EntryLives) -> list[tuple[int, int]]:
    """For each life its first half step, and that after its last: step s is the half steps 2 s and 2 s + 1.

    A value written over one that dies at that moment takes its bytes over in the middle; so no two lives with a byte in
    common have a half step in common.
    """
    begins, ends = [2 * life.first for life in lives.lives], [2 * life.last + 2 for life in lives.lives]
    dying: dict[int, list[int]] = {}
    until = dict(_moments(lives.entry))  # the last step of the moment that begins at a step
    for n, life in enumerate(lives.lives):
        dying.setdefault(life.last, []).append(n)
    for n, life in enumerate(lives.lives):
        for last in range(life.first, until.get(life.first, life.first) + 1):
            for old in dying.get(last, ()):
                other = lives.lives[old]
                earlier = (other.first, not other.given) < (life.first, not life.given)
                if earlier and other.buffer.overlaps(life.buffer):
                    begins[n] = ends[old] = life.first + last + 1
    return list(zip(begins, ends, strict=True))


def entry_lives(plan: Plan, entry: Entry) -> EntryLives:
    """The lifetimes of one entry. The plan must be a valid one (plan/check.py)."""
    lives = _lives(plan, entry)
    moments = _moments(entry)
    count = max(1, len(entry.steps))
    live = _live_bytes(lives, count, plan.executor_bytes)
    peak = max(range(count), key=lambda i: (live[i], -i))
    peak = moments[peak][0] if entry.steps else 0
    regions = _region_uses(plan, lives, peak)
    arena = sum(r.arena_bytes for r in regions)
    rounded = -(-arena // plan.align) * plan.align
    bound = max(live)
    if len(regions) == 1 and rounded <= plan.ram_bytes:  # both are sizes of a RAM block, so both end at its alignment
        arena, bound = rounded, -(-bound // plan.align) * plan.align
    return EntryLives(entry, tuple(lives), tuple(live), peak, bound, arena, regions)


def _bases(plan: Plan) -> list[int]:
    """The address at which each region of RAM begins."""
    return [0, *accumulate(r.used_bytes for r in plan.regions)][:-1]


def _region_uses(plan: Plan, lives: Iterable[Life], peak: int) -> tuple[RegionUse, ...]:
    ends, inside = [plan.executor_bytes], [plan.executor_bytes]
    ends += [0] * (len(plan.regions) - 1)
    inside += [0] * (len(plan.regions) - 1)
    for life in lives:
        at = life.buffer.region.number
        ends[at] = max(ends[at], life.buffer.end)
    for life, owned in _owned(lives, peak):
        inside[life.buffer.region.number] += owned
    return tuple(RegionUse(*each) for each in zip(plan.regions, _bases(plan), ends, inside, strict=True))


def _live_bytes(lives: Iterable[Life], count: int, executor: int) -> list[int]:
    """The bytes in use at each step, counted once however many values lie on them, the executor's included.

    RAM is cut where any value begins or ends; stepping through the entry, each piece counts the values that cover it.
    """
    lives = list(lives)
    cuts = np.unique([0, executor, *(at for v in lives for at in (v.begin, v.end))])
    sizes, cover = np.diff(cuts), np.zeros(len(cuts) - 1, np.int64)
    changes: list[list[tuple[int, slice]]] = [[] for _ in range(count + 1)]
    changes[0].append((1, slice(0, int(np.searchsorted(cuts, executor)))))
    for life in lives:
        first, last = np.searchsorted(cuts, (life.begin, life.end)).tolist()
        changes[life.first].append((1, slice(first, last)))
        changes[life.last + 1].append((-1, slice(first, last)))
    live, total = [], 0
    for now in changes[:count]:
        for by, pieces in now:
            before = int(sizes[pieces] @ (cover[pieces] > 0))
            cover[pieces] += by
            total += int(sizes[pieces] @ (cover[pieces] > 0)) - before
        live.append(total)
    return live


def _moments(entry: Entry) -> list[tuple[int, int]]:
    """For each step the first and last step of its moment: tiled steps and the one behind them share one."""
    moments: list[tuple[int, int]] = []
    first = 0
    for number, step in enumerate(entry.steps):
        if not step.tile_rows:
            moments += [(first, number)] * (number + 1 - first)
            first = number + 1
    return moments


def _names(plan: Plan, entry: Entry) -> dict[int, str]:
    """What to call each buffer: its symbol's name, else its label."""
    names = {number: buffer.label or f"buffer {number}" for number, buffer in enumerate(plan.buffers)}
    for symbol in (*entry.outputs, *entry.inputs, *plan.state):
        names[symbol.buffer] = symbol.name
    for old, new in entry.updates:
        names[new] = names[old]
    return names


def _lives(plan: Plan, entry: Entry) -> list[Life]:
    end = max(0, len(entry.steps) - 1)
    names, moments, bases = _names(plan, entry), _moments(entry), _bases(plan)
    replaced, renewed = {old for old, _ in entry.updates}, {new for _, new in entry.updates}
    state = {symbol.buffer for symbol in plan.state}
    at_start = state | {symbol.buffer for symbol in entry.inputs}
    kept = {s.buffer for s in entry.outputs} | (state - replaced) | renewed
    lives: list[Life] = []
    written: set[int] = set()
    open_since: dict[int, tuple[int, int]] = dict.fromkeys(sorted(at_start), (0, 0))  # first, last use so far

    def close(number: int, last: int) -> None:
        buffer = plan.buffers[number]
        if buffer.region.in_ram:
            given, base = number in at_start and number not in written, bases[buffer.region.number]
            lives.append(Life(names[number], buffer, open_since[number][0], last, number in renewed, given, base))

    for (first, last), step in zip(moments, entry.steps, strict=True):
        for number in step.reads:
            open_since[number] = (open_since.get(number, (first, last))[0], last)
        for number in step.writes:
            if number in open_since:
                close(number, open_since[number][1])
            written.add(number)
            open_since[number] = (first, last)
    for number, (_, last) in open_since.items():
        close(number, end if number in kept else last)
    # A tile that the map behind it writes over is there at the same moment: of the two, the newer is named.
    one = {(v.begin, v.buffer.size_bytes, v.first, v.last, v.given, v.is_new): v for v in lives}
    return sorted(one.values(), key=lambda life: (life.begin, life.first, -life.last, life.name))
