"""Elementwise operations: each with its partial derivatives, from which both modes and all orders follow."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from lazydiff.dtypes import BY_NAME, Dtype, bool_, f32, i32
from lazydiff.errors import DtypeError, ShapeError
from lazydiff.graph.node import FUNCTIONS, Op, Operand, Partial, Tensor, apply, call, constant, declare, user_line
from lazydiff.graph.walk import number
from lazydiff.ops.integers import ARITHMETIC, as_integers, promoted

Partials = tuple[Partial | None, ...]


def _infer_float(xs: Sequence[Tensor], attrs: dict[str, object]) -> tuple[tuple[int, ...], Dtype]:
    if not xs[0].dtype.is_float or any(x.dtype != xs[0].dtype for x in xs):
        kinds = ", ".join(x.dtype.name for x in xs)
        raise DtypeError(f"{user_line()}: elementwise arithmetic on {kinds}; cast first: ld.astype(x, ld.f32)")
    return xs[0].shape, xs[0].dtype


def _infer_number(xs: Sequence[Tensor], attrs: dict[str, object]) -> tuple[tuple[int, ...], Dtype]:
    integer = None if xs[0].dtype.is_float else promoted([x.dtype for x in xs])
    return _infer_float(xs, attrs) if integer is None else (xs[0].shape, integer)


def elementwise(
    name: str,
    partials: Partials = (),
    *,
    arity: int = 1,
    doc: str = "",
    expansion: Callable[..., Tensor] | None = None,
) -> Callable[..., Tensor]:
    """Declare an op and give the public function: operands broadcast as in NumPy, numbers take the tensors' dtype.

    `partials` has a rule (y, *xs) -> d y / d x for each input, which runs only when that derivative is asked for;
    without any the op is piecewise constant. The opcode of this name computes it, or else the graph that `expansion`
    makes of the operands.
    """
    if partials and len(partials) != arity:
        raise ValueError(f"{name} has {arity} operands and {len(partials)} partials")
    kind = "elementwise" if partials else "constant"
    infer = _infer_number if name in ARITHMETIC else _infer_float
    opcode = None if expansion else name
    declare(Op(name, kind, infer, partials=partials, opcode=opcode, expansion=expansion))

    def function(*operands: Operand) -> Tensor:
        if len(operands) != arity:
            raise TypeError(f"{name} takes {arity} operands, got {len(operands)}")
        return apply(name, *broadcast(*together(*operands)))

    function.__name__ = name
    kinds = "f32, f64 or integers (exact; saturating)" if name in ARITHMETIC else "f32 or f64"
    function.__doc__ = doc or f"Elementwise {name}, with NumPy's broadcasting; {kinds}."
    FUNCTIONS[name] = function
    return function


def together(*operands: Operand) -> list[Tensor]:
    """The operands as tensors: a number (or bool tensor) takes the dtype of the tensors beside it."""
    integers = as_integers(operands)
    if integers is not None:
        return integers
    dtype = next((o.dtype for o in operands if isinstance(o, Tensor) and o.dtype.is_float), None)
    if dtype is None:
        arrays = [np.asarray(o).dtype for o in operands if isinstance(o, (np.ndarray, np.generic))]
        dtype = BY_NAME["f64"] if any(a == np.float64 for a in arrays) else f32
    out = []
    for o in operands:
        if isinstance(o, np.ndarray) and o.dtype.kind == "f":
            o = o.astype(dtype.numpy)
        t = constant(float(o) if isinstance(o, (bool, int, float)) else o, dtype)
        out.append(astype(t, dtype) if t.dtype is bool_ else t)
    return out


def broadcast(*tensors: Tensor) -> list[Tensor]:
    """The tensors as views of one common shape; ShapeError names both shapes."""
    if all(t.shape == tensors[0].shape for t in tensors):
        return list(tensors)
    try:
        shape = _common([t.shape for t in tensors])
    except ValueError:
        shapes = " and ".join(str(t.shape) for t in tensors)
        raise ShapeError(f"{user_line()}: shapes {shapes} do not broadcast together") from None
    return [call("broadcast_to", t, shape) for t in tensors]


def _common(shapes: list[tuple[int, ...]]) -> tuple[int, ...]:
    """The shape that all of them broadcast to, or ValueError."""
    rank = max(map(len, shapes))
    columns = zip(*[(1,) * (rank - len(s)) + s for s in shapes], strict=True)
    found = [set(column) - {1} or {1} for column in columns]
    if any(len(extents) > 1 for extents in found):
        raise ValueError
    return tuple([extents.pop() for extents in found])


def _mask(test: Tensor, then: Operand, otherwise: Operand) -> Tensor:
    return call("where", test, then, otherwise)


def _tie(wins: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """The derivative of max and min: 1 for the winner, a half each on a tie, as torch and JAX do."""
    half, nothing = constant(0.5, a.dtype), constant(0.0, a.dtype)
    return _mask(wins, 1.0, _mask(equal(a, b), half, nothing))


def _power_slope(a: Tensor, b: Tensor) -> Tensor:
    """b a^(b-1), but 0 where b is 0 (as torch and JAX have it), instead of 0 * inf at a = 0."""
    exponent = number(b)
    if exponent is not None:  # so it is known whether it is 0
        return exponent * a ** (exponent - 1) if exponent else call("broadcast_to", constant(0.0, a.dtype), a.shape)
    none = equal(b, 0.0)
    return _mask(none, 0.0, b * a ** _mask(none, 1.0, b - 1))


add = elementwise("add", (lambda y, a, b: one(a), lambda y, a, b: one(b)), arity=2)
subtract = elementwise("subtract", (lambda y, a, b: one(a), lambda y, a, b: -one(b)), arity=2)
multiply = elementwise("multiply", (lambda y, a, b: b, lambda y, a, b: a), arity=2)
divide = elementwise("divide", (lambda y, a, b: 1 / b, lambda y, a, b: -y / b), arity=2)
power = elementwise(
    "power",
    (
        lambda y, a, b: _power_slope(a, b),
        # y log(a); where a is 0 that is 0 (b > 0), as JAX has it, instead of 0 * -inf
        lambda y, a, b: y * call("log", _mask(call("equal", a, 0.0), 1.0, a)),
    ),
    arity=2,
    doc="""Elementwise a**b of floats, with NumPy's broadcasting: 0**0 is 1, NaN for a < 0 and a b that is not whole.

    d/da is 0 where b is 0, and d/db is 0 where a is 0 (b >= 0), as torch and JAX have them.""",
)
neg = elementwise("neg", (lambda y, x: -one(x),))
exp = elementwise("exp", (lambda y, x: y,))
log = elementwise("log", (lambda y, x: 1 / x,))
sqrt = elementwise("sqrt", (lambda y, x: 0.5 / y,))
square = elementwise("square", (lambda y, x: 2 * x,))
tanh = elementwise("tanh", (lambda y, x: 1 - square(y),))
sigmoid = elementwise("sigmoid", (lambda y, x: y * (1 - y),))
sign = elementwise(
    "sign", doc="Elementwise -1, 0 or 1; 0 for -0 (as NumPy and torch; JAX keeps -0), NaN for NaN; floats or integers."
)
abs = elementwise("abs", (lambda y, x: sign(x),))  # noqa: A001 - NumPy's name; 0 at 0
relu = elementwise("relu", (lambda y, x: y > 0,))  # reads y only; 0 at 0
maximum = elementwise("maximum", (lambda y, a, b: _tie(a > b, a, b), lambda y, a, b: _tie(b > a, a, b)), arity=2)
minimum = elementwise("minimum", (lambda y, a, b: _tie(a < b, a, b), lambda y, a, b: _tie(b < a, a, b)), arity=2)
fma = elementwise(
    "fma",
    (lambda y, a, b, c: b, lambda y, a, b, c: a, lambda y, a, b, c: one(c)),
    arity=3,
    doc="a * b + c with one rounding.",
)
join = elementwise(
    "join",
    (lambda y, a, b: one(a), lambda y, a, b: one(b)),
    arity=2,
    doc="The bits of a or those of b: puts together parts that lie in zeros, so that one of the two is +0 everywhere.",
)


def one(like: Tensor) -> Tensor:
    """Ones of a tensor's shape and dtype, as a view of one number."""
    return call("broadcast_to", constant(1.0, like.dtype), like.shape)


