"""Graph -> graph: the transposes of a pooled convolution take its gradient as the pooling left it.

The gradient of a feature map that was pooled by maxima is as large as the map, and all zeros but for the winners. Where
only the convolution's own transposes read it, they make it a row at a time (kernels/unpool.py). Values keep every bit.
"""

from __future__ import annotations

from collections.abc import Sequence

from lazydiff.dtypes import Dtype
from lazydiff.graph.node import Op, Tensor, declare, make, same
from lazydiff.graph.rebuild import rebuild
from lazydiff.graph.walk import topological

Attrs = dict[str, object]


def _infer(xs: Sequence[Tensor], a: Attrs) -> tuple[tuple[int, ...], Dtype]:
    return tuple(a["out"]), xs[0].dtype  # type: ignore[arg-type]


# Inputs (x, pooled, index) and (pooled, index, weight). Derivatives have been taken by then, so they need no rule.
_OPS = {
    f"conv2d_{name}": declare(Op(f"unpool_{name}", "constant", _infer, kernels=(f"unpool_{name}",)))
    for name in ("grad_w", "grad_x")
}


def unpool(roots: Sequence[Tensor]) -> list[Tensor] | None:
    """The roots without the gradients that only such transposes read; None if there are none."""
    order = topological(roots)
    users: dict[int, list[Tensor]] = {}
    for node in order:
        for i in node.inputs:
            users.setdefault(id(i), []).append(node)
    whole = {id(r) for r in roots}
    chosen = {
        id(n)
        for n in order
        if n.op.name == "pool_scatter" and id(n) not in whole and all(_takes(u, n) for u in users[id(n)])
    }

    def rule(node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
        at = _gradient(node)
        if at is None or id(node.inputs[at]) not in chosen:
            return same(node, inputs)
        spread = inputs[at]
        pool = {f"pool_{name}": spread.options[name] for name in ("window", "stride", "padding")}
        return make(
            _OPS[node.op.name],
            (*inputs[:at], *spread.inputs, *inputs[at + 1 :]),
            {**node.options, **pool, "y": spread.shape},
        )

    return rebuild(roots, rule) if chosen else None


def _gradient(node: Tensor) -> int | None:
    """Which input of a transpose is the gradient of the convolution's output; None of another node."""
    return {"conv2d_grad_w": 1, "conv2d_grad_x": 0}.get(node.op.name)


def _takes(user: Tensor, spread: Tensor) -> bool:
    at = _gradient(user)
    if at is None or user.options["groups"] != 1:
        return False
    return user.inputs[at] is spread and sum(i is spread for i in user.inputs) == 1
