"""Exact recomputation, as rows of the planner's table: small graphs with proven optima, unit chains by formula."""

from __future__ import annotations

import time

from lazydiff.memory.facts import Facts
from lazydiff.memory.recompute.array import exact
from lazydiff.memory.recompute.chain import chain
from tools.bench.planner.remat import OPTIMA, forward_runs, graph, unit_chain

Row = dict[str, object]
LONG = (4, 5, 8, 12, 18, 34, 66, 130, 258, 502, 1001)  # budgets of the chain of 1,000 layers


def _cost(facts: Facts, schedule: list[int] | None) -> int | None:
    return None if schedule is None else facts.work(schedule)


def graphs() -> list[Row]:
    """A row for each graph: at how many of the listed budgets the optimum was found and proved."""
    rows: list[Row] = []
    for name, optima in OPTIMA.items():
        facts, start = graph(name), time.process_time()
        base = list(range(len(facts.reads)))
        answers = [exact(facts, base, budget) for budget in optima]
        below = exact(facts, base, min(optima) - 1)
        met = [a.proved and _cost(facts, a.schedule) == best for a, best in zip(answers, optima.values(), strict=True)]
        no = below.proved and below.schedule is None
        rows.append(
            {
                "what": f"remat-graphs/{name}",
                "goal": f"{len(optima)} of {len(optima)} optima, and a proof that a byte less is too few",
                "ours": f"{sum(met)} of {len(met)}, {'proof' if no else 'no proof'}",
                "seconds": time.process_time() - start,
                "met": all(met) and no,
            }
        )
    return rows


def chains() -> list[Row]:
    """Unit chains: all budgets of up to 64 layers, some of a thousand."""
    start, equal, tried = time.process_time(), 0, 0
    for layers in range(2, 65):
        facts = unit_chain(layers)
        for budget in range(2, layers + 2):
            answer = chain(facts, list(range(len(facts.reads))), budget)
            tried += 1
            equal += _cost(facts, answer.schedule) == forward_runs(layers, budget)
    rows: list[Row] = [
        {
            "what": "unit chains of 2 to 64 layers, all budgets",
            "goal": f"{tried} of {tried} as the formula",
            "ours": f"{equal} of {tried}",
            "seconds": time.process_time() - start,
            "met": equal == tried,
        }
    ]
    facts = unit_chain(1000)
    for budget in LONG:
        start, best = time.process_time(), forward_runs(1000, budget)
        assert best is not None
        found = _cost(facts, chain(facts, list(range(len(facts.reads))), budget).schedule)
        rows.append(
            {
                "what": f"unit chain of 1000 layers, budget {budget}",
                "goal": f"{best} forward runs, within 2 %",
                "ours": f"{found}",
                "seconds": time.process_time() - start,
                "met": found is not None and found * 100 <= best * 102,
            }
        )
    return rows


def rows() -> list[Row]:
    """All rows: what, goal, ours, seconds, met."""
    return [*graphs(), *chains()]
