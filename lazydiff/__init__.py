"""lazydiff: describe a network and its training step; get one plan that runs in a fixed buffer, everywhere.

Write a graph (`input param`, operators, functions), differentiate it (`grad vjp jvp`), `compile` it to a Plan, and run
the plan with a Session, export it as C99 (`export_c`), or copy the `.lzp` file to a board with MicroPython.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from lazydiff.dtypes import bool_, f32, f64, i8, i32, u8
from lazydiff.errors import (
    BudgetError,
    DtypeError,
    ExportError,
    GradientError,
    GraphError,
    InputError,
    LazydiffError,
    PlanError,
    ShapeError,
    ToolError,
)
from lazydiff.frontend.losses import (
    bce,
    bce_with_logits,
    cosine_similarity,
    cross_entropy,
    hinge,
    huber,
    kl_div,
    mae,
    mse,
    nll,
    smooth_l1,
)
from lazydiff.frontend.nets import log_softmax, one_hot, scaled_dot_product_attention, softmax
from lazydiff.frontend.norms import batch_norm, batch_norm_inference, group_norm, instance_norm, layer_norm, rms_norm
from lazydiff.frontend.optim import (
    Optimizer,
    adagrad,
    adam,
    adamw,
    clip_by_global_norm,
    clip_by_value,
    lion,
    rmsprop,
    sgd,
)
from lazydiff.frontend.schedules import (
    constant_schedule,
    exponential_decay,
    join_schedules,
    linear_schedule,
    piecewise_constant,
    step_decay,
)
from lazydiff.frontend.training import train_step
from lazydiff.frontend.transforms import (
    custom_derivative,
    derivative,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    linearize,
    substitute,
    value_and_grad,
    vjp,
)
from lazydiff.graph.node import Tensor, constant
from lazydiff.ops.convolution import conv1d, conv2d, conv_transpose2d
from lazydiff.ops.elementwise import (
    abs,
    add,
    astype,
    clip,
    divide,
    equal,
    exp,
    fma,
    greater,
    greater_equal,
    less,
    less_equal,
    log,
    maximum,
    minimum,
    multiply,
    neg,
    not_equal,
    power,
    relu,
    sigmoid,
    sign,
    sqrt,
    square,
    subtract,
    tanh,
    where,
)
from lazydiff.ops.gathers import embedding, gather_nd, repeat, scatter_add, take, take_along_axis
from lazydiff.ops.leaves import expect, input, no_derivative, param, state, stop_gradient
from lazydiff.ops.moves import broadcast_to, diagonal, flip, reshape, transpose, zeros_like
from lazydiff.ops.parts import split, unstack
from lazydiff.ops.pooling import (
    adaptive_avg_pool2d,
    adaptive_max_pool2d,
    avg_pool1d,
    avg_pool2d,
    global_avg_pool2d,
    global_max_pool2d,
    max_pool1d,
    max_pool2d,
    resize,
)
from lazydiff.ops.products import matmul
from lazydiff.ops.random import bernoulli, dropout, next_key, random_key, uniform
from lazydiff.ops.rearrange import (
    concat,
    expand_dims,
    flatten,
    moveaxis,
    pad,
    permute_dims,
    ravel,
    roll,
    squeeze,
    stack,
    swapaxes,
    tile,
    trace,
    tril,
    triu,
)
from lazydiff.ops.reductions import argmax, max, mean, min, sum, var
from lazydiff.ops.scans import cumsum
from lazydiff.ops.statistics import all, any, argmin, logsumexp, norm, prod, std
from lazydiff.pipeline import compile, load
from lazydiff.plan.model import Plan

if TYPE_CHECKING:
    from lazydiff.checking import check_grads
    from lazydiff.firmware import export_c
    from lazydiff.run.session import Session

__version__ = "0.1.0"

# Imported when first used: a plan can be made without the runtime, and run without the exporter.
_LATER = {"check_grads": "lazydiff.checking", "export_c": "lazydiff.firmware", "Session": "lazydiff.run.session"}


if not TYPE_CHECKING:  # a type checker shall report a name that is not there

    def __getattr__(name: str) -> object:
        if name not in _LATER:
            raise AttributeError(f"module 'lazydiff' has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(_LATER[name]), name)
        return value


__all__ = [
    "BudgetError",
    "DtypeError",
    "ExportError",
    "GradientError",
    "GraphError",
    "InputError",
    "LazydiffError",
    "Optimizer",
    "Plan",
    "PlanError",
    "Session",
    "ShapeError",
    "Tensor",
    "ToolError",
    "abs",
    "adagrad",
    "adam",
    "adamw",
    "adaptive_avg_pool2d",
    "adaptive_max_pool2d",
    "add",
    "all",
    "any",
    "argmax",
    "argmin",
    "astype",
    "avg_pool1d",
    "avg_pool2d",
    "batch_norm",
    "batch_norm_inference",
    "bce",
    "bce_with_logits",
    "bernoulli",
    "bool_",
    "broadcast_to",
    "check_grads",
    "clip",
    "clip_by_global_norm",
    "clip_by_value",
    "compile",
    "concat",
    "constant",
    "constant_schedule",
    "conv1d",
    "conv2d",
    "conv_transpose2d",
    "cosine_similarity",
    "cross_entropy",
    "cumsum",
    "custom_derivative",
    "derivative",
    "diagonal",
    "divide",
    "dropout",
    "embedding",
    "equal",
    "exp",
    "expand_dims",
    "expect",
    "exponential_decay",
    "export_c",
    "f32",
    "f64",
    "flatten",
    "flip",
    "fma",
    "gather_nd",
    "global_avg_pool2d",
    "global_max_pool2d",
    "grad",
    "greater",
    "greater_equal",
    "group_norm",
    "hessian",
    "hinge",
    "huber",
    "hvp",
    "i8",
    "i32",
    "input",
    "instance_norm",
    "jacobian",
    "join_schedules",
    "jvp",
    "kl_div",
    "layer_norm",
    "less",
    "less_equal",
    "linear_schedule",
    "linearize",
    "lion",
    "load",
    "log",
    "log_softmax",
    "logsumexp",
    "mae",
    "matmul",
    "max",
    "max_pool1d",
    "max_pool2d",
    "maximum",
    "mean",
    "min",
    "minimum",
    "moveaxis",
    "mse",
    "multiply",
    "neg",
    "next_key",
    "nll",
    "no_derivative",
    "norm",
    "not_equal",
    "one_hot",
    "pad",
    "param",
    "permute_dims",
    "piecewise_constant",
    "power",
    "prod",
    "random_key",
    "ravel",
    "relu",
    "repeat",
    "reshape",
    "resize",
    "rms_norm",
    "rmsprop",
    "roll",
    "scaled_dot_product_attention",
    "scatter_add",
    "sgd",
    "sigmoid",
    "sign",
    "smooth_l1",
    "softmax",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "state",
    "std",
    "step_decay",
    "stop_gradient",
    "substitute",
    "subtract",
    "sum",
    "swapaxes",
    "take",
    "take_along_axis",
    "tanh",
    "tile",
    "trace",
    "train_step",
    "transpose",
    "tril",
    "triu",
    "u8",
    "uniform",
    "unstack",
    "value_and_grad",
    "var",
    "vjp",
    "where",
    "zeros_like",
]
