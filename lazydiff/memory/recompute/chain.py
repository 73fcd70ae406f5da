"""Facts that are a chain of stages and a budget -> the schedule of least work among those that split the chain.

Dynamic programming over stretches of the chain and bytes: revolve (Griewank and Walther) for stages of any size and
work; that a stage may keep more than its input is rotor's (Beaumont and others). For a stretch and the bytes that it
may take there are three ways (memory/csrc/chain.c). Stretches of equal stages share their answer, so a thousand equal
layers are a list of lengths. Bytes are counted in slots, and sizes are rounded up where there would be too many of
them.

A schedule that the chain does not allow for may be cheaper, or alone may fit: None proves nothing here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lazydiff.memory.compiled import extension, pointer
from lazydiff.memory.facts import Facts
from lazydiff.memory.lives import peak
from lazydiff.memory.recompute.array import Answer
from lazydiff.memory.recompute.stages import Stages, stages
from lazydiff.memory.recompute.table import Ints, Table, table, unit_bytes

EFFORT = 300_000_000  # additions of the dynamic programming: a fixed count, no clock
CELLS = 20_000_000  # of the table of costs
MOST_STAGES = 1024
FEWEST_SLOTS = 256  # where there would be fewer, stages are joined
NEVER = 1 << 60


def chain(facts: Facts, base: Sequence[int], budget: int, effort: int = EFFORT) -> Answer:
    """The best schedule within the budget, in bytes, that crosses the chain of stages of a base schedule.

    `base`: every unit once; the forward part, then the way back. Never proved; None also where it is no such chain.
    """
    if _fits(facts, base, budget):
        return Answer(list(base), False)
    schedule = crossing(facts, base, budget, effort)
    return Answer(schedule if schedule is not None and _fits(facts, schedule, budget) else None, False)


def crossing(facts: Facts, base: Sequence[int], budget: int, effort: int = EFFORT) -> list[int] | None:
    """The schedule of `chain`, before it is judged: it may repeat what an update of an earlier stage forbids."""
    most = MOST_STAGES
    while (found := stages(facts, base, most)) is not None and (known := table(facts, found)) is not None:
        room = budget - known.fixed_bytes
        unit = unit_bytes(known.bytes())
        if room < unit:
            break
        classes = _classes(known, facts)
        variants = 4 if any(known.output) else 1
        lengths = int((classes.last - classes.first + 1).sum()) * variants
        slots = max(1, min(room // unit, effort // lengths, CELLS // (variants * len(classes.first))))
        if slots < min(FEWEST_SLOTS, room // unit) and len(found.stages) > 8:
            most = len(found.stages) * 3 // 4
            continue
        unit *= -(-(room // unit) // slots)
        return _Crossing(facts, found, known, classes, room // unit, unit).schedule()
    return None


def _fits(facts: Facts, schedule: Sequence[int], budget: int) -> bool:
    try:
        return peak(facts, schedule) <= budget
    except ValueError:  # it repeats what may not be repeated: a state was written over on the way back of a later stage
        return False


@dataclass(frozen=True, slots=True)
class _Classes:
    """Stretches of stages by class: `of[first, last]`; by class, one stretch of it. Higher classes are longer."""

    of: npt.NDArray[np.int32]
    first: npt.NDArray[np.int32]
    last: npt.NDArray[np.int32]


def _classes(known: Table, facts: Facts) -> _Classes:
    rows = np.column_stack([known.bytes(), known.work(facts), np.array(known.output, np.int64)])
    _, firsts, kind = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    kind = kind.reshape(-1).astype(np.int64)
    n = len(rows)
    of = np.full((n, n), -1, np.int32)
    of[np.arange(n), np.arange(n)] = kind
    first, last = [firsts], [firsts]
    count = len(firsts)
    for length in range(1, n):
        starts = np.arange(n - length)
        code = of[starts, starts + length - 1].astype(np.int64) * n + kind[starts + length]
        _, some, number = np.unique(code, return_index=True, return_inverse=True)
        of[starts, starts + length] = count + number.reshape(-1)
        first.append(some)
        last.append(some + length)
        count += len(some)
    return _Classes(of, np.concatenate(first).astype(np.int32), np.concatenate(last).astype(np.int32))


class _Crossing:
    """The costs of all stretches in all slots, and the schedule that they lead to."""

    def __init__(self, facts: Facts, found: Stages, known: Table, classes: _Classes, slots: int, unit: int) -> None:
        self.facts, self.found, self.known, self.classes = facts, found, known, classes
        self.slots = slots
        sizes = np.minimum(-(-known.bytes() // unit), slots + 1).astype(np.int32)  # what is too large stays so
        self.input, self.gradient, self.leaving = sizes[:, 0], sizes[:, 1], sizes[:, 2]
        self.pass_, self.keep, self.held, self.back = (sizes[:, k : k + 2] for k in range(3, 11, 2))
        self.both = sizes[:, 11:15]
        self.output = np.array(known.output, np.uint8)
        self.work: Ints = known.work(facts)
        self.cost = np.zeros((len(classes.first), 4 if self.output.any() else 1, slots + 1), np.int64)
        self._fill()

    def _fill(self) -> None:
        c = extension()
        slots = (self.input, self.gradient, self.leaving, self.output, self.pass_, self.keep, self.held, self.back)
        work = (self.work[:, 0], self.work[:, 1], self.work[:, 2:])
        classes = (self.classes.of, self.classes.first, self.classes.last)
        arrays = [*map(np.ascontiguousarray, (*classes, *slots, self.both, *work))]
        names = {"int32": "int32_t", "uint8": "uint8_t", "int64": "int64_t"}
        counts = (len(self.input), len(self.classes.first), self.slots, self.cost.shape[1])
        entry = c.ffi.new("lzd_chain *", [*counts, *(pointer(names[a.dtype.name], a) for a in arrays)])
        ranges = np.zeros(2 * self.cost.shape[0] * self.cost.shape[1], np.int32)
        c.lib.lzd_cross(entry, pointer("int64_t", self.cost), pointer("int32_t", ranges))

    def schedule(self) -> list[int] | None:
        """The cheapest schedule, or None if none fits."""
        n = len(self.input)
        if self.cost[self.classes.of[0, n - 1], 0, self.slots] >= NEVER:
            return None
        steps: list[int] = []
        seen: set[int] = set()

        def forward(stage: int, units: set[int]) -> None:
            also = set() if stage in seen else self.known.once[stage]
            seen.add(stage)
            steps.extend(u for u in self.found.stages[stage].forward if u in units or u in also)

        todo = [(0, n - 1, 0, 0, self.slots)]  # first, last (-1: the first's way back), h, o, slots
        while todo:
            i, j, h, o, m = todo.pop()
            if j < 0:
                steps += self.found.stages[i].back
            elif i == j:
                forward(i, self.known.making[i][o])
                steps += self.found.stages[i].back
            else:
                s, stay = self._split(i, j, h, o, m)
                for stage in range(i, s):
                    forward(stage, self.known.passing[stage])
                if s == i:
                    forward(i, self.known.keeping[i])
                    todo += [(i, -1, 0, 0, 0), (i + 1, j, stay, o, m - int(self.held[i, h]))]
                else:
                    todo += [(i, s - 1, h, stay, m), (s, j, stay, o, m - int(self.input[i]))]
        return steps

    def _split(self, i: int, j: int, h: int, o: int, m: int) -> tuple[int, int]:
        """Where the stretch is split (at i: its first stage keeps all), and if what enters the rest must stay."""
        of, cost, best = self.classes.of, self.cost, self.cost[self.classes.of[i, j], h + 2 * o, m]
        beside, left = self.gradient[j] + o * self.leaving[j], m - self.held[i, h]
        if left >= 0 and m >= max(self.keep[i, h] + beside, self.back[i, h]):
            stay = int(self.output[i])
            if best == self.work[i, 1] + cost[of[i + 1, j], stay + 2 * o, left]:
                return i, stay
        forward = np.cumsum(self.work[i:j, 0])
        most = np.maximum.accumulate(np.append(self.pass_[i, 1], self.input[i] + self.pass_[i + 1 : j, 0])) + beside
        behind, again = of[i + 1 : j + 1, j], of[i, i:j]
        total = forward + cost[behind, 2 * o, m - self.input[i]] + cost[again, h, m]
        at = np.flatnonzero((total == best) & (most <= m))
        if len(at):
            return i + 1 + int(at[0]), 0
        total = forward + cost[behind, 1 + 2 * o, m - self.input[i]] + cost[again, h + 2, m]
        at = np.flatnonzero((total == best) & (most <= m) & (self.output[i:j] == 1))
        return i + 1 + int(at[0]), 1
