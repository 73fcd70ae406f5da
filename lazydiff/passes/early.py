"""A gradient goes into the optimizer's state as soon as it exists, though the parameter must wait."""

from __future__ import annotations

from collections.abc import Sequence

from lazydiff.graph.node import Tensor
from lazydiff.passes.fuse import is_map


def early(order: Sequence[Tensor], updates: Sequence[Tensor]) -> set[int]:
    """Ids of the new states (of `updates`) to be made in a map apart from that of another one's new value, a reader.

    `order` is the whole graph. A parameter may change when all who read the old value have run, a momentum at once:
    what its gradient was made of need not be kept until then.
    """
    news = {id(n) for n in updates if is_map(n) and n.dtype.is_float}
    return news.intersection([id(i) for n in order for i in n.inputs])
