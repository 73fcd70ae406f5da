"""Facts of few units and a budget -> the schedule of least work, with the proof: a search over all states.

A state is the set of units that have run and the set of values in memory. The search (A*, memory/csrc/exact.c) knows
all orders, repeats and drops, so what it finds is the optimum, and where it finds nothing there is nothing. A node
limit ends it early on large entries, never a clock. The rules are those of memory/lives.py: a unit's reads and all it
makes lie beside each other, except where a dying value gives its bytes away; and a unit may not be repeated once one
has run that must come after all of its makings, so a state that an update has written over is never read again.

Small values make many states and few bytes. So a first search takes them for free, later ones fewer of them, until one
answers: where nothing fits with some values free, nothing fits; and a schedule that fits with all its bytes is the best
one if it was the best with some values free.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lazydiff.memory.compiled import extension, flat, pointer
from lazydiff.memory.facts import Facts
from lazydiff.memory.lives import peak

MOST = 128  # units, and values with bytes: the sets of csrc/lzd_exact.h
MOST_PAIRS = 4  # of a unit that may share bytes
NODES = 200_000
FREE = (4, 16, 64)  # of the searches: values up to the largest one's bytes divided by this are free
REPAIRS = 4  # searches under a lower budget, where a schedule does not fit with all its bytes
_WORDS = 2


@dataclass(frozen=True, slots=True)
class Answer:
    """A schedule within the budget or None, and whether it is proved: that none is cheaper, or that there is none."""

    schedule: list[int] | None
    proved: bool
    nodes: int = 0  # states that were seen


def exact(facts: Facts, base: Sequence[int], budget: int, node_limit: int = NODES, in_order: bool = False) -> Answer:
    """The schedule of least work whose contention bound is within the budget, in bytes.

    `base`: a schedule in which every unit stands once. `in_order`: units first run in its order, which is quicker and
    proves nothing about other orders. Not proved where the node limit ended the search, or the entry is too large.
    """
    if any(facts.sizes[old] != facts.sizes[new] for pairs in facts.in_place for old, new in pairs):
        return Answer(None, False)
    if not base:
        return Answer([], True)
    if sum(facts.sizes[v] for v in facts.born) > budget:
        return Answer(None, True)
    best: list[int] | None = None
    least, nodes = 0, 0  # work that no schedule goes below
    free = sorted({*(max(facts.sizes, default=0) // part for part in FREE), 0}, reverse=True)
    for most in free:
        lighter = _lighter(facts, most)
        target = budget
        for tries in range(REPAIRS + 1):
            limit = min(node_limit - nodes, node_limit // 8) if tries else node_limit - nodes
            found = _search(lighter, base, target, limit, in_order)
            nodes += found.nodes
            if found.schedule is None:
                break
            needed, cost = peak(facts, found.schedule), sum(facts.cost[u] for u in found.schedule)
            if not tries:
                least = max(least, cost)
            if needed <= budget and (best is None or cost < sum(facts.cost[u] for u in best)):
                best = found.schedule
            if needed <= budget:
                break
            target -= needed - budget
        if best is not None and sum(facts.cost[u] for u in best) == least:
            return Answer(best, not in_order, nodes)
        if found.schedule is None and target == budget:
            return Answer(best, found.proved and best is None, nodes)
    return Answer(best, False, nodes)


def _lighter(facts: Facts, most: int) -> Facts:
    """The facts with values of at most so many bytes for free: once made they are there."""
    sizes = tuple(0 if size <= most else size for size in facts.sizes)
    pairs = tuple(tuple((old, new) for old, new in each if sizes[old]) for each in facts.in_place)
    return replace(facts, sizes=sizes, in_place=pairs)


def _search(facts: Facts, base: Sequence[int], budget: int, node_limit: int, in_order: bool) -> Answer:
    """One search, by the C: of all values with bytes."""
    values = [v for v, size in enumerate(facts.sizes) if size]
    if len(base) > MOST or len(values) > MOST or max(map(len, facts.in_place), default=0) > MOST_PAIRS:
        return Answer(None, False)
    if node_limit <= 0:
        return Answer(None, False)
    c = extension()
    value, unit = {v: n for n, v in enumerate(values)}, {u: n for n, u in enumerate(base)}
    needs = facts.needs()
    shares = [[(value[o], value[n]) for o, n in facts.in_place[u] if o in value and n in value] for u in base]
    share_at, pairs = flat(shares)
    arrays = [
        pointer("int64_t", np.array([facts.sizes[v] for v in values], np.int64)),
        pointer("int64_t", np.array([facts.cost[u] for u in base], np.int64)),
        pointer("uint64_t", _sets((facts.reads[u] for u in base), value)),
        pointer("uint64_t", _sets((facts.writes[u] for u in base), value)),
        pointer("uint64_t", _sets((needs[u] for u in base), unit)),
        pointer("uint64_t", _sets((facts.after[u] for u in base), unit)),
        pointer(
            "uint8_t", np.array([facts.once[u] or not facts.stay.isdisjoint(facts.writes[u]) for u in base], np.uint8)
        ),
        pointer("int32_t", share_at),
        pointer("int32_t", pairs[::2].copy()),
        pointer("int32_t", pairs[1::2].copy()),
        pointer("uint64_t", _sets([facts.born], value)),
        pointer("uint64_t", _sets([[v for v in facts.keep if v in facts.maker or v in facts.born]], value)),
    ]
    entry = c.ffi.new("lzd_small *", [len(values), len(base), *arrays, in_order])
    memory = pointer("char", np.zeros(c.lib.lzd_cheapest_bytes(node_limit), np.uint8))
    schedule = np.zeros(64 * len(base), np.int32)
    length, nodes = c.ffi.new("int32_t *"), c.ffi.new("int32_t *")
    decision = c.lib.lzd_cheapest(
        entry, budget, node_limit, pointer("int32_t", schedule), len(schedule), length, nodes, memory
    )
    if decision != c.lib.LZD_YES:
        return Answer(None, decision == c.lib.LZD_NO and not in_order, nodes[0])
    return Answer([base[n] for n in schedule[: length[0]]], not in_order, nodes[0])


def _sets(sets: Iterable[Iterable[int]], number: dict[int, int]) -> npt.NDArray[np.uint64]:
    """Bit sets of _WORDS words each; members without a number are left out."""
    words = []
    for members in sets:
        bits = sum(1 << number[m] for m in set(members) if m in number)
        words += [bits >> 64 * k & (1 << 64) - 1 for k in range(_WORDS)]
    return np.array(words, np.uint64)
