"""Graph -> graph: a step over a batch as micro-batches, one after the other, whose sums over the batch are added up.

Every node is one of four kinds. *Free* of the batch: parameters, constants, and what depends on them alone. *Batched*:
sample i of the result depends on sample i of the batched inputs (passes/batch_rules.py). A *sum* over the batch: `sum`,
a product that contracts the batch, so a weight's gradient. *Later*: what depends on sums, as the loss and the updates
do. A batched node that depends on a sum (the statistics of a batch norm) makes the split impossible.

The order of summation: a sum is that of micro-batch 0, plus that of micro-batch 1, and so on, each taken by its own
kernel in that kernel's order. Where a gradient has several terms (a parameter used twice), the terms of a micro-batch
are added one after the other, in the order in which the unsplit graph adds them. A sum that is only added to something
free of the batch (a momentum, a weight decay) starts from that: (momentum * m + g0) + g1, in the bytes of m. Everything
else keeps every bit, and means divide by the whole batch's count, once. Micro-batches are runs of neighbouring samples,
as equal as can be, the longer ones first.

Bytes: a batched node has a micro-batch's. Each sum is one buffer, to which the next micro-batch adds in place; a
product does so a tile at a time. An `after` keeps a micro-batch from starting before the one before it has been added.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from lazydiff.errors import GraphError
from lazydiff.graph.node import Tensor, apply, constant, make, source_of, user_line
from lazydiff.graph.rebuild import rebuild
from lazydiff.graph.walk import base, number, topological
from lazydiff.ops.leaves import after
from lazydiff.ops.moves import reshape, slices
from lazydiff.ops.rearrange import concat
from lazydiff.passes.batch_rules import At, MixedError, Places, answer
from lazydiff.passes.simplify import simplify

_ADDED = ("add", "reshape", "transpose")  # of sums: a sum again, for which one buffer is enough


class Batch:
    """The roots of a step, simplified, and which of the four kinds each node is: see the module's text.

    `inputs` names the inputs that have a sample in each row; without it, those of the first extent under which most
    elements come in. Raises GraphError, with the reason and the user's line, where samples meet.
    """

    def __init__(self, roots: Sequence[Tensor], inputs: Sequence[str] | None = None) -> None:
        self.roots = simplify(roots)
        self.order = topological(self.roots)
        leaves, self.samples = _batched_inputs(self.order, inputs)
        self.places: dict[int, At] = {id(leaf): At(0) for leaf in leaves}
        self.cuts: dict[int, Places] = {}  # by node that is batched or a sum: where its inputs are cut
        self.sums: set[int] = set()
        self._later: dict[int, Tensor] = {}  # by node that depends on a sum: the sum that is to blame
        self._users = Counter(id(i) for node in self.order for i in node.inputs)
        self._users.update(id(r) for r in self.roots)
        self._user = {id(i): node for node in self.order for i in node.inputs}
        for node in self.order:
            if node.inputs:
                self._classify(node)
        self.totals = self._totals()

    def _classify(self, node: Tensor) -> None:
        places = [self.places.get(id(i)) for i in node.inputs]
        blame = next((self._later[id(i)] for i in node.inputs if id(i) in self._later), None)
        if not any(places):
            if blame is not None:
                self._later[id(node)] = blame
                if node.op.name in _ADDED and all(id(i) in self.sums and self._users[id(i)] == 1 for i in node.inputs):
                    self.sums.add(id(node))
            return
        if blame is not None:
            raise GraphError(
                f"{node.source}: {_what(node)} of each sample needs {_what(blame)} of the whole batch "
                f"({blame.source}), which is known only when every micro-batch has run"
            )
        try:
            place, self.cuts[id(node)] = answer(node, places, self.samples)
        except MixedError as why:
            raise GraphError(f"{node.source}: {_what(node)} can't be split into micro-batches: {why}") from None
        if place is not None:
            self.places[id(node)] = place
        else:
            self.sums.add(id(node))
            self._later[id(node)] = node

    def _totals(self) -> list[Tensor]:
        """The sums that someone reads who is no sum; a view of one is taken once the sum is whole."""
        inside = {id(i) for node in self.order if id(node) in self.sums for i in node.inputs}
        wanted: dict[int, Tensor] = {}
        for node in self.order:
            if id(node) in self.sums and id(node) not in inside:
                while node.op.view:
                    self.sums.discard(id(node))
                    node = node.inputs[0]
                wanted[id(node)] = node
        return list(wanted.values())

    def adders(self, total: Tensor) -> list[Tensor]:
        """The nodes, one reading the other, that do nothing with a sum but add it to something free of the batch."""
        found: list[Tensor] = []
        node = total
        while self._users[id(node)] == 1 and (user := self._user.get(id(node))) is not None:
            added = {"fma": 2, "add": 1 - (user.inputs[0] is node)}.get(user.op.name)
            others = [i for at, i in enumerate(user.inputs) if at != added]
            free = not any(id(i) in self._later or id(i) in self.places for i in others)
            if added is None or user.inputs[added] is not node or not free:
                break
            found.append(user)
            node = user
        return found

    def terms(self, total: Tensor) -> list[Tensor]:
        """What a sum adds up in each micro-batch, in order."""
        found, stack = [], [total]
        while stack:
            node = stack.pop()
            if node.op.name == "add":
                stack.extend(reversed(node.inputs))
            else:
                found.append(node)
        return found


def _what(node: Tensor) -> str:
    return f"`{node.op.name}`"


def _batched_inputs(order: Sequence[Tensor], names: Sequence[str] | None) -> tuple[list[Tensor], int]:
    """The inputs with a sample in each row, and how many samples there are."""
    inputs = {node.name: node for node in order if node.op.name == "input" and node.ndim}
    extents: Counter[int] = Counter()
    for node in inputs.values():
        extents[node.shape[0]] += node.size
    if names is None:
        n = max(extents, key=lambda e: (extents[e], e), default=1)
        found = [node for node in inputs.values() if node.shape[0] == n]
    else:
        if unknown := [name for name in names if name not in inputs]:
            raise GraphError(f"{user_line()}: micro-batches of {unknown}; the inputs are {', '.join(inputs)}")
        found = [inputs[name] for name in names]
        n = found[0].shape[0] if found else 1
        if any(node.shape[0] != n for node in found):
            raise GraphError(
                f"{user_line()}: micro-batches of {[(f.name, f.shape) for f in found]}: first extents differ"
            )
    if n == 1:
        raise GraphError(f"{user_line()}: there is no batch to split: no input has more than one row")
    return found, n


def can_split(roots: Sequence[Tensor], inputs: Sequence[str] | None = None) -> str | None:
    """None if `split` of these roots works, else why not, with the user's line."""
    try:
        Batch(roots, inputs)
    except GraphError as why:
        return str(why)
    return None


