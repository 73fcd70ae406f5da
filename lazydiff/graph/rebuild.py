"""Graph -> the same graph with some nodes made otherwise: the one loop under every rewriting pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from lazydiff.graph.node import Tensor, make, same, sources
from lazydiff.graph.walk import topological

Rule = Callable[[Tensor, tuple[Tensor, ...]], Tensor]


def rebuild(roots: Sequence[Tensor], rule: Rule = same, known: Mapping[int, Tensor] | None = None) -> list[Tensor]:
    """The roots, each node being what `rule(node, its rebuilt inputs)` gives; inputs come first.

    `known` maps ids of nodes to what stands for them: they are not looked into. What the rule makes counts as written
    where the node was.
    """
    done = dict(known or {})
    with sources() as write_as:
        for node in topological(roots, seen=set(done)):
            write_as(node)
            done[id(node)] = rule(node, tuple([done[id(i)] for i in node.inputs]))
    return [done[id(r)] for r in roots]


def marked(node: Tensor, option: str) -> Tensor:
    """The node with an option of that name that is True."""
    return make(node.op, node.inputs, {**node.options, option: True}, node.data)
