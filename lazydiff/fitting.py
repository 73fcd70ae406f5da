"""Entries and a budget -> the plan that needs the least extra work: as they are, recomputed, or in micro-batches."""

from __future__ import annotations

from dataclasses import replace

from lazydiff.candidates import (
    Candidate,
    Choice,
    Prepared,
    candidate_of,
    choose,
    lowest_candidate,
    prepare,
    quickest_candidate,
)
from lazydiff.errors import GraphError
from lazydiff.frontend.training import Step
from lazydiff.memory.budgets.budget import require_fit
from lazydiff.memory.budgets.proofs import enough_bytes, enough_places
from lazydiff.memory.budgets.ram import Ram
from lazydiff.memory.lives import peak
from lazydiff.memory.recompute.portfolio import cheapest, impossible, lowest
from lazydiff.memory.version import Version
from lazydiff.passes.split_batch import Batch

RETRIES = 4  # placements may need more than the contention bound: so often the budget of a schedule is lowered
FURTHER = 2  # numbers of micro-batches beyond the first that fits, for room for an entry's version of least work


def fit(steps: dict[str, Step], ram: Ram, remake: bool) -> Candidate:
    """The plan of the entries, within the RAM there is (so much or so much in regions) for the least extra work.

    Raises BudgetError.

    Where a step's micro-batches are "auto", whole and split ones compete. The entry with the highest bound is split
    further, as long as it is one that may be and the budget is not met without recomputation; and a little beyond, if
    only a version that computes some values twice meets it so far.
    """

    def size(c: Candidate) -> int:
        return ram.missing(c.plan)

    fitting: list[Candidate] = []
    left: dict[str, list[int]] = {}
    now, further = dict(steps), FURTHER
    prepared = prepare(now, ram, remake)
    whole = smallest = candidate = lowest_candidate(prepared)
    while True:
        smallest = min(smallest, candidate, key=size)
        quickest = quickest_candidate(prepared, candidate) if ram.limited else None
        if quickest is not None:
            fitting.append(quickest)
        if size(candidate) <= 0:
            fitting.append(candidate)
            if not ram.limited or quickest is not None or candidate.work == sum(prepared.least_work) or not further:
                break
            further -= 1
        elif remake and (found := _remade(prepared, candidate)) is not None:
            fitting.append(found)
        name = candidate.highest
        if name not in left:
            left[name] = _equal_parts(steps[name]) if steps[name].micro_batches == "auto" else []
        if not left[name]:
            break
        now[name] = replace(steps[name], micro_batches=left[name].pop(0))
        prepared = prepare(now, ram, remake)
        candidate = lowest_candidate(prepared)
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


def _remade(prepared: Prepared, plain: Candidate) -> Candidate | None:
    """With what is too much recomputed, for the least work; None if that was not found."""
    choices = list(plain.choices)
    targets = [prepared.room] * len(choices)
    for tries in range(RETRIES + 1):
        beyond = prepared.beyond([c.lives for c in choices])
        if max(beyond) <= 0:
            return candidate_of(prepared, choices)
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
    return choose(prepared, each[found[0]], found[1]) if found else None


def _lowest(prepared: Prepared, plain: Candidate) -> Candidate:
    """Each entry as low as recomputation gets it."""
    choices = []
    for each in prepared.entries:
        rough = [(peak(v.facts, lowest(v.facts, v.orders, moves=False)), n) for n, v in enumerate(each)]
        version = each[min(rough)[1]]
        schedule = lowest(version.facts, version.orders)
        choices.append(choose(prepared, version, schedule))
    return min(plain, candidate_of(prepared, choices), key=lambda c: prepared.ram.missing(c.plan))


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
        found = lowest_candidate(prepare(steps | {name: replace(steps[name], micro_batches=parts)}, ram, False))
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
