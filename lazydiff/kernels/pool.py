"""Pooling by index, channels last: which tap of each window is greatest, and moving values along that choice."""

from __future__ import annotations

import numpy as np

from lazydiff.kernels.conv import Arrays, Ints, put, taps
from lazydiff.kernels.table import kernel

# x (n,h,w,c), y (n,oh,ow,c). Output pixel (i,j) sees the input pixels (i*sh+di-ph, j*sw+dj-pw) that exist; tap (di,dj)
# has the number di*kw+dj. kh*kw is at most 255, so that a byte holds every tap and NO_TAP.
_ATTRS = "n h:side w:side c oh:side ow:side kh:step kw:step sh:step sw:step ph:u8 pw:u8"
_X, _Y = "n*h*w*c", "n*oh*ow*c"
NO_TAP = 255


def _shaped(p: Arrays, v: Ints, name: str, high: str, wide: str) -> np.ndarray:
    shape = (v["n"], v[high], v[wide], v["c"])
    return p[name][: int(np.prod(shape))].reshape(shape)


@kernel(23, f"x:in[{_X}] out:out:u8[{_Y}] {_ATTRS}", rows="n*oh", images=True)
def max_pool_index(p: Arrays, v: Ints, begin: int, end: int) -> None:
    """out[n][i][j][c] = the first tap at which the window's x[..][c] is greatest; the first NaN counts as greatest.
    Taps outside the input are not looked at; a window without any other gives 255.
    """
    x = _shaped(p, v, "x", "h", "w")
    best = np.full((v["n"], v["oh"], v["ow"], v["c"]), -np.inf, x.dtype)
    at = np.full(best.shape, NO_TAP, np.uint8)
    for di, dj, i, j, rows, columns in taps(v):
        a, b, k = x[:, rows, columns], best[:, i, j], at[:, i, j]
        wins = (k == NO_TAP) | (a > b) | (np.isnan(a) & ~np.isnan(b))
        b[wins], k[wins] = a[wins], di * v["kw"] + dj
    put(p, at, begin, end, v["ow"] * v["c"])


@kernel(24, f"x:in[{_X}] index:in:u8[{_Y}] out:out[{_Y}] {_ATTRS}", rows="n*oh", images=True)
def pool_gather(p: Arrays, v: Ints, begin: int, end: int) -> None:
    """out[n][i][j][c] = the x[..][c] that tap index[n][i][j][c] of the window sees; 0 without such a tap or pixel."""
    x, index = _shaped(p, v, "x", "h", "w"), _shaped(p, v, "index", "oh", "ow")
    y = np.zeros(index.shape, x.dtype)
    for di, dj, i, j, rows, columns in taps(v):
        chosen = index[:, i, j] == di * v["kw"] + dj
        y[:, i, j][chosen] = x[:, rows, columns][chosen]
    put(p, y, begin, end, v["ow"] * v["c"])


@kernel(25, f"y:in[{_Y}] index:in:u8[{_Y}] out:out[{_X}] {_ATTRS}", rows="n*h", images=True)
def pool_scatter(p: Arrays, v: Ints, begin: int, end: int) -> None:
    """out[n][r][s][c] = sum of y[n][i][j][c] over the windows (i, j) whose tap index[n][i][j][c] is pixel (r, s);
    from 0, (i, j) ascending. The transpose of pool_gather.
    """
    y, index = _shaped(p, v, "y", "oh", "ow"), _shaped(p, v, "index", "oh", "ow")
    x = np.zeros((v["n"], v["h"], v["w"], v["c"]), y.dtype)
    for di, dj, i, j, rows, columns in taps(v):
        x[:, rows, columns] += np.where(index[:, i, j] == di * v["kw"] + dj, y[:, i, j], 0)
    put(p, x, begin, end, v["w"] * v["c"])
