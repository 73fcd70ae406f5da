"""Graph -> groups: which elementwise nodes one `map` computes together, so that what is between them needs no bytes."""

from __future__ import annotations

from collections.abc import Sequence

from lazydiff.dtypes import Dtype, bool_, f32, f64, i32
from lazydiff.graph.node import Tensor
from lazydiff.graph.walk import base
from lazydiff.kernels.table import MAX_OPERANDS

MAX_GROUP = 16  # nodes of one map, beside what it computes for itself (passes/apiece.py)


def is_map(node: Tensor) -> bool:
    """True for a node that an opcode computes."""
    return node.op.opcode is not None


def compute_dtype(node: Tensor) -> Dtype:
    """The float type a map node is computed in: its own, else that of its first float input, else one that is exact."""
    if node.dtype.is_float:
        return node.dtype
    wide = node.op.name != "astype" and any(n.dtype == i32 for n in (node, *node.inputs))
    return next((i.dtype for i in node.inputs if i.dtype.is_float), f64 if wide else f32)


def groups(order: Sequence[Tensor], kept: set[int]) -> dict[int, int]:
    """For each map node (by id) the id of its group's last node.

    `order` lists inputs first; `kept` are ids of nodes whose value must exist (outputs, updates). A node joins the
    group of its users when all of them are in one group of its shape and dtype; a kept node then becomes one more
    output. A kept node without users joins a group that reads what it reads (a computed tensor of its size): nothing
    waits for it, and two updates from one gradient, such as Lion's, then need that gradient once.
    """
    leader: dict[int, int] = {}
    found: dict[int, _Group] = {}  # by the id of its last node
    joint: dict[int, int] = {}  # by node with users (seen so far): the group that all of them are in, or 0
    first: dict[int, int] = {}  # and where the first of them stands
    reading: dict[int, _Group] = {}  # by node: the first group found that reads it (of nodes that may still join one)

    def sibling(node: Tensor) -> int:
        """The first group, if any, that reads a computed tensor which this node reads too and runs before its users."""
        shared = [id(i) for i in node.inputs if base(i).op.kind != "leaf" and base(i).size == node.size]
        before = first.get(id(node), len(order))
        heads = [reading[i] for i in shared if i in reading and reading[i].at < before]
        return min(heads, key=lambda g: g.number).head if heads else 0

    for at in range(len(order) - 1, -1, -1):
        node = order[at]
        mine, reads = id(node), set(map(id, node.inputs))
        if node.op.opcode is None:
            joint.update(dict.fromkeys(reads, 0))
            first.update(dict.fromkeys(reads, at))
            continue
        apart = mine not in joint or node.options.get("apart")  # passes/early.py
        group = found.get(sibling(node) if apart else joint[mine])
        if group is None or not _whole(node, kept) or not group.takes(node, reads, mine in kept):
            group = found[mine] = _Group(node, at, len(found), reads)
        leader[mine] = head = group.head
        for i in reads:
            if joint.setdefault(i, head) != head:
                joint[i] = 0
            first[i] = at
            if reading.setdefault(i, group).number > group.number:
                reading[i] = group
    return leader


def _whole(node: Tensor, kept: set[int]) -> bool:
    """True for a node whose values a register of a map holds as they are."""
    if node.dtype.is_float:
        return not node.options.get("stored")  # passes/masks.py
    plain = node.dtype is bool_ and node.op.name != "astype" and id(node) not in kept
    return plain and not node.options.get("stored")


class _Group:
    """A group known by its last node, and where that stands; groups are numbered as they are found."""

    __slots__ = ("at", "count", "dtype", "head", "number", "outputs", "outside", "shape")

    def __init__(self, last: Tensor, at: int, number: int, reads: set[int]) -> None:
        self.head, self.at, self.number = id(last), at, number
        self.shape, self.dtype = last.shape, compute_dtype(last)
        self.count, self.outputs = int("copy" not in last.options), 1
        self.outside = reads  # what its nodes read that is not (yet) one of them

    def takes(self, node: Tensor, reads: set[int], output: bool) -> bool:
        """Take a node in if it is of the same shape and dtype, and there is room."""
        if node.shape != self.shape or compute_dtype(node) is not self.dtype:
            return False
        outside = self.outside | reads
        outside.discard(id(node))
        count, outputs = self.count + ("copy" not in node.options), self.outputs + output
        if count > MAX_GROUP or len(outside) + outputs + 1 > MAX_OPERANDS:  # 1: the scratch
            return False
        self.count, self.outputs, self.outside = count, outputs, outside
        return True
