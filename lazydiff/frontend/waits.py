"""Which parameters of a training step can't be updated as soon as their own gradient exists, and why."""

from __future__ import annotations

from collections.abc import Sequence

from lazydiff.graph.node import Tensor
from lazydiff.graph.walk import topological

_SEVERAL = -1


def waits(loss: Tensor, found: Sequence[tuple[Tensor, Tensor]], prepared: Sequence[Tensor]) -> list[tuple[str, str]]:
    """(parameter, reason) pairs, in order. `found` pairs parameters and gradients, `prepared` is what optimizers get.

    A parameter that the loss uses more than once has a gradient of several terms. One whose prepared gradient depends
    on other parameters' gradients (a norm over all of them) waits for those.
    """
    uses = _uses(loss)
    together = _together([g for _, g in found], prepared)
    told: list[tuple[str, str]] = []
    for (w, _), all_first in zip(found, together, strict=True):
        lines = uses.get(id(w), [])
        if len(lines) > 1:
            where = list(dict.fromkeys(lines))
            named = ", ".join(where[:3]) + (f" and {len(where) - 3} more lines" if len(where) > 3 else "")
            told.append((w.name, f"used {len(lines)} times ({named}), so its gradient is a sum of as many terms"))
        if all_first:
            told.append((w.name, "a norm over several gradients, so all of them come before the first update"))
    return told


def _uses(loss: Tensor) -> dict[int, list[str]]:
    """By parameter: the line of each use that a derivative flows through; views of it are no use by themselves."""
    behind: dict[int, Tensor] = {}  # by view of a parameter: the parameter
    found: dict[int, list[str]] = {}
    for node in topological([loss]):
        if node.op.name == "param":
            behind[id(node)] = node
        elif node.op.name == "stop_gradient":
            continue
        elif node.op.view and node.op.name != "pad":
            if node.inputs and id(node.inputs[0]) in behind:
                behind[id(node)] = behind[id(node.inputs[0])]
        else:
            for i in node.inputs:
                if id(i) in behind:
                    found.setdefault(id(behind[id(i)]), []).append(node.source)
    return found


def _together(gradients: Sequence[Tensor], prepared: Sequence[Tensor]) -> list[bool]:
    """For each prepared gradient, whether more than one gradient is in it, beyond what was in its own."""
    seen: set[int] = set()
    topological(gradients, seen)
    owner = {id(g): n for n, g in enumerate(gradients)}
    for node in topological(prepared, seen):
        inside = {owner[id(i)] for i in node.inputs if id(i) in owner}
        if inside:
            owner[id(node)] = inside.pop() if len(inside) == 1 else _SEVERAL
    return [owner.get(id(p)) == _SEVERAL for p in prepared]
