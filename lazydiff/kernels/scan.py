"""Scans along the middle axis of an (outer, red, inner) array: an output for every input, each from those before it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lazydiff.kernels.table import kernel

Arrays = Mapping[str, np.ndarray]
Ints = Mapping[str, int]


@kernel(6, "x:in[outer*red*inner] out:out[outer*red*inner] outer red inner reverse:u8")
def cumsum(p: Arrays, v: Ints, begin: int, end: int) -> None:
    """out[o][r][i] = the sum of x[o][q][i] over q <= r, or over q >= r where `reverse` is not 0.

    Starting from 0, one addition a term, from the first (in reverse: the last) r on.
    """
    shape = v["outer"], v["red"], v["inner"]
    x, out = p["x"][: np.prod(shape)].reshape(shape), np.empty(shape, p["x"].dtype)
    total = np.zeros((shape[0], shape[2]), x.dtype)
    for r in range(shape[1])[:: -1 if v["reverse"] else 1]:
        total = total + x[:, r]
        out[:, r] = total
    p["out"][: out.size] = out.reshape(-1)
