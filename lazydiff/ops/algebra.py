"""Sums of products by named axes: einsum, and dot, vecdot, outer, tensordot, all as views and matrix products."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from lazydiff.errors import ShapeError
from lazydiff.graph.node import Operand, Tensor, user_line
from lazydiff.ops.elementwise import multiply, together
from lazydiff.ops.moves import diagonal, normal_axes, reshape, transpose
from lazydiff.ops.products import matmul
from lazydiff.ops.rearrange import moveaxis, ravel, squeeze
from lazydiff.ops.reductions import sum as total

Labels = tuple[str, ...]  # one for each axis: a letter, or "...0", "...1", .. from the last axis of an ellipsis on


def einsum(subscripts: str, *operands: Operand, optimize: bool = True) -> Tensor:
    """Sum of products by Einstein's convention, as NumPy's, over any number of operands.

    `"ij,jk->ik"` names the axes; without `->` the result has the letters that occur once, by the alphabet. A letter
    twice in an operand takes its diagonal, letters absent from the result are summed, `...` stands for leading axes
    that broadcast, and so does an extent of 1. Operands are multiplied two at a time, each pair as one matrix product:
    the pair that leaves least first, or from left to right without `optimize`.
    Raises ShapeError, which names the subscripts and the shapes.
    """
    tensors = together(*operands)

    def bad(why: str) -> ShapeError:
        shapes = ", ".join(str(t.shape) for t in tensors)
        return ShapeError(f"{user_line()}: einsum {subscripts!r} of {shapes}: {why}")

    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if not tensors or len(terms) != len(tensors):
        raise bad(f"{len(terms)} operands are named, {len(tensors)} are given")
    named = []
    for term, t in zip(terms, tensors, strict=True):
        letters = term.replace("...", "", 1)
        dots = t.ndim - len(letters) if "..." in term else 0
        if (letters and not letters.isalpha()) or dots < 0 or len(letters) + dots != t.ndim:
            raise bad(f"{term!r} does not name the {t.ndim} axes of {t.shape}")
        named.append(_expand(term, dots))
    extents: dict[str, int] = {}
    for labels, t in zip(named, tensors, strict=True):
        for label, extent in zip(labels, t.shape, strict=True):
            known = extents.setdefault(label, extent)
            if 1 not in (known, extent) and known != extent:
                raise bad(f"{label!r} is {known} and {extent}")
            extents[label] = max(known, extent)
    ellipsis = tuple(sorted((e for e in extents if e.startswith(".")), key=lambda e: -int(e[3:])))
    counts = [label for labels in named for label in labels]
    if arrow:
        result = _expand(output, len(ellipsis))
        if len(set(result)) != len(result) or not set(result) <= set(extents) or not set(ellipsis) <= set(result):
            raise bad(f"{output!r} is not some of the operands' letters, each once, and their ellipsis")
    else:
        result = ellipsis + tuple(sorted(e for e in extents if counts.count(e) == 1 and e not in ellipsis))
    parts = [_plain(t, labels, extents) for t, labels in zip(tensors, named, strict=True)]
    while len(parts) > 1:
        first, second = _cheapest(parts, result) if optimize else (0, 1)
        others = [p for k, p in enumerate(parts) if k not in (first, second)]
        kept = set(result).union(*(labels for _, labels in others))
        a, b = parts[first], parts[second]
        product = _pair(_summed(a, kept.union(b[1])), _summed(b, kept.union(a[1])), kept)
        parts = [product, *others] if not optimize else [*others, product]
    t, labels = _summed(parts[0], set(result))
    return transpose(t, tuple(labels.index(label) for label in result))


Part = tuple[Tensor, Labels]


def _expand(term: str, dots: int) -> Labels:
    """The labels of a term, its ellipsis as `dots` labels."""
    before, found, behind = term.partition("...")
    middle = [f"...{k}" for k in reversed(range(dots))] if found else []
    return (*before, *middle, *behind)


def _plain(t: Tensor, labels: Labels, extents: dict[str, int]) -> Part:
    """An operand whose labels differ: diagonals taken; an extent of 1 that broadcasts is taken out."""
    thin = tuple(a for a, label in enumerate(labels) if t.shape[a] == 1 != extents[label])
    t, labels = squeeze(t, thin), tuple(label for a, label in enumerate(labels) if a not in thin)
    while len(set(labels)) < len(labels):
        again = next(a for a, label in enumerate(labels) if label in labels[:a])
        first = labels.index(labels[again])
        t = diagonal(t, 0, first, again)
        labels = (*(e for a, e in enumerate(labels) if a not in (first, again)), labels[again])
    return t, labels


def _summed(part: Part, kept: set[str]) -> Part:
    """The part without the axes that nobody needs."""
    t, labels = part
    axes = tuple(a for a, label in enumerate(labels) if label not in kept)
    return (total(t, axes), tuple(e for e in labels if e in kept)) if axes else part


def _cheapest(parts: Sequence[Part], result: Labels) -> tuple[int, int]:
    """The pair whose product is smallest, less what it replaces (the greedy rule of opt_einsum)."""

    def growth(pair: tuple[int, int]) -> int:
        (a, a_labels), (b, b_labels) = (parts[k] for k in pair)
        kept = set(result).union(*(labels for k, (_, labels) in enumerate(parts) if k not in pair))
        sizes = dict(zip(a_labels, a.shape, strict=True)) | dict(zip(b_labels, b.shape, strict=True))
        return math.prod(e for label, e in sizes.items() if label in kept) - a.size - b.size

    return min(itertools.combinations(range(len(parts)), 2), key=growth)


def _pair(left: Part, right: Part, kept: set[str]) -> Part:
    """The product of two parts, summed over the labels that both have and nobody else needs."""
    (a, a_labels), (b, b_labels) = left, right
    both = [label for label in a_labels if label in b_labels]
    batch, inner = [e for e in both if e in kept], [e for e in both if e not in kept]
    rows, columns = [e for e in a_labels if e not in both], [e for e in b_labels if e not in both]
    sizes = dict(zip(a_labels, a.shape, strict=True)) | dict(zip(b_labels, b.shape, strict=True))
    n_batch, n_rows, n_inner, n_columns = (math.prod(sizes[e] for e in g) for g in (batch, rows, inner, columns))
    a = transpose(a, tuple(a_labels.index(e) for e in (*batch, *rows, *inner)))
    b = transpose(b, tuple(b_labels.index(e) for e in (*batch, *inner, *columns)))
    if not inner:  # nothing to sum: one multiplication an element
        a = reshape(a, (*a.shape, *(1 for _ in columns)))
        b = reshape(b, (*b.shape[: len(batch)], *(1 for _ in rows), *b.shape[len(batch) :]))
        return multiply(a, b), (*batch, *rows, *columns)
    lead = (n_batch,) if batch else ()
    product = matmul(reshape(a, (*lead, n_rows, n_inner)), reshape(b, (*lead, n_inner, n_columns)))
    labels = (*batch, *rows, *columns)
    return reshape(product, tuple(sizes[e] for e in labels)), labels


def tensordot(a: Operand, b: Operand, axes: int | tuple[int | Sequence[int], int | Sequence[int]] = 2) -> Tensor:
    """Sum of products over axes of a paired with axes of b: the last `axes` of a with the first of b, or two lists.

    The result has the other axes of a, then those of b, as NumPy's.
    """
    a, b = together(a, b)
    if isinstance(axes, int):
        a_axes: Sequence[int] = range(a.ndim - axes, a.ndim)
        b_axes: Sequence[int] = range(axes)
    else:
        a_axes, b_axes = ((x,) if isinstance(x, int) else tuple(x) for x in axes)
    normal_axes(a, tuple(a_axes)), normal_axes(b, tuple(b_axes))
    pairs = [(x % a.ndim, y % b.ndim) for x, y in zip(a_axes, b_axes, strict=False)]
    if len(a_axes) != len(b_axes) or any(a.shape[x] != b.shape[y] for x, y in pairs):
        raise ShapeError(f"{user_line()}: tensordot of {a.shape} and {b.shape} over axes {axes}")
    a_labels = tuple(f"a{d}" for d in range(a.ndim))
    names = {y: a_labels[x] for x, y in pairs}
    b_labels = tuple(names.get(d, f"b{d}") for d in range(b.ndim))
    kept = {e for e in (*a_labels, *b_labels) if e not in names.values()}
    return _pair((a, a_labels), (b, b_labels), kept)[0]


def dot(a: Operand, b: Operand) -> Tensor:
    """NumPy's dot: numbers multiply, matrices as matmul; else over the last axis of a and the last but one of b."""
    a, b = together(a, b)
    if not a.ndim or not b.ndim:
        return multiply(a, b)
    return matmul(a, b) if b.ndim <= 2 else tensordot(a, b, (a.ndim - 1, b.ndim - 2))


def vecdot(a: Operand, b: Operand, axis: int = -1) -> Tensor:
    """Sum of a * b over one axis, which both have alike; the other axes broadcast (array API)."""
    a, b = together(a, b)
    (first,), (second,) = normal_axes(a, axis), normal_axes(b, axis)
    if a.shape[first] != b.shape[second]:
        raise ShapeError(f"{user_line()}: vecdot of {a.shape} and {b.shape} over axis {axis}")
    return einsum("...a,...a->...", moveaxis(a, first, -1), moveaxis(b, second, -1))


def outer(a: Operand, b: Operand) -> Tensor:
    """Every product of an element of a and one of b, both ravelled: (a.size, b.size)."""
    a, b = together(a, b)
    return multiply(reshape(a, (a.size, 1)), ravel(b))
