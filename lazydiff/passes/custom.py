"""A user's own derivative of y = f(*xs): either mode from the rule of one, by transposing what is linear."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lazydiff.errors import GraphError
from lazydiff.graph.node import Tensor
from lazydiff.graph.walk import topological
from lazydiff.ops.leaves import placeholder
from lazydiff.ops.moves import zeros_like

Rule = Callable[..., Sequence[Tensor | None] | Tensor | None]


@dataclass(frozen=True, slots=True, eq=False)
class CustomRule:
    """One of both is enough; the other mode is its transpose.

    `jvp(tangents, y, *xs)` gives the tangent of y; `vjp(ct, y, *xs)` the cotangents of the xs. Both must be linear in
    their first argument.
    """

    jvp: Rule | None
    vjp: Rule | None


Transpose = Callable[[Sequence[Tensor], Sequence[Tensor], Sequence[Tensor]], list[Tensor]]


def custom_jvp(node: Tensor, tangents: Sequence[Tensor | None], transpose: Transpose) -> Tensor | None:
    """The tangent of a custom node from its inputs' tangents (None: structurally zero); `transpose` is vjp."""
    y, *xs = node.inputs
    rule = _rule(node)
    dense = [zeros_like(x) if t is None else t for x, t in zip(xs, tangents, strict=True)]
    if rule.jvp is not None:
        return _fitting(node, rule.jvp(tuple(dense), y, *xs), y)
    ct = placeholder("cotangent", y.shape, y.dtype)
    shares = _shares(node, ct)
    pairs = [(s, t) for s, t in zip(shares, dense, strict=True) if s is not None]
    return _without(node, ct, transpose([s for s, _ in pairs], [ct], [t for _, t in pairs]))[0] if pairs else None


def custom_vjp(node: Tensor, ct: Tensor, transpose: Transpose) -> list[Tensor | None]:
    """The cotangents of a custom node's inputs (None: structurally zero); `transpose` is vjp."""
    y, *xs = node.inputs
    rule = _rule(node)
    if rule.vjp is not None:
        return _shares(node, ct)
    assert rule.jvp is not None
    ts = [placeholder(f"tangent{n}", x.shape, x.dtype) for n, x in enumerate(xs)]
    out = _fitting(node, rule.jvp(tuple(ts), y, *xs), y)
    if out is None:
        return [None] * len(xs)
    found = transpose([out], ts, [ct])
    for t in ts:
        found = _without(node, t, found)
    return list(found)


def _rule(node: Tensor) -> CustomRule:
    rule = node.options["rule"]
    assert isinstance(rule, CustomRule)
    return rule


def _shares(node: Tensor, ct: Tensor) -> list[Tensor | None]:
    y, *xs = node.inputs
    rule = _rule(node)
    assert rule.vjp is not None
    given = rule.vjp(ct, y, *xs)
    shares = [given] if given is None or isinstance(given, Tensor) else list(given)
    if len(shares) != len(xs):
        raise GraphError(f"{node.source}: the vjp rule gave {len(shares)} cotangents for {len(xs)} inputs")
    return [_fitting(node, s, x) for s, x in zip(shares, xs, strict=True)]


def _fitting(node: Tensor, given: object, like: Tensor) -> Tensor | None:
    if given is None:
        return None
    if not isinstance(given, Tensor) or given.shape != like.shape or given.dtype != like.dtype:
        raise GraphError(f"{node.source}: a custom derivative gave {given!r} where {like.dtype}{list(like.shape)} goes")
    return given


def _without(node: Tensor, seed: Tensor, found: Sequence[Tensor]) -> list[Tensor]:
    if any(n is seed for n in topological(found)):
        raise GraphError(f"{node.source}: a custom derivative must be linear in the tangent or cotangent it is given")
    return list(found)
