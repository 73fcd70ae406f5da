"""Every public array function beside its NumPy (or SciPy) meaning: the rows that test_forward loops over."""

import math

import numpy as np
from scipy import special

import lazydiff as ld

# Whole and half numbers, ends of ranges, numbers that no longer count, zeros of both signs, infinities, NaN.
AWKWARD = [0.0, -0.0, 1, -1, 0.5, -0.5, 1.5, 2.5, -2.5, 3, -3, 6, 1e-3, 9.5, -9.5, 88.9, -104.5, 710.2, -746.5, 1e4]
AWKWARD += [1e9, -1e9, 1e30, -1e30, 1e-30, -1e-30, 1e-40, np.inf, -np.inf, np.nan]


def _lerp(a, b, w):
    return np.where(w < 0.5, a + w * (b - a), b - (b - a) * (1 - w))


def _elu(x, scale=1.0, alpha=1.0):
    return scale * np.where(x > 0, x, alpha * np.expm1(np.where(x > 0, 0, x)))


def _gate(x, gate):
    """x * gate with its limit of 0 where the gate closes faster than x grows."""
    return np.where(np.isneginf(x), 0.0, x * gate)


def _tanh_gelu(x):
    return _gate(x, special.expit(2 * np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def _mish(x):
    return _gate(x, np.tanh(np.logaddexp(0, x)))


# name -> (lazydiff's function, NumPy's): of one, two or three floats of any value.
ONE = {
    "neg": (ld.neg, np.negative),
    "abs": (ld.abs, np.abs),
    "sign": (ld.sign, np.sign),
    "square": (ld.square, np.square),
    "sqrt": (ld.sqrt, np.sqrt),
    "rsqrt": (ld.rsqrt, lambda x: 1 / np.sqrt(x)),
    "reciprocal": (ld.reciprocal, np.reciprocal),
    "exp": (ld.exp, np.exp),
    "exp2": (ld.exp2, np.exp2),
    "expm1": (ld.expm1, np.expm1),
    "log": (ld.log, np.log),
    "log2": (ld.log2, np.log2),
    "log10": (ld.log10, np.log10),
    "log1p": (ld.log1p, np.log1p),
    "sin": (ld.sin, np.sin),
    "cos": (ld.cos, np.cos),
    "tan": (ld.tan, np.tan),
    "asin": (ld.asin, np.arcsin),
    "acos": (ld.acos, np.arccos),
    "atan": (ld.atan, np.arctan),
    "sinh": (ld.sinh, np.sinh),
    "cosh": (ld.cosh, np.cosh),
    "tanh": (ld.tanh, np.tanh),
    "asinh": (ld.asinh, np.arcsinh),
    "acosh": (ld.acosh, np.arccosh),
    "atanh": (ld.atanh, np.arctanh),
    "erf": (ld.erf, special.erf),
    "erfc": (ld.erfc, special.erfc),
    "floor": (ld.floor, np.floor),
    "ceil": (ld.ceil, np.ceil),
    "round": (ld.round, np.round),
    "trunc": (ld.trunc, np.trunc),
    "isnan": (ld.isnan, np.isnan),
    "isfinite": (ld.isfinite, np.isfinite),
    "logical_not": (ld.logical_not, np.logical_not),
    "sigmoid": (ld.sigmoid, special.expit),
    "log_sigmoid": (ld.log_sigmoid, special.log_expit),
    "softplus": (ld.softplus, lambda x: np.logaddexp(0, x)),
    "softsign": (ld.softsign, lambda x: np.where(np.isinf(x), np.sign(x), x / (1 + np.abs(x)))),
    "relu": (ld.relu, lambda x: np.where(x < 0, 0, x)),
    "relu6": (ld.relu6, lambda x: np.clip(x, 0, 6) + 0.0),
    "leaky_relu": (lambda x: ld.leaky_relu(x, 0.25), lambda x: np.where(x > 0, x, 0.25 * x)),
    "elu": (ld.elu, _elu),
    "celu": (ld.celu, _elu),
    "selu": (ld.selu, lambda x: _elu(x, 1.0507009873554805, 1.6732632423543772)),
    "silu": (ld.silu, lambda x: _gate(x, special.expit(x))),
    "gelu": (ld.gelu, lambda x: _gate(x, special.ndtr(x))),
    "gelu_tanh": (lambda x: ld.gelu(x, "tanh"), _tanh_gelu),
    "mish": (ld.mish, _mish),
    "hardtanh": (ld.hardtanh, lambda x: np.clip(x, -1, 1)),
    "hardsigmoid": (ld.hardsigmoid, lambda x: np.clip((x + 3) / 6, 0, 1)),
    "hardswish": (ld.hardswish, lambda x: np.where(x <= -3, -0.0, x * np.clip((x + 3) / 6, 0, 1))),
    "clip": (lambda x: ld.clip(x, -1.5, 2.5), lambda x: np.clip(x, -1.5, 2.5)),
    "stop_gradient": (ld.stop_gradient, np.positive),
    "keep": (ld.keep, np.positive),
    "recompute": (ld.recompute, np.positive),
    "zeros_like": (ld.zeros_like, np.zeros_like),
}
TWO = {
    "add": (ld.add, np.add),
    "subtract": (ld.subtract, np.subtract),
    "multiply": (ld.multiply, np.multiply),
    "divide": (ld.divide, np.divide),
    "power": (ld.power, np.power),
    "maximum": (ld.maximum, np.maximum),
    "minimum": (ld.minimum, np.minimum),
    "less": (ld.less, np.less),
    "less_equal": (lambda a, b: a <= b, np.less_equal),
    "greater": (ld.greater, np.greater),
    "greater_equal": (ld.greater_equal, np.greater_equal),
    "equal": (ld.equal, np.equal),
    "not_equal": (ld.not_equal, np.not_equal),
    "logical_and": (ld.logical_and, np.logical_and),
    "logical_or": (ld.logical_or, np.logical_or),
    "logical_xor": (ld.logical_xor, np.logical_xor),
    "atan2": (ld.atan2, np.arctan2),
    "hypot": (ld.hypot, np.hypot),
    "fmod": (ld.fmod, np.fmod),
    "logaddexp": (ld.logaddexp, np.logaddexp),
    # the branch that is not taken holds NaN in places
    "where": (lambda a, b: ld.where(a > 0, a, b), lambda a, b: np.where(a > 0, a, b)),
}
# Of three: their own values, since cancellation leaves two orders of operations far apart.
THREE = {
    "fma": (ld.fma, lambda a, b, c: a * b + c),
    "lerp": (ld.lerp, _lerp),
}
# Those that take integers and bools too: exact, or refused.
INTEGER = ["neg", "abs", "sign", "square", "add", "subtract", "multiply", "maximum", "minimum", "where"]
INTEGER += ["less", "less_equal", "greater", "greater_equal", "equal", "not_equal"]
LOGICAL = ["logical_not", "logical_and", "logical_or", "logical_xor"]


def _norm(order):
    return lambda x, axis, keepdims: _vector_norm(x, order, axis, keepdims)


def _vector_norm(x, order, axis, keepdims):
    if order == 2:
        return np.sqrt(np.sum(x * x, axis, keepdims=keepdims))
    return (np.sum if order == 1 else np.max)(np.abs(x), axis, keepdims=keepdims)


def _with_keepdims(function):
    return lambda x, axis, keepdims: function(x, axis=axis, keepdims=keepdims)


# Of x, any axes, keepdims.
REDUCTIONS = {
    "sum": (ld.sum, _with_keepdims(np.sum)),
    "mean": (ld.mean, _with_keepdims(np.mean)),
    "max": (ld.max, _with_keepdims(np.max)),
    "min": (ld.min, _with_keepdims(np.min)),
    "prod": (ld.prod, _with_keepdims(np.prod)),
    "var": (lambda x, axis, keepdims: ld.var(x, axis, 0, keepdims), _with_keepdims(np.var)),
    "std": (lambda x, axis, keepdims: ld.std(x, axis, 0, keepdims), _with_keepdims(np.std)),
    "any": (ld.any, lambda x, axis, keepdims: np.any(x != 0, axis, keepdims=keepdims)),
    "all": (ld.all, lambda x, axis, keepdims: np.all(x != 0, axis, keepdims=keepdims)),
    "norm": (lambda x, axis, keepdims: ld.norm(x, 2, axis, keepdims), _norm(2)),
    "norm 1": (lambda x, axis, keepdims: ld.norm(x, 1, axis, keepdims), _norm(1)),
    "norm inf": (lambda x, axis, keepdims: ld.norm(x, math.inf, axis, keepdims), _norm(math.inf)),
    "logsumexp": (ld.logsumexp, lambda x, axis, keepdims: np.log(np.sum(np.exp(x), axis, keepdims=keepdims))),
}
# Of x, one axis.
ALONG = {
    "argmax": (ld.argmax, np.argmax),
    "argmin": (ld.argmin, np.argmin),
    "cumsum": (ld.cumsum, np.cumsum),
    "softmax": (ld.softmax, lambda x, axis: special.softmax(x, axis)),
    "log_softmax": (ld.log_softmax, lambda x, axis: special.log_softmax(x, axis)),
    "flip": (ld.flip, np.flip),
    "roll": (lambda x, axis: ld.roll(x, 2, axis), lambda x, axis: np.roll(x, 2, axis)),
    "repeat": (lambda x, axis: ld.repeat(x, 2, axis), lambda x, axis: np.repeat(x, 2, axis)),
    "concat": (lambda x, axis: ld.concat([x, x], axis), lambda x, axis: np.concatenate([x, x], axis)),
    "stack": (lambda x, axis: ld.stack([x, x], axis), lambda x, axis: np.stack([x, x], axis)),
    "split": (lambda x, axis: ld.split(x, [1], axis)[0], lambda x, axis: np.split(x, [1], axis)[0]),
    "unstack": (lambda x, axis: ld.unstack(x, axis)[-1], lambda x, axis: np.moveaxis(x, axis, 0)[-1]),
    "take": (lambda x, axis: ld.take(x, [0, -1, 0], axis), lambda x, axis: np.take(x, [0, -1, 0], axis)),
    "swapaxes": (lambda x, axis: ld.swapaxes(x, 0, axis), lambda x, axis: np.swapaxes(x, 0, axis)),
    "moveaxis": (lambda x, axis: ld.moveaxis(x, 0, axis), lambda x, axis: np.moveaxis(x, 0, axis)),
    "expand_dims": (ld.expand_dims, np.expand_dims),
    "squeeze": (
        lambda x, axis: ld.squeeze(ld.sum(x, axis, keepdims=True), axis),
        lambda x, axis: np.sum(x, axis),
    ),
    "take_along_axis": (
        lambda x, axis: ld.take_along_axis(x, ld.expand_dims(ld.argmax(x, axis), axis), axis),
        lambda x, axis: np.max(x, axis, keepdims=True),
    ),
    "vecdot": (lambda x, axis: ld.vecdot(x, x, axis), lambda x, axis: np.sum(x * x, axis)),
}
# Of x alone, of at least one dimension.
WHOLE = {
    "reshape": (lambda x: ld.reshape(x, (1, -1)), lambda x: x.reshape(1, x.size)),
    "ravel": (ld.ravel, np.ravel),
    "flatten": (lambda x: ld.flatten(x, 0, -1), np.ravel),
    "transpose": (ld.transpose, np.transpose),
    "permute_dims": (lambda x: ld.permute_dims(x, tuple(range(x.ndim))[::-1]), np.transpose),
    "broadcast_to": (lambda x: ld.broadcast_to(x, (2, *x.shape)), lambda x: np.broadcast_to(x, (2, *x.shape))),
    "tile": (lambda x: ld.tile(x, 2), lambda x: np.tile(x, 2)),
    "pad": (lambda x: ld.pad(x, (1, 2)), lambda x: np.pad(x, (1, 2))),
    "outer": (lambda x: ld.outer(x.reshape(-1), x.reshape(-1)), lambda x: np.outer(x, x)),
    "dot": (lambda x: ld.dot(x.reshape(-1), x.reshape(-1)), lambda x: np.dot(x.ravel(), x.ravel())),
    "tensordot": (lambda x: ld.tensordot(x, x, x.ndim), lambda x: np.tensordot(x, x, x.ndim)),
    "einsum": (lambda x: ld.einsum("a...->...a", x), lambda x: np.einsum("a...->...a", x)),
    "getitem": (lambda x: x[..., ::-2], lambda x: x[..., ::-2]),
}
# Of a matrix or a stack of them.
MATRIX = {
    "matmul": (lambda x: x @ ld.swapaxes(x, -1, -2), lambda x: x @ np.swapaxes(x, -1, -2)),
    "diagonal": (lambda x: ld.diagonal(x, 0, -2, -1), lambda x: np.diagonal(x, 0, -2, -1)),
    "trace": (lambda x: ld.trace(x, 0, -2, -1), lambda x: np.trace(x, 0, -2, -1)),
    "tril": (ld.tril, np.tril),
    "triu": (lambda x: ld.triu(x, -1), lambda x: np.triu(x, -1)),
}
TABLES = (ONE, TWO, THREE, REDUCTIONS, ALONG, WHOLE, MATRIX)
# What has its values compared with NumPy, torch or loops in a file of its own.
ELSEWHERE = {
    "test_gathers.py": "embedding gather_nd scatter_add",
    "test_convolution.py": "conv1d conv2d conv_transpose2d",
    "test_pooling.py": """adaptive_avg_pool2d adaptive_max_pool2d avg_pool1d avg_pool2d global_avg_pool2d
        global_max_pool2d max_pool1d max_pool2d resize""",
    "test_random.py": "bernoulli dropout next_key normal random_key uniform",
    "test_edges.py": "astype one_hot",
    "../training/test_norms.py": "scaled_dot_product_attention",
    "../ports/test_micropython_refusals.py": "expect",
    "../memory/recompute/test_hints.py": "keep recompute",
    "../transforms/test_transforms.py": "no_derivative",
}
