"""Parts of networks that are no layer of their own: softmax and its kin, one-hot rows, attention."""

from __future__ import annotations

import math

import numpy as np

from lazydiff.dtypes import bool_
from lazydiff.errors import ShapeError
from lazydiff.graph.node import Operand, Tensor, constant, user_line
from lazydiff.ops import elementwise as e
from lazydiff.ops.leaves import stop_gradient
from lazydiff.ops.moves import broadcast_to, reshape, transpose
from lazydiff.ops.products import matmul
from lazydiff.ops.rearrange import triangle
from lazydiff.ops.reductions import max, sum
from lazydiff.ops.statistics import logsumexp


def softmax(x: Tensor, axis: int = -1) -> Tensor:
    """exp(x - max) / sum of it along one axis; does not overflow. A row of -inf only, or with inf, gives NaN."""
    shifted = e.exp(x - stop_gradient(max(x, axis, True)))
    return shifted / sum(shifted, axis, True)


def log_softmax(x: Tensor, axis: int = -1) -> Tensor:
    """x - logsumexp(x) along one axis."""
    return x - logsumexp(x, axis, True)


def one_hot(index: Tensor, classes: int) -> Tensor:
    """f32 (..., classes): 1 where the i32 index equals the column, else 0."""
    return e.where(e.matches(index, classes), 1.0, 0.0)


def scaled_dot_product_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Operand | None = None,
    causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """softmax(q k' * scale) v over any leading axes (batch, heads): q (.., l, e), k (.., s, e), v (.., s, f).

    Gives (.., l, f); leading axes broadcast. `scale` is 1 / sqrt(e) without one. `mask` broadcasts against (.., l, s):
    a bool mask is true where a key takes part, a float mask is added to the scores (-inf keeps a key out). With
    `causal` query i sees keys 0 .. i. A query that sees no key gives 0, with gradients of 0, as torch since 2.5 (not
    NaN). The scores are a buffer of (.., l, s).
    """
    if min(q.ndim, k.ndim, v.ndim) < 2 or q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        raise ShapeError(
            f"{user_line()}: attention takes q (.., l, e), k (.., s, e), v (.., s, f), "
            f"not {q.shape}, {k.shape}, {v.shape}"
        )
    try:
        lead = np.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2])
    except ValueError:
        raise ShapeError(
            f"{user_line()}: attention: leading axes of {q.shape}, {k.shape}, {v.shape} do not broadcast together"
        ) from None
    q, k, v = (reshape(broadcast_to(t, (*lead, *t.shape[-2:])), (-1, *t.shape[-2:])) for t in (q, k, v))
    rows, keys = q.shape[-2], k.shape[-2]
    scores = reshape(matmul(q, transpose(k, (0, 2, 1))), (*lead, rows, keys))
    scores = scores * (1.0 / math.sqrt(q.shape[-1]) if scale is None else scale)
    if causal:
        scores = e.where(triangle(rows, keys, 0, False, scores.dtype), scores, -math.inf)
    if mask is not None:
        given = mask if isinstance(mask, Tensor) else constant(np.asarray(mask))
        scores = e.where(given, scores, -math.inf) if given.dtype == bool_ else scores + e.together(scores, mask)[1]
    if scores.shape != (*lead, rows, keys):
        raise ShapeError(
            f"{user_line()}: attention: a mask broadcasts against {(*lead, rows, keys)}, it is {given.shape}"
        )
    weights = _softmax_or_zero(scores) if causal or mask is not None else softmax(scores)
    return reshape(matmul(reshape(weights, (-1, rows, keys)), v), (*lead, rows, v.shape[-1]))


def _softmax_or_zero(x: Tensor) -> Tensor:
    """softmax over the last axis; 0 in rows of -inf only."""
    highest = stop_gradient(max(x, -1, True))
    shifted = e.exp(x - e.where(e.equal(highest, -math.inf), 0.0, highest))
    total = sum(shifted, -1, True)
    return shifted / e.where(e.equal(total, 0.0), 1.0, total)
