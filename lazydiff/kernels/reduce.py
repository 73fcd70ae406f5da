"""Reductions over the middle axis of an (outer, red, inner) array."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lazydiff.kernels.table import kernel

_REDUCE = "x:in[outer*red*inner] out:out[outer*inner] outer red inner"
Arrays = Mapping[str, np.ndarray]
Ints = Mapping[str, int]


def _view(p: Arrays, v: Ints, begin: int, end: int) -> np.ndarray:
    return p["x"][: v["outer"] * v["red"] * v["inner"]].reshape(v["outer"], v["red"], v["inner"])[begin:end]


def _put(p: Arrays, result: np.ndarray) -> None:
    p["out"][: result.size] = result.reshape(-1)


@kernel(2, _REDUCE, rows="outer", images=True)
def reduce_sum(p: Arrays, v: Ints, begin: int, end: int) -> None:
    """out[o][i] = sum over r of x[o][r][i].

    inner > 1: starting from 0, r ascending, one addition a term. inner == 1: eight lanes start from 0, lane r mod 8
    takes x[o][r], r ascending; then ((l0+l4)+(l2+l6))+((l1+l5)+(l3+l7)).
    """
    _put(p, _view(p, v, begin, end).sum(axis=1))


@kernel(3, _REDUCE, rows="outer", images=True)
def reduce_max(p: Arrays, v: Ints, begin: int, end: int) -> None:
    """out[o][i] = the greatest x[o][r][i]; NaN if any is NaN (the first one met)."""
    _put(p, _view(p, v, begin, end).max(axis=1))


@kernel(4, _REDUCE, rows="outer", images=True)
def reduce_min(p: Arrays, v: Ints, begin: int, end: int) -> None:
    """out[o][i] = the least x[o][r][i]; NaN if any is NaN (the first one met)."""
    _put(p, _view(p, v, begin, end).min(axis=1))


@kernel(5, "x:in[outer*red*inner] out:out:i32[outer*inner] outer red inner", rows="outer", images=True)
def argmax(p: Arrays, v: Ints, begin: int, end: int) -> None:
    """out[o][i] = the least r at which x[o][r][i] is greatest; the first NaN counts as greatest."""
    _put(p, _view(p, v, begin, end).argmax(axis=1))


@kernel(29, "x:in[n*columns] out:add[columns] n columns", rows="n", images=True)
def sum_rows(p: Arrays, v: Ints, begin: int, end: int) -> None:
    """out[j] = sum over r of x[r][j]: from 0, r ascending, one addition a term, as reduce_sum of one outer row.

    A range of rows is added to what out holds, row 0 and those behind it to 0.
    """
    rows = p["x"][begin * v["columns"] : end * v["columns"]].reshape(-1, v["columns"])
    start = np.zeros_like(p["out"][: v["columns"]]) if begin == 0 else p["out"][: v["columns"]]
    p["out"][: v["columns"]] = np.concatenate([start[None], rows]).sum(axis=0)
