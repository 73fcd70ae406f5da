"""Derivative cases of hints to the planner, which are the tensor itself: see test_derivatives.CASES."""

import numpy as np

import lazydiff as ld

DATA = np.random.default_rng(12).normal(size=5)

CASES = {
    "keep": (lambda a: ld.keep(ld.tanh(a)) * a, [DATA]),
    "recompute": (lambda a: ld.recompute(ld.tanh(a)) * a, [DATA]),
}
