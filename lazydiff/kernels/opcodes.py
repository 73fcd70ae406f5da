"""The opcodes of the `map` kernel: each scalar operation once, with its numpy, C and MicroPython meaning.

Arguments are named a, b, c. In the C text `T` is the compute type and a macro like EXP names the runtime's own function
of that type (c_kernels/src/lzd_math.h); the order written is the order computed, `FMA` is one rounding, and nothing is
contracted. A comparison gives 1 or 0. Numbers are for ever.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Opcode:
    """One scalar operation. `arity` 1 to 3; `c` and `py` are expressions over a, b, c.

    `near` is a C expression of the same bits without a branch, of a where |a| <= ANGLE_LIMIT; or "".
    """

    number: int
    name: str
    arity: int
    numpy: Callable[..., np.ndarray]
    c: str
    py: str
    near: str = ""


OPCODES: dict[int, Opcode] = {}
BY_NAME: dict[str, Opcode] = {}


def opcode(
    number: int, name: str, arity: int, meaning: Callable[..., np.ndarray], c: str, py: str, near: str = ""
) -> Opcode:
    """Declare one opcode. Raises ValueError when the number or the name is taken."""
    if number in OPCODES or name in BY_NAME:
        raise ValueError(f"opcode {number} {name!r} is taken")
    OPCODES[number] = BY_NAME[name] = Opcode(number, name, arity, meaning, c, py, near)
    return OPCODES[number]


def _sigmoid(a: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-a)), a.dtype)


def _where(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    return np.where(a != 0, b, c)


def _compare(ufunc: np.ufunc) -> Callable[..., np.ndarray]:
    return lambda a, b: ufunc(a, b).astype(a.dtype)


def _by_number(function: Callable[[float], float]) -> Callable[[np.ndarray], np.ndarray]:
    """What numpy lacks, number by number in double."""
    return lambda a: np.array([function(float(x)) for x in a.flat], a.dtype).reshape(a.shape)


def _join(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    whole = {4: np.uint32, 8: np.uint64}[a.dtype.itemsize]
    a, b = np.broadcast_arrays(a, b)
    both = np.ascontiguousarray(a).view(whole) | np.ascontiguousarray(b).view(whole)
    return np.asarray(both.view(a.dtype).reshape(a.shape))


# `load` and `store` are the only ones that cross dtypes: load casts an input's element to T, store casts T to an
# output's element (truncating towards zero to an integer, saturating, NaN to 0; to bool: a != 0).
LOAD = opcode(1, "load", 1, lambda a: a, "", "a")
STORE = opcode(2, "store", 1, lambda a: a, "", "a")
MOVE = opcode(3, "move", 1, lambda a: a, "a", "a")
opcode(4, "neg", 1, np.negative, "-a", "-a")
opcode(5, "abs", 1, np.abs, "ABS(a)", "abs(a)")
opcode(6, "sqrt", 1, np.sqrt, "SQRT(a)", "m_sqrt(a)")
opcode(7, "square", 1, np.square, "a * a", "a * a")
opcode(8, "exp", 1, np.exp, "EXP(a)", "m_exp(a)")
opcode(9, "log", 1, np.log, "LOG(a)", "m_log(a)")
opcode(10, "tanh", 1, np.tanh, "TANH(a)", "m_tanh(a)")
opcode(11, "sigmoid", 1, _sigmoid, "SIGMOID(a)", "m_sigmoid(a)")
opcode(12, "relu", 1, lambda a: np.where(a < 0, 0, a).astype(a.dtype), "a < (T)0 ? (T)0 : a", "0.0 if a < 0.0 else a")
opcode(
    13,
    "sign",
    1,
    np.sign,
    "a > (T)0 ? (T)1 : a < (T)0 ? (T)-1 : a + (T)0",
    "1.0 if a > 0.0 else -1.0 if a < 0.0 else a + 0.0",
)
opcode(14, "exp2", 1, np.exp2, "EXP2(a)", "m_exp2(a)")
opcode(15, "expm1", 1, np.expm1, "EXPM1(a)", "m_expm1(a)")
opcode(16, "log1p", 1, np.log1p, "LOG1P(a)", "m_log1p(a)")
opcode(17, "log2", 1, np.log2, "LOG2(a)", "m_log2(a)")
opcode(18, "log10", 1, np.log10, "LOG10(a)", "m_log10(a)")
opcode(19, "sin", 1, np.sin, "SIN(a)", "m_sin(a)", near="SIN_NEAR(a)")
opcode(20, "cos", 1, np.cos, "COS(a)", "m_cos(a)", near="COS_NEAR(a)")
opcode(21, "tan", 1, np.tan, "TAN(a)", "m_tan(a)", near="TAN_NEAR(a)")
opcode(22, "asin", 1, np.arcsin, "ASIN(a)", "m_asin(a)")
opcode(23, "acos", 1, np.arccos, "ACOS(a)", "m_acos(a)")
opcode(24, "atan", 1, np.arctan, "ATAN(a)", "m_atan(a)")
opcode(25, "sinh", 1, np.sinh, "SINH(a)", "m_sinh(a)")
opcode(26, "cosh", 1, np.cosh, "COSH(a)", "m_cosh(a)")
opcode(27, "asinh", 1, np.arcsinh, "ASINH(a)", "m_asinh(a)")
opcode(28, "acosh", 1, np.arccosh, "ACOSH(a)", "m_acosh(a)")
opcode(29, "atanh", 1, np.arctanh, "ATANH(a)", "m_atanh(a)")
opcode(30, "erf", 1, _by_number(math.erf), "ERF(a)", "m_erf(a)")
opcode(31, "erfc", 1, _by_number(math.erfc), "ERFC(a)", "m_erfc(a)")
opcode(32, "add", 2, np.add, "a + b", "a + b")
opcode(33, "subtract", 2, np.subtract, "a - b", "a - b")
opcode(34, "multiply", 2, np.multiply, "a * b", "a * b")
opcode(35, "divide", 2, np.divide, "a / b", "m_div(a, b)")
opcode(36, "power", 2, np.power, "POW(a, b)", "m_pow(a, b)")
opcode(37, "maximum", 2, np.maximum, "a > b || a != a ? a : b", "a if a > b or a != a else b")
opcode(38, "minimum", 2, np.minimum, "a < b || a != a ? a : b", "a if a < b or a != a else b")
opcode(39, "less", 2, _compare(np.less), "a < b ? (T)1 : (T)0", "1.0 if a < b else 0.0")
opcode(40, "less_equal", 2, _compare(np.less_equal), "a <= b ? (T)1 : (T)0", "1.0 if a <= b else 0.0")
opcode(41, "equal", 2, _compare(np.equal), "a == b ? (T)1 : (T)0", "1.0 if a == b else 0.0")
opcode(42, "not_equal", 2, _compare(np.not_equal), "a != b ? (T)1 : (T)0", "1.0 if a != b else 0.0")
opcode(43, "atan2", 2, np.arctan2, "ATAN2(a, b)", "m_atan2(a, b)")
opcode(44, "hypot", 2, np.hypot, "HYPOT(a, b)", "m_hypot(a, b)")
opcode(45, "fmod", 2, np.fmod, "FMOD(a, b)", "m_fmod(a, b)")
opcode(46, "join", 2, _join, "JOIN(a, b)", "-(-a - b)")  # one is +0: then as good as C's `or` of the bits
opcode(47, "floor", 1, np.floor, "FLOOR(a)", "m_floor(a)")
opcode(48, "ceil", 1, np.ceil, "CEIL(a)", "m_ceil(a)")
opcode(49, "round", 1, np.rint, "ROUND(a)", "m_round(a)")  # a half to the even integer
opcode(50, "trunc", 1, np.trunc, "TRUNC(a)", "m_trunc(a)")
opcode(51, "isnan", 1, lambda a: np.isnan(a).astype(a.dtype), "a != a ? (T)1 : (T)0", "1.0 if a != a else 0.0")
opcode(
    52,
    "isfinite",
    1,
    lambda a: np.isfinite(a).astype(a.dtype),
    "a - a == (T)0 ? (T)1 : (T)0",
    "1.0 if a - a == 0.0 else 0.0",
)
opcode(
    53, "gate", 2, lambda a, b: np.where(a > 0, b, 0).astype(b.dtype), "a > (T)0 ? b : (T)0", "b if a > 0.0 else 0.0"
)
opcode(64, "where", 3, _where, "a != (T)0 ? b : c", "b if a != 0.0 else c")
opcode(65, "fma", 3, lambda a, b, c: a * b + c, "FMA(a, b, c)", "a * b + c")
