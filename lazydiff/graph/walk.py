"""The one traversal: nodes in an order in which inputs come first. No recursion, so depth does not matter."""

from __future__ import annotations

import math
from collections.abc import Iterable

from lazydiff.graph.node import Tensor


def base(node: Tensor) -> Tensor:
    """The node that a chain of views looks at; a pad ends the chain, for its zeros are elements that no base has."""
    while node.op.view and node.op.name != "pad" and node.inputs:
        node = node.inputs[0]
    return node


def number(node: Tensor) -> float | None:
    """The value of a constant with one value, seen through views; else None."""
    node = base(node)
    if node.op.name == "const" and node.data is not None and node.data.size == 1:
        return float(node.data.reshape(-1)[0])
    return None


def is_zero(node: Tensor) -> bool:
    """True for a constant with one value, +0."""
    return number(node) == 0 and math.copysign(1.0, number(node) or 0.0) > 0


def topological(roots: Iterable[Tensor], seen: set[int] | None = None) -> list[Tensor]:
    """Every node that the roots depend on, inputs before users, each once; deterministic.

    Nodes whose ids are in `seen` are left out, with what only they depend on; the set takes the others in.
    """
    order: list[Tensor] = []
    seen = set() if seen is None else seen
    path: list[Tensor] = []  # nodes whose inputs are being looked at, from a root on
    left = [iter(roots)]  # by node of the path, and first of the roots: the inputs to come
    while left:
        for node in left[-1]:
            if id(node) not in seen:
                seen.add(id(node))
                if node.inputs:
                    path.append(node)
                    left.append(iter(node.inputs))
                    break
                order.append(node)
        else:
            left.pop()
            if path:
                order.append(path.pop())
    return order
