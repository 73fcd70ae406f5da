"""How each op treats a batch: along which axis its result has it, or that it sums over it, or why it mixes samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from lazydiff.graph.node import Tensor


@dataclass(frozen=True, slots=True)
class At:
    """The batch lies along `axis`, of extent outer * n * inner; place (o * n + i) * inner + r there is sample i's.

    A batch of images has At(0); after a reshape (n, t, d) to (n * t, d) it is At(0, 1, t).
    """

    axis: int
    outer: int = 1
    inner: int = 1

    def resized(self, shape: tuple[int, ...], samples: int) -> tuple[int, ...]:
        """A shape that has this axis, for so many samples."""
        return (*shape[: self.axis], self.outer * samples * self.inner, *shape[self.axis + 1 :])


class MixedError(Exception):
    """An op by which a sample's result depends on other samples; the message says how."""


Places: TypeAlias = Sequence[At | None]
Answer = tuple[At | None, tuple[At | None, ...]]
Rule = Callable[[Tensor, Places, int], Answer]
RULES: dict[str, Rule] = {}  # by op; what an opcode computes has `_elementwise`


def answer(node: Tensor, places: Places, n: int) -> Answer:
    """Where the batch of n lies in a node and in each of its inputs, given where it lies in these (None: nowhere).

    The node's place is None where it is a sum over the batch: the sum over parts of the batch of what it is for a part.
    An input that had no place gets one where it must be cut along with the batch. Raises MixedError.
    """
    rule = _elementwise if node.op.opcode is not None else RULES.get(node.op.name)
    if rule is None:
        raise MixedError(f"{node.op.name} has no rule for a part of a batch")
    return rule(node, places, n)


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register the rule of some ops."""

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return register


def _options(node: Tensor) -> Mapping[str, Any]:
    return node.options


def _one(places: Places) -> At:
    """The one place of the inputs that have one."""
    found = list(dict.fromkeys(p for p in places if p is not None))
    if len(found) > 1:
        raise MixedError("it meets the batch along two different axes, so each sample meets the others")
    return found[0]


def _elementwise(node: Tensor, places: Places, n: int) -> Answer:
    at = _one(places)
    return at, (at,) * len(places)


@rule("expect", "after", "again", "keep", "recompute")
def _same(node: Tensor, places: Places, n: int) -> Answer:
    return places[0], (places[0], *(None for _ in places[1:]))


# ---------------------------------------------------------------------- views


@rule("reshape")
def _reshape(node: Tensor, places: Places, n: int) -> Answer:
    at, old, new = _one(places), node.inputs[0].shape, node.shape
    before, behind = math.prod(old[: at.axis]) * at.outer, at.inner * math.prod(old[at.axis + 1 :])
    for axis in range(len(new)):
        lead, tail = math.prod(new[:axis]), math.prod(new[axis + 1 :])
        if before % lead == 0 and behind % tail == 0:
            return At(axis, before // lead, behind // tail), (at,)
    raise MixedError(f"the reshape of {old} to {new} cuts the batch itself")


@rule("transpose")
def _transpose(node: Tensor, places: Places, n: int) -> Answer:
    at = _one(places)
    return replace(at, axis=_options(node)["axes"].index(at.axis)), (at,)


@rule("broadcast_to")
def _broadcast(node: Tensor, places: Places, n: int) -> Answer:
    at = _one(places)
    return replace(at, axis=at.axis + node.ndim - node.inputs[0].ndim), (at,)


@rule("flip", "slice", "pad", "diagonal")
def _window(node: Tensor, places: Places, n: int) -> Answer:
    at, a, x = _one(places), _options(node), node.inputs[0]
    moved = {
        "flip": at.axis in a.get("axes", ()),
        "slice": x.shape[at.axis] != node.shape[min(at.axis, node.ndim - 1)],
        "pad": x.shape[at.axis] != node.shape[min(at.axis, node.ndim - 1)],
        "diagonal": at.axis >= x.ndim - 2,
    }
    if moved[node.op.name]:
        raise MixedError(f"the {node.op.name} picks or moves samples")
    return at, (at,)


# ---------------------------------------------------------------------- sums and products


@rule("sum", "max", "min", "argmax")
def _reduce(node: Tensor, places: Places, n: int) -> Answer:
    at, axes = _one(places), _options(node)["axes"]
    if at.axis not in axes:
        return replace(at, axis=at.axis - sum(a < at.axis for a in axes)), (at,)
    if node.op.name != "sum":
        raise MixedError(f"{node.op.name} is taken over the batch")
    return None, (at,)


@rule("cumsum")
def _scan(node: Tensor, places: Places, n: int) -> Answer:
    at = _one(places)
    if at.axis == _options(node)["axis"]:
        raise MixedError("the running sum goes over the batch")
    return at, (at,)


@rule("matmul")
def _matmul(node: Tensor, places: Places, n: int) -> Answer:
    lead = node.ndim - 2  # axes: lead, then (m, k) of the left operand, (k, n) of the right
    names = [["lead"] * lead + ["m", "k"], ["lead"] * lead + ["k", "n"]]
    found = {(row[p.axis], p.outer, p.inner) for row, p in zip(names, places, strict=True) if p is not None}
    if len(found) > 1:
        raise MixedError("the product pairs each sample with every other one")
    kind, outer, inner = found.pop()
    at = next(p for p in places if p is not None)
    return {
        "lead": (at, (at, at)),
        "m": (at, (at, None)),
        "n": (at, (None, at)),
        "k": (None, (At(lead + 1, outer, inner), At(lead, outer, inner))),
    }[kind]


# ---------------------------------------------------------------------- rows by number


@rule("take")
def _take(node: Tensor, places: Places, n: int) -> Answer:
    (x, index), axis = places, _options(node)["axis"]
    if x is None and index is not None:
        return replace(index, axis=axis), (None, index)
    if x is None or index is not None or x.axis == axis:
        raise MixedError("take picks among the samples by number")
    return x, (x, None)


@rule("add_rows")
def _add_rows(node: Tensor, places: Places, n: int) -> Answer:
    (x, index), axis = places, _options(node)["axis"]
    if x is not None and index is None and x.axis != axis:
        return x, (x, None)
    at = x or replace(index or At(0), axis=axis)
    if at.axis != axis or index not in (None, replace(at, axis=0)):
        raise MixedError("rows are added up across the samples")
    return None, (at, replace(at, axis=0))


# ---------------------------------------------------------------------- images


def _images(places: Places) -> At:
    at = _one(places)
    if at.axis:
        raise MixedError(f"the images' batch lies along axis {at.axis}, not 0")
    return at


@rule("conv2d", "conv2d_grad_x")
def _conv(node: Tensor, places: Places, n: int) -> Answer:
    if places[1] is not None:
        raise MixedError("the weight of the convolution depends on the batch")
    return _images(places), (places[0], None)


@rule("conv2d_grad_w", "max_pool_index", "pool_gather", "pool_scatter")
def _window_op(node: Tensor, places: Places, n: int) -> Answer:
    at = _images(places)
    return None if node.op.name == "conv2d_grad_w" else at, (at,) * len(places)
