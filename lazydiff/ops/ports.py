"""Which ports have an op: those that have every kernel its declaration names."""

from __future__ import annotations

from lazydiff.graph.node import Op
from lazydiff.kernels import conv, index, linear, pool, program, random, reduce, scan  # noqa: F401 - fills the registry
from lazydiff.kernels.table import KERNELS

_BY_NAME = {k.name: k for k in KERNELS.values()}


def kernels_of(op: Op) -> tuple[str, ...]:
    """The kernels that may compute an op: those it names, or `map` for an opcode and for an expansion into opcodes.

    None for leaves, views and markers, which cost nothing anywhere.
    """
    return ("map",) if op.opcode or op.expansion else op.kernels


def ports_of(op: Op) -> frozenset[str]:
    """The ports ("c", "micropython") that have every kernel of an op. Raises KeyError for an undeclared kernel."""
    every = frozenset(port for k in KERNELS.values() for port in k.ports)
    return every.intersection(*(_BY_NAME[name].ports for name in kernels_of(op)))
