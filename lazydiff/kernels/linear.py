"""Products and convolutions, channels last. Each can compute a range of its output's rows."""

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
    _put(p, np.concatenate(rows), begin, end, n)


@kernel(10, _MM, rows="batch*m")
def matmul_nn(p: Arrays, v: Ints, begin: int, end: int) -> None:
    """out[i][j] = sum over k of a[i][k] * b[k][j]; from 0, k ascending, one fma a term. a (m,k), b (k,n)."""
    _matmul(p, v, begin, end, False, False)


@kernel(11, _MM, rows="batch*m")
def matmul_nt(p: Arrays, v: Ints, begin: int, end: int) -> None:
    """out[i][j] = sum over k of a[i][k] * b[j][k]. a (m,k), b (n,k).

    Eight lanes from 0, lane k mod 8 takes fma(a, b, lane), k ascending; then ((l0+l4)+(l2+l6))+((l1+l5)+(l3+l7)).
    """
    _matmul(p, v, begin, end, False, True)


@kernel(12, _MM, rows="batch*m")
def matmul_tn(p: Arrays, v: Ints, begin: int, end: int) -> None:
    """out[i][j] = sum over k of a[k][i] * b[k][j]; from 0, k ascending, one fma a term. a (k,m), b (k,n)."""
    _matmul(p, v, begin, end, True, False)


# x (n,h,w,c), weight (kh,kw,c,f), y (n,oh,ow,f); output pixel (i,j) reads input pixel (i*sh+di-ph, j*sw+dj-pw) at tap
# (di,dj); a tap outside the input is skipped, not multiplied by zero. ph, pw are the padding above and to the left;
# what lies below and to the right follows from oh, ow.
_CONV_ATTRS = "n h:side w:side c oh:side ow:side f kh:step kw:step sh:step sw:step ph:u8 pw:u8"
_X, _W, _Y = "n*h*w*c", "kh*kw*c*f", "n*oh*ow*f"


def _taps(v: Ints) -> list[tuple[int, int, slice, slice, slice, slice]]:
    """For each tap: its (di, dj), the output rows and columns whose input pixel exists, and those input pixels."""
    found = []
    for di in range(v["kh"]):
        for dj in range(v["kw"]):
            i = [i for i in range(v["oh"]) if 0 <= i * v["sh"] + di - v["ph"] < v["h"]]
            j = [j for j in range(v["ow"]) if 0 <= j * v["sw"] + dj - v["pw"] < v["w"]]
            if i and j:
                y0, x0 = i[0] * v["sh"] + di - v["ph"], j[0] * v["sw"] + dj - v["pw"]
                rows, columns = slice(y0, y0 + len(i) * v["sh"], v["sh"]), slice(x0, x0 + len(j) * v["sw"], v["sw"])
                found.append((di, dj, slice(i[0], i[-1] + 1), slice(j[0], j[-1] + 1), rows, columns))
    return found


def _shaped(p: Arrays, v: Ints, name: str, kind: str) -> np.ndarray:
    shapes = {
        "x": (v["n"], v["h"], v["w"], v["c"]),
        "w": (v["kh"], v["kw"], v["c"], v["f"]),
        "y": (v["n"], v["oh"], v["ow"], v["f"]),
    }
    return p[name][: int(np.prod(shapes[kind]))].reshape(shapes[kind])


def _put(p: Arrays, whole: np.ndarray, begin: int, end: int, row: int) -> None:
    p["out"][: (end - begin) * row] = whole.reshape(-1)[begin * row : end * row]


@kernel(20, f"x:in[{_X}] weight:in[{_W}] out:out[{_Y}] {_CONV_ATTRS}", rows="n*oh")
def conv2d(p: Arrays, v: Ints, begin: int, end: int) -> None:
    """y[n][i][j][f] = sum over (di, dj, c) of x[..][c] * weight[di][dj][c][f]; from 0, that order, one fma a term."""
    x, w = _shaped(p, v, "x", "x"), _shaped(p, v, "weight", "w")
    y = np.zeros((v["n"], v["oh"], v["ow"], v["f"]), x.dtype)
    for di, dj, i, j, rows, columns in _taps(v):
        y[:, i, j] += x[:, rows, columns] @ w[di, dj]
    _put(p, y, begin, end, v["ow"] * v["f"])


@kernel(21, f"y:in[{_Y}] weight:in[{_W}] out:out[{_X}] {_CONV_ATTRS}", rows="n*h")
def conv2d_grad_x(p: Arrays, v: Ints, begin: int, end: int) -> None:
    """x[n][r][s][c] = sum over the taps (di, dj) that read (r, s), ascending, and f, of
    y[n][i][j][f] * weight[di][dj][c][f].

    Eight lanes from 0 for the whole sum: lane f mod 8 takes fma(y, weight, lane), f ascending within a tap; at the end
    ((l0+l4)+(l2+l6))+((l1+l5)+(l3+l7)).
    """
    y, w = _shaped(p, v, "y", "y"), _shaped(p, v, "weight", "w")
    x = np.zeros((v["n"], v["h"], v["w"], v["c"]), y.dtype)
    for di, dj, i, j, rows, columns in _taps(v):
        x[:, rows, columns] += y[:, i, j] @ w[di, dj].T
    _put(p, x, begin, end, v["w"] * v["c"])


@kernel(22, f"x:in[{_X}] y:in[{_Y}] out:out[{_W}] {_CONV_ATTRS}", rows="kh*kw*c")
def conv2d_grad_w(p: Arrays, v: Ints, begin: int, end: int) -> None:
    """weight[di][dj][c][f] = sum over (n, i, j) of x[n][i*sh+di-ph][j*sw+dj-pw][c] * y[n][i][j][f];
    from 0, that order, one fma a term.
    """
    x, y = _shaped(p, v, "x", "x"), _shaped(p, v, "y", "y")
    w = np.zeros((v["kh"], v["kw"], v["c"], v["f"]), x.dtype)
    for di, dj, i, j, rows, columns in _taps(v):
        w[di, dj] = np.einsum("nijc,nijf->cf", x[:, rows, columns], y[:, i, j])
    _put(p, w, begin, end, v["f"])
