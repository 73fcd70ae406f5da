"""The formulas for what a small build of MicroPython's math lacks, against the large build's functions."""

import importlib
import math
import sys
from pathlib import Path
from types import ModuleType

import numpy as np

PORT = Path(__file__).resolve().parents[2] / "ports/micropython/lazydiff"
LACKING = ("erf", "erfc", "expm1", "log2", "log10", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "log1p", "hypot")


def test_formulas_agree_with_the_functions_they_stand_in_for(monkeypatch):
    small = ModuleType("math")
    for name in dir(math):
        if name not in LACKING or name == "tanh":
            setattr(small, name, getattr(math, name))
    monkeypatch.setitem(sys.modules, "math", small)
    package = ModuleType("small_build")  # the two modules without the rest of the port
    package.__path__ = [str(PORT)]
    monkeypatch.setitem(sys.modules, "small_build", package)
    scalar = importlib.import_module("small_build.functions")
    monkeypatch.undo()
    for name in ("small_build.scalar", "small_build.functions"):
        del sys.modules[name]
    for x in [*np.linspace(-9, 9, 200), *np.linspace(-0.9, 0.9, 50), 1e-9, -1e-300, 20.5, -26.0, 0.0]:
        for name in ("erf", "erfc", "expm1", "sinh", "cosh", "asinh"):
            np.testing.assert_allclose(getattr(scalar, f"m_{name}")(float(x)), getattr(math, name)(x), rtol=3e-13)
        if x > 0:
            for name in ("log2", "log10", "log1p"):
                np.testing.assert_allclose(getattr(scalar, f"m_{name}")(float(x)), getattr(math, name)(x), rtol=1e-13)
        if abs(x) < 1:
            np.testing.assert_allclose(scalar.m_atanh(float(x)), math.atanh(x), rtol=1e-13)
            np.testing.assert_allclose(scalar.m_acosh(1 + abs(float(x))), math.acosh(1 + abs(x)), rtol=1e-13)
    for name in ("erf", "erfc"):
        for x in (math.inf, -math.inf, math.nan):
            np.testing.assert_equal(getattr(scalar, f"m_{name}")(x), getattr(math, name)(x))
