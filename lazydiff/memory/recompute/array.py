"""Facts of few units and a budget -> the schedule of least work, with the proof: a search over all states.

A state is the set of units that have run and the set of values in memory. The search (A*, memory/csrc/exact.c) knows
all orders, repeats and drops, so what it finds is the optimum, and where it finds nothing there is nothing. A node
limit ends it early on large entries, never a clock. The rules are those of memory/lives.py: a unit's reads and all it
makes lie beside each other, except where a dying value gives its bytes away; and a unit may not be repeated once one
has run that must come after all of its makings, so a state that an update has written over is never read again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lazydiff.memory.compiled import extension, pointer
from lazydiff.memory.facts import Facts
from lazydiff.memory.lives import peak

MOST = 128  # units, and values with bytes: the sets of csrc/lzd_exact.h
MOST_PAIRS = 4  # of a unit that may share bytes
NODES = 200_000
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
    values = [v for v, size in enumerate(facts.sizes) if size]
    if len(base) > MOST or len(values) > MOST or max(map(len, facts.in_place), default=0) > MOST_PAIRS:
        return Answer(None, False)
    if any(facts.sizes[old] != facts.sizes[new] for pairs in facts.in_place for old, new in pairs):
        return Answer(None, False)
    if not base:
        return Answer([], True)
    if any(facts.sizes[v] > 0 for v in facts.born) and sum(facts.sizes[v] for v in facts.born) > budget:
        return Answer(None, True)
    c = extension()
    value, unit = {v: n for n, v in enumerate(values)}, {u: n for n, u in enumerate(base)}
    needs = facts.needs()
    shares = [[(value[o], value[n]) for o, n in facts.in_place[u] if o in value and n in value] for u in base]
    share_at = np.cumsum([0, *map(len, shares)], dtype=np.int32)
    pairs = [pair for each in shares for pair in each]
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
        pointer("int32_t", np.array([old for old, _ in pairs], np.int32)),
        pointer("int32_t", np.array([new for _, new in pairs], np.int32)),
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
    found = [base[n] for n in schedule[: length[0]]]
    if peak(facts, found) > budget:
        return Answer(None, False, nodes[0])
    return Answer(found, not in_order, nodes[0])


def _sets(sets: Iterable[Iterable[int]], number: dict[int, int]) -> npt.NDArray[np.uint64]:
    """Bit sets of _WORDS words each; members without a number are left out."""
    words = []
    for members in sets:
        bits = sum(1 << number[m] for m in set(members) if m in number)
        words += [bits >> 64 * k & (1 << 64) - 1 for k in range(_WORDS)]
    return np.array(words, np.uint64)
