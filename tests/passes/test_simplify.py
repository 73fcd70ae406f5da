"""Each simplification, text in, text out."""

import pytest

import lazydiff as ld
from lazydiff.graph.text import text
from lazydiff.passes.simplify import simplify

x = ld.input("x", (2, 3))
ROWS = {
    "times one": (lambda: x * 1.0, lambda: x),
    "one times": (lambda: 1.0 * x, lambda: x),
    "divided by one": (lambda: x / 1.0, lambda: x),
    "double negation": (lambda: ld.neg(ld.neg(x)), lambda: x),
    "power of two": (lambda: x**2, lambda: ld.square(x)),
    "power of one": (lambda: x**1, lambda: x),
    "numbers": (lambda: x * (ld.constant(2.0) * 3.0), lambda: x * 6.0),
    "reshape twice": (lambda: x.reshape(6).reshape(3, 2), lambda: x.reshape(3, 2)),
    "reshape back": (lambda: x.reshape(6).reshape(2, 3), lambda: x),
    "transpose twice": (lambda: x.T.T, lambda: x),
    "broadcast twice": (
        lambda: ld.broadcast_to(ld.broadcast_to(x, (1, 2, 3)), (4, 2, 3)),
        lambda: ld.broadcast_to(x, (4, 2, 3)),
    ),
    "stop_gradient": (lambda: ld.stop_gradient(x) + x, lambda: x + x),
    "kept: zero times x may be NaN": (lambda: x * 0.0, lambda: x * 0.0),
    "kept: exp of a number is the device's": (
        lambda: x + ld.exp(ld.constant(1.0)),
        lambda: x + ld.exp(ld.constant(1.0)),
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_rows(name):
    before, after = ROWS[name]
    assert text(simplify([before()])) == text([after()])


def test_gradients_carry_no_ones():
    shown = text(simplify([ld.grad((ld.tanh(x) * 1.0).sum(), x)]))
    assert shown.count("multiply") == 0  # 1 - tanh**2, times a cotangent of ones
