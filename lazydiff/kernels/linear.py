"""Matrix products. Each can compute a range of its output's rows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lazydiff.kernels.table import kernel

Arrays = Mapping[str, np.ndarray]
Ints = Mapping[str, int]

_MM = "a:in[(batch-1)*a_step+m*k] b:in[(batch-1)*b_step+k*n] out:out[batch*m*n] batch m k n a_step:stride b_step:stride"


def _matmul(p: Arrays, v: Ints, begin: int, end: int, transpose_a: bool, transpose_b: bool) -> None:
    batch, m, k, n = v["batch"], v["m"], v["k"], v["n"]
    rows = []
    for i in range(batch):
        a, b = p["a"][i * v["a_step"] :][: m * k], p["b"][i * v["b_step"] :][: k * n]
        a = a.reshape(k, m).T if transpose_a else a.reshape(m, k)
        rows.append(a @ (b.reshape(n, k).T if transpose_b else b.reshape(k, n)))
    p["out"][: (end - begin) * n] = np.concatenate(rows).reshape(-1)[begin * n : end * n]


@kernel(10, _MM, rows="batch*m", work="batch*m*k*n")
def matmul_nn(p: Arrays, v: Ints, begin: int, end: int) -> None:
    """out[i][j] = sum over k of a[i][k] * b[k][j]; from 0, k ascending, one fma a term. a (m,k), b (k,n)."""
    _matmul(p, v, begin, end, False, False)


@kernel(11, _MM, rows="batch*m", work="batch*m*k*n")
def matmul_nt(p: Arrays, v: Ints, begin: int, end: int) -> None:
    """out[i][j] = sum over k of a[i][k] * b[j][k]; from 0, k ascending, one fma a term. a (m,k), b (n,k)."""
    _matmul(p, v, begin, end, False, True)


@kernel(12, _MM, rows="batch*m", work="batch*m*k*n")
def matmul_tn(p: Arrays, v: Ints, begin: int, end: int) -> None:
    """out[i][j] = sum over k of a[k][i] * b[k][j]; from 0, k ascending, one fma a term. a (k,m), b (k,n)."""
    _matmul(p, v, begin, end, True, False)
