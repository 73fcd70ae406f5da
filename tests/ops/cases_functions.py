"""Derivative cases of the scalar functions and activations: see test_derivatives.CASES."""

import numpy as np

import lazydiff as ld

RNG = np.random.default_rng(12)


def normal(*shape):
    return RNG.normal(size=shape)


def between(low, high, count=9):
    return RNG.uniform(low, high, count)


SMOOTH = ["exp2", "expm1", "sin", "cos", "atan", "sinh", "cosh", "asinh", "erf", "erfc", "softplus", "silu", "mish"]
SMOOTH += ["softsign", "gelu", "log_sigmoid"]

CASES = {name: (getattr(ld, name), [normal(9)]) for name in SMOOTH} | {
    "tan": (ld.tan, [between(-1, 1)]),
    "log1p": (ld.log1p, [between(-0.5, 3)]),
    "log2": (ld.log2, [between(0.3, 3)]),
    "log10": (ld.log10, [between(0.3, 3)]),
    "asin": (ld.asin, [between(-0.9, 0.9)]),
    "acos": (ld.acos, [between(-0.9, 0.9)]),
    "acosh": (ld.acosh, [between(1.2, 3)]),
    "atanh": (ld.atanh, [between(-0.8, 0.8)]),
    "rsqrt": (ld.rsqrt, [between(0.5, 2)]),
    "reciprocal": (ld.reciprocal, [between(0.5, 2)]),
    "atan2": (ld.atan2, [normal(3, 4), normal(4)]),
    "hypot": (ld.hypot, [normal(3, 4), normal(3, 1)]),
    "fmod": (ld.fmod, [between(-5, 5, 30), between(0.7, 1.3, 30)]),
    "logaddexp": (ld.logaddexp, [normal(3, 4), normal(4)]),
    "logaddexp equal": (lambda a: ld.logaddexp(a, a * a), [np.array([0.0, 1.0, 2.0])]),
    "lerp": (ld.lerp, [normal(9), normal(9), np.linspace(-1, 2, 9)]),
    "softplus steep": (lambda a: ld.softplus(a, beta=3.0), [normal(9)]),
    "gelu_tanh": (lambda a: ld.gelu(a, approximate="tanh"), [normal(9)]),
    "relu6": (ld.relu6, [between(-3, 9, 30)]),
    "leaky_relu": (ld.leaky_relu, [normal(30)]),
    "elu": (lambda a: ld.elu(a, 0.7), [normal(30)]),
    "celu": (lambda a: ld.celu(a, 0.7), [normal(30)]),
    "selu": (ld.selu, [normal(30)]),
    "hardtanh": (ld.hardtanh, [normal(30)]),
    "hardsigmoid": (ld.hardsigmoid, [3 * normal(30)]),
    "hardswish": (ld.hardswish, [3 * normal(30)]),
}
