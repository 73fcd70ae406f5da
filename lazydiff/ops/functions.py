"""Scalar functions beyond arithmetic: each with its partial derivatives; the runtime's own code computes them all.

How far each is from the truth stands in c_kernels/src/lzd_math.h; edges are NumPy's (SciPy's for erf and erfc).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from lazydiff.dtypes import Dtype, bool_, f32
from lazydiff.graph.node import FUNCTIONS, Op, Operand, Tensor, apply, constant, declare
from lazydiff.ops.elementwise import (
    abs,
    astype,
    broadcast,
    divide,
    elementwise,
    equal,
    exp,
    inverse,
    maximum,
    not_equal,
    one,
    sigmoid,
    sqrt,
    square,
    together,
    where,
)

_LN2, _LN10 = math.log(2), math.log(10)
_ERF_SLOPE = 2 / math.sqrt(math.pi)

exp2 = elementwise("exp2", (lambda y, x: y * _LN2,), doc="Elementwise 2**x, exact where x is an integer.")
expm1 = elementwise("expm1", (lambda y, x: y + 1,), doc="Elementwise exp(x) - 1, accurate near 0.")
log1p = elementwise("log1p", (lambda y, x: 1 / (1 + x),), doc="Elementwise log(1 + x), accurate near 0.")
log2 = elementwise("log2", (lambda y, x: 1 / (x * _LN2),), doc="Elementwise logarithm to base 2.")
log10 = elementwise("log10", (lambda y, x: 1 / (x * _LN10),), doc="Elementwise logarithm to base 10.")

sin = elementwise("sin", (lambda y, x: cos(x),), doc="Elementwise sine of radians, right for every finite x.")
cos: Callable[..., Tensor] = elementwise(
    "cos", (lambda y, x: -sin(x),), doc="Elementwise cosine of radians, right for every finite x."
)
tan = elementwise("tan", (lambda y, x: 1 + square(y),), doc="Elementwise tangent of radians, right for every finite x.")
asin = elementwise(
    "asin",
    (lambda y, x: rsqrt((1 - x) * (1 + x)),),
    doc="Elementwise inverse sine in -pi/2 .. pi/2; NaN beyond -1 .. 1, infinite derivative at its ends.",
)
acos = elementwise(
    "acos",
    (lambda y, x: -rsqrt((1 - x) * (1 + x)),),
    doc="Elementwise inverse cosine in 0 .. pi; NaN beyond -1 .. 1, infinite derivative at its ends.",
)
atan = elementwise("atan", (lambda y, x: 1 / (1 + square(x)),), doc="Elementwise inverse tangent in -pi/2 .. pi/2.")

sinh = elementwise("sinh", (lambda y, x: cosh(x),), doc="Elementwise hyperbolic sine.")
cosh: Callable[..., Tensor] = elementwise("cosh", (lambda y, x: sinh(x),), doc="Elementwise hyperbolic cosine.")
asinh = elementwise("asinh", (lambda y, x: rsqrt(1 + square(x)),), doc="Elementwise inverse hyperbolic sine.")
acosh = elementwise(
    "acosh",
    (lambda y, x: rsqrt((x - 1) * (x + 1)),),
    doc="Elementwise inverse hyperbolic cosine, not negative; NaN below 1, infinite derivative at 1.",
)
atanh = elementwise(
    "atanh",
    (lambda y, x: 1 / ((1 - x) * (1 + x)),),
    doc="Elementwise inverse hyperbolic tangent; infinite at -1 and 1, NaN beyond.",
)

erf = elementwise("erf", (lambda y, x: _ERF_SLOPE * exp(-square(x)),), doc="Elementwise error function.")
erfc = elementwise(
    "erfc",
    (lambda y, x: -_ERF_SLOPE * exp(-square(x)),),
    doc="Elementwise 1 - erf(x), with a small relative error to the end of its tail.",
)

floor = elementwise("floor", doc="Elementwise greatest integer not above x, as a float. Its derivative is 0.")
ceil = elementwise("ceil", doc="Elementwise least integer not below x, as a float. Its derivative is 0.")
round = elementwise(  # noqa: A001 - NumPy's name
    "round", doc="Elementwise nearest integer, of two the even one, as a float. Its derivative is 0."
)
trunc = elementwise("trunc", doc="Elementwise integer part, as a float. Its derivative is 0.")


def rsqrt(x: Operand) -> Tensor:
    """Elementwise 1 / sqrt(x): inf at 0, NaN below."""
    return divide(1.0, sqrt(x))


def reciprocal(x: Operand) -> Tensor:
    """Elementwise 1 / x, for floats."""
    return divide(1.0, x)


def _not_zero(x: Tensor) -> Tensor:
    return where(equal(x, 0.0), 1.0, x)


# x / r^2 as (x / r) / r, so that r^2 neither overflows nor vanishes; 0 at the origin.
atan2 = elementwise(
    "atan2",
    (
        lambda z, y, x: x / _not_zero(hypot(x, y)) / _not_zero(hypot(x, y)),
        lambda z, y, x: -y / _not_zero(hypot(x, y)) / _not_zero(hypot(x, y)),
    ),
    arity=2,
    doc="""The angle of the point (x, y) in -pi .. pi: atan2(y, x), with NumPy's signs and infinities; broadcasts.

    Its derivatives at (0, 0) are 0, as torch has it (JAX gives NaN).""",
)
hypot: Callable[..., Tensor] = elementwise(
    "hypot",
    (lambda y, a, b: a / _not_zero(y), lambda y, a, b: b / _not_zero(y)),
    arity=2,
    doc="""sqrt(a**2 + b**2) without overflow or underflow; inf where one is infinite, even beside NaN; broadcasts.

    Its derivatives at (0, 0) are 0 (torch and JAX give NaN).""",
)
fmod = elementwise(
    "fmod",
    (lambda y, a, b: one(a), lambda y, a, b: -round((a - y) / b)),
    arity=2,
    doc="""a - n b, exactly, where n is a / b without its fraction: the sign is a's, as in C and np.fmod; broadcasts.

    NaN where a is infinite or b is 0.""",
)


def _apart(a: Tensor, b: Tensor) -> Tensor:
    """a - b, but 0 where both are the same infinity."""
    same = logical_and(equal(a, b), logical_not(isfinite(a)))
    return where(same, 0.0, a) - where(same, 0.0, b)


logaddexp = elementwise(
    "logaddexp",
    (lambda y, a, b: sigmoid(_apart(a, b)), lambda y, a, b: sigmoid(_apart(b, a))),
    arity=2,
    expansion=lambda a, b: maximum(a, b) + log1p(exp(-abs(_apart(a, b)))),
    doc="""log(exp(a) + exp(b)) without overflow; broadcasts. Of -inf and -inf it is -inf, with derivatives 0.5.""",
)


def lerp(a: Operand, b: Operand, weight: Operand) -> Tensor:
    """a + weight * (b - a), exactly a at weight 0 and exactly b at weight 1, as torch has it; broadcasts."""
    a, b, weight = together(a, b, weight)
    return where(abs(weight) < 0.5, a + weight * (b - a), b - (1 - weight) * (b - a))


def _infer_bool(xs: Sequence[Tensor], attrs: dict[str, object]) -> tuple[tuple[int, ...], Dtype]:
    return xs[0].shape, bool_


def _test(name: str, doc: str) -> Callable[[Operand], Tensor]:
    declare(Op(name, "constant", _infer_bool, opcode=name))

    def function(x: Operand) -> Tensor:
        return apply(name, *together(x))

    function.__name__ = name
    function.__doc__ = doc
    FUNCTIONS[name] = function
    return function


isnan = _test("isnan", "Elementwise whether a float is NaN: a bool tensor.")
isfinite = _test("isfinite", "Elementwise whether a float is neither NaN nor infinite: a bool tensor.")


def truth(x: Operand) -> Tensor:
    """x as bool: whether it is not 0 (NaN counts as true, as in NumPy)."""
    t = constant(x)
    if t.dtype is bool_:
        return t
    return not_equal(t if t.dtype.is_float else astype(t, f32), 0.0)


def _logical(name: str, opcode: str, doc: str) -> Callable[[Operand, Operand], Tensor]:
    declare(Op(name, "constant", _infer_bool, opcode=opcode))

    def function(a: Operand, b: Operand) -> Tensor:
        return apply(name, *broadcast(truth(a), truth(b)))

    function.__name__ = name
    function.__doc__ = f"{doc}: a bool tensor; broadcasts. Numbers other than 0, NaN too, count as true."
    FUNCTIONS[name] = function
    return function


# On 0 and 1, the least, the greatest and the difference are exact.
logical_and = _logical("logical_and", "minimum", "Elementwise a and b")
logical_or = _logical("logical_or", "maximum", "Elementwise a or b")
logical_xor = _logical("logical_xor", "not_equal", "Elementwise either a or b, not both")


def logical_not(x: Operand) -> Tensor:
    """Elementwise not x: a bool tensor. Numbers other than 0, NaN too, count as true."""
    return inverse(truth(x))


FUNCTIONS.update(rsqrt=rsqrt, reciprocal=reciprocal, lerp=lerp, logical_not=logical_not)
