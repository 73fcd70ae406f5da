"""Graph -> the same graph with some nodes made otherwise: the one loop under every rewriting pass."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from lazydiff.graph.node import Tensor, make, sources
from lazydiff.graph.walk import topological

Rule = Callable[[Tensor, tuple[Tensor, ...]], Tensor]


def same(node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
    """The node on these inputs; itself if they are its own."""
    return node if inputs == node.inputs else make(node.op, inputs, node.options, node.data)


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


def marked(roots: Sequence[Tensor], chosen: Collection[int], option: str) -> list[Tensor]:
    """The roots with the nodes of these ids marked: an option of that name is True."""

    def mark(node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
        new = same(node, inputs)
        return make(new.op, inputs, {**new.options, option: True}, new.data) if id(node) in chosen else new

    return rebuild(roots, mark)
