"""Derivative cases of losses, normalisation, attention and recurrent cells: see test_derivatives.CASES."""

import numpy as np

import lazydiff as ld

RNG = np.random.default_rng(12)


def normal(*shape):
    return RNG.normal(size=shape)


def between(*shape):
    return RNG.uniform(0.1, 0.9, shape)


LABELS = np.array([0, 3, 2, 1, 3], np.int32)
SOME = np.array([0, -100, 2, -100, 3], np.int32)
SIGNS = np.sign(normal(5, 4))
WEIGHT = between(4)

TWO = np.array([0.5, -0.5]), np.array([2.0, 0.5])
START = normal(2, 4)


def running(x, channels):
    return ld.state("m", np.zeros(channels), x.dtype), ld.state("v", np.ones(channels), x.dtype)


CASES = {
    "cross_entropy": (lambda z: ld.cross_entropy(z, LABELS), [normal(5, 4)]),
    "cross_entropy whole": (
        lambda z: ld.cross_entropy(z, SOME, 0.2, ignore_index=-100, weight=WEIGHT, reduction="mean"),
        [normal(5, 4)],
    ),
    "cross_entropy soft": (
        lambda z, t: ld.cross_entropy(z, t * 1, 0.1, weight=WEIGHT, reduction="sum"),
        [normal(5, 4), between(5, 4)],
    ),
    "nll": (lambda p: ld.nll(p, SOME, -100, WEIGHT, "mean"), [normal(5, 4)]),
    "hinge": (lambda s: ld.hinge(s, SIGNS, 0.7), [normal(5, 4)]),
    "hinge classes": (lambda s: ld.hinge(s, LABELS, reduction="none"), [normal(5, 4)]),
    "mae": (lambda a, b: ld.mae(a, b * 1), [normal(30), normal(30)]),
    "smooth_l1": (lambda a, b: ld.smooth_l1(a, b * 1, 0.7, "none"), [2 * normal(30), normal(30)]),
    "bce": (lambda p, t: ld.bce(p, t * 1, "none"), [between(30), between(30)]),
    "bce_with_logits": (lambda z, t: ld.bce_with_logits(z, t * 1, 1.7, "none"), [4 * normal(30), between(30)]),
    "kl_div": (lambda p, t: ld.kl_div(p, t * 1, reduction="none"), [normal(3, 5), between(3, 5)]),
    "kl_div log_target": (lambda p, t: ld.kl_div(p, t * 1, True, "sum"), [normal(3, 5), normal(3, 5)]),
    "cosine_similarity": (lambda a, b: ld.cosine_similarity(a, b, axis=1), [normal(3, 5, 2), normal(5, 1)]),
    "batch_norm": (
        lambda x, g, b: ld.batch_norm(x, g, b, *running(x, 2))[0],
        [normal(3, 4, 2), normal(2), normal(2)],
    ),
    "batch_norm_inference": (
        lambda x, g, b: ld.batch_norm_inference(x, g, b, *TWO),
        [normal(3, 4, 2), normal(2), normal(2)],
    ),
    "layer_norm": (lambda x, g, b: ld.layer_norm(x, g, b), [normal(3, 5), normal(5), normal(5)]),
    "layer_norm two": (lambda x, g: ld.layer_norm(x, g, axis=(1, 2)), [normal(2, 3, 4), normal(3, 4)]),
    "group_norm": (lambda x, g, b: ld.group_norm(x, 2, g, b), [normal(2, 3, 4), normal(4), normal(4)]),
    "instance_norm": (lambda x, g, b: ld.instance_norm(x, g, b), [normal(2, 5, 3), normal(3), normal(3)]),
    "rms_norm": (lambda x, g: ld.rms_norm(x, g), [normal(3, 5), normal(5)]),
    "attention": (
        ld.scaled_dot_product_attention,
        [normal(2, 3, 4), normal(2, 5, 4), normal(2, 5, 2)],
    ),
    "attention causal": (
        lambda q, k, v, m: ld.scaled_dot_product_attention(q, k, v, m * 1, causal=True, scale=0.3),
        [normal(2, 1, 4, 3), normal(2, 4, 3), normal(4, 2), normal(4, 4)],
    ),
    "rnn_cell": (ld.rnn_cell, [normal(2, 3), normal(2, 4), normal(3, 4), normal(4, 4), normal(4), normal(4)]),
    "gru_cell": (ld.gru_cell, [normal(2, 3), normal(2, 4), normal(3, 12), normal(4, 12), normal(12), normal(12)]),
    "lstm_cell": (
        lambda x, h, c, w, v, b: ld.stack(ld.lstm_cell(x, (h, c), w, v, b)),
        [normal(2, 3), normal(2, 4), normal(2, 4), normal(3, 16), normal(4, 16), normal(16)],
    ),
    "unroll": (
        lambda x, w, v: ld.unroll(lambda x, h: ld.rnn_cell(x, h, w, v), x, ld.constant(START.astype(x.dtype.numpy)))[0],
        [normal(2, 3, 2), normal(2, 4), 0.5 * normal(4, 4)],
    ),
}  # fmt: skip
