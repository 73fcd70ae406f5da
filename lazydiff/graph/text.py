"""A graph as text, one node a line, for tests and for people."""

from __future__ import annotations

from collections.abc import Iterable

from lazydiff.graph.node import Tensor
from lazydiff.graph.walk import topological


def text(roots: Iterable[Tensor]) -> str:
    """`%3 = add %1 %2  f32[8]` for each node the roots depend on."""
    roots = list(roots)
    names: dict[int, str] = {}
    lines = []
    for node in topological(roots):
        names[id(node)] = node.name or f"%{len(names)}"
        options = "".join(f" {k}={v}" for k, v in node.attrs if k != "name")
        value = (
            f" {node.data.item()}" if node.data is not None and node.data.size == 1 and node.op.name == "const" else ""
        )
        arguments = "".join(f" {names[id(i)]}" for i in node.inputs)
        lines.append(f"{names[id(node)]} = {node.op.name}{arguments}{value}{options}  {node.dtype}{list(node.shape)}")
    lines.append("return " + " ".join(names[id(r)] for r in roots))
    return "\n".join(lines)
