"""Losses, with torch's names and meanings; classes are the last axis.

`reduction` is "mean", "sum" or "none" (each value by itself). Losses of predictions against targets of one shape give
their mean by default; those of rows of classes against labels give one value a row, which `.mean()` ends.
Targets and labels that are inputs are checked at every run before anything is computed.
"""

from __future__ import annotations

from lazydiff.dtypes import f32, i32
from lazydiff.errors import DtypeError, GraphError, ShapeError
from lazydiff.graph.node import Operand, Tensor, constant, user_line
from lazydiff.graph.walk import base
from lazydiff.ops import elementwise as e
from lazydiff.ops.activations import softplus
from lazydiff.ops.leaves import expect
from lazydiff.ops.moves import reshape
from lazydiff.ops.reductions import mean, sum
from lazydiff.ops.statistics import logsumexp


def _reduced(values: Tensor, reduction: str, share: Tensor | None = None) -> Tensor:
    """The values, their sum, or their mean (weighted: the sum divided by that of `share`)."""
    if reduction not in ("mean", "sum", "none"):
        raise GraphError(f'{user_line()}: reduction is "mean", "sum" or "none", not {reduction!r}')
    if reduction == "none":
        return values
    return sum(values) if reduction == "sum" else mean(values) if share is None else sum(values) / sum(share)


# ------------------------------------------------------------------------------------------------ rows of classes


class _Labels:
    """i32 labels of rows (..., classes): checked, with a mask of the rows that count (None: all)."""

    def __init__(self, what: str, scores: Tensor, labels: Tensor, ignore_index: int | None) -> None:
        self.classes = scores.shape[-1] if scores.ndim else 0
        if labels.shape != scores.shape[:-1] or not scores.ndim:
            raise ShapeError(
                f"{user_line()}: {what}: logits {scores.shape} take labels {scores.shape[:-1]}, not {labels.shape}"
            )
        low, high = 0, self.classes - 1
        if ignore_index is not None:
            low, high = min(low, ignore_index), max(high, ignore_index)
        if base(labels).op.name == "input":
            labels = expect(labels, low, high)
        elif labels.data is not None and not (low <= labels.data.min() and labels.data.max() <= high):
            raise GraphError(f"{user_line()}: {what}: a constant label is outside {low} .. {high}")
        self.match = e.matches(labels, self.classes)
        self.valid: Tensor | None = None
        if ignore_index is not None:
            number = e.astype(labels, f32)
            self.valid = (
                number >= 0.0
                if ignore_index < 0
                else number < float(self.classes)
                if ignore_index >= self.classes
                else e.not_equal(number, float(ignore_index))
            )

    def pick(self, values: Operand) -> Tensor:
        """The value of each row's label, 0 where there is none."""
        return sum(e.where(self.match, values, 0.0), -1)

    def reduced(self, rows: Tensor, weight: Tensor | None, reduction: str) -> Tensor:
        """The rows' losses without the ignored ones; the mean is over the weights of the others."""
        if self.valid is not None:
            rows = e.where(self.valid, rows, 0.0)
        if weight is None and self.valid is None:
            return _reduced(rows, reduction)
        share = self.pick(weight) if weight is not None else e.one(rows)
        return _reduced(rows, reduction, share if self.valid is None else e.where(self.valid, share, 0.0))


def _class_weight(what: str, weight: Operand | None, scores: Tensor) -> Tensor | None:
    if weight is None:
        return None
    found = e.together(scores, weight)[1]
    if found.shape != scores.shape[-1:]:
        raise ShapeError(f"{user_line()}: {what}: weight is {scores.shape[-1:]}, one for each class, not {found.shape}")
    return found


