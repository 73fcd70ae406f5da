"""Graph -> graph: what several maps read, and is cheap, each of them computes for itself; so it needs no bytes.

A value that one group of maps reads is part of their map and lies nowhere (passes/fuse.py). One that two groups read is
a buffer from the first of them to the last, though what it is made of may be alive anyway: where derivatives of several
orders go through a layer side by side, they share several such. Values keep every bit.
"""

from __future__ import annotations

from collections.abc import Sequence

from lazydiff.graph.node import Tensor, make, source_of
from lazydiff.graph.walk import base, topological
from lazydiff.passes.again import CHEAP, SMALL
from lazydiff.passes.fuse import compute_dtype, groups

MOST = 40  # nodes of a group with what it computes for itself
LEAST = 64  # elements of a value: the scratch of a map is as large as fewer
SHARE = 64  # what need not lie anywhere is at least this part of what maps make, or it is not worth a version


def apiece(roots: Sequence[Tensor]) -> list[Tensor] | None:
    """The roots with a copy of each such value in every group that reads it; None if there are none."""
    order = topological(roots)
    found = _Groups(order, {id(r) for r in roots})
    before = {head: set(each) for head, each in found.reads.items()}
    chosen = found.worth(before, found.shared())
    if not chosen:
        return None
    position = {id(n): k for k, n in enumerate(order)}
    copies: dict[tuple[int, int], Tensor] = {}
    done: dict[int, Tensor] = {}

    def seen(node: Tensor, head: int) -> Tensor:
        """The node as this group sees it: its own, with all that the group computes for itself, or everybody's."""
        if head not in chosen.get(found.leader.get(id(node), 0), ()):
            return done[id(node)]
        if (id(node), head) not in copies:
            inputs = [seen(i, head) for i in node.inputs]
            with source_of(node):
                copies[id(node), head] = make(node.op, inputs, {**node.options, "copy": position[head]}, node.data)
        return copies[id(node), head]

    for n in order:
        inputs = tuple([seen(i, found.leader.get(id(n), 0)) for i in n.inputs])
        done[id(n)] = n if inputs == n.inputs else make(n.op, inputs, n.options, n.data)
    return [done[id(r)] for r in roots]


class _Groups:
    """A graph's groups of maps, each known by the id of its last node.

    `members`: their nodes; `reads`: the large values that these read; `readers`: by value, the groups that may compute
    it for themselves; `others`: what somebody else reads too; `fixed`: groups that make what must exist; `costly`:
    those that compute more than is cheap; `sizes`: elements.
    """

    def __init__(self, order: Sequence[Tensor], roots: set[int]) -> None:
        self.order, self.leader = order, groups(order, roots)
        self.members: dict[int, set[int]] = {}
        self.reads: dict[int, set[int]] = {}
        self.readers: dict[int, set[int]] = {}
        self.others = set(roots)
        self.fixed = {self.leader.get(r, 0) for r in roots}
        self.costly: set[int] = set()
        self.sizes: dict[int, int] = {}
        for n in order:
            head = self.leader.get(id(n))
            if head is None:
                self.others.update(map(id, n.inputs))
                continue
            size, dtype, reads = n.size, compute_dtype(n), self.reads.setdefault(head, set())
            for i in n.inputs:
                theirs = self.leader.get(id(i))  # None: no map
                if theirs is None or i.shape != n.shape or compute_dtype(i) is not dtype:
                    self.others.add(id(i))
                elif theirs != head:
                    self.readers.setdefault(id(i), set()).add(head)
                b = base(i) if i.op.view else i
                if b.size * SMALL > size and self.leader.get(id(b)) != head:
                    reads.add(id(b))
            self.members.setdefault(head, set()).add(id(n))
            self.sizes[head] = size
            if n.op.name not in CHEAP:
                self.costly.add(head)

    def shared(self) -> dict[int, set[int]]:
        """By group that others can compute for themselves: these, and those that compute one of these.

        All that it reads is read by one of the others anyway, but for one value, which takes its place. `reads` and
        `members` grow.
        """
        chosen: dict[int, set[int]] = {}
        taken: dict[int, set[int]] = {}  # by group: what it computes for itself
        for n in self.order:
            head, own = id(n), self.readers.get(id(n), set())
            if head not in self.members or not own or len(own) + (head in self.others) < 2:
                continue
            if self.fixed & {head, *own} or head in self.costly or not n.dtype.is_float or n.size < LEAST:
                continue
            beside = set().union(*(self.reads[r] for r in own)) - {head}
            few = all(len(self.members[r] | self.members[head]) <= MOST for r in own)
            if few and len(self.reads[head] - beside) <= 1:
                for r in own:
                    self.reads[r] = self.reads[r] - {head} | self.reads[head]
                    self.members[r] |= self.members[head]
                    taken.setdefault(r, set()).update(taken.get(head, ()), (head,))
                for each in (head, *taken.get(head, ())):
                    chosen.setdefault(each, set()).update(own)
        return chosen

    def worth(self, before: dict[int, set[int]], chosen: dict[int, set[int]]) -> dict[int, set[int]]:
        """Of the chosen, those that together leave fewer values to be read than there were (`before`: by group)."""
        found: dict[int, set[int]] = {}
        saved = 0
        for heads in _clusters(chosen):
            gone = {h for h in heads if h not in self.others}
            left = set().union(*(chosen[h] for h in heads)) - gone
            more = set().union(*(self.reads[r] for r in left)) - set().union(*(before[r] for r in left))
            if len(gone) > len(more):
                found.update({h: chosen[h] for h in heads})
                saved += sum(self.sizes[h] for h in gone)
        return found if saved * SHARE >= sum(self.sizes.values()) else {}


def _clusters(chosen: dict[int, set[int]]) -> list[list[int]]:
    """The keys, those together that share a group."""
    joined: dict[int, int] = {}

    def first(head: int) -> int:
        while head in joined:
            head = joined[head]
        return head

    for head, own in chosen.items():
        for r in own:
            if first(r) != first(head):
                joined[first(r)] = first(head)
    found: dict[int, list[int]] = {}
    for head in chosen:
        found.setdefault(first(head), []).append(head)
    return list(found.values())
