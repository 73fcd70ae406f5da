"""One entry -> its segments: parts that depend on the same inputs, with what passes between them kept as state.

Segment by segment (plan/SPEC.md, "Incremental entries"), a runtime reruns only what a changed input reaches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lazydiff.errors import GraphError
from lazydiff.frontend.training import Step
from lazydiff.graph.node import OPS, Tensor, apply, make, same, source_of, user_line
from lazydiff.graph.rebuild import rebuild
from lazydiff.graph.walk import base, topological
from lazydiff.passes.simplify import simplify

Outputs = Tensor | Mapping[str, Tensor] | Sequence[Tensor]
Key = frozenset[str]  # what a node depends on: groups of inputs, each by its first name

_IN_PLACE = ("const", "param", "state")  # leaves that every segment can read where they lie


@dataclass(frozen=True, slots=True)
class Incremental:
    """An entry to be split into segments: see `incremental`."""

    outputs: Outputs
    groups: tuple[tuple[str, ...], ...]
    keep: tuple[str, ...]


def incremental(outputs: Outputs, groups: Sequence[Sequence[str]] = (), keep: Sequence[str] = ()) -> Incremental:
    """An entry that a Session reruns only where a changed input, parameter or state reaches; for `compile(infer=...)`.

    `outputs` are as any entry's. What survives between calls (values that meet another input, and outputs) is planned
    and counted in the plan's RAM; results equal a full run's bit for bit. `groups` are lists of input names that change
    together: fewer segments, fewer kept bytes; the inputs of a group are given together. After a parameter has changed
    an input must be given again if the parameter acts on it directly; inputs named in `keep` are kept too, so that they
    need not be.
    """
    if isinstance(groups, str) or any(isinstance(g, str) for g in groups) or isinstance(keep, str):
        raise GraphError(f'{user_line()}: incremental: groups=[["a", "b"], ..] and keep=["c", ..] are lists of names')
    return Incremental(outputs, tuple(tuple(g) for g in groups), tuple(keep))


def segments(name: str, outputs: Mapping[str, Tensor], spec: Incremental) -> dict[str, Step]:
    """The entries `name.0`, `name.1`, ... of an incremental entry; each runs after those whose states it reads.

    Raises GraphError for groups or kept inputs that the outputs do not depend on.
    """
    roots = simplify(list(outputs.values()))
    order = topological(roots)
    split = _Split(name, order, spec)
    by_name = dict(zip(outputs, roots, strict=True))
    everything = frozenset().union(*(split.depends[id(r)] for r in roots))
    for label, root in by_name.items():  # what a later call must give back though its segment does not run
        if split.segment(root) != everything and root.op.name not in _IN_PLACE:
            split.keep(root, label)
    for user in order:
        for node in user.inputs:
            if split.segment(node) != split.segment(user):
                split.keep(_cheapest(node))
    wanted: dict[Key, Step] = {}
    for key in sorted({split.segment(n) for n in [*roots, *split.kept_nodes]}, key=split.rank):
        mine = {label: r for label, r in by_name.items() if split.segment(r) == key}
        kept = [n for n in split.kept_nodes if split.segment(n) == key]
        rebuilt = split.rebuild(key, [*mine.values(), *(split.checked(n) for n in kept)])
        updates = zip((split.kept[id(n)] for n in kept), rebuilt[len(mine) :], strict=True)
        wanted[key] = Step(dict(zip(mine, rebuilt, strict=False)), tuple(updates))
    return {f"{name}.{number}": step for number, step in enumerate(wanted.values())}


def _cheapest(node: Tensor) -> Tensor:
    """Of a chain of views, the node with the fewest bytes; the innermost of equals, which other views may share.

    A view of a parameter or constant is read where that lies.
    """
    if base(node).op.name in _IN_PLACE:
        return base(node)
    best = node
    while node.op.view and node.inputs:
        node = node.inputs[0]
        if node.size <= best.size:
            best = node
    return best


class _Split:
    """Who depends on what, and which nodes are kept as which states."""

    def __init__(self, name: str, order: Sequence[Tensor], spec: Incremental) -> None:
        self.name = name
        inputs = {n.name: n for n in order if n.op.name == "input"}
        named = [n for g in spec.groups for n in g]
        if unknown := [n for n in (*named, *spec.keep) if n not in inputs]:
            raise GraphError(f"incremental entry {name!r}: it has no inputs {unknown}; it has {', '.join(inputs)}")
        if len(set(named)) != len(named):
            raise GraphError(f"incremental entry {name!r}: an input is in two groups: {[list(g) for g in spec.groups]}")
        group = {n: g[0] for g in spec.groups for n in g}
        self.order = order
        self.depends: dict[int, Key] = {}
        for n in order:
            mine = [group.get(n.name, n.name)] if n.op.name == "input" else []
            self.depends[id(n)] = frozenset(mine).union(*(self.depends[id(i)] for i in n.inputs))
        self._position = {id(n): at for at, n in enumerate(order)}
        self._alone = {id(inputs[n]): frozenset([f"={n}"]) for n in spec.keep}  # a segment that only stores the input
        self._first: dict[Key, int] = {}
        for n in order:
            self._first.setdefault(self.segment(n), self._position[id(n)])
        self._taken = {n.name for n in order}
        self.kept: dict[int, Tensor] = {}  # the state that keeps a node
        self.kept_nodes: list[Tensor] = []
        for kept in spec.keep:
            self.keep(inputs[kept])

    def segment(self, node: Tensor) -> Key:
        """The key of the segment that computes a node."""
        return self._alone.get(id(node), self.depends[id(node)])

    def rank(self, key: Key) -> tuple[int, int]:
        """Segments in this order never read what a later one writes: a segment reads those that depend on less."""
        return (0 if key in self._alone.values() else 1 + len(key)), self._first[key]

    def keep(self, node: Tensor, label: str = "") -> None:
        """Make the state that keeps a node's value; leaves that every segment can read need none."""
        if id(node) in self.kept or node.op.name in _IN_PLACE:
            return
        stem = name = f"{self.name}.{label or node.name or node.op.name}"
        count = 1
        while name in self._taken:
            count += 1
            name = f"{stem}.{count}"
        self._taken.add(name)
        attrs: dict[str, object] = {"name": name, "shape": node.shape, "dtype": node.dtype.name}
        zeros = np.zeros(node.shape, node.dtype.numpy)
        zeros.flags.writeable = False
        with source_of(node):
            self.kept[id(node)] = make(OPS["state"], (), attrs, zeros)
        self.kept_nodes.append(node)

    def checked(self, node: Tensor) -> Tensor:
        """A kept input under every check that the graph makes of it, so that its own segment makes them all."""
        for n in self.order if node.op.name == "input" else ():
            if n.op.name == "expect" and base(n) is node:
                node = apply("expect", node, **n.options)
        return node

    def rebuild(self, key: Key, roots: Sequence[Tensor]) -> list[Tensor]:
        """The roots of one segment, with what other segments keep read from its state."""

        def rule(node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
            if node.op.name == "expect" and base(node) is not base(inputs[0]) and base(node).op.name == "input":
                return inputs[0]  # the input is a state here; its own segment checks it
            return same(node, inputs)

        known = {id(n): self.kept[id(n)] for n in self.kept_nodes if self.segment(n) != key}
        return rebuild(roots, rule, known)
