"""The kernel calls of each op that is neither a view nor a map: one row an op, by name."""

from __future__ import annotations

import math

from lazydiff.graph.node import Tensor
from lazydiff.kernels import linear, reduce
from lazydiff.memory.calls import Value
from lazydiff.memory.selection import index, window
from lazydiff.memory.selection.selector import Row, Selector


def _reduce(s: Selector, node: Tensor) -> Value:
    kernel = {"sum": reduce.reduce_sum, "max": reduce.reduce_max, "min": reduce.reduce_min, "argmax": reduce.argmax}
    axes = [int(a) for a in node.options["axes"]]  # type: ignore[attr-defined]
    shape = list(node.inputs[0].shape)
    value = s.whole(node.inputs[0]).value
    while axes:  # a run of neighbouring axes at a time, the last first
        first = last = axes.pop()
        while axes and axes[-1] == first - 1:
            first = axes.pop()
        outer, inner = math.prod(shape[:first]), math.prod(shape[last + 1 :])
        red = math.prod(shape[first : last + 1])
        attrs = {"outer": outer, "red": red, "inner": inner}
        value = s.call(kernel[node.op.name], node, [value], outer * inner, attrs)
        del shape[first : last + 1]
    return value


def _matrix(s: Selector, node: Tensor) -> tuple[Value, bool, int]:
    """An operand of a product: its value, whether it lies transposed, its batch step in elements."""
    view = s.view(node)
    rows, columns = node.shape[-2:]
    for transposed in (False, True):
        want = (1, rows) if transposed else (columns, 1)
        fits = all(e == 1 or a == b for e, a, b in zip(node.shape[-2:], view.strides[-2:], want, strict=True))
        if fits and view.offset == 0 and not view.window:
            step = view.strides[0] if len(node.shape) == 3 and node.shape[0] > 1 else rows * columns
            if step in (0, rows * columns):
                return view.value, transposed, step
    return s.whole(node).value, False, rows * columns


def _matmul(s: Selector, node: Tensor) -> Value:
    left, right = node.inputs
    (a, ta, a_step), (b, tb, b_step) = _matrix(s, left), _matrix(s, right)
    if ta and tb:
        a, ta, a_step = s.whole(left).value, False, left.shape[-2] * left.shape[-1]
    kernel = linear.matmul_tn if ta else linear.matmul_nt if tb else linear.matmul_nn
    batch = node.shape[0] if node.ndim == 3 else 1
    m, k, n = left.shape[-2], left.shape[-1], right.shape[-1]
    attrs = {"batch": batch, "m": m, "k": k, "n": n, "a_step": a_step, "b_step": b_step}
    return s.call(kernel, node, [a, b], node.size, attrs)


ROWS: dict[str, Row] = {
    "sum": _reduce,
    "max": _reduce,
    "min": _reduce,
    "argmax": _reduce,
    "matmul": _matmul,
    **index.ROWS,
    **window.ROWS,
}
