"""The public derivative functions, on one tensor or several: grad, vjp, jvp, jacobian, hessian, derivative, ..."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import overload

import numpy as np

from lazydiff.errors import GraphError
from lazydiff.graph.node import OPS, Operand, Tensor, call, constant, make, user_line
from lazydiff.ops.elementwise import one
from lazydiff.ops.moves import zero_pad, zeros_like
from lazydiff.ops.rearrange import stack
from lazydiff.passes import differentiate, taylor
from lazydiff.passes.custom import CustomRule, Rule
from lazydiff.passes.substitute import substitute as _substitute


def _many(x: Tensor | Sequence[Tensor]) -> list[Tensor]:
    return [x] if isinstance(x, Tensor) else list(x)


def _seeds(x: Sequence[Tensor], seeds: Operand | Sequence[Operand] | None) -> list[Tensor]:
    if seeds is None:
        return [one(t) for t in x]
    items = list(seeds) if isinstance(seeds, (list, tuple)) and len(seeds) == len(x) else [seeds]
    made = []
    for t, s in zip(x, items, strict=True):
        seed = constant(s, t.dtype)  # type: ignore[arg-type]
        made.append(call("broadcast_to", call("astype", seed, t.dtype), t.shape))
    return made


@overload
def grad(loss: Tensor, wrt: Tensor) -> Tensor: ...
@overload
def grad(loss: Tensor, wrt: Sequence[Tensor]) -> list[Tensor]: ...
def grad(loss: Tensor, wrt: Tensor | Sequence[Tensor]) -> Tensor | list[Tensor]:
    """d loss / d wrt as a graph, of a loss with one element; a list for several. Differentiate it again if you like."""
    found = differentiate.grad(loss, _many(wrt))
    return found[0] if isinstance(wrt, Tensor) else found


def value_and_grad(loss: Tensor, wrt: Tensor | Sequence[Tensor]) -> tuple[Tensor, Tensor | list[Tensor]]:
    """(loss, its gradient): one graph, which shares the forward part."""
    return loss, grad(loss, wrt)


@overload
def vjp(
    outputs: Tensor | Sequence[Tensor], wrt: Tensor, cotangents: Operand | Sequence[Operand] | None = None
) -> Tensor: ...
@overload
def vjp(
    outputs: Tensor | Sequence[Tensor], wrt: Sequence[Tensor], cotangents: Operand | Sequence[Operand] | None = None
) -> list[Tensor]: ...
def vjp(
    outputs: Tensor | Sequence[Tensor],
    wrt: Tensor | Sequence[Tensor],
    cotangents: Operand | Sequence[Operand] | None = None,
) -> Tensor | list[Tensor]:
    """Reverse mode: cotangents (ones without them) times the Jacobian, for each of wrt. Absent variables give zeros."""
    ys = _many(outputs)
    found = differentiate.vjp(ys, _many(wrt), _seeds(ys, cotangents))
    return found[0] if isinstance(wrt, Tensor) else found


@overload
def jvp(
    outputs: Tensor, wrt: Tensor | Sequence[Tensor], tangents: Operand | Sequence[Operand] | None = None
) -> Tensor: ...
@overload
def jvp(
    outputs: Sequence[Tensor], wrt: Tensor | Sequence[Tensor], tangents: Operand | Sequence[Operand] | None = None
) -> list[Tensor]: ...
def jvp(
    outputs: Tensor | Sequence[Tensor],
    wrt: Tensor | Sequence[Tensor],
    tangents: Operand | Sequence[Operand] | None = None,
) -> Tensor | list[Tensor]:
    """Forward mode: the Jacobian times tangents (ones without them), for each output. Absent variables give zeros."""
    xs = _many(wrt)
    found = taylor.jvp(_many(outputs), xs, _seeds(xs, tangents))
    return found[0] if isinstance(outputs, Tensor) else found


def linearize(outputs: Tensor | Sequence[Tensor], wrt: Tensor | Sequence[Tensor]) -> Callable[..., object]:
    """The linear map from tangents of wrt to tangents of outputs, as a function of one tangent for each of wrt.

    Every call shares the forward part, as all graphs do.
    """
    count = len(_many(wrt))

    def linear(*tangents: Operand) -> Tensor | list[Tensor]:
        if len(tangents) != count:
            raise GraphError(f"{user_line()}: linearize of {count} variables takes {count} tangents")
        return jvp(outputs, wrt, list(tangents))

    return linear


def hvp(loss: Tensor, wrt: Tensor | Sequence[Tensor], tangents: Operand | Sequence[Operand]) -> Tensor | list[Tensor]:
    """Hessian of a loss with one element times a vector, forward over reverse: about twice the cost of a gradient."""
    xs = _many(wrt)
    found = taylor.jvp(differentiate.grad(loss, xs), xs, _seeds(xs, tangents))
    return found[0] if isinstance(wrt, Tensor) else found


def jacobian(y: Tensor, wrt: Tensor, mode: str = "auto") -> Tensor:
    """d y / d wrt of shape y.shape + wrt.shape.

    `mode` "forward" builds a pass for each element of wrt, "reverse" one for each element of y; "auto" takes the fewer
    (reverse on a tie). The graph grows with that number: for products with the Jacobian use jvp or vjp.
    """
    if mode not in ("auto", "forward", "reverse"):
        raise GraphError(f'{user_line()}: jacobian: mode is "auto", "forward" or "reverse", not {mode!r}')
    forward = mode == "forward" or (mode == "auto" and wrt.size < y.size)
    if forward:
        columns = [taylor.jvp([y], [wrt], [seed])[0] for seed in _basis(wrt)]
        stacked = call("reshape", stack(columns, -1), (*y.shape, *wrt.shape))
    else:
        rows = [differentiate.vjp([y], [wrt], [seed])[0] for seed in _basis(y)]
        stacked = call("reshape", stack(rows, 0), (*y.shape, *wrt.shape))
    return stacked


def _basis(x: Tensor) -> list[Tensor]:
    """The unit vectors of x's shape, each a padded view of one number."""
    single = call("broadcast_to", constant(1.0, x.dtype), (1,) * x.ndim)
    places = np.ndindex(x.shape) if x.ndim else iter([()])
    return [zero_pad(single, at, [e - 1 - i for i, e in zip(at, x.shape, strict=True)]) for at in places]


