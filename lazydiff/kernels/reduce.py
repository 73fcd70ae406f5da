"""Reductions over the middle axis of an (outer, red, inner) array."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lazydiff.kernels.table import kernel

_REDUCE = "x:in[outer*red*inner] out:out[outer*inner] outer red inner"
Arrays = Mapping[str, np.ndarray]
Ints = Mapping[str, int]


def _view(p: Arrays, v: Ints) -> np.ndarray:
    return p["x"][: v["outer"] * v["red"] * v["inner"]].reshape(v["outer"], v["red"], v["inner"])


@kernel(2, _REDUCE)
def reduce_sum(p: Arrays, v: Ints, begin: int, end: int) -> None:
    """out[o][i] = sum over r of x[o][r][i].

    inner > 1: starting from 0, r ascending, one addition a term. inner == 1: eight lanes start from 0, lane r mod 8
    takes x[o][r], r ascending; then ((l0+l4)+(l2+l6))+((l1+l5)+(l3+l7)).
    """
    p["out"][:] = _view(p, v).sum(axis=1).reshape(-1)


@kernel(3, _REDUCE)
def reduce_max(p: Arrays, v: Ints, begin: int, end: int) -> None:
    """out[o][i] = the greatest x[o][r][i]; NaN if any is NaN (the first one met)."""
    p["out"][:] = _view(p, v).max(axis=1).reshape(-1)


@kernel(4, _REDUCE)
def reduce_min(p: Arrays, v: Ints, begin: int, end: int) -> None:
    """out[o][i] = the least x[o][r][i]; NaN if any is NaN (the first one met)."""
    p["out"][:] = _view(p, v).min(axis=1).reshape(-1)


@kernel(5, "x:in[outer*red*inner] out:out:i32[outer*inner] outer red inner")
def argmax(p: Arrays, v: Ints, begin: int, end: int) -> None:
    """out[o][i] = the least r at which x[o][r][i] is greatest; the first NaN counts as greatest."""
    p["out"][:] = _view(p, v).argmax(axis=1).reshape(-1)
