"""The opcodes of the `map` kernel: each scalar operation once, with its numpy, C and MicroPython meaning.

Arguments are named a, b, c. In the C text `T` is the compute type and a macro like EXP names the runtime's own function
of that type (c_kernels/src/lzd_math.h); the order written is the order computed, `FMA` is one rounding, and nothing is
contracted. A comparison gives 1 or 0. Numbers are for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Opcode:
    """One scalar operation. `arity` 1 to 3; `c` and `py` are expressions over a, b, c."""

    number: int
    name: str
    arity: int
    numpy: Callable[..., np.ndarray]
    c: str
    py: str


OPCODES: dict[int, Opcode] = {}
BY_NAME: dict[str, Opcode] = {}


def opcode(number: int, name: str, arity: int, meaning: Callable[..., np.ndarray], c: str, py: str) -> Opcode:
    """Declare one opcode. Raises ValueError when the number or the name is taken."""
    if number in OPCODES or name in BY_NAME:
        raise ValueError(f"opcode {number} {name!r} is taken")
    OPCODES[number] = BY_NAME[name] = Opcode(number, name, arity, meaning, c, py)
    return OPCODES[number]


def _sigmoid(a: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-a)), a.dtype)


def _where(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    return np.where(a != 0, b, c)


def _compare(ufunc: np.ufunc) -> Callable[..., np.ndarray]:
    return lambda a, b: ufunc(a, b).astype(a.dtype)


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
opcode(12, "relu", 1, lambda a: np.maximum(a, 0), "a < (T)0 ? (T)0 : a", "0.0 if a < 0.0 else a")
opcode(13, "sign", 1, np.sign, "a > (T)0 ? (T)1 : a < (T)0 ? (T)-1 : a", "1.0 if a > 0.0 else -1.0 if a < 0.0 else a")
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
opcode(64, "where", 3, _where, "a != (T)0 ? b : c", "b if a != 0.0 else c")
opcode(65, "fma", 3, lambda a, b, c: a * b + c, "FMA(a, b, c)", "a * b + c")
