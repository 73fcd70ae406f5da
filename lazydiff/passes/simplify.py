"""Graph -> graph: each row rewrites one node whose inputs are already simple; values keep every bit.

But for two, which are the same for every way to compute an entry: a `sum` and a step along an outer product."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lazydiff.graph.node import Tensor, apply, call, constant, same
from lazydiff.graph.rebuild import rebuild
from lazydiff.graph.walk import base, is_zero, number, topological
from lazydiff.kernels.opcodes import BY_NAME
from lazydiff.ops.moves import flip, slices, zero_pad

Row = Callable[[Tensor], Tensor | None]
ROWS: dict[str, list[Row]] = {}


def row(*names: str) -> Callable[[Row], Row]:
    """Register a rewriting for these ops; it returns None where it does not apply."""

    def register(rule: Row) -> Row:
        for name in names:
            ROWS.setdefault(name, []).append(rule)
        return rule

    return register


@row("multiply", "divide")
def _times_one(n: Tensor) -> Tensor | None:
    if not n.dtype.is_float:
        return None  # integers saturate, and u8 * i32(1) is i32
    if number(n.inputs[1]) == 1:
        return n.inputs[0]
    return n.inputs[1] if n.op.name == "multiply" and number(n.inputs[0]) == 1 else None


@row("neg")
def _double_negation(n: Tensor) -> Tensor | None:
    return n.inputs[0].inputs[0] if n.inputs[0].op.name == "neg" and n.dtype.is_float else None


@row("power")
def _small_powers(n: Tensor) -> Tensor | None:
    exponent = number(n.inputs[1])
    if exponent == 2:
        return call("square", n.inputs[0])
    return n.inputs[0] if exponent == 1 else None


# Not exp, log, power, ..: the runtime's own functions differ from the desk's in the last bit.
@row("add", "subtract", "multiply", "divide", "neg", "sqrt", "square")
def _fold_numbers(n: Tensor) -> Tensor | None:
    values = [number(i) for i in n.inputs]
    if any(v is None for v in values) or not n.dtype.is_float:
        return None
    dtype = n.dtype.numpy
    with np.errstate(all="ignore"):
        value = BY_NAME[n.op.name].numpy(*(np.asarray(v, dtype) for v in values))
    return call("broadcast_to", constant(np.asarray(value, dtype)), n.shape)


@row("matmul")
def _outer_product(n: Tensor) -> Tensor | None:
    """A product over one term is elementwise: it fuses with its readers, and an update needs no tile for it."""
    if n.inputs[0].shape[-1] != 1:
        return None
    zero = constant(np.zeros((), n.dtype.numpy))
    return call("fma", *(call("broadcast_to", x, n.shape) for x in (*n.inputs, zero)))  # +0 + a b: a product's bits


@row("matmul")
def _product_of_equal_rows(n: Tensor) -> Tensor | None:
    """Equal rows times a matrix are equal rows: one is computed, and a view repeats it."""
    rows = n.inputs[0]
    repeated = _repeated(rows)
    if n.ndim != 2 or not repeated or not repeated[0]:
        return None
    row = call("broadcast_to", rows.inputs[0], (1, rows.shape[1]))
    return call("broadcast_to", call("matmul", row, n.inputs[1]), n.shape)


def _repeated(n: Tensor) -> list[bool] | None:
    """By axis of a broadcast: whether what lies along it is one value; None of another node."""
    if n.op.name != "broadcast_to":
        return None
    shape = (1,) * (n.ndim - n.inputs[0].ndim) + n.inputs[0].shape
    return [old == 1 != new for old, new in zip(shape, n.shape, strict=True)]


@row("fma")
def _step_along_outer_product(n: Tensor) -> Tensor | None:
    """w + c * (+0 + a b), c one number: w + (c a) b, where c a is the same along a row. Rounded as often, elsewhere."""
    c, product, w = n.inputs
    if product.op.name != "fma" or base(c).shape != () or not is_zero(product.inputs[2]):
        return None
    a, b, _ = product.inputs
    if a.op.name != "broadcast_to" or a.inputs[0].shape[-1:] != (1,):
        return None  # c a would be no column
    return call("fma", call("multiply", c, a), b, w)


@row("reshape")
def _reshape_of_reshape(n: Tensor) -> Tensor | None:
    inner = n.inputs[0]
    if n.shape == inner.shape:
        return inner
    if number(inner) is not None:
        return call("broadcast_to", call("reshape", base(inner), ()), n.shape)
    return call("reshape", inner.inputs[0], n.shape) if inner.op.name == "reshape" else None


@row("broadcast_to")
def _broadcast_of_broadcast(n: Tensor) -> Tensor | None:
    inner = n.inputs[0]
    return call("broadcast_to", inner.inputs[0], n.shape) if inner.op.name == "broadcast_to" else None


@row("transpose")
def _transpose_of_number(n: Tensor) -> Tensor | None:
    if number(n.inputs[0]) is not None:
        return call("broadcast_to", call("reshape", base(n.inputs[0]), ()), n.shape)
    if n.inputs[0].op.name == "transpose":
        inner = n.inputs[0]
        axes = tuple(inner.options["axes"][i] for i in n.options["axes"])  # type: ignore[index, attr-defined]
        return call("transpose", inner.inputs[0], axes)
    return None


def _options(node: Tensor) -> Mapping[str, Any]:
    return node.options


@row("slice", "flip", "diagonal", "pad")
def _part_of_number(n: Tensor) -> Tensor | None:
    value = number(n.inputs[0])
    if value is None or (n.op.name == "pad" and (value != 0 or np.signbit(value))):
        return None
    return call("broadcast_to", call("reshape", base(n.inputs[0]), ()), n.shape)


@row("slice")
def _slice_of_slice_or_pad(n: Tensor) -> Tensor | None:
    inner, a = n.inputs[0], _options(n)
    starts, sizes, steps = a["starts"], a["sizes"], a["steps"]
    if inner.op.name == "slice":
        b = _options(inner)
        starts = [x + y * step for x, y, step in zip(b["starts"], starts, b["steps"], strict=True)]
        return slices(inner.inputs[0], starts, sizes, [x * y for x, y in zip(b["steps"], steps, strict=True)])
    if inner.op.name != "pad":
        return None
    data, low = inner.inputs[0], _options(inner)["low"]
    starts = [start - before for start, before in zip(starts, low, strict=True)]
    last = [start + (size - 1) * step for start, size, step in zip(starts, sizes, steps, strict=True)]
    if all(s >= 0 and e < extent for s, e, extent in zip(starts, last, data.shape, strict=True)):
        return slices(data, starts, sizes, steps)
    if any(e < 0 or s >= extent for s, e, extent in zip(starts, last, data.shape, strict=True)):
        return call("broadcast_to", constant(np.zeros((), n.dtype.numpy)), n.shape)  # nothing but padding
    return None


@row("pad")
def _pad_of_pad(n: Tensor) -> Tensor | None:
    inner = n.inputs[0]
    if inner.op.name != "pad":
        return None
    low, high = (
        [a + b for a, b in zip(_options(n)[side], _options(inner)[side], strict=True)] for side in ("low", "high")
    )
    return zero_pad(inner.inputs[0], low, high)


@row("pad")
def _pad_of_broadcast(n: Tensor) -> Tensor | None:
    """What is repeated along an axis without padding is padded first: so its rows are seen to be equal."""
    inner, a = n.inputs[0], _options(n)
    repeated = [r and not low + high for r, low, high in zip(_repeated(inner) or (), a["low"], a["high"], strict=False)]
    if not any(repeated):
        return None
    shape = [1 if r else e for r, e in zip(repeated, inner.shape, strict=True)]
    once = call("broadcast_to", inner.inputs[0], shape)
    return call("broadcast_to", zero_pad(once, a["low"], a["high"]), n.shape)


@row("flip")
def _flip_of_flip(n: Tensor) -> Tensor | None:
    inner = n.inputs[0]
    if inner.op.name != "flip":
        return None
    once = set(_options(n)["axes"]) ^ set(_options(inner)["axes"])
    return flip(inner.inputs[0], tuple(sorted(once)))


@row("join")
def _join_with_zeros(n: Tensor) -> Tensor | None:
    for zeros, other in (n.inputs, n.inputs[::-1]):
        value = number(zeros)
        if value == 0 and not np.signbit(value):
            return other
    return None


@row("where")
def _mask_before_pool_scatter(n: Tensor) -> Tensor | None:
    """where(y > c, pool_scatter(ct, winners of y), 0): the winners alone are asked, so y need not be kept for it.

    Every window that chose a pixel has that pixel's own value as its greatest, so the mask is the same for all of them.
    """
    test, spread, nothing = n.inputs
    if spread.op.name != "pool_scatter" or number(nothing) != 0 or np.signbit(number(nothing) or 0.0):
        return None
    ct, index = spread.inputs
    if index.op.name != "max_pool_index" or test.op.name not in ("less", "less_equal"):
        return None
    y, (a, b) = index.inputs[0], test.inputs
    limit = b if a is y else a
    if (a is not y and b is not y) or number(limit) is None:
        return None
    best = apply("pool_gather", y, index, **index.options)
    bound = call("broadcast_to", base(limit), best.shape)
    asked = apply(test.op.name, *((best, bound) if a is y else (bound, best)))
    return apply("pool_scatter", call("where", asked, ct, 0.0), index, **spread.options)


@row("sum")
def _sum_of_pool_scatter(n: Tensor) -> Tensor | None:
    """Over all pixels, of what was spread to the winners: what was spread. Only here the order of a sum changes."""
    spread = n.inputs[0]
    if spread.op.name != "pool_scatter" or _options(n)["axes"] != (0, 1, 2):
        return None
    ct, index = spread.inputs
    return apply("sum", ct, axes=(0, 1, 2)) if index.op.name == "max_pool_index" else None  # each window has a winner


@row("sum")
def _sum_of_one(n: Tensor) -> Tensor | None:
    """A sum over axes of one element is elementwise: it fuses with its readers."""
    (x,) = n.inputs
    if not n.dtype.is_float or math.prod(x.shape) != math.prod(n.shape):
        return None
    zero = call("broadcast_to", constant(np.zeros((), n.dtype.numpy)), n.shape)
    return call("add", call("reshape", x, n.shape), zero)  # -0 becomes 0, as in a sum


@row("stop_gradient", "custom", "no_derivative")
def _gradient_is_past(n: Tensor) -> Tensor | None:
    return n.inputs[0]


def expand(roots: Sequence[Tensor]) -> list[Tensor]:
    """The roots with every op that has an expansion replaced by it."""
    if not any(node.op.expansion for node in topological(roots)):
        return list(roots)
    return rebuild(roots, lambda node, xs: node.op.expansion(*xs) if node.op.expansion else same(node, xs))


def _simplest(node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
    new = same(node, inputs)
    while True:
        for rule in ROWS.get(new.op.name, ()):
            better = rule(new)
            if better is not None and better is not new:
                new = better
                break
        else:
            return new


def simplify(roots: Sequence[Tensor]) -> list[Tensor]:
    """The roots, expanded, then rewritten until no row applies, bottom-up."""
    return rebuild(expand(roots), _simplest)
