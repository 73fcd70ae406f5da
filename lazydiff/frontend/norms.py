"""Normalisation: mean 0 and variance 1 over some axes, then a learned scale and bias. Channels come last."""

from __future__ import annotations

import math

import numpy as np

from lazydiff.errors import DtypeError, GraphError, ShapeError
from lazydiff.graph.node import Operand, Tensor, user_line
from lazydiff.ops import elementwise as e
from lazydiff.ops import reductions
from lazydiff.ops.moves import Axis, normal_axes, reshape

Pairs = list[tuple[Tensor, Tensor]]


def _along(what: str, x: Tensor, axes: tuple[int, ...], *parameters: Operand | None) -> list[Tensor | None]:
    """Parameters of the extents of `axes`, each as a view that broadcasts against x; None stays."""
    return [None if p is None else _lying(what, x, p, axes) for p in parameters]


def _lying(what: str, x: Tensor, p: Operand, axes: tuple[int, ...]) -> Tensor:
    found = e.together(x, p)[1]
    if found.dtype != x.dtype:
        raise DtypeError(f"{user_line()}: {what} of {x.dtype} with a parameter of {found.dtype}")
    wanted = tuple(x.shape[a] for a in axes)
    if found.shape != wanted:
        raise ShapeError(f"{user_line()}: {what} of {x.shape} takes parameters of {wanted}, not {found.shape}")
    return reshape(found, tuple(s if a in axes else 1 for a, s in enumerate(x.shape)))


def _affine(y: Tensor, scale: Tensor | None, bias: Tensor | None) -> Tensor:
    if scale is None:
        return y if bias is None else y + bias
    return y * scale if bias is None else e.fma(y, scale, bias)


