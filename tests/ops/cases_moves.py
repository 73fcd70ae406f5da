"""Derivative cases of the moves: views, and what is put together from them."""

import numpy as np

import lazydiff as ld

RNG = np.random.default_rng(11)


def normal(*shape):
    return RNG.normal(size=shape)


CASES = {
    "slice": (lambda a: a[1:3, 2] * a[:2, 0], [normal(4, 3)]),
    "slice steps": (lambda a: a[1::3, ::2] * a[:3, :2], [normal(8, 3)]),
    "slice backwards": (lambda a: a[::-2] * a[4:1:-1, None, 0], [normal(5, 3)]),
    "flip": (lambda a: ld.flip(a, (0, 2)) * a, [normal(2, 3, 4)]),
    "pad": (lambda a, b: ld.pad(a, ((1, 0), (0, 2))) * b, [normal(3, 4), normal(4, 6)]),
    "pad value": (lambda a, b: ld.pad(a, (1, 2), value=-3.5) * b, [normal(3), normal(6)]),
    "pad reflect": (lambda a: ld.pad(a, ((2, 1), (0, 2)), "reflect"), [normal(3, 4)]),
    "pad edge": (lambda a: ld.pad(a, ((2, 1), (0, 2)), "edge"), [normal(2, 3)]),
    "pad wrap": (lambda a: ld.pad(a, (2, 3), "wrap"), [normal(4)]),
    "diagonal": (lambda a, b: ld.diagonal(a, -1) * b, [normal(4, 3), normal(3)]),
    "diagonal axes": (lambda a: ld.diagonal(a, 1, 2, 0) * a[0, :, :3], [normal(4, 3, 4)]),
    "trace": (lambda a: ld.trace(a, 0, 1, 2), [normal(2, 3, 3)]),
    "join": (lambda a, b: ld.concat([a, b * b, a], axis=1), [normal(2, 3), normal(2, 2)]),
    "stack": (lambda a, b: ld.stack([a, a * b], axis=-1), [normal(2, 3), normal(2, 3)]),
    "split": (lambda a: ld.split(a, [1, 3], axis=1)[1] * ld.split(a, 2, axis=1)[1], [normal(3, 4)]),
    "unstack": (lambda a: ld.unstack(a, 1)[2] * ld.unstack(a, 1)[0], [normal(3, 4)]),
    "roll": (lambda a: ld.roll(a, (1, -2), (0, 1)) * a, [normal(3, 4)]),
    "tile": (lambda a: ld.tile(a, (2, 1, 3)), [normal(2, 2)]),
    "repeat": (lambda a: ld.repeat(a, 3, axis=0), [normal(2, 2)]),
    "triu": (lambda a: ld.triu(a, 1) * a, [normal(2, 3, 4)]),
    "tril": (lambda a: ld.tril(a, -1) + a, [normal(4, 3)]),
    "moveaxis": (lambda a: ld.moveaxis(a, 0, -1) * 2.0, [normal(2, 3, 4)]),
}
