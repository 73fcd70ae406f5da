"""Activations, made of other functions: values and derivatives at kinks are torch's, and finite where the limits are.

Where a product like x * sigmoid(x) would be infinity times 0, value and derivative are the limit's (torch has NaN).
"""

from __future__ import annotations

import math

from lazydiff.errors import GraphError
from lazydiff.graph.node import FUNCTIONS, Operand, Tensor, user_line
from lazydiff.ops.elementwise import (
    abs,
    clip,
    elementwise,
    exp,
    maximum,
    relu,
    sigmoid,
    sign,
    square,
    tanh,
    together,
    where,
)
from lazydiff.ops.functions import erfc, expm1, isfinite, log1p


def _softplus(x: Tensor) -> Tensor:
    return maximum(x, 0.0) + log1p(exp(-abs(x)))


def _finite(x: Tensor) -> Tensor:
    """x, but 0 where it is infinite or NaN: for a factor whose other factor vanishes there."""
    return where(isfinite(x), x, 0.0)


def _times(x: Tensor, gate: Tensor) -> Tensor:
    """x * gate for a gate that goes to 0 as x goes to -inf, and to 1 on the other side."""
    return where(isfinite(x), x, relu(x)) * gate


def _gate(x: Tensor) -> Tensor:
    """The normal distribution's share below x, with a small relative error below 0 too."""
    return 0.5 * erfc(-math.sqrt(0.5) * x)


def _bell(x: Tensor) -> Tensor:
    return math.sqrt(0.5 / math.pi) * exp(-0.5 * square(x))


_C = 2 * math.sqrt(2 / math.pi)


def _tanh_gate(x: Tensor) -> Tensor:
    """(1 + tanh(u)) / 2 for u = sqrt(2/pi) (x + 0.044715 x^3), which is sigmoid(2u)."""
    return sigmoid(_C * (x + 0.044715 * x * square(x)))


def _tanh_gelu_slope(y: Tensor, x: Tensor) -> Tensor:
    near = clip(x, -30.0, 30.0)  # beyond, the gate is 0 or 1 to the last bit
    gate = _tanh_gate(near)
    return gate + gate * _tanh_gate(-near) * near * (_C * (1 + 3 * 0.044715 * square(near)))


def _mish_slope(y: Tensor, x: Tensor) -> Tensor:
    gate = tanh(_softplus_op(x))
    return gate + _finite(x) * (1 - square(gate)) * sigmoid(x)


_softplus_op = elementwise("softplus", (lambda y, x: sigmoid(x),), expansion=_softplus)
softsign = elementwise(
    "softsign",
    (lambda y, x: square(1 / (1 + abs(x))),),
    expansion=lambda x: where(isfinite(x), _finite(x) / (1 + abs(_finite(x))), sign(x)),
    doc="x / (1 + |x|), elementwise: -1 and 1 at the infinities.",
)
silu = elementwise(
    "silu",
    (lambda y, x: sigmoid(x) * (1 + _finite(x) * sigmoid(-x)),),
    expansion=lambda x: _times(x, sigmoid(x)),
    doc="x * sigmoid(x), elementwise (also called swish).",
)
_gelu_op = elementwise(
    "gelu", (lambda y, x: _gate(x) + _finite(x) * _bell(x),), expansion=lambda x: _times(x, _gate(x))
)
_gelu_tanh_op = elementwise("gelu_tanh", (_tanh_gelu_slope,), expansion=lambda x: _times(x, _tanh_gate(x)))
mish = elementwise(
    "mish",
    (_mish_slope,),
    expansion=lambda x: _times(x, tanh(_softplus(x))),
    doc="x * tanh(softplus(x)), elementwise.",
)


def softplus(x: Operand, beta: float = 1.0) -> Tensor:
    """log(1 + exp(beta * x)) / beta, elementwise and without overflow. (torch takes x itself where beta * x > 20.)"""
    return _softplus_op(x) if beta == 1 else _softplus_op(beta * together(x)[0]) / beta


def log_sigmoid(x: Operand) -> Tensor:
    """log(sigmoid(x)) = -softplus(-x), elementwise: about x for large negative x, never -inf before x is."""
    return -_softplus_op(-together(x)[0])


def gelu(x: Operand, approximate: str = "none") -> Tensor:
    """x times the normal distribution's share below x, elementwise.

    approximate="tanh" takes (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2 for the share (JAX's default; torch's is
    "none", by erf). Raises GraphError for another word.
    """
    if approximate not in ("none", "tanh"):
        raise GraphError(f'{user_line()}: gelu takes approximate="none" or "tanh", not {approximate!r}')
    return _gelu_op(x) if approximate == "none" else _gelu_tanh_op(x)


def hardtanh(x: Operand, low: float = -1.0, high: float = 1.0) -> Tensor:
    """x kept in low .. high, elementwise. The derivative is 0 at both ends (clip's is 1)."""
    (x,) = together(x)
    return where(x <= low, low, where(x >= high, high, x))


def relu6(x: Operand) -> Tensor:
    """x kept in 0 .. 6, elementwise; the derivative is 0 at 0 and at 6."""
    return hardtanh(x, 0.0, 6.0)


def leaky_relu(x: Operand, negative_slope: float = 0.01) -> Tensor:
    """x where it is positive, else negative_slope * x, elementwise; the derivative at 0 is the slope (JAX: 1)."""
    (x,) = together(x)
    return where(x > 0, x, negative_slope * x)


def elu(x: Operand, alpha: float = 1.0) -> Tensor:
    """x where it is positive, else alpha * (exp(x) - 1), elementwise; the derivative at 0 is alpha."""
    (x,) = together(x)
    return where(x > 0, x, alpha * expm1(where(x > 0, 0.0, x)))


def celu(x: Operand, alpha: float = 1.0) -> Tensor:
    """x where it is positive, else alpha * (exp(x / alpha) - 1), elementwise; the derivative at 0 is 1."""
    (x,) = together(x)
    return where(x > 0, x, alpha * expm1(where(x > 0, 0.0, x) / alpha))


_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def selu(x: Operand) -> Tensor:
    """1.0507.. * elu(x, 1.6732..), elementwise: layers keep mean 0 and variance 1 (Klambauer and others, 2017)."""
    return _SELU_SCALE * elu(x, _SELU_ALPHA)


def hardsigmoid(x: Operand) -> Tensor:
    """(x + 3) / 6 kept in 0 .. 1, elementwise; the derivative is 0 at -3 and at 3."""
    (x,) = together(x)
    return where(x <= -3.0, 0.0, where(x >= 3.0, 1.0, (x + 3) / 6))


def hardswish(x: Operand) -> Tensor:
    """x * hardsigmoid(x), elementwise; the derivative is 0 at -3 and 1 at 3 (torch before 2.6: -0.5 and 1.5)."""
    (x,) = together(x)
    inner = hardtanh(x, -3.0, 3.0)
    return where(x >= 3.0, x, inner * ((inner + 3) / 6))


FUNCTIONS.update(log_sigmoid=log_sigmoid, softplus=softplus, relu6=relu6, hardtanh=hardtanh, gelu=gelu)