def hessian(loss: Tensor, wrt: Tensor) -> Tensor:
    """d2 loss / d wrt2 of shape wrt.shape + wrt.shape, forward over reverse."""
    return jacobian(differentiate.grad(loss, [wrt])[0], wrt, "forward")


def derivative(y: Tensor, x: Tensor, order: int = 1, direction: Operand | None = None) -> Tensor:
    """The order-th derivative of y along x, of y's shape: d^n y / d x^n for each sample of a batched network.

    Row i of y must depend on row i of x only, as in a network that maps (n, 1) to (n, m); the derivative is taken along
    ones (or `direction`, of x's shape). Taylor coefficients are propagated forward: order n costs about n products for
    each of the network's, not 2^n. Mixed derivatives nest: derivative(derivative(u, t), x).
    """
    if isinstance(order, bool) or not isinstance(order, int) or order < 0:
        raise GraphError(f"{user_line()}: derivative of order {order!r}; it is an integer from 0")
    if order == 0:
        return y
    found = taylor.series([y], [x], _seeds([x], direction), order)[0]
    if found is None:
        return zeros_like(y)
    return found if order == 1 else found * float(math.factorial(order))


def custom_derivative(
    function: Callable[..., Tensor], *, jvp: Rule | None = None, vjp: Rule | None = None
) -> Callable[..., Tensor]:
    """`function` of tensors with a derivative of your own, of which each mode and every order follows.

    Give `jvp(tangents, y, *xs) -> tangent of y` or `vjp(ct, y, *xs) -> cotangent of each x` (None: zero); the mode that
    is not given is its transpose. Both are graphs, linear in their first argument, and are differentiated in turn for
    second order.
    """
    if jvp is None and vjp is None:
        raise GraphError(f"{user_line()}: custom_derivative needs jvp= or vjp=")
    rule = CustomRule(jvp, vjp)

    def wrapped(*xs: Tensor) -> Tensor:
        tensors = [constant(x) for x in xs]
        return make(OPS["custom"], (function(*tensors), *tensors), {"rule": rule})

    wrapped.__doc__ = function.__doc__
    return wrapped


def substitute(y: Tensor, old: Tensor | Sequence[Tensor], new: Tensor | Sequence[Tensor]) -> Tensor:
    """y as a function of `new` in the place of `old`, such as a loss at weights after a step; shapes and dtypes equal.

    All are replaced at once; what y does not depend on is ignored.
    """
    return _substitute([y], _many(old), _many(new))[0]