def split(roots: Sequence[Tensor], parts: int, inputs: Sequence[str] | None = None) -> list[Tensor]:
    """The roots, computed in so many micro-batches; of equal value up to the order of sums (see the module's text).

    `inputs` are the inputs with a sample in each row (see `Batch`). A batch that `parts` does not divide has
    micro-batches of two sizes. Raises GraphError where samples meet, and for `parts` outside 1 .. the batch.
    """
    batch = Batch(roots, inputs)
    n = batch.samples
    if isinstance(parts, bool) or not isinstance(parts, int) or not 1 <= parts <= n:
        raise GraphError(f"{user_line()}: {parts!r} micro-batches of {n} samples; 1 .. {n} go")
    if parts == 1:
        return list(batch.roots)
    sizes = [n // parts + (j < n % parts) for j in range(parts)]
    together = {id(r): r for r in batch.roots if id(r) in batch.places}
    pieces: dict[int, list[Tensor]] = {r: [] for r in together}
    totals: dict[int, Tensor] = {}
    adders = {id(total): batch.adders(total) for total in batch.totals}
    tokens: list[Tensor] = []
    start = 0
    for size in sizes:
        part = _Part(batch, start, size, tokens)
        for total in batch.totals:
            with source_of(total):
                for term in (part.of(t) for t in batch.terms(total)):
                    # The barrier keeps two additions from becoming one, which would need both terms at once.
                    known = totals.get(id(total))
                    if known is not None:
                        totals[id(total)] = apply("add", after(known), term)
                        continue
                    reads = total
                    for adder in adders[id(total)]:
                        operands = [term if i is reads else i for i in adder.inputs]
                        term, reads = make(adder.op, operands, adder.options), adder
                    totals[id(total)] = term
        for r, node in together.items():
            pieces[r].append(part.of(node))
        tokens = [*totals.values(), *(p[-1] for p in pieces.values())]
        start += size
    ends = {id(total): id((adders[id(total)] or [total])[-1]) for total in batch.totals}
    whole = {ends[t]: node for t, node in totals.items()} | {
        r: concat(pieces[r], batch.places[r].axis) for r in together
    }
    return rebuild(batch.roots, known=whole)


class _Part:
    """One micro-batch: samples start .. start + size - 1 of every batched node."""

    def __init__(self, batch: Batch, start: int, size: int, tokens: Sequence[Tensor]) -> None:
        self._batch, self._start, self._size = batch, start, size
        self._made: dict[int, Tensor] = {}
        self._cut: dict[tuple[int, At], Tensor] = {}
        for node in batch.order:
            if id(node) not in batch.places and id(node) not in batch.sums:
                continue
            with source_of(node):
                self._made[id(node)] = self._make(node, tokens)

    def of(self, node: Tensor) -> Tensor:
        """What a batched node or a term of a sum is for this micro-batch."""
        return self._made[id(node)]

    def _make(self, node: Tensor, tokens: Sequence[Tensor]) -> Tensor:
        place = self._batch.places.get(id(node))
        if not node.inputs:
            part = self._slice(node, At(0))
            return after(part, *tokens) if tokens else part
        cuts = self._batch.cuts.get(id(node), (None,) * len(node.inputs))
        inputs = [self._input(i, cut) for i, cut in zip(node.inputs, cuts, strict=True)]
        return self._like(node, inputs, place)

    def _input(self, node: Tensor, cut: At | None) -> Tensor:
        made = self._made.get(id(node))
        if made is not None:
            return made
        return node if cut is None else self._free(node, cut)

    def _like(self, node: Tensor, inputs: Sequence[Tensor], place: At | None) -> Tensor:
        """The node on parts of its inputs: attributes that say its shape are those of the part."""
        attrs = dict(node.options)
        if place is not None:
            shape = place.resized(node.shape, self._size)
            attrs |= {name: shape for name in ("shape", "out", "sizes") if name in attrs}
        return make(node.op, inputs, attrs)

    def _free(self, root: Tensor, cut: At) -> Tensor:
        """The part of a node that is free of the batch but meets it: cut as near to the leaves as it goes."""
        stack = [root]
        while stack:
            node = stack[-1]
            if (id(node), cut) in self._cut:
                stack.pop()
                continue
            missing = [i for i in node.inputs if (id(i), cut) not in self._cut] if node.op.opcode is not None else []
            if missing:
                stack.extend(missing)
                continue
            with source_of(node):
                self._cut[id(node), cut] = self._cut_node(node, cut)
        return self._cut[id(root), cut]

    def _cut_node(self, node: Tensor, cut: At) -> Tensor:
        shape = cut.resized(node.shape, self._size)
        if node.op.opcode is not None:
            return self._like(node, [self._cut[id(i), cut] for i in node.inputs], cut)
        if number(node) is not None:
            return apply("broadcast_to", reshape(base(node), ()), shape=shape)
        if node.op.name == "broadcast_to":
            inner = node.inputs[0]
            axis = cut.axis - node.ndim + inner.ndim
            if axis < 0 or inner.shape[axis] == 1:
                return apply("broadcast_to", inner, shape=shape)
        if node.op.name == "const" and node.data is not None:
            data = node.data.reshape(*node.shape[: cut.axis], cut.outer, -1, cut.inner, *node.shape[cut.axis + 1 :])
            rows = slice(self._start, self._start + self._size)
            return constant(np.ascontiguousarray(data[(slice(None),) * (cut.axis + 1) + (rows,)]).reshape(shape))
        return self._slice(node, cut)

    def _slice(self, node: Tensor, cut: At) -> Tensor:
        """Views: the rows of this micro-batch, of each of the outer runs."""
        lead, tail = node.shape[: cut.axis], node.shape[cut.axis + 1 :]
        runs = reshape(node, (*lead, cut.outer, self._batch.samples * cut.inner, *tail))
        starts = [0] * runs.ndim
        sizes = list(runs.shape)
        starts[cut.axis + 1], sizes[cut.axis + 1] = self._start * cut.inner, self._size * cut.inner
        return reshape(slices(runs, starts, sizes), cut.resized(node.shape, self._size))
