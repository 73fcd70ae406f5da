"""Scalar functions that answer as C does where MicroPython's math would raise: inf and NaN instead of an exception."""

import math

_INF = float("inf")
_NAN = float("nan")
m_tanh = math.tanh


def m_sqrt(a):
    return math.sqrt(a) if a >= 0.0 else _NAN


def m_exp(a):
    try:
        return math.exp(a)
    except (OverflowError, ValueError):  # too large: the builds differ in what they raise
        return _INF


def m_log(a):
    if a > 0.0:
        return a if a == _INF else math.log(a)
    return -_INF if a == 0.0 else _NAN


def m_sigmoid(a):
    return 1.0 / (1.0 + m_exp(-a))


def m_div(a, b):
    if b != 0.0:
        return a / b
    if a == 0.0 or a != a:
        return _NAN
    return math.copysign(_INF, a) * math.copysign(1.0, b)


def m_pow(a, b):
    if a == 1.0 or b == 0.0:
        return 1.0
    if a != a or b != b:
        return _NAN
    odd = abs(b) < 9007199254740992.0 and b % 2.0 == 1.0
    if a == 0.0:
        if b > 0.0:
            return a if odd else 0.0
        return math.copysign(_INF, a) if odd else _INF
    if abs(a) == _INF or abs(b) == _INF:
        return _infinite_pow(a, b, odd)
    if a < 0.0:
        if b != math.floor(b):
            return _NAN
        return -m_pow(-a, b) if odd else m_pow(-a, b)
    try:
        return math.pow(a, b)
    except (OverflowError, ValueError):  # the only case left: too large
        return _INF


def _infinite_pow(a, b, odd):
    if abs(b) == _INF:
        if abs(a) == 1.0:
            return 1.0
        return _INF if (abs(a) > 1.0) == (b > 0.0) else 0.0
    size = _INF if b > 0.0 else 0.0
    return -size if a < 0.0 and odd else size


def saturate(a, low, high):
    """A float to an integer as `store` does: towards zero, saturating, NaN to 0."""
    if a != a:
        return 0
    if a >= high:
        return high
    return low if a <= low else int(a)
