"""Convolution and its two transposes, channels last. Each can compute a range of its output's rows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lazydiff.kernels.table import kernel

Arrays = Mapping[str, np.ndarray]
Ints = Mapping[str, int]

# x (n,h,w,groups*cg), weight (kh,kw,cg,groups*fg), y (n,oh,ow,groups*fg). Output channel g*fg+j reads the input
# channels g*cg .. g*cg+cg-1. Output pixel (i,j) reads input pixel (i*sh+di*dh-ph, j*sw+dj*dw-pw) at tap (di,dj); a tap
# outside the input is skipped, not multiplied by zero. ph, pw are the padding above and to the left; what lies below
# and to the right follows from oh, ow.
_ATTRS = "n h:side w:side cg oh:side ow:side fg groups kh:step kw:step sh:step sw:step dh:step dw:step ph:u8 pw:u8"
_X, _W, _Y = "n*h*w*groups*cg", "kh*kw*cg*groups*fg", "n*oh*ow*groups*fg"
_WORK = "n*oh*ow*groups*fg*kh*kw*cg"


def taps(v: Ints) -> list[tuple[int, int, slice, slice, slice, slice]]:
    """For each tap: its (di, dj), the output rows and columns whose input pixel exists, and those input pixels."""
    found = []
    for di in range(v["kh"]):
        for dj in range(v["kw"]):
            top, left = di * v.get("dh", 1) - v["ph"], dj * v.get("dw", 1) - v["pw"]
            i = [i for i in range(v["oh"]) if 0 <= i * v["sh"] + top < v["h"]]
            j = [j for j in range(v["ow"]) if 0 <= j * v["sw"] + left < v["w"]]
            if i and j:
                r, q = i[0] * v["sh"] + top, j[0] * v["sw"] + left
                rows, columns = slice(r, r + len(i) * v["sh"], v["sh"]), slice(q, q + len(j) * v["sw"], v["sw"])
                found.append((di, dj, slice(i[0], i[-1] + 1), slice(j[0], j[-1] + 1), rows, columns))
    return found


def put(p: Arrays, whole: np.ndarray, begin: int, end: int, row: int) -> None:
    """Rows begin .. end-1 of the whole result, `row` elements each, into the start of the output."""
    p["out"][: (end - begin) * row] = whole.reshape(-1)[begin * row : end * row]


def _shape(v: Ints, kind: str) -> tuple[int, ...]:
    """The shape of x, y or a weight with the groups as an axis of their own."""
    return {
        "x": (v["n"], v["h"], v["w"], v["groups"], v["cg"]),
        "w": (v["kh"], v["kw"], v["cg"], v["groups"], v["fg"]),
        "y": (v["n"], v["oh"], v["ow"], v["groups"], v["fg"]),
    }[kind]


def _read(p: Arrays, v: Ints, name: str, kind: str) -> np.ndarray:
    shape = _shape(v, kind)
    return p[name][: int(np.prod(shape))].reshape(shape)


def _each_group(pixels: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(n, i, j, groups, a) times (a, groups, b): (n, i, j, groups, b)."""
    rows = pixels.reshape(-1, *pixels.shape[3:]).swapaxes(0, 1)
    product: np.ndarray = np.matmul(rows, weight.swapaxes(0, 1))
    return product.swapaxes(0, 1).reshape(*pixels.shape[:4], -1)


@kernel(20, f"x:in[{_X}] weight:in[{_W}] out:out[{_Y}] {_ATTRS}", rows="n*oh", work=_WORK)
def conv2d(p: Arrays, v: Ints, begin: int, end: int) -> None:
    """y[n][i][j][g*fg+f] = sum over (di, dj, c) of x[n][i*sh+di*dh-ph][j*sw+dj*dw-pw][g*cg+c] *
    weight[di][dj][c][g*fg+f]; from 0, that order, one fma a term.
    """
    x, w = _read(p, v, "x", "x"), _read(p, v, "weight", "w")
    y = np.zeros(_shape(v, "y"), x.dtype)
    for di, dj, i, j, rows, columns in taps(v):
        y[:, i, j] += _each_group(x[:, rows, columns], w[di, dj])
    put(p, y, begin, end, y[0, 0].size)


@kernel(21, f"y:in[{_Y}] weight:in[{_W}] out:out[{_X}] {_ATTRS}", rows="n*h", work=_WORK)
def conv2d_grad_x(p: Arrays, v: Ints, begin: int, end: int) -> None:
    """x[n][r][s][g*cg+c] = sum over the taps (di, dj) that read (r, s), ascending, and f, of
    y[n][i][j][g*fg+f] * weight[di][dj][c][g*fg+f]; from 0, that order, one fma a term.
    """
    y, w = _read(p, v, "y", "y"), _read(p, v, "weight", "w")
    x = np.zeros(_shape(v, "x"), y.dtype)
    for di, dj, i, j, rows, columns in taps(v):
        x[:, rows, columns] += _each_group(y[:, i, j], w[di, dj].T)
    put(p, x, begin, end, x[0, 0].size)


@kernel(22, f"x:in[{_X}] y:in[{_Y}] out:out[{_W}] {_ATTRS}", rows="kh*kw*cg", work=_WORK)
def conv2d_grad_w(p: Arrays, v: Ints, begin: int, end: int) -> None:
    """weight[di][dj][c][g*fg+f] = sum over (n, i, j) of x[n][i*sh+di*dh-ph][j*sw+dj*dw-pw][g*cg+c] *
    y[n][i][j][g*fg+f]; from 0, that order, one fma a term.
    """
    x, y = _read(p, v, "x", "x"), _read(p, v, "y", "y")
    w = np.zeros(_shape(v, "w"), x.dtype)
    for di, dj, i, j, rows, columns in taps(v):
        w[di, dj] = np.einsum("nijgc,nijgf->cgf", x[:, rows, columns], y[:, i, j])
    put(p, w, begin, end, v["groups"] * v["fg"])
