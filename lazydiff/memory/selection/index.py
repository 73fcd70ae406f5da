"""Selection of the kernels of lazydiff/kernels/{index,random,scan}.py: graph node -> one call."""

from __future__ import annotations

import math

from lazydiff.graph.node import Tensor
from lazydiff.kernels import index, random, scan
from lazydiff.memory.calls import Value
from lazydiff.memory.selection.selector import Row, Selector


def _around(node: Tensor) -> tuple[int, int, int]:
    """(outer, red, inner) of a node's first operand about its axis."""
    shape, axis = node.inputs[0].shape, int(node.options["axis"])  # type: ignore[call-overload]
    return math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])


def _cumsum(s: Selector, node: Tensor) -> Value:
    outer, red, inner = _around(node)
    attrs = {"outer": outer, "red": red, "inner": inner, "reverse": int(bool(node.options["reverse"]))}
    return s.call(scan.cumsum, node, [s.whole(node.inputs[0]).value], node.size, attrs)


def _take(s: Selector, node: Tensor) -> Value:
    kernel, (outer, red, inner) = index.take, _around(node)
    if node.op.name == "add_rows":
        kernel, red = index.add_rows, int(node.options["extent"])  # type: ignore[call-overload]
    attrs = {"outer": outer, "red": red, "count": node.inputs[1].size, "inner": inner}
    return s.call(kernel, node, [s.whole(i).value for i in node.inputs], node.size, attrs)


def _random(s: Selector, node: Tensor) -> Value:
    key, options = s.whole(node.inputs[0]).value, node.options
    if node.op.name == "next_key":
        return s.call(random.next_key, node, [key], 4, {"steps": int(options["steps"])})  # type: ignore[call-overload]
    attrs = {"n": node.size, "stream": int(options["stream"])}  # type: ignore[call-overload]
    return s.call(random.uniform, node, [key], node.size, attrs)


ROWS: dict[str, Row] = {
    "cumsum": _cumsum,
    "take": _take,
    "add_rows": _take,
    "uniform": _random,
    "next_key": _random,
}