def _compare(name: str) -> Callable[[Operand, Operand], Tensor]:
    def infer(xs: Sequence[Tensor], attrs: dict[str, object]) -> tuple[tuple[int, ...], Dtype]:
        return _infer_number(xs, attrs)[0], bool_

    declare(Op(name, "constant", infer, opcode=name))

    def function(a: Operand, b: Operand) -> Tensor:
        return apply(name, *broadcast(*together(a, b)))

    function.__name__ = name
    function.__doc__ = f"Elementwise {name} of floats or of integers: a bool tensor."
    FUNCTIONS[name] = function
    return function


less = _compare("less")
less_equal = _compare("less_equal")
equal = _compare("equal")
not_equal = _compare("not_equal")


def greater(a: Operand, b: Operand) -> Tensor:
    """Elementwise a > b of floats: a bool tensor."""
    return less(b, a)


def greater_equal(a: Operand, b: Operand) -> Tensor:
    """Elementwise a >= b of floats: a bool tensor."""
    return less_equal(b, a)


def _infer_where(xs: Sequence[Tensor], attrs: dict[str, object]) -> tuple[tuple[int, ...], Dtype]:
    if xs[0].dtype != bool_:
        raise DtypeError(f"{user_line()}: where's condition must be bool, not {xs[0].dtype}")
    return _infer_number(xs[1:], attrs)


