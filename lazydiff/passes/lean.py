"""Graph -> graph: comparisons in buffers of their own (masks.py), new states made before the parameter (early.py)."""

from __future__ import annotations

from collections.abc import Sequence

from lazydiff.graph.node import Tensor, same
from lazydiff.graph.rebuild import marked, rebuild
from lazydiff.graph.walk import topological
from lazydiff.passes.early import early
from lazydiff.passes.masks import masks


def lean(roots: Sequence[Tensor], outputs: int) -> list[Tensor] | None:
    """The roots with masks, and with new states (the roots after so many outputs) early; None if there is neither.

    The first root is the loss of a training step: what it depends on is the forward pass.
    """
    order = topological(roots)  # the forward pass comes first
    loss = order.index(roots[0]) + 1
    apart, stored = early(order, roots[outputs:]), masks(roots, order[:loss], order[loss:])
    late = {id(n) for n in order[loss:]} if stored else set()

    def rule(node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
        if id(node) in late:
            pairs = zip(node.inputs, inputs, strict=True)
            inputs = tuple([marked(new, "stored") if id(old) in stored else new for old, new in pairs])
        new = same(node, inputs)
        return marked(new, "apart") if id(node) in apart else new

    return rebuild(roots, rule) if apart or stored else None
