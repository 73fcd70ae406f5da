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
    users: dict[int, list[Tensor]] = {}
    for node in order:
        for i in node.inputs:
            users.setdefault(id(i), []).append(node)
    leader: dict[int, int] = {}
    members: dict[int, set[int]] = {}
    outside: dict[int, set[int]] = {}  # by group: what its nodes read that is not (yet) one of them
    number: dict[int, int] = {}  # groups as they are found
    reading: dict[int, int] = {}  # by node: the first group that reads it (of nodes that may still join one)
    copies = {id(n) for n in order if "copy" in n.options}
    by_id = {id(n): n for n in order}
    position = {id(n): k for k, n in enumerate(order)}

    def siblings(node: Tensor) -> set[int | None]:
        """The first group, if any, that reads a computed tensor which this node reads too and runs before its users."""
        shared = {id(i) for i in node.inputs if base(i).op.kind != "leaf" and base(i).size == node.size}
        first = min((position[id(u)] for u in users.get(id(node), ())), default=len(order))
        heads = (reading[i] for i in shared if i in reading and position[reading[i]] < first)
        return {min(heads, key=number.__getitem__, default=None)}

    def reads_too(head: int, reads: set[int]) -> None:
        mine = number[head]
        for i in reads:
            if number[reading.setdefault(i, head)] > mine:
                reading[i] = head

    for node in reversed(order):
        if not is_map(node):
            continue
        mine, reads = id(node), {id(i) for i in node.inputs}
        alone = mine not in users or node.options.get("apart")  # passes/early.py
        found = siblings(node) if alone else {leader.get(id(u)) for u in users[mine]}
        whole = node.dtype.is_float or (node.dtype is bool_ and node.op.name != "astype" and mine not in kept)
        whole = whole and not node.options.get("stored")  # passes/masks.py
        if len(found) == 1 and None not in found and whole:
            head = by_id[next(iter(found))]  # type: ignore[index]
            group, inputs = members[id(head)] | {mine}, (outside[id(head)] | reads) - {mine}
            outputs = len((group & kept) | {id(head)})
            same = head.shape == node.shape and compute_dtype(head) == compute_dtype(node)
            if (
                same and len(group - copies) <= MAX_GROUP and len(inputs) + outputs + 1 <= MAX_OPERANDS
            ):  # 1: the scratch
                leader[mine] = id(head)
                reads_too(id(head), reads)
                members[id(head)], outside[id(head)] = group, inputs
                continue
        leader[mine], members[mine], outside[mine], number[mine] = mine, {mine}, reads, len(number)
        reads_too(mine, reads)
    return leader