declare(
    Op(
        "where",
        "elementwise",
        _infer_where,
        partials=(None, lambda y, c, a, b: c, lambda y, c, a, b: inverse(c)),
        opcode="where",
    )
)
declare(Op("matches", "constant", lambda xs, a: (xs[0].shape, bool_), opcode="equal"))


def inverse(condition: Tensor) -> Tensor:
    """not condition, of a bool tensor."""
    return equal(astype(condition, f32), 0.0)


def where(condition: Operand, a: Operand, b: Operand) -> Tensor:
    """a where condition holds, else b; broadcasts. A NaN in the branch not taken does not reach the value.

    In the gradient the branch not taken gets a cotangent of 0; where its own derivative is infinite that gives NaN,
    as in torch and JAX: keep it finite with a second where inside.
    """
    c = constant(condition)
    return apply("where", *broadcast(c, *together(a, b)))


def matches(index: Tensor, count: int) -> Tensor:
    """bool (..., count): whether each i32 index equals 0, 1, .. count-1 (count < 2**24, where f32 is exact)."""
    if index.dtype != i32 or not 0 < count < 2**24:
        raise DtypeError(
            f"{user_line()}: one_hot takes i32 indices and 0 < classes < 2**24, not {index.dtype}, {count}"
        )
    column = call("reshape", index, (*index.shape, 1))
    shape = (*index.shape, count)
    numbers = constant(np.arange(count, dtype=np.float32))
    return apply("matches", call("broadcast_to", column, shape), call("broadcast_to", numbers, shape))


def clip(x: Tensor, low: Operand | None, high: Operand | None) -> Tensor:
    """x kept in low .. high. The derivative is 1 at the borders, as torch has it; NaN passes."""
    if low is not None:
        x = where(less(x, low), low, x)
    return x if high is None else where(less(high, x), high, x)


declare(
    Op(
        "astype",
        "linear",
        lambda xs, a: (xs[0].shape, BY_NAME[str(a["dtype"])]),
        transpose=lambda ct, which, xs, a: astype(ct, xs[0].dtype) if xs[0].dtype.is_float else None,
        opcode="move",
    )
)


def astype(x: Tensor, dtype: Dtype) -> Tensor:
    """x in another dtype, as NumPy casts (float to integer truncates; out of range saturates, NaN gives 0)."""
    if x.dtype == dtype:
        return x
    return apply("astype", x, dtype=dtype.name)


FUNCTIONS.update(where=where, astype=astype, clip=clip)
