"""Rows picked by number, and rows added up by number: each the transpose of the other.

An index outside 0 .. red-1 counts as the nearest one inside, in both kernels, so that no plan and no input can make
either of them leave its buffers.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lazydiff.kernels.table import kernel

Arrays = Mapping[str, np.ndarray]
Ints = Mapping[str, int]
_ATTRS = "outer red count inner"


def _rows(p: Arrays, v: Ints) -> np.ndarray:
    return np.clip(p["index"][: v["count"]], 0, v["red"] - 1)


@kernel(
    30,
    f"x:in[outer*red*inner] index:in:i32[count] out:out[outer*count*inner] {_ATTRS}",
    rows="outer*count",
)
def take(p: Arrays, v: Ints, begin: int, end: int) -> None:
    """out[o][j][i] = x[o][index[j]][i], with index[j] moved into 0 .. red-1."""
    x = p["x"][: v["outer"] * v["red"] * v["inner"]].reshape(v["outer"], v["red"], v["inner"])
    whole = x[:, _rows(p, v)].reshape(-1)
    p["out"][: (end - begin) * v["inner"]] = whole[begin * v["inner"] : end * v["inner"]]


@kernel(
    31,
    f"x:in[outer*count*inner] index:in:i32[count] out:out[outer*red*inner] {_ATTRS}",
    rows="outer*red",
)
def add_rows(p: Arrays, v: Ints, begin: int, end: int) -> None:
    """out[o][r][i] = the sum of x[o][j][i] over the j with index[j] == r, with index[j] moved into 0 .. red-1.

    Starting from 0, j ascending, one addition a term; 0 where there is no such j.
    """
    x = p["x"][: v["outer"] * v["count"] * v["inner"]].reshape(v["outer"], v["count"], v["inner"])
    out = np.zeros((v["outer"], v["red"], v["inner"]), x.dtype)
    for j, r in enumerate(_rows(p, v)):
        out[:, r] += x[:, j]
    p["out"][: (end - begin) * v["inner"]] = out.reshape(-1)[begin * v["inner"] : end * v["inner"]]
