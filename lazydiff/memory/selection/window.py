"""Selection of the kernels of lazydiff/kernels/{conv,pool}.py: graph node -> one call."""

from __future__ import annotations

from lazydiff.graph.node import Tensor
from lazydiff.kernels import conv, pool
from lazydiff.memory.calls import Value
from lazydiff.memory.selection.selector import Row, Selector

_KERNELS = {k.name: k for k in (conv.conv2d, conv.conv2d_grad_x, conv.conv2d_grad_w)}
_KERNELS |= {k.name: k for k in (pool.max_pool_index, pool.pool_gather, pool.pool_scatter)}


def _call(s: Selector, node: Tensor, x: Tensor, y: Tensor, window: tuple[int, ...], more: dict[str, int]) -> Value:
    """The call whose window of (kh, kw) taps maps image x to image y."""
    words = {"n": x.shape[0], "h": x.shape[1], "w": x.shape[2], "oh": y.shape[1], "ow": y.shape[2], **more}
    words["kh"], words["kw"] = window
    for letter, name in (("s", "stride"), ("d", "dilation"), ("p", "padding")):
        words[letter + "h"], words[letter + "w"] = node.options.get(name, (1, 1))  # type: ignore[misc]
    reads = [s.whole(i).value for i in node.inputs]
    return s.call(_KERNELS[node.op.name], node, reads, node.size, words)


def _conv(s: Selector, node: Tensor) -> Value:
    p, q = node.inputs
    x, w, y = {"conv2d": (p, q, node), "conv2d_grad_x": (node, q, p), "conv2d_grad_w": (p, node, q)}[node.op.name]
    groups = int(node.options["groups"])  # type: ignore[call-overload]
    return _call(s, node, x, y, w.shape[:2], {"cg": w.shape[2], "fg": w.shape[3] // groups, "groups": groups})


def _pool(s: Selector, node: Tensor) -> Value:
    x, y = (node, node.inputs[0]) if node.op.name == "pool_scatter" else (node.inputs[0], node)
    return _call(s, node, x, y, node.options["window"], {"c": x.shape[3]})  # type: ignore[arg-type]


ROWS: dict[str, Row] = {name: _conv if name.startswith("conv") else _pool for name in _KERNELS}
