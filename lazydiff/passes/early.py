"""Graph -> graph: a gradient goes into the optimizer's state as soon as it exists, though the parameter must wait."""

from __future__ import annotations

from collections.abc import Sequence

from lazydiff.graph.node import Tensor
from lazydiff.graph.rebuild import marked
from lazydiff.graph.walk import topological
from lazydiff.passes.fuse import is_map


def early(roots: Sequence[Tensor], updates: Sequence[Tensor]) -> list[Tensor] | None:
    """The roots with each new state (of `updates`) that the new value of another one reads in a map apart from it.

    A parameter may change when all who read the old value have run, a momentum at once: what its gradient was made of
    need not be kept until then. None if there is nothing to take apart.
    """
    news = {id(n) for n in updates if is_map(n) and n.dtype.is_float}
    read = {id(i) for n in topological(roots) for i in n.inputs}
    chosen = news & read
    return marked(roots, chosen, "apart") if chosen else None
