"""Graph -> kernel calls: views resolved, elementwise groups made programs, what is left given to a row of rows.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from lazydiff.dtypes import bits, f32
from lazydiff.errors import GraphError
from lazydiff.graph.node import Tensor, constant
from lazydiff.graph.walk import base, topological
from lazydiff.kernels.opcodes import BY_NAME
from lazydiff.kernels.signature import extent_elements
from lazydiff.kernels.table import Kernel
from lazydiff.memory.calls import Call, EntryCalls, Value, View, row_major
from lazydiff.memory.selection.programs import MapBuilder, copy_call, gates
from lazydiff.memory.selection.units import Grouping
from lazydiff.memory.selection.views import MOVES
from lazydiff.passes.fuse import compute_dtype, groups, is_map
from lazydiff.plan.model import Kind

Row: TypeAlias = "Callable[[Selector, Tensor], Value]"


class Selector:
    """Turns one entry's graph into calls.

    `leaf` gives the value of a leaf node, shared by all entries; `rows` has, by op name, what makes the calls of a node
    that is neither a view nor a map. Without `fused` each map node is a call and no product is tiled: the yardstick of
    what fusion saves.
    """

    def __init__(self, leaf: Callable[[Tensor], Value], rows: Mapping[str, Row], fused: bool = True) -> None:
        self._leaf, self._rows, self._fused = leaf, rows, fused
        self._views: dict[int, View] = {}
        self._copies: dict[int, View] = {}
        self._checks: dict[str, tuple[int, int] | None] = {}
        self._inputs: dict[str, View] = {}
        self._after: dict[int, tuple[Value, ...]] = {}  # by view: what must be made before it is read
        self._sums: set[int] = set()  # values that are read once more, to be added to
        self._hints: list[tuple[Value, str]] = []
        self.calls: list[Call] = []

    def entry(self, name: str, outputs: dict[str, Tensor], updates: Sequence[tuple[Tensor, Tensor]]) -> EntryCalls:
        """The calls of one entry. `updates` pairs (state leaf, its new value)."""
        roots = [*outputs.values(), *(new for _, new in updates)]
        order = topological(roots)
        kept = {id(r) for r in roots}
        leader = groups(order, kept) if self._fused else {id(n): id(n) for n in order if is_map(n)}
        members: dict[int, list[Tensor]] = {}
        for node in order:
            if is_map(node):
                members.setdefault(leader[id(node)], []).append(node)
        for node in order:
            first = len(self.calls)
            if not is_map(node):
                self._node(node)
            elif leader[id(node)] == id(node):
                self._map(members[id(node)], kept)
            if self._after:
                inputs = [i for m in members.get(id(node), [node]) for i in m.inputs]
                waits = tuple(dict.fromkeys(v for i in inputs for v in self._after.get(id(i), ())))
                for c in self.calls[first:]:
                    c.after = waits
        made = {id(v) for c in self.calls for v in c.writes}
        pairs = [(self.view(old).value, self._new_value(new, old, made)) for old, new in updates]
        stored = {id(new): value for (_, new), (_, value) in zip(updates, pairs, strict=True)}
        finals = {n: self._final(t, made, stored.get(id(t))) for n, t in outputs.items()}
        for view in finals.values():
            view.value.kind = Kind.IO if view.value.kind == Kind.WORK else view.value.kind
        out_ids = {id(view.value) for view in finals.values()}
        grouping = Grouping(self.calls, self._sums)
        new_ids = {id(new) for _, new in pairs} | grouping.running(pairs, out_ids)
        units = grouping.units(out_ids | new_ids, new_ids, self._fused)
        return EntryCalls(name, self._inputs, finals, self._checks, units, pairs, self._hints)

    def know(self, leaf: Tensor) -> None:
        """Make the view of a leaf that an update writes, whether or not the graph reads it."""
        self._views[id(leaf)] = View(self._leaf(leaf), leaf.shape, row_major(leaf.shape))

    # ------------------------------------------------------------------ views

    def view(self, node: Tensor) -> View:
        """How a node that was selected lies in its value."""
        return self._views[id(node)]

    def _node(self, node: Tensor) -> None:
        name = node.op.name
        if id(node) in self._views:
            return
        if node.op.kind == "leaf":
            value = self._leaf(node)
            self._views[id(node)] = View(value, node.shape, row_major(node.shape))
            if name == "input":
                self._inputs[node.name] = self._views[id(node)]
        elif node.op.view:
            self._views[id(node)] = self._move(node)
            self._wait(node)
        else:
            self._made(node, self._rows[name](self, node))

    def _move(self, node: Tensor) -> View:
        x, source = self.view(node.inputs[0]), node.inputs[0]
        if node.op.name == "expect":
            self._expect(node)
            return x
        if node.op.name in ("keep", "recompute"):
            self._hints.append((x.value, node.op.name))
        if node.op.name not in MOVES:
            return x
        moved = MOVES[node.op.name](x, node.options)
        if moved is not None:
            return moved
        if node.op.name == "reshape":
            return View(self.whole(source).value, node.shape, row_major(node.shape))
        zero = self._leaf(constant(np.zeros((), node.dtype.numpy)))  # nothing but padding is left
        return View(zero, node.shape, (0,) * node.ndim)

    def _wait(self, node: Tensor) -> None:
        """Whoever reads this view must come after the values that an `after` in its chain of views names."""
        waits = self._after.get(id(node.inputs[0]), ())
        if node.op.name == "after":
            waits += tuple(self.view(token).value for token in node.inputs[1:])
            if not node.inputs[1:]:
                self._sums.add(id(self.view(node).value))
        if waits:
            self._after[id(node)] = waits

    def _expect(self, node: Tensor) -> None:
        leaf = base(node)
        if leaf.op.name != "input":
            if node.dtype.is_float:
                return  # a computed value: only inputs are checked
            raise GraphError(f"expect ({node.source}): only an input can be checked, not {leaf!r}")
        if node.dtype.is_float:
            self._checks[leaf.name] = None
        else:
            low, high = int(node.options["low"]), int(node.options["high"])  # type: ignore[call-overload]
            seen = self._checks.get(leaf.name)
            self._checks[leaf.name] = (max(low, seen[0]), min(high, seen[1])) if seen else (low, high)

    def _made(self, node: Tensor, value: Value) -> None:
        self._views[id(node)] = View(value, node.shape, row_major(node.shape))

    def whole(self, node: Tensor) -> View:
        """A contiguous view of the node, copied if it has to be."""
        view = self.view(node)
        if view.contiguous:
            return view
        if id(node) not in self._copies:
            self._copies[id(node)] = View(self._copy(view, node), node.shape, row_major(node.shape))
        return self._copies[id(node)]

    def _copy(self, view: View, node: Tensor, label: str = "copy") -> Value:
        self.calls.append(copy_call(view, label, node.source))
        return self.calls[-1].writes[0]

    def _final(self, node: Tensor, made: set[int], stored: Value | None) -> View:
        """An output: the new value of a state where it is one (no bytes of its own), else a value that a call made."""
        view = self.view(node)
        if stored is not None:
            return View(stored, node.shape, row_major(node.shape))
        if view.contiguous and id(view.value) in made:
            return view
        return View(self._copy(view, node, "output"), node.shape, row_major(node.shape))

    def _new_value(self, node: Tensor, old: Tensor, made: set[int]) -> Value:
        view = self.view(node)
        if view.contiguous and id(view.value) in made and view.value.replaces is None and view.value.kind == Kind.WORK:
            value = view.value
        else:
            value = self._copy(view, node, "update")
        value.replaces = self.view(old).value
        value.kind, value.label = value.replaces.kind, f"{old.name} (new)"
        return value

    # ------------------------------------------------------------------ kernels

    def call(self, kernel: Kernel, node: Tensor, reads: list[Value], elements: int, attrs: dict[str, int]) -> Value:
        """One call of a kernel with a single output of the node's dtype; it computes in the first float there is.

        Scratch that the kernel declares is made beside it.
        """
        assert kernel.name in node.op.kernels, f"{node.op.name} does not declare {kernel.name}"
        value = Value(node.dtype, elements, Kind.WORK, node.op.name)
        dtype = next((t.dtype for t in (*node.inputs, node) if t.dtype.is_float), f32)
        words = tuple(attrs[a.name] for a in kernel.attrs)
        writes = [
            value if o.mode == "out" else Value(dtype, extent_elements(o.extent, attrs), Kind.WORK, "scratch")
            for o in kernel.operands
            if o.writes
        ]
        self.calls.append(Call(kernel.number, dtype, reads, writes, words, label=node.op.name, source=node.source))
        return value

    def _map(self, nodes: list[Tensor], kept: set[int]) -> None:
        head = nodes[-1]
        dtype = compute_dtype(head)
        inside = {id(n) for n in nodes}
        wanted = [n for n in nodes if n is head or id(n) in kept]
        if len(wanted) > 1:
            # A result that no other reads is written last: so it may lie over the state that the others read.
            read = {id(i) for n in nodes for i in n.inputs}
            nodes = sorted(nodes, key=lambda n: n is not head and id(n) not in read)
            wanted = [n for n in nodes if n is head or id(n) in kept]
        dtypes = [bits if n.options.get("stored") else n.dtype for n in wanted]  # passes/masks.py
        builder = MapBuilder(dtype, head.shape, dtypes)
        outs = {id(n): k for k, n in enumerate(wanted)}
        tests = gates(nodes, outs)
        skipped = {id(test) for test in tests.values()}
        for node in nodes:
            if id(node) in skipped:
                continue
            opcode, inputs = str(node.op.opcode), node.inputs
            if (test := tests.get(id(node))) is not None:
                opcode, inputs = "gate", (test.inputs[1], inputs[1])
            args = [builder.result(id(i)) if id(i) in inside else builder.input(self._views[id(i)]) for i in inputs]
            builder.emit(id(node), BY_NAME[opcode].number, args, outs.get(id(node)))
        label = "+".join(dict.fromkeys([n.op.name for n in nodes]))
        values = [Value(d, n.size, Kind.WORK, n.op.name) for d, n in zip(dtypes, wanted, strict=True)]
        self.calls.append(builder.finish(values, label[:40], head.source))
        for node, value in zip(wanted, values, strict=True):
            self._made(node, value)
