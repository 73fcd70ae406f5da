"""An entry in integers: what every stage that orders, repeats or judges work needs to know, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from lazydiff.kernels.signature import extent_elements
from lazydiff.kernels.table import KERNELS
from lazydiff.memory.calls import Call, EntryCalls, Unit, Value
from lazydiff.plan.model import Kind

PERSISTENT = (Kind.CONST, Kind.PARAMS, Kind.STATE)  # kinds whose bytes lie outside the area that entries take turns on
_HINTS = ("keep", "recompute")


@dataclass(frozen=True, slots=True)
class Facts:
    """Values and units by number. A schedule of them is a list of unit numbers (memory/lives.py).

    A unit may stand in a schedule several times: what it makes is then made again, and a read means the newest making.
    """

    sizes: tuple[int, ...]  # by value: bytes in the shared area, rounded up to the alignment; 0 if it lies elsewhere
    reads: tuple[tuple[int, ...], ...]  # by unit: the values it needs, each once
    writes: tuple[tuple[int, ...], ...]  # by unit: the values it makes, scratch included
    after: tuple[tuple[int, ...], ...]  # by unit: units of which every making must come before its first
    cost: tuple[int, ...]  # by unit: work (multiply-adds, or elements times instructions)
    in_place: tuple[tuple[tuple[int, int], ...], ...]  # by unit: (old, new) that may share bytes when old dies there
    once: tuple[bool, ...]  # by unit: True if it may not be repeated, because it writes over a state or into a space
    born: tuple[int, ...]  # values that are there from the start: the entry's inputs
    keep: frozenset[int]  # values that must be there at the end: the entry's outputs
    stay: frozenset[int] = frozenset()  # values that recomputation shall not drop (ld.keep)
    anew: frozenset[int] = frozenset()  # values that it shall drop before others (ld.recompute)

    @property
    def maker(self) -> dict[int, int]:
        """The unit that makes each value (none makes an input or a state)."""
        return {v: u for u, made in enumerate(self.writes) for v in made}

    def work(self, schedule: Iterable[int]) -> int:
        """The work of a schedule."""
        return sum(self.cost[u] for u in schedule)

    def needs(self) -> list[tuple[int, ...]]:
        """By unit: the units that must have run before it, by number."""
        maker = self.maker
        makers = ({maker[v] for v in reads if v in maker} for reads in self.reads)
        return [tuple(sorted((m | set(a)) - {u})) for u, (m, a) in enumerate(zip(makers, self.after, strict=True))]


def facts(entry: EntryCalls, units: Sequence[Unit], unit_bytes: int) -> tuple[Facts, list[Value]]:
    """The facts of an entry whose units stand in this order, and its values by number."""
    born = [view.value for view in entry.inputs.values()]
    keep = [view.value for view in entry.outputs.values()]
    reads, writes = [list(dict.fromkeys(u.reads)) for u in units], [u.writes for u in units]
    values = list(dict.fromkeys(chain(born, *reads, *writes, keep)))
    number = {id(v): n for n, v in enumerate(values)}
    position = {id(u): n for n, u in enumerate(units)}
    return Facts(
        tuple([shared_bytes(v, unit_bytes) for v in values]),
        tuple([tuple([number[id(v)] for v in some]) for some in reads]),
        tuple([tuple([number[id(v)] for v in some]) for some in writes]),
        tuple([tuple(sorted([position[id(a)] for a in u.after])) for u in units]),
        tuple([sum([work(c) for c in u.calls]) for u in units]),
        tuple([tuple([(number[id(o)], number[id(n)]) for o, n in pairs_in_place(u)]) for u in units]),
        tuple([_once(u, made) for u, made in zip(units, writes, strict=True)]),
        tuple([number[id(v)] for v in born]),
        frozenset([number[id(v)] for v in keep]),
        *(frozenset(number[id(v)] for v, h in entry.hints if h == hint and id(v) in number) for hint in _HINTS),
    ), values


def work(call: Call) -> int:
    """How much a call does, in multiply-adds: a kernel's own figure, else the elements it touches."""
    if call.program is not None:
        return call.program.elements * max(1, len(call.program.instructions))
    kernel = KERNELS[call.kernel]
    if kernel.work:
        return extent_elements(kernel.work, dict(zip([a.name for a in kernel.attrs], call.attrs, strict=True)))
    return sum([v.elements for v in (*call.reads, *call.writes)])


def _once(unit: Unit, writes: Iterable[Value]) -> bool:
    """True for a unit that writes over a state, or into a space that others share, or puts a result in its place."""
    for v in writes:
        if v.within is not None or (v.replaces is not None and v.replaces.kind in PERSISTENT):
            return True
    return any(c.fills for c in unit.calls)


def shared_bytes(v: Value, unit_bytes: int) -> int:
    """Bytes that a value takes in the shared area, rounded up."""
    if _elsewhere(v):
        return 0
    return -(-v.size_bytes // unit_bytes) * unit_bytes


def pairs_in_place(unit: Unit) -> list[tuple[Value, Value]]:
    """(old, new) values of a unit of which the new one may take the bytes of the old one, if that dies there."""
    call = unit.calls[-1]
    if call.program is None:  # no other kernel may write over what it reads
        return []
    old_ones = [v for v in call.reads if not _elsewhere(v)]
    if old_ones and len(unit.calls) > 1:  # a tiled call reads its operands for every tile
        held = {id(v) for c in unit.calls[:-1] for v in (*c.reads, *c.writes)}
        old_ones = [v for v in old_ones if id(v) not in held]
    found = [pair for c in unit.calls for pair in c.fills]
    for new in call.results if old_ones else ():
        if not _elsewhere(new):
            found += [(old, new) for old in dict.fromkeys(old_ones) if call.may_replace(old, new)]
    return found


def _elsewhere(v: Value) -> bool:
    """True if a value takes no bytes of its own."""
    return v.kind in PERSISTENT or v.replaces is not None or v.within is not None
