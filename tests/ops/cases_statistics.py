"""Derivative cases of composed reductions: see test_derivatives.CASES."""

import math

import numpy as np

import lazydiff as ld

RNG = np.random.default_rng(12)


def normal(*shape):
    return RNG.normal(size=shape)


ZEROS = np.array([[0.0, 2, 3, -1, 5], [0, 0, 1, 2, 3], [1, 2, -3, 4, 5]])

CASES = {
    "prod": (lambda a: ld.prod(a, axis=(0, 2)), [normal(3, 2, 5)]),
    "prod zeros": (lambda a: ld.prod(a, axis=1) + 1.0, [ZEROS]),
    "std": (lambda a: ld.std(a, axis=(0, 2), ddof=1), [normal(3, 2, 4)]),
    "norm": (lambda a: ld.norm(a, axis=1), [normal(3, 4)]),
    "norm 1": (lambda a: ld.norm(a, 1, axis=(0, 1), keepdims=True), [normal(3, 4)]),
    "norm inf": (lambda a: ld.norm(a, math.inf), [normal(3, 4)]),
    "logsumexp axes": (lambda a: ld.logsumexp(a, (0, 2)), [normal(3, 2, 4)]),
}
