"""Scalar functions that few plans need (opcodes_more.py), answering as C does; scalar.py has the everyday ones."""

import math

from .scalar import m_exp, m_log, m_pow

_INF = float("inf")
_NAN = float("nan")


def _ours(name, formula):
    """math's own function, which only large builds of MicroPython have, or else the formula, a few ulp worse."""
    return getattr(math, name, formula)


def _log_formula(unit):
    return lambda a: math.log(a) / unit


_LN2 = 0.6931471805599453
_log2 = _ours("log2", _log_formula(_LN2))
_log10 = _ours("log10", _log_formula(2.302585092994046))
_WHOLE = 4503599627370496.0  # 2**52: from here on every float is an integer


def m_exp2(a):
    return m_pow(2.0, a)


def m_expm1(a):
    """Kahan's: the rounding error of exp(a) leaves the quotient."""
    u = m_exp(a)
    if u == 1.0:
        return a
    return u - 1.0 if u == _INF or u - 1.0 == -1.0 or u != u else (u - 1.0) * a / math.log(u)


def m_log1p(a):
    u = 1.0 + a
    if u == 1.0 or a == _INF:
        return a
    return math.log(u) * a / (u - 1.0) if u > 0.0 else m_log(u)


def m_log2(a):
    return _log2(a) if 0.0 < a < _INF else m_log(a)


def m_log10(a):
    return _log10(a) if 0.0 < a < _INF else m_log(a)


def m_sin(a):
    return math.sin(a) if abs(a) < _INF else _NAN


def m_cos(a):
    return math.cos(a) if abs(a) < _INF else _NAN


def m_tan(a):
    return math.tan(a) if abs(a) < _INF else _NAN


def m_asin(a):
    return math.asin(a) if abs(a) <= 1.0 else _NAN


def m_acos(a):
    return math.acos(a) if abs(a) <= 1.0 else _NAN


m_atan = math.atan
m_atan2 = math.atan2


def m_sinh(a):
    b = abs(a)
    if b > 20.0:  # exp(a) would be infinite too early
        y = m_exp(0.5 * b)
        return math.copysign(0.5 * y * y, a)
    e = m_expm1(b)
    return math.copysign(0.5 * (e + e / (e + 1.0)), a)


def m_cosh(a):
    y = m_exp(0.5 * abs(a))
    return 0.5 * y * y + 0.5 / y / y


def m_asinh(a):
    b = abs(a)
    if b > 1e9:
        return math.copysign(m_log(b) + _LN2, a)
    return math.copysign(m_log1p(b + b * b / (1.0 + math.sqrt(1.0 + b * b))), a)


def m_acosh(a):
    if a > 1e9:
        return m_log(a) + _LN2
    t = a - 1.0
    return m_log1p(t + math.sqrt(t * (t + 2.0))) if t >= 0.0 else _NAN


def m_atanh(a):
    b = abs(a)
    if not b < 1.0:
        return math.copysign(_INF, a) if b == 1.0 else _NAN
    return math.copysign(0.5 * m_log1p(2.0 * b / (1.0 - b)), a)


def _erf_series(a):
    """x - x^3/3 + x^5/(2! 5) - .. as a sum of positive terms, 2 x exp(-x^2) (1 + 2x^2/3 + (2x^2)^2/15 + ..) / sqrt(pi)."""
    if a != a or abs(a) > 6.0:
        return a if a != a else math.copysign(1.0, a)
    if abs(a) > 2.0:
        return math.copysign(1.0 - _erfc_fraction(abs(a)), a)
    term = total = a
    n = 1.0
    while abs(term) > 1e-17 * abs(total):
        n += 2.0
        term *= 2.0 * a * a / n
        total += term
    return total * math.exp(-a * a) * 1.1283791670955126


def _erfc_fraction(a):
    """Laplace's continued fraction, for a >= 2."""
    y = a
    for k in range(60, 0, -1):
        y = a + 0.5 * k / y
    return m_exp(-a * a) / y * 0.5641895835477563


def _erfc_formula(a):
    return _erfc_fraction(a) if a > 2.0 else 1.0 - _erf_series(a)


m_erf = _ours("erf", _erf_series)
m_erfc = _ours("erfc", _erfc_formula)


def m_floor(a):
    if not abs(a) < _WHOLE:
        return a
    return math.copysign(float(math.floor(a)), a)


def m_ceil(a):
    return -m_floor(-a)


def m_trunc(a):
    return math.copysign(m_floor(abs(a)), a)


def m_round(a):
    """To the nearest integer, of two the even one."""
    b = abs(a)
    if not b < _WHOLE:
        return a
    low = float(math.floor(b))
    rest = b - low
    if rest > 0.5 or (rest == 0.5 and low % 2.0 == 1.0):
        low += 1.0
    return math.copysign(low, a)


def m_hypot(a, b):
    a = abs(a)
    b = abs(b)
    if a == _INF or b == _INF:
        return _INF
    if b > a:
        a, b = b, a
    if a != a or b != b or a == 0.0:
        return a + b
    b /= a
    return a * math.sqrt(1.0 + b * b)


def m_fmod(a, b):
    if b != b or b == 0.0 or not abs(a) < _INF:
        return _NAN
    return math.fmod(a, b)
