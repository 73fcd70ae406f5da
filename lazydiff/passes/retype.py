"""Graph -> the same graph with every float leaf, constant and cast in another float dtype; names stay."""

from __future__ import annotations

from collections.abc import Sequence

from lazydiff.dtypes import BY_NAME, Dtype
from lazydiff.graph.node import Tensor, constant, make
from lazydiff.graph.rebuild import rebuild


def retype(roots: Sequence[Tensor], dtype: Dtype) -> list[Tensor]:
    """The roots, computed in `dtype` (f32 or f64)."""

    def rule(node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
        options, data = dict(node.options), node.data
        if "dtype" in options and BY_NAME[str(options["dtype"])].is_float:
            options["dtype"] = dtype.name
        if data is not None and data.dtype.kind == "f":
            data = data.astype(dtype.numpy)
        if node.op.name == "const" and data is not None:
            return constant(data)
        return make(node.op, inputs, options, data)

    return rebuild(roots, rule)