def cross_entropy(
    logits: Tensor,
    labels: Operand,
    label_smoothing: float = 0.0,
    ignore_index: int | None = None,
    weight: Operand | None = None,
    reduction: str = "none",
) -> Tensor:
    """-log softmax(logits)[label], one for each row unless `reduction` is "mean" or "sum".

    `logits` are (..., classes). `labels` are i32 (...) in 0 .. classes-1, or probabilities of logits' shape. Smoothing
    mixes the labels with label_smoothing / classes for each class. Rows whose label is `ignore_index` give 0 and do not
    count in the mean (torch's is -100; labels between it and the classes are ignored too; all ignored: a mean of NaN).
    `weight` (classes,) multiplies each class; the mean of i32 labels then divides by the sum of the rows' weights, as
    torch does. Labels that are an input are checked at every run before anything is computed.
    """
    if not 0 <= label_smoothing <= 1:
        raise GraphError(f"{user_line()}: cross_entropy with label_smoothing={label_smoothing!r}; it is in 0 .. 1")
    target = e.together(logits, labels)[1] if not isinstance(labels, Tensor) else labels
    classweight = _class_weight("cross_entropy", weight, logits)
    if target.dtype.is_float and target.shape == logits.shape and logits.ndim and ignore_index is None:
        classes = logits.shape[-1]
        if base(target).op.name == "input":
            target = expect(target)
        if label_smoothing:
            target = target * (1.0 - label_smoothing) + label_smoothing / classes
        surprise = logsumexp(logits, -1, True) - logits
        return _reduced(sum(target * (surprise if classweight is None else classweight * surprise), -1), reduction)
    if target.dtype != i32:
        raise DtypeError(
            f"{user_line()}: cross_entropy takes i32 labels, not {target.dtype}: ld.input(name, shape, ld.i32); "
            f"or, without ignore_index, probabilities {logits.shape}"
        )
    found = _Labels("cross_entropy", logits, target, ignore_index)
    total = logsumexp(logits, -1)
    rows = total - found.pick(logits)
    if classweight is not None:
        rows = rows * found.pick(classweight)
    if label_smoothing:
        surprise = reshape(total, (*total.shape, 1)) - logits
        spread = mean(surprise if classweight is None else classweight * surprise, -1)
        rows = (1.0 - label_smoothing) * rows + label_smoothing * spread
    return found.reduced(rows, classweight, reduction)


def nll(
    log_prob: Tensor,
    labels: Operand,
    ignore_index: int | None = None,
    weight: Operand | None = None,
    reduction: str = "none",
) -> Tensor:
    """-log_prob[label], one for each row: cross_entropy of what log_softmax gave; see there."""
    target = constant(labels)
    if target.dtype != i32:
        raise DtypeError(f"{user_line()}: nll takes i32 labels, not {target.dtype}")
    found, classweight = _Labels("nll", log_prob, target, ignore_index), _class_weight("nll", weight, log_prob)
    rows = -found.pick(log_prob)
    return found.reduced(rows if classweight is None else rows * found.pick(classweight), classweight, reduction)


def hinge(scores: Tensor, labels: Operand, margin: float = 1.0, reduction: str = "mean") -> Tensor:
    """max(0, margin - label * score) for float labels of -1 and 1 of scores' shape.

    For i32 labels (...) of scores (..., classes), one value for each row: the sum over the other classes of max(0,
    margin - score of the label + score), divided by the number of classes (torch's multi_margin_loss).
    """
    target = labels if isinstance(labels, Tensor) else e.together(scores, labels)[1]
    if target.dtype != i32:
        return _reduced(e.relu(margin - _target(target, scores) * scores), reduction)
    found = _Labels("hinge", scores, target, None)
    own = reshape(found.pick(scores), (*target.shape, 1))
    rows = mean(e.where(found.match, 0.0, e.relu(margin - own + scores)), -1)
    return _reduced(rows, reduction)


# ------------------------------------------------------------------------------------------------ elements of one shape


def _target(target: Operand, like: Tensor, finite: bool = True) -> Tensor:
    t = target if isinstance(target, Tensor) else e.together(like, target)[1]
    t = expect(t) if finite and t.op.name == "input" and t.dtype.is_float else t
    if t.shape != like.shape:
        raise ShapeError(f"{user_line()}: the prediction is {like.shape}, the target {t.shape}")
    return t


def mse(prediction: Tensor, target: Operand, reduction: str = "mean") -> Tensor:
    """(prediction - target)**2, the mean over all elements. A target that is an input must be finite at every run."""
    return _reduced(e.square(prediction - _target(target, prediction)), reduction)


