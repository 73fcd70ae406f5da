"""Derivative cases of gathers, scatters, scans and random masks: see test_derivatives.CASES."""

import numpy as np

import lazydiff as ld

RNG = np.random.default_rng(11)


def normal(*shape):
    return RNG.normal(size=shape)


def computed(count):
    """i32 indices that a graph computes, out of range on both sides: -2, 0, 1, 3, 4, 6, .."""
    return ld.astype(ld.constant(np.arange(count) * 1.7 - 2.0), ld.i32)


CASES = {
    "take": (lambda a: ld.take(a, [[2, 0], [-1, 2]], axis=1), [normal(2, 3, 4)]),
    "take computed": (lambda a: ld.take(a, computed(6), axis=0), [normal(4, 3)]),
    "take flat": (lambda a: ld.take(a, [5, 5, -12]), [normal(3, 4)]),
    "add_rows": (lambda a, b: ld.scatter_add(a, [1, 3, 1], b), [normal(4, 2), normal(3, 2)]),
    "add_rows middle": (
        lambda a, b: ld.scatter_add(a, [[0, 2], [2, 1]], b, axis=1) * a,
        [normal(2, 3, 2), normal(2, 2, 2, 2)],
    ),
    "take_along_axis": (lambda a: ld.take_along_axis(a, ld.argmax(a, 1).reshape(2, 1, 4), 1), [normal(2, 3, 4)]),
    "gather_nd": (lambda a: ld.gather_nd(a, [[0, 2], [1, -1], [0, 2]]), [normal(2, 3, 4)]),
    "repeat": (lambda a: ld.repeat(a, 3, axis=1), [normal(2, 3)]),
    "repeat uneven": (lambda a: ld.repeat(a, [1, 0, 2], axis=1), [normal(2, 3)]),
    "cumsum": (lambda a: ld.cumsum(a, axis=1), [normal(2, 5, 3)]),
    "cumsum reverse": (lambda a: ld.cumsum(a, axis=-1, reverse=True), [normal(2, 5)]),
    "dropout": (lambda a: ld.dropout(a, 0.4, ld.random_key("key", 3)) * a, [normal(30)]),
}  # fmt: skip
