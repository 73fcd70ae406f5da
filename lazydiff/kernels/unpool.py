"""The transposes of a convolution whose output was pooled: they take its gradient as the pooling left it.

y here is pool_scatter's result (n,oh,ow,fg), of which one row at a time is made, in the scratch; it never exists whole.
"""

from __future__ import annotations

import numpy as np

from lazydiff.kernels import conv, pool
from lazydiff.kernels.conv import Arrays, Ints
from lazydiff.kernels.table import kernel

# Attributes as in conv.py, one group; then the pooling's: its output (n,poh,pow,fg), window, strides and padding.
_ATTRS = "n h:side w:side cg oh:side ow:side fg kh:step kw:step sh:step sw:step dh:step dw:step ph:u8 pw:u8"
_ATTRS += " poh:side pow:side pkh:step pkw:step psh:step psw:step pph:u8 ppw:u8"
_X, _W, _P = "n*h*w*cg", "kh*kw*cg*fg", "n*poh*pow*fg"
_WORK = "n*oh*ow*fg*kh*kw*cg+8*n*oh*ow*fg"  # the convolution's; rows are made again, and sums go through memory


def _scattered(p: Arrays, v: Ints) -> np.ndarray:
    """y, whole."""
    y = np.empty(v["n"] * v["oh"] * v["ow"] * v["fg"], p["pooled"].dtype)
    own = {"n": v["n"], "h": v["oh"], "w": v["ow"], "c": v["fg"], "oh": v["poh"], "ow": v["pow"]}
    own |= {k: v[f"p{k}"] for k in ("kh", "kw", "sh", "sw", "ph", "pw")}
    pool.pool_scatter.meaning({"y": p["pooled"], "index": p["index"], "out": y}, own, 0, v["n"] * v["oh"])
    return y


@kernel(
    27,
    f"x:in[{_X}] pooled:in[{_P}] index:in:u8[{_P}] row:scratch[ow*fg] out:out[{_W}] {_ATTRS}",
    rows="kh*kw*cg",
    work=_WORK,
)
def unpool_grad_w(p: Arrays, v: Ints, begin: int, end: int) -> None:
    """conv2d_grad_w, bit for bit, of x and pool_scatter(pooled, index)."""
    own = {"x": p["x"], "y": _scattered(p, v), "out": p["out"]}
    conv.conv2d_grad_w.meaning(own, {**v, "groups": 1}, begin, end)


@kernel(
    28,
    f"pooled:in[{_P}] index:in:u8[{_P}] weight:in[{_W}] row:scratch[ow*fg+cg*fg] out:out[{_X}] {_ATTRS}",
    work=f"{_WORK}+{_W}",
)
def unpool_grad_x(p: Arrays, v: Ints, begin: int, end: int) -> None:
    """conv2d_grad_x, bit for bit, of pool_scatter(pooled, index) and the weight."""
    own = {"y": _scattered(p, v), "weight": p["weight"], "out": p["out"]}
    conv.conv2d_grad_x.meaning(own, {**v, "groups": 1}, 0, v["n"] * v["h"])