def mae(prediction: Tensor, target: Operand, reduction: str = "mean") -> Tensor:
    """|prediction - target|, the mean over all elements (torch's l1_loss). The derivative at 0 is 0."""
    return _reduced(e.abs(prediction - _target(target, prediction)), reduction)


def huber(prediction: Tensor, target: Operand, delta: float = 1.0, reduction: str = "mean") -> Tensor:
    """Mean of r**2 / 2 where |r| <= delta, else delta * (|r| - delta / 2), for r = prediction - target."""
    if not delta > 0:
        raise GraphError(f"{user_line()}: huber with delta={delta!r}; it is positive")
    r = prediction - _target(target, prediction)
    size = e.abs(r)
    return _reduced(e.where(size <= delta, 0.5 * e.square(r), delta * (size - 0.5 * delta)), reduction)


def smooth_l1(prediction: Tensor, target: Operand, beta: float = 1.0, reduction: str = "mean") -> Tensor:
    """Mean of r**2 / (2 beta) where |r| < beta, else |r| - beta / 2: huber / beta. beta=0 is mae."""
    if not beta >= 0:
        raise GraphError(f"{user_line()}: smooth_l1 with beta={beta!r}; it is from 0")
    if not beta:
        return mae(prediction, target, reduction)
    r = prediction - _target(target, prediction)
    size = e.abs(r)
    return _reduced(e.where(size < beta, (0.5 / beta) * e.square(r), size - 0.5 * beta), reduction)


def _bounded_log(p: Tensor) -> Tensor:
    """max(log(p), -100) as torch's bce has it; where p <= 0 that is -100 with a derivative of 0; NaN stays."""
    return e.where(p <= 0.0, -100.0, e.maximum(e.log(e.where(p <= 0.0, 1.0, p)), -100.0))


def bce(probability: Tensor, target: Operand, reduction: str = "mean") -> Tensor:
    """-(t log p + (1 - t) log(1 - p)) with each logarithm at least -100, so that p = 0 and p = 1 cost 100 at most.

    NaN costs NaN. Where a logarithm is at that bound its derivative is 0 (torch divides by 1e-12 there).
    bce_with_logits is the more accurate one.
    """
    t = _target(target, probability)
    return _reduced(-(t * _bounded_log(probability) + (1.0 - t) * _bounded_log(1.0 - probability)), reduction)


def bce_with_logits(
    logits: Tensor, target: Operand, pos_weight: Operand | None = None, reduction: str = "mean"
) -> Tensor:
    """bce of sigmoid(logits) as (1 - t) softplus(logits) + t softplus(-logits): exact for logits of any size.

    `pos_weight` multiplies the second term; it broadcasts against logits.
    """
    t = _target(target, logits)
    hit = t * softplus(-logits)
    return _reduced((1.0 - t) * softplus(logits) + (hit if pos_weight is None else hit * pos_weight), reduction)


def kl_div(log_prob: Tensor, target: Operand, log_target: bool = False, reduction: str = "mean") -> Tensor:
    """target * (log(target) - log_prob), element by element: the divergence of `log_prob` from `target`.

    0 where the target is 0, whatever log_prob is. With `log_target` the target is a logarithm too: exp(t) * (t -
    log_prob). The mean is over all elements as torch's is; for the divergence of each distribution use
    reduction="none" and sum the last axis.
    """
    t = _target(target, log_prob, finite=not log_target)
    if log_target:
        return _reduced(e.exp(t) * (t - log_prob), reduction)
    some = t > 0.0
    return _reduced(t * (e.log(e.where(some, t, 1.0)) - e.where(some, log_prob, 0.0)), reduction)


def cosine_similarity(a: Tensor, b: Operand, axis: int = -1, eps: float = 1e-8) -> Tensor:
    """sum(a b) / (max(|a|, eps) max(|b|, eps)) over one axis, broadcasting; 0 for a zero vector, as torch has it."""
    x, y = e.broadcast(*e.together(a, b))
    norms = [e.sqrt(e.maximum(sum(e.square(v), axis), eps * eps)) for v in (x, y)]
    return sum(x * y, axis) / (norms[0] * norms[1])
