"""Convolutions, pooling and resizing for test_derivatives.py: name -> (function of the inputs, the inputs' values)."""

import numpy as np

import lazydiff as ld

RNG = np.random.default_rng(11)


def normal(*shape):
    return RNG.normal(size=shape)


CASES = {
    "conv2d": (lambda x, w: ld.conv2d(x, w, 1, 1), [normal(2, 5, 4, 3), normal(3, 3, 3, 9)]),
    "conv2d strided": (lambda x, w: ld.conv2d(x, w, (2, 1), (1, 0)), [normal(2, 6, 5, 2), normal(3, 2, 2, 17)]),
    "conv2d dilated": (lambda x, w: ld.conv2d(x, w, (2, 3), 2, (3, 2)), [normal(1, 7, 8, 2), normal(3, 2, 2, 3)]),
    "conv2d grouped": (
        lambda x, w: ld.conv2d(x, w, 1, ((0, 1), (2, 0)), groups=3),
        [normal(2, 4, 3, 6), normal(2, 3, 2, 9)],
    ),
    "conv2d depthwise": (lambda x, w: ld.conv2d(x, w, 2, "same", groups=5), [normal(1, 5, 4, 5), normal(3, 3, 1, 5)]),
    "conv2d multiplier": (lambda x, w: ld.conv2d(x, w, groups=2), [normal(1, 3, 3, 2), normal(2, 2, 1, 6)]),
    "conv1d": (lambda x, w: ld.conv1d(x, w, 2, (1, 2), 2, 2), [normal(2, 9, 4), normal(3, 2, 6)]),
    "conv_transpose2d": (
        lambda x, w: ld.conv_transpose2d(x, w, (2, 3), 1, (1, 0), groups=2),
        [normal(2, 3, 2, 4), normal(3, 3, 3, 4)],
    ),
}  # fmt: skip