def _moments(x: Tensor, axes: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """(x minus its mean, its variance) over axes, which stay as extents of 1."""
    centred = x - reductions.mean(x, axes, True)
    return centred, reductions.mean(e.square(centred), axes, True)


def _standard(x: Tensor, axes: tuple[int, ...], eps: float) -> Tensor:
    centred, variance = _moments(x, axes)
    return centred / e.sqrt(variance + eps)


def _checked(what: str, x: Tensor, eps: float) -> None:
    if not x.dtype.is_float:
        raise DtypeError(f"{user_line()}: {what} of {x.dtype}; cast it first: ld.astype(x, ld.f32)")
    if not 0 <= eps < math.inf:
        raise GraphError(f"{user_line()}: {what} with eps={eps!r}; it is from 0")


def _per_channel(
    what: str, x: Tensor, axis: int, *parameters: Operand | None
) -> tuple[tuple[int, ...], list[Tensor | None]]:
    channel = normal_axes(x, axis)
    others = tuple(a for a in range(x.ndim) if a not in channel)
    return others, _along(what, x, channel, *parameters)


def batch_norm(
    x: Tensor,
    scale: Operand | None,
    bias: Operand | None,
    mean: Tensor,
    var: Tensor,
    momentum: float = 0.1,
    eps: float = 1e-5,
    axis: int = -1,
) -> tuple[Tensor, Pairs]:
    """Batch normalisation while training: (y, updates of the running statistics).

    x is (n, .., c) with channels on `axis`; `scale` and `bias` are (c,) or None. y = (x - m) / sqrt(v + eps) * scale +
    bias with the mean m and the variance v (of the whole batch, not unbiased) of each channel. `mean` and `var` are
    states (c,), first zeros and ones; give the pairs to train_step(updates=...), which moves them by `momentum` to the
    batch's mean and unbiased variance: new = (1 - momentum) old + momentum batch, as torch. Once trained, use
    batch_norm_inference. ShapeError if there is one number a channel, as in torch.
    """
    _checked("batch_norm", x, eps)
    others, (factor, shift) = _per_channel("batch_norm", x, axis, scale, bias)
    count = math.prod(x.shape[a] for a in others)
    if count < 2:
        raise ShapeError(f"{user_line()}: batch_norm of {x.shape} has one number for each channel: no variance")
    centred, variance = _moments(x, others)
    widen = 1.0 / e.sqrt(variance + eps)
    y = _affine(centred, widen if factor is None else widen * factor, shift)
    return y, [
        (mean, _moved("mean", mean, reductions.mean(x, others), momentum)),
        (var, _moved("var", var, variance * (count / (count - 1)), momentum)),
    ]


def _moved(what: str, running: Tensor, batch: Tensor, momentum: float) -> Tensor:
    if running.op.name != "state" or running.size != batch.size or running.ndim != 1:
        raise ShapeError(f"{user_line()}: batch_norm: {what} is an ld.state of ({batch.size},), not {running!r}")
    if running.dtype != batch.dtype:
        raise DtypeError(f"{user_line()}: batch_norm of {batch.dtype} with {what} of {running.dtype}")
    return e.fma(momentum, reshape(batch, running.shape), (1.0 - momentum) * running)


def batch_norm_inference(
    x: Tensor,
    scale: Operand | None,
    bias: Operand | None,
    mean: Operand,
    var: Operand,
    eps: float = 1e-5,
    axis: int = -1,
) -> Tensor:
    """Batch normalisation with the running statistics, frozen: (x - mean) / sqrt(var + eps) * scale + bias.

    For inference, and for training what comes before or after a frozen layer; scale and bias still have gradients.
    """
    _checked("batch_norm_inference", x, eps)
    _, (factor, shift, m, v) = _per_channel("batch_norm_inference", x, axis, scale, bias, mean, var)
    assert m is not None
    assert v is not None
    widen = 1.0 / e.sqrt(v + eps)
    return _affine(x - m, widen if factor is None else widen * factor, shift)


def layer_norm(
    x: Tensor, scale: Operand | None = None, bias: Operand | None = None, axis: Axis = -1, eps: float = 1e-5
) -> Tensor:
    """(x - m) / sqrt(v + eps) * scale + bias with mean and variance over `axis`; scale and bias have its extents.

    torch's normalized_shape is the extents of the last axes: axis=(-2, -1) for two of them.
    """
    _checked("layer_norm", x, eps)
    axes = normal_axes(x, axis)
    factor, shift = _along("layer_norm", x, axes, scale, bias)
    return _affine(_standard(x, axes, eps), factor, shift)


def group_norm(
    x: Tensor, groups: int, scale: Operand | None = None, bias: Operand | None = None, eps: float = 1e-5
) -> Tensor:
    """Each sample's channels in `groups` of neighbours, each normalised over its channels and all places.

    x is (n, .., c), scale and bias (c,). One group is a layer_norm over all but the batch; c groups are instance_norm.
    """
    _checked("group_norm", x, eps)
    if x.ndim < 2 or groups < 1 or x.shape[-1] % groups:
        raise ShapeError(
            f"{user_line()}: group_norm of {x.shape} in {groups} groups: they divide the channels (n, .., c)"
        )
    factor, shift = _along("group_norm", x, (x.ndim - 1,), scale, bias)
    split = reshape(x, (x.shape[0], -1, groups, x.shape[-1] // groups))
    return _affine(reshape(_standard(split, (1, 3), eps), x.shape), factor, shift)


def instance_norm(x: Tensor, scale: Operand | None = None, bias: Operand | None = None, eps: float = 1e-5) -> Tensor:
    """Each channel of each sample normalised over its places: x (n, .., c), scale and bias (c,)."""
    _checked("instance_norm", x, eps)
    if x.ndim < 3:
        raise ShapeError(f"{user_line()}: instance_norm takes (n, .., c) with a place between, not {x.shape}")
    factor, shift = _along("instance_norm", x, (x.ndim - 1,), scale, bias)
    return _affine(_standard(x, tuple(range(1, x.ndim - 1)), eps), factor, shift)


def rms_norm(x: Tensor, scale: Operand | None = None, axis: Axis = -1, eps: float | None = None) -> Tensor:
    """x / sqrt(mean of x**2 + eps) * scale over `axis`; without `eps` the dtype's machine epsilon, as torch."""
    least = float(np.finfo(x.dtype.numpy).eps) if eps is None and x.dtype.is_float else eps or 0.0
    _checked("rms_norm", x, least)
    axes = normal_axes(x, axis)
    (factor,) = _along("rms_norm", x, axes, scale)
    return _affine(x / e.sqrt(reductions.mean(e.square(x), axes, True) + least), factor, None)
