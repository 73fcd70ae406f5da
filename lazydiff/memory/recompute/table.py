"""A chain of stages -> what each costs and takes in each way to run it: the table that chain.py plans with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import gcd

import numpy as np
import numpy.typing as npt

from lazydiff.memory.facts import Facts
from lazydiff.memory.recompute.stages import Stages, closure, height

Ints = npt.NDArray[np.int64]


def _pairs() -> list[tuple[int, int]]:
    return []


@dataclass(slots=True)
class Table:
    """By stage: sets of units, and bytes (beyond `fixed_bytes`) and work as csrc/lzd_exact.h names them.

    The first time that a stage runs forwards, the units of `once` run too.
    """

    fixed_bytes: int
    passing: list[set[int]] = field(default_factory=list)
    keeping: list[set[int]] = field(default_factory=list)
    making: list[tuple[set[int], set[int]]] = field(default_factory=list)  # its output is not there, or is
    once: list[set[int]] = field(default_factory=list)
    input: list[int] = field(default_factory=list)
    gradient: list[int] = field(default_factory=list)
    leaving: list[int] = field(default_factory=list)
    output: list[bool] = field(default_factory=list)
    # (its input may go, its input must stay)
    pass_: list[tuple[int, int]] = field(default_factory=_pairs)
    keep: list[tuple[int, int]] = field(default_factory=_pairs)
    held: list[tuple[int, int]] = field(default_factory=_pairs)
    back: list[tuple[int, int]] = field(default_factory=_pairs)
    both: list[tuple[int, int]] = field(default_factory=_pairs)
    both_output: list[tuple[int, int]] = field(default_factory=_pairs)  # its output being there

    def bytes(self) -> Ints:
        """All bytes, a row for each stage: input, gradient, leaving, then the pairs."""
        single = [np.array(c, np.int64) for c in (self.input, self.gradient, self.leaving)]
        pairs = (self.pass_, self.keep, self.held, self.back, self.both, self.both_output)
        return np.column_stack([*single, *(np.array(c, np.int64).reshape(-1, 2) for c in pairs)])

    def work(self, facts: Facts) -> Ints:
        """The work of passing, of keeping, and of making what the way back reads, without and with the output."""
        ways = ((p, k, *m) for p, k, m in zip(self.passing, self.keeping, self.making, strict=True))
        return np.array([[sum(facts.cost[u] for u in units) for units in way] for way in ways], np.int64)


def table(facts: Facts, found: Stages) -> Table | None:
    """The table of a chain; None if it would repeat a unit that may run but once."""
    sizes = [0 if v in found.fixed else size for v, size in enumerate(facts.sizes)]
    made = Table(sum(facts.sizes[v] for v in found.fixed))
    gradients = _gradients(facts, found, sizes)
    for n, stage in enumerate(found.stages):
        mine = {v for u in stage.forward for v in facts.writes[u]}
        reads = {v for u in stage.back for v in facts.reads[u]} - found.fixed
        source, target = {stage.source} - {-1}, {stage.target} - {-1}

        def makes(targets: set[int], forward: tuple[int, ...] = stage.forward) -> set[int]:
            return closure(facts, forward, targets, found.fixed)

        passing, keeping = makes(target), makes(target | reads & mine)
        making = makes(reads & mine), makes(reads & mine - target)
        if n < len(found.stages) - 1 and any(facts.once[u] for u in keeping):
            return None
        once = set(stage.forward) - keeping
        once |= makes({v for u in once for v in facts.reads[u]})

        def most(
            units: set[int],
            ends: set[int],
            starts: set[int],
            back: Sequence[int] = (),
            n: int = n,
            once: set[int] = once,
        ) -> int:
            forward = found.stages[n].forward
            lists = ([u for u in forward if u in units], [u for u in forward if u in units | once])
            return max(height(facts, sizes, [*each, *back], starts, ends) for each in lists)

        made.passing.append(passing)
        made.keeping.append(keeping)
        made.making.append(making)
        made.once.append(once)
        made.input.append(_bytes(sizes, source))
        made.gradient.append(_bytes(sizes, gradients[n]))
        made.leaving.append(_bytes(sizes, target))
        made.output.append(bool(reads & target))
        stays = [(reads & source) | (reads & mine - target), source | (reads & mine - target)]
        ends = [gradients[n - 1] if n else set(), (gradients[n - 1] if n else set()) | source]
        made.pass_.append((most(passing, target, source), most(passing, target | source, source)))
        made.keep.append((most(keeping, target | stays[0], source), most(keeping, target | stays[1], source)))
        made.held.append((_bytes(sizes, stays[0]), _bytes(sizes, stays[1])))
        start = [stay | (reads & target) | gradients[n] for stay in stays]
        made.back.append(
            (height(facts, sizes, stage.back, start[0], ends[0]), height(facts, sizes, stage.back, start[1], ends[1]))
        )
        start = [source | gradients[n], source | target | gradients[n]]
        for pair, units, there in zip((made.both, made.both_output), making, start, strict=True):
            pair.append((most(units, ends[0], there, stage.back), most(units, ends[1], there, stage.back)))
    return made


def unit_bytes(sizes: Ints) -> int:
    """What all sizes are multiples of."""
    return max(1, gcd(*(int(size) for size in np.unique(sizes))))


def _bytes(sizes: Sequence[int], values: Iterable[int]) -> int:
    return sum(sizes[v] for v in values)


def _gradients(facts: Facts, found: Stages, sizes: Sequence[int]) -> list[set[int]]:
    """By stage: what the ways back of later stages make, and its own or an earlier one reads."""
    made = {v: n for n, s in enumerate(found.stages) for u in s.back for v in facts.writes[u] if sizes[v]}
    entering: list[set[int]] = [set() for _ in found.stages]
    least: dict[int, int] = {}
    for n, stage in reversed(list(enumerate(found.stages))):
        for u in stage.back:
            least |= {v: n for v in facts.reads[u] if v in made}
    for v, n in least.items():
        for stage_number in range(n, made[v]):
            entering[stage_number].add(v)
    return entering
