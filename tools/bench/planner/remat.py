"""Recomputation instances: small graphs with proven optima, and the unit chain with its closed formula."""

from __future__ import annotations

import json
from math import comb
from pathlib import Path

from lazydiff.memory.facts import Facts

FOLDER = Path(__file__).resolve().parents[3] / "tests/memory/instances/remat"

# By graph: the least cost of all forward runs at some budgets (found by exhaustive search over all live sets, checked
# by a second one); the lowest budget is the least feasible one.
OPTIMA = {
    "chain-4": {3: 7, 4: 5, 5: 4},
    "chain-12": {3: 67, 4: 29, 5: 22, 6: 19, 8: 17, 10: 15, 12: 13, 13: 12},
    "chain-12-relu": {4: 67, 5: 29, 6: 22, 9: 17, 13: 13, 14: 12},
    "residual-5": {20: 88, 24: 57, 28: 49, 32: 46, 36: 43, 44: 37, 48: 34, 52: 32},
    "unet-9": {64: 66, 69: 60, 72: 60, 76: 56, 78: 52, 84: 52},
    "unet-stages": {3840: 1134, 4360: 1018, 4620: 962, 5140: 880, 5472: 878},
    "mobilenetv1-stages": {7840: 629, 9532: 607, 11224: 588, 12352: 577},
}


def graph(name: str) -> Facts:
    """A graph of the folder: forward units may be repeated, backward units may not; nothing is written in place.

    The cost of backward units is left out, so that the cost of a schedule is that of its forward runs.
    """
    data = json.loads((FOLDER / f"{name}.json").read_text())
    units = [(f, f["inputs"], f["cost"]) for f in data["forward"]]
    units += [(b, [*b["values"], *b["grads"]], 0) for b in data["backward"]]
    number = {u["id"]: n for n, (u, _, _) in enumerate(units)}
    return Facts(
        sizes=tuple(u["size"] for u, _, _ in units),
        reads=tuple(tuple(number[r] for r in reads) for _, reads, _ in units),
        writes=tuple((n,) for n in range(len(units))),
        after=((),) * len(units),
        cost=tuple(cost for _, _, cost in units),
        in_place=((),) * len(units),
        once=(False,) * len(data["forward"]) + (True,) * len(data["backward"]),
        born=(),
        keep=frozenset(),
    )


def unit_chain(layers: int) -> Facts:
    """Layers of one byte and one forward run each; a step back reads what entered its layer, and the gradient.

    Unit k < layers makes value k; unit `layers` makes the first gradient from the last value.
    """
    steps = 2 * layers + 1
    back = [(layers - 1 - k, layers - 1 + k) for k in range(1, layers)]
    return Facts(
        sizes=(1,) * (steps - 1) + (0,),
        reads=((), *((k,) for k in range(layers)), *back, (steps - 2,)),
        writes=tuple((n,) for n in range(steps)),
        after=((),) * steps,
        cost=(1,) * layers + (0,) * (layers + 1),
        in_place=((),) * steps,
        once=(False,) * layers + (True,) * (layers + 1),
        born=(),
        keep=frozenset(),
    )


def forward_runs(layers: int, budget: int) -> int | None:
    """The fewest forward runs of the unit chain in so many bytes (Griewank and Walther); None below 3."""
    slots = budget - 2
    if slots < 1:
        return None
    turns = 0
    while comb(slots + turns, slots) < layers:
        turns += 1
    return 1 + turns * layers - (comb(slots + turns, slots + 1) if turns else 0)


OPTIMA |= {
    f"chain-{n}": {m: runs for m in range(3, n + 2) if (runs := forward_runs(n, m)) is not None} for n in (6, 8, 10)
}
