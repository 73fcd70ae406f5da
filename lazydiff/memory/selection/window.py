"""Selection of the kernels of lazydiff/kernels/{conv,pool}.py: graph node -> one call."""

from __future__ import annotations

from lazydiff.graph.node import Tensor
from lazydiff.kernels import conv, pool, unpool
from lazydiff.memory.calls import Value
from lazydiff.memory.selection.selector import Row, Selector

_KERNELS = {k.name: k for k in (conv.conv2d, conv.conv2d_grad_x, conv.conv2d_grad_w)}
_KERNELS |= {k.name: k for k in (unpool.unpool_grad_w, unpool.unpool_grad_x)}
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


def _unpool(s: Selector, node: Tensor) -> Value:
    n, oh, ow, fg = (int(e) for e in node.options["y"])  # type: ignore[attr-defined]
    a, b, c = node.inputs
    x, w, pooled = (a, node, b) if node.op.name == "unpool_grad_w" else (node, c, a)
    words = {"n": n, "h": x.shape[1], "w": x.shape[2], "cg": x.shape[3], "oh": oh, "ow": ow, "fg": fg}
    words |= {"kh": w.shape[0], "kw": w.shape[1], "poh": pooled.shape[1], "pow": pooled.shape[2]}
    for key, name in (("s", "stride"), ("d", "dilation"), ("p", "padding")):
        words[key + "h"], words[key + "w"] = node.options.get(name, (1, 1))  # type: ignore[misc]
    for key, name in (("pk", "window"), ("ps", "stride"), ("pp", "padding")):
        words[key + "h"], words[key + "w"] = node.options["pool_" + name]  # type: ignore[misc]
    return s.call(_KERNELS[node.op.name], node, [s.whole(i).value for i in node.inputs], node.size, words)


_BY_FAMILY = {"conv2d": _conv, "unpool": _unpool}
ROWS: dict[str, Row] = {name: _BY_FAMILY.get(name.split("_")[0], _pool) for name in _KERNELS}
