"""Graph -> the same graph with every float leaf, constant and cast in another float dtype; names stay."""

from __future__ import annotations

from collections.abc import Sequence

from lazydiff.dtypes import BY_NAME, Dtype
from lazydiff.graph.node import OPS, Tensor, constant, make, source_of
from lazydiff.graph.walk import topological


def freed_name(leaf: Tensor) -> str:
    """The name of the input that a parameter or state becomes."""
    return f"{leaf.op.name} {leaf.name}"


def retype(roots: Sequence[Tensor], dtype: Dtype, *, free: bool = False) -> list[Tensor]:
    """The roots, computed in `dtype` (f32 or f64); with `free`, parameters and states become inputs.

    Such an input is named "param w" or "state w", so that it can't collide with the graph's own inputs, nor be "out".
    """
    done: dict[int, Tensor] = {}
    for node in topological(roots):
        inputs = [done[id(i)] for i in node.inputs]
        options, data = dict(node.options), node.data
        if "dtype" in options and BY_NAME[str(options["dtype"])].is_float:
            options["dtype"] = dtype.name
        if data is not None and data.dtype.kind == "f":
            data = data.astype(dtype.numpy)
        with source_of(node):
            if node.op.name == "const" and data is not None:
                done[id(node)] = constant(data)
            elif free and node.op.name in ("param", "state"):
                done[id(node)] = make(OPS["input"], (), {**options, "name": freed_name(node)})
            else:
                done[id(node)] = make(node.op, inputs, options, data)
    return [done[id(r)] for r in roots]
