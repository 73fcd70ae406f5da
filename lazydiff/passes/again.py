"""Graph -> graph: what maps compute cheaply from values that a backward pass keeps anyway is computed again, not kept.

A batch norm's backward pass keeps the centred values; the normalised, scaled and rectified ones follow from them by a
few cheap operations. So a product that reads those in the backward pass gets a copy of its own, made just before, and a
map computes them inside. Values keep every bit.
"""

from __future__ import annotations

from collections.abc import Sequence

from lazydiff.graph.node import Op, Tensor, declare, make, source_of
from lazydiff.graph.walk import base, topological
from lazydiff.passes.fuse import is_map

CHEAP = {"add", "subtract", "multiply", "divide", "neg", "square", "abs", "relu", "sign", "maximum", "minimum", "fma"}
CHEAP |= {"where", "less", "less_equal", "equal", "not_equal", "join"}
MAX_NODES = 12  # of one copy
SMALL = 8  # a value of a copy's size / SMALL is kept without asking

# The same value to another reader: `at` tells readers apart, so that each has nodes of its own.
_AGAIN = declare(Op("again", "constant", lambda xs, a: (xs[0].shape, xs[0].dtype), view=True))


def again(roots: Sequence[Tensor]) -> list[Tensor] | None:
    """The roots with cheap values computed again by what comes after the first root; None if there are none.

    The first root is the loss of a training step: what it depends on is the forward pass.
    """
    order = topological(roots)
    position = {id(n): k for k, n in enumerate(order)}
    loss = position[id(roots[0])]
    late = [n for n in order[loss + 1 :] if not n.op.view]  # views are copied with what reads them
    crossing = {id(b): b for n in late for i in n.inputs if position[id(b := base(i))] <= loss}
    fixed = {id(r) for r in roots} | {id(base(n)) for n in order if n.op.name == "keep"}
    chosen: set[int] = set()

    def cost(node: Tensor, size: int, left: int) -> int:
        """Nodes that a copy takes, or more than `left` if it can't be had from what is kept."""
        b = base(node)
        if b.op.kind == "leaf" or b.size * SMALL <= size or (id(b) in crossing and id(b) not in chosen):
            return 0
        if not is_map(b) or b.op.name not in CHEAP or left < 1:
            return left + 1
        total = 1
        for i in b.inputs:
            total += cost(i, size, left - total)
            if total > left:
                break
        return total

    for b in sorted(crossing.values(), key=lambda b: position[id(b)]):  # so a cost counts all that it leads to
        if is_map(b) and b.op.name in CHEAP and b.dtype.is_float and id(b) not in fixed:
            chosen.add(id(b))
            if b.op.kind == "leaf" or cost(b, b.size, MAX_NODES) > MAX_NODES:
                chosen.discard(id(b))
    if not chosen:
        return None

    def copy(node: Tensor, at: int, size: int, made: dict[int, Tensor]) -> Tensor:
        if id(node) not in made:
            b = base(node)
            if b.op.kind == "leaf":
                made[id(node)] = node
            elif b.size * SMALL <= size or (id(b) in crossing and id(b) not in chosen):
                made[id(node)] = make(_AGAIN, (node,), {"at": at})
            else:
                inputs = [copy(i, at, size, made) for i in node.inputs]
                made[id(node)] = make(node.op, inputs, node.options, node.data)
        return made[id(node)]

    done: dict[int, Tensor] = {}
    for n in order:
        k = position[id(n)]
        inputs = []
        for i in n.inputs:
            b = base(i)
            if k > loss and not n.op.view and id(b) in chosen:
                with source_of(b):
                    inputs.append(copy(i, k, b.size, {}))
            else:
                inputs.append(done[id(i)])
        done[id(n)] = n if tuple(inputs) == n.inputs else make(n.op, inputs, n.options, n.data)
    return [done[id(r)] for r in roots]
