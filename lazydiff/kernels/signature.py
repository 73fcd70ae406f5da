"""Turns a kernel's one-line signature into operands and attributes, and its extents into numbers or C.

    "a:in[m*k] b:in[k*n] out:out[m*n] labels:in:i32[m] m k n stride:u8"

Operands are `name:mode[extent]` or `name:mode:dtype[extent]`, mode one of in, out, scratch, add (an output to which
each range of rows is added); the extent counts elements and is a sum, difference or product of attributes and
integers. Attributes are `name` or `name:kind`; the kinds and their ranges are in ATTR_RANGES.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from types import CodeType

from lazydiff.dtypes import BY_NAME, Dtype

ATTR_RANGES: dict[str, tuple[int, int]] = {
    "dim": (1, 2**31 - 1),  # an extent
    "side": (1, 65535),  # an image side: times a step of 255 it still fits 32 bits
    "u8": (0, 255),  # padding, flags
    "step": (1, 255),  # strides of windows
    "stride": (0, 2**31 - 1),  # element stride of a view; 0 repeats
}
_OPERAND = re.compile(r"^(\w+):(in|out|scratch|add)(?::(\w+))?\[(.+)\]$")
_ATTR = re.compile(r"^(\w+)(?::(\w+))?$")


@dataclass(frozen=True, slots=True)
class Operand:
    """One buffer argument. `dtype` None means the step's compute dtype; `extent` is in elements."""

    name: str
    mode: str
    dtype: Dtype | None
    extent: str

    @property
    def writes(self) -> bool:
        """True if the kernel may change the buffer's bytes."""
        return self.mode != "in"


@dataclass(frozen=True, slots=True)
class Attr:
    """One integer argument with its allowed range (both ends included)."""

    name: str
    low: int
    high: int


def parse(signature: str) -> tuple[tuple[Operand, ...], tuple[Attr, ...]]:
    """Split a signature into operands and attributes, in order. Raises ValueError with the bad word."""
    operands: list[Operand] = []
    attrs: list[Attr] = []
    for word in signature.split():
        if found := _OPERAND.match(word):
            name, mode, dtype, extent = found.groups()
            operands.append(Operand(name, mode, BY_NAME[dtype] if dtype else None, extent))
        elif found := _ATTR.match(word):
            low, high = ATTR_RANGES[found.group(2) or "dim"]
            attrs.append(Attr(found.group(1), low, high))
        else:
            raise ValueError(f"kernel signature: can't read {word!r} in {signature!r}")
    return tuple(operands), tuple(attrs)


@cache
def _parsed(extent: str) -> ast.expr:
    return ast.parse(extent, mode="eval").body


def extent_elements(extent: str, attrs: dict[str, int]) -> int:
    """The number of elements an extent stands for, given the attributes' values."""
    found: int = eval(_code(extent), _NOTHING, attrs)
    return found


_NOTHING: dict[str, object] = {"__builtins__": {}}


@cache
def _code(extent: str) -> CodeType:
    """The extent as Python's own code, a tenth of the time of a walk through it. It is declared here, never read."""
    tree = _parsed(extent)
    for node in ast.walk(tree):
        sign = isinstance(node, (ast.Add, ast.Sub, ast.Mult, ast.Load))
        integer = isinstance(node, ast.Constant) and isinstance(node.value, int)
        if not (sign or integer or isinstance(node, (ast.BinOp, ast.Name))):
            raise ValueError(f"extent {extent!r}: only + - * of attributes and integers")
    return compile(ast.Expression(tree), "<extent>", "eval")


def extent_c(extent: str, positions: dict[str, int]) -> str:
    """The extent as a C expression over `v[]` in saturating 64-bit arithmetic (`x-1` needs x >= 1)."""

    def text(node: ast.expr) -> str:
        if isinstance(node, ast.BinOp):
            left, right = text(node.left), text(node.right)
            if isinstance(node.op, ast.Mult):
                return f"sat_mul({left}, {right})"
            return f"sat_add({left}, {right})" if isinstance(node.op, ast.Add) else f"({left} - {right})"
        if isinstance(node, ast.Name):
            return f"(uint64_t)v[{positions[node.id]}]"
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            return f"{node.value}u"
        raise ValueError(f"extent {extent!r}: only + - * of attributes and integers")

    return text(_parsed(extent))
