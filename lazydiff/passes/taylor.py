"""Graph -> graph, forward: Taylor coefficients along a direction, from the one rule each op declares; jvp is order 1.

With x(t) = x + t v every node is a series y(t) = c0 + c1 t + c2 t^2 + ... For an elementwise op dy/dt is the sum of
its partials times dx/dt, so k c_k = sum over inputs and j = 1..k of j x_j p_(k-j), where p is the partial's own series:
it is a graph of y and x, and needs only orders below k. A linear op maps series by itself (two operands: the Cauchy
product). So order n costs n products where n nested differentiations would cost up to 2^n (Griewank and Walther,
chapter 13).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from lazydiff.dtypes import bool_
from lazydiff.errors import DtypeError, ShapeError
from lazydiff.graph.node import OPS, Tensor, make, source_of, user_line
from lazydiff.graph.walk import topological
from lazydiff.ops.moves import zeros_like
from lazydiff.passes.custom import custom_jvp
from lazydiff.passes.differentiate import vjp
from lazydiff.passes.rules import SMOOTH, check_wrt, missing, partial, scaled

Term = tuple[Tensor, int]  # a node and an order


class _Series:
    """Coefficients on demand, each once; None is a structural zero, which never becomes a node."""

    def __init__(self, wrt: Sequence[Tensor], tangents: Sequence[Tensor]) -> None:
        self._known: dict[tuple[int, int], Tensor | None] = {}
        self._seeds = {id(w): t for w, t in zip(wrt, tangents, strict=True)}
        self._varies = dict.fromkeys(self._seeds, True)
        self._partials: dict[tuple[int, int], Tensor] = {}
        self._alive: list[Tensor] = []  # ids are names here: a node must not die and leave its id to another

    def varies(self, node: Tensor) -> bool:
        """True if the node depends on the direction, differentiably."""
        if id(node) not in self._varies:
            for n in topological([node], seen=set(self._varies)):
                self._alive.append(n)
                smooth = n.dtype.is_float and n.op.kind in SMOOTH
                inputs = n.inputs[1:] if n.op.kind == "custom" else n.inputs
                self._varies[id(n)] = smooth and any(self._varies[id(i)] for i in inputs)
        return self._varies[id(node)]

    def partial(self, node: Tensor, which: int) -> Tensor | None:
        """The partial derivative as a graph, built once."""
        key = id(node), which
        if key not in self._partials:
            with source_of(node):
                built = partial(node, which)
            if built is None:
                return None
            self._partials[key] = built
        return self._partials[key]

    def coefficient(self, node: Tensor, order: int) -> Tensor | None:
        """The coefficient of t^order; what it needs is computed first, without recursion."""
        stack = [(node, order)]
        while stack:
            n, k = stack[-1]
            needs = [] if self._settle(n, k) else [t for t in self._needs(n, k) if not self._settle(*t)]
            if needs:
                stack.extend(needs)
                continue
            stack.pop()
            if (id(n), k) not in self._known:
                with source_of(n):
                    self._known[id(n), k] = self._compute(n, k)
                self._alive.append(n)
        return self._known[id(node), order]

    def _settle(self, node: Tensor, order: int) -> bool:
        """Enter what needs no computation; True if the coefficient is known."""
        key = id(node), order
        if key not in self._known:
            if order == 0:
                self._known[key] = node
            elif id(node) in self._seeds:
                self._known[key] = self._seeds[id(node)] if order == 1 else None
            elif not self.varies(node):
                self._known[key] = None
        return key in self._known

    def _needs(self, node: Tensor, k: int) -> Iterator[Term]:
        for which, x in enumerate(node.inputs):
            if not self.varies(x) or (node.op.kind == "custom" and which == 0):
                continue
            yield from ((x, j) for j in range(1, k + 1))
            p = self.partial(node, which) if node.op.kind == "elementwise" else None
            if p is not None and p.dtype is not bool_:
                yield from ((p, j) for j in range(k))

    def _compute(self, node: Tensor, k: int) -> Tensor | None:
        if node.op.kind == "linear":
            return _sum(self._linear(node, k))
        if node.op.kind == "custom":
            assert k == 1, "series() takes nested first orders where a custom derivative is on the way"
            return custom_jvp(node, [self._known.get((id(x), 1)) for x in node.inputs[1:]], vjp)
        if node.op.kind == "opaque":
            return missing(node, node)
        return _sum(self._elementwise(node, k))

    def _elementwise(self, node: Tensor, k: int) -> Iterator[Tensor]:
        for which, x in enumerate(node.inputs):
            p = self.partial(node, which) if self.varies(x) else None
            if p is None:
                continue
            for j in range(k, 0, -1):
                rate, slope = self._known[id(x), j], p if j == k else self._order(p, k - j)
                if rate is None or slope is None:
                    continue
                share = scaled(rate, slope) if j == k else (rate * slope) * (j / k)
                yield make(OPS[node.op.reduces], (share,), node.options) if node.op.reduces else share

    def _order(self, p: Tensor, order: int) -> Tensor | None:
        return None if p.dtype is bool_ else self._known[id(p), order]

    def _linear(self, node: Tensor, k: int) -> Iterator[Tensor]:
        varying = [which for which, x in enumerate(node.inputs) if self.varies(x)]
        for orders in _compositions(k, len(varying)):
            inputs: list[Tensor | None] = list(node.inputs)
            for which, order in zip(varying, orders, strict=True):
                inputs[which] = self._known[id(node.inputs[which]), order] if order else node.inputs[which]
            if None not in inputs:
                yield make(node.op, inputs, node.options)  # type: ignore[arg-type]


def _compositions(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    """Every way to write `total` as an ordered sum of `parts` numbers from 0."""
    if parts == 1:
        yield (total,)
        return
    for first in range(total, -1, -1):
        yield from ((first, *rest) for rest in _compositions(total - first, parts - 1))


def _sum(terms: Iterator[Tensor]) -> Tensor | None:
    total: Tensor | None = None
    for t in terms:
        total = t if total is None else total + t
    return total


def series(
    outputs: Sequence[Tensor], wrt: Sequence[Tensor], tangents: Sequence[Tensor], order: int
) -> list[Tensor | None]:
    """For each output, the coefficient of t^order along the direction; None where it is structurally zero."""
    check_wrt(wrt)
    for w, seed in zip(wrt, tangents, strict=True):
        if w.shape != seed.shape:
            raise ShapeError(f"{user_line()}: tangent {seed!r} does not fit {w!r}")
        if w.dtype != seed.dtype:
            raise DtypeError(f"{user_line()}: tangent {seed!r} does not fit {w!r}")
    if order > 1 and any(n.op.kind == "custom" for n in topological(outputs)):
        ys = list(outputs)
        for _ in range(order):
            ys = jvp(ys, wrt, tangents)
        return [y / float(math.factorial(order)) for y in ys]
    found = _Series(wrt, tangents)
    return [found.coefficient(y, order) for y in outputs]


def jvp(outputs: Sequence[Tensor], wrt: Sequence[Tensor], tangents: Sequence[Tensor]) -> list[Tensor]:
    """Forward mode: sum over w of d output / d w * tangent, for each output; zeros (no bytes) where all are absent."""
    found = series(outputs, wrt, tangents, 1)
    return [zeros_like(y) if c is None else c for y, c in zip(outputs, found, strict=True)]
