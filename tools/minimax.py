"""Prints the polynomials of c_kernels/src/lzd_f32.h and lzd_f64.h that lzd_math_*.h evaluates (needs mpmath).

Each is a near-minimax fit: least squares of the relative error at Chebyshev's points. The constant coefficient is
rounded to the type first, then the others are fitted again to what is left, and so on, so that the rounding of one is
repaired by the next.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import mpmath as mp
import numpy as np

mp.mp.dps = 60
Function = Callable[[mp.mpf], mp.mpf]


@dataclass(frozen=True)
class Fit:
    """What a polynomial p(z) stands for on low .. high; `share` times p's error is the relative error of the result."""

    name: str
    meaning: str
    function: Function
    low: float
    high: float
    share: Function


def _series(full: Function, head: Function, power: int, first: list[mp.mpf]) -> Function:
    """(full(x) - head(x)) / x**power as a function of z = x * x, with its limit at 0 given as a Taylor series in z."""

    def function(z: mp.mpf) -> mp.mpf:
        if z < mp.mpf(10) ** -12:
            return sum(c * z**k for k, c in enumerate(first))
        x = mp.sqrt(z)
        return (full(x) - head(x)) / x**power

    return function


def _odd(full: Function, first: list[mp.mpf]) -> tuple[Function, Function]:
    return _series(full, lambda x: x, 3, first), lambda z: z * mp.sqrt(z) / full(mp.sqrt(z)) if z else mp.mpf(0)


_K = 3  # of the map t = (x - _K) / (x + _K)


def _erfcx(t: mp.mpf) -> mp.mpf:
    x = _K * (1 + t) / (1 - t)
    return (1 + 2 * x) * mp.exp(x * x) * mp.erfc(x)


def fits(largest: float) -> list[Fit]:
    """The fits; `largest` is the greatest x whose erfc is not 0 in the type."""
    rows = []
    sin, share = _odd(mp.sin, [-1 / mp.mpf(6), 1 / mp.mpf(120)])
    rows.append(Fit("SIN", "(sin(r) - r) / r^3 in r^2, |r| <= 0.8", sin, 0, 0.64, share))
    cos = _series(mp.cos, lambda x: 1 - x * x / 2, 4, [1 / mp.mpf(24), -1 / mp.mpf(720)])
    rows.append(Fit("COS", "(cos(r) - 1 + r^2/2) / r^4 in r^2, |r| <= 0.8", cos, 0, 0.64, lambda z: z * z))
    asin, share = _odd(mp.asin, [1 / mp.mpf(6), 3 / mp.mpf(40)])
    rows.append(Fit("ASIN", "(asin(x) - x) / x^3 in x^2, |x| <= 0.5", asin, 0, 0.25, share))
    atan, share = _odd(mp.atan, [-1 / mp.mpf(3), 1 / mp.mpf(5)])
    rows.append(Fit("ATAN", "(atan(t) - t) / t^3 in t^2, |t| <= 0.4143", atan, 0, 0.17165, share))
    sinh, share = _odd(mp.sinh, [1 / mp.mpf(6), 1 / mp.mpf(120)])
    rows.append(Fit("SINH", "(sinh(x) - x) / x^3 in x^2, |x| <= 1", sinh, 0, 1, share))
    two = 2 / mp.sqrt(mp.pi)
    erf = _series(lambda x: mp.erf(x), lambda x: x, 1, [two - 1, -two / 3])
    share = lambda z: mp.sqrt(z) / mp.erf(mp.sqrt(z)) if z else 1 / two  # noqa: E731
    rows.append(Fit("ERF", "erf(x) / x - 1 in x^2, |x| <= 0.9", erf, 0, 0.81, share))
    low, high = ((x - _K) / (x + _K) for x in (mp.mpf("0.5"), mp.mpf(largest)))
    meaning = f"(1 + 2x) exp(x^2) erfc(x) in (x - {_K}) / (x + {_K}), 0.5 <= x <= {largest}"
    rows.append(Fit("ERFC", meaning, _erfcx, low, high, lambda t: 1 / _erfcx(t)))
    return rows


def least_squares(fit: Fit, done: list[mp.mpf], terms: int) -> list[mp.mpf]:
    """The coefficients that follow those `done`, constant first, of the best polynomial over Chebyshev's points."""
    middle, half, count = (mp.mpf(fit.high) + fit.low) / 2, (mp.mpf(fit.high) - fit.low) / 2, 4 * terms
    points = [middle + half * mp.cos(mp.pi * (2 * i + 1) / (2 * count)) for i in range(count)]
    weights = [fit.share(z) for z in points]
    matrix = mp.matrix(count, terms - len(done))
    for i, (z, w) in enumerate(zip(points, weights, strict=True)):
        for k in range(len(done), terms):
            matrix[i, k - len(done)] = w * z**k
    values = [fit.function(z) - sum(c * z**k for k, c in enumerate(done)) for z in points]
    right = mp.matrix([w * v for w, v in zip(weights, values, strict=True)])
    return list(mp.lu_solve(matrix.T * matrix, matrix.T * right))


def rounded(fit: Fit, terms: int, kind: type[np.floating]) -> list[mp.mpf]:
    """A fit's coefficients as numbers of the type, constant first."""
    done: list[mp.mpf] = []
    while len(done) < terms:
        done.append(_round(least_squares(fit, done, terms)[0], kind))
    return done


def _round(c: mp.mpf, kind: type[np.floating]) -> mp.mpf:
    return mp.mpf(float(kind(float(c))))


def error(fit: Fit, coefficients: list[mp.mpf]) -> mp.mpf:
    """The greatest relative error of the result over 400 points."""
    worst = mp.mpf(0)
    for i in range(401):
        z = mp.mpf(fit.low) + (mp.mpf(fit.high) - fit.low) * i / 400
        p = sum(c * z**k for k, c in enumerate(coefficients))
        worst = max(worst, abs((p - fit.function(z)) * fit.share(z)))
    return worst


def main() -> None:
    """For each type and fit: the shortest polynomial whose error is below the type's goal."""
    for kind, goal, largest in ((np.float32, mp.mpf(2) ** -28, 10.1), (np.float64, mp.mpf(2) ** -57, 27.3)):
        for fit in fits(largest):
            if len(sys.argv) > 1 and fit.name not in sys.argv[1:]:
                continue
            terms = 2
            while error(fit, least_squares(fit, [], terms)) > goal:
                terms += 1
            c = rounded(fit, terms, kind)
            print(f" * {fit.name}_TERMS: {fit.meaning}, relative {mp.nstr(error(fit, c), 1)}.")
            suffix = "f" if kind is np.float32 else ""
            text = [f"{kind(float(x))!s}{suffix}" for x in reversed(c)]
            print(f"#define {fit.name}_TERMS(s, t) s({text[0]}) " + " ".join(f"t({x})" for x in text[1:]))
            sys.stdout.flush()


if __name__ == "__main__":
    main()
