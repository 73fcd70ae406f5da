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
    "pool_gather": (lambda x: ld.max_pool2d(x, 2), [normal(2, 4, 6, 3)]),
    "pool_scatter": (lambda x: ld.max_pool2d(x, (3, 2), (2, 1), "same"), [normal(2, 5, 4, 2)]),  # windows overlap
    "max_pool1d": (lambda x: ld.max_pool1d(x, 3, 2, 1), [normal(2, 8, 3)]),
    "avg_pool1d": (lambda x: ld.avg_pool1d(x, 3, 2, (0, 1)), [normal(2, 8, 3)]),
    "avg_pool2d": (lambda x: ld.avg_pool2d(x, (2, 3)), [normal(2, 4, 6, 3)]),
    "avg_pool2d padded": (lambda x: ld.avg_pool2d(x, 3, (2, 1), 1, count_include_pad=False), [normal(1, 5, 4, 2)]),
    "global_avg_pool2d": (ld.global_avg_pool2d, [normal(2, 3, 4, 3)]),
    "global_max_pool2d": (lambda x: ld.global_max_pool2d(x, keepdims=True), [normal(2, 3, 4, 3)]),
    "adaptive_avg_pool2d": (lambda x: ld.adaptive_avg_pool2d(x, (3, 4)), [normal(2, 5, 6, 2)]),
    "adaptive_max_pool2d": (lambda x: ld.adaptive_max_pool2d(x, (3, 4)), [normal(2, 5, 6, 2)]),
    "resize whole": (lambda x: ld.resize(x, (6, 4)), [normal(1, 3, 4, 2)]),
    "resize nearest": (lambda x: ld.resize(x, (5, 3)), [normal(1, 3, 4, 2)]),
    "resize bilinear": (lambda x: ld.resize(x, (5, 3), "bilinear"), [normal(1, 3, 4, 2)]),
    "resize corners": (lambda x: ld.resize(x, 5, "bilinear", align_corners=True), [normal(1, 3, 4, 2)]),
}  # fmt: skip
