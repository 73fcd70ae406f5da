"""Derivative cases of sums of products."""

import numpy as np

import lazydiff as ld

RNG = np.random.default_rng(12)


def normal(*shape):
    return RNG.normal(size=shape)


CASES = {
    "einsum": (lambda a, b: ld.einsum("bij,bjk->kbi", a, b), [normal(2, 3, 4), normal(2, 4, 2)]),
    "einsum three": (lambda a, b, c: ld.einsum("ij,jk,ki->k", a, b, c), [normal(2, 3), normal(3, 4), normal(4, 2)]),
    "einsum diagonal": (lambda a, b: ld.einsum("iij,j->i", a, b), [normal(3, 3, 2), normal(2)]),
    "einsum ellipsis": (lambda a, b: ld.einsum("...i,i...->...", a, b), [normal(2, 3, 4), normal(4, 3)]),
    "tensordot": (lambda a, b: ld.tensordot(a, b, ((0, 2), (1, 0))), [normal(2, 3, 4), normal(4, 2, 2)]),
    "dot": (lambda a, b: ld.dot(a, b), [normal(2, 3), normal(2, 3, 4)]),
    "vecdot": (lambda a, b: ld.vecdot(a, b, 0), [normal(4, 3), normal(4, 1)]),
    "outer": (lambda a, b: ld.outer(a, b), [normal(2, 2), normal(3)]),
}
