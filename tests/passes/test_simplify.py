"""Each simplification, text in, text out."""

import numpy as np
import pytest

import lazydiff as ld
from lazydiff.graph.text import text
from lazydiff.passes.simplify import ROWS as table
from lazydiff.passes.simplify import simplify

x, box = ld.input("x", (2, 3)), ld.input("box", (2, 3, 4))
image = ld.input("image", (1, 4, 4, 1))
wide = ld.input("wide", (1, 64))
steps = ld.input("steps", (6, 64))
pooled = ld.max_pool2d(image, 2)
ROWS = {
    "a slice of everything": (lambda: x[:, 0:3], lambda: x),
    "a slice of a slice": (lambda: box[:, 1:, 1::2][1:, ::2], lambda: box[1:, 1:2, 1::2]),
    "a slice of a slice with steps": (lambda: ld.ravel(x)[1::2][1:], lambda: ld.ravel(x)[3::2]),
    "a slice of a pad that is data": (lambda: ld.pad(x, 2)[2:4, 3:5], lambda: x[:, 1:]),
    "a slice of a pad that is zeros": (
        lambda: ld.pad(x, 2)[:2, :3] + x,
        lambda: ld.broadcast_to(ld.constant(0.0), (2, 3)) + x,
    ),
    "a pad by nothing": (lambda: ld.pad(x, 0), lambda: x),
    "a pad of a pad": (lambda: ld.pad(ld.pad(x, (1, 2)), ((0, 1), (2, 0))), lambda: ld.pad(x, ((1, 3), (3, 2)))),
    "a pad of zeros": (
        lambda: ld.pad(ld.constant(0.0)[None, None], ((1, 0), (2, 0))) + x,
        lambda: ld.broadcast_to(ld.constant(0.0), (2, 3)) + x,
    ),
    "a pad of what repeats along another axis": (
        lambda: ld.pad(ld.broadcast_to(x[:1], (5, 3)), ((0, 0), (2, 0))) + 1.0,
        lambda: ld.broadcast_to(ld.pad(x[:1], ((0, 0), (2, 0))), (5, 5)) + 1.0,
    ),
    "kept: a pad of what repeats along that axis": (
        lambda: ld.pad(ld.broadcast_to(x[:1], (5, 3)), ((2, 0), (0, 0))) + 1.0,
        lambda: ld.pad(ld.broadcast_to(x[:1], (5, 3)), ((2, 0), (0, 0))) + 1.0,
    ),
    "a flip of a flip": (lambda: ld.flip(ld.flip(box), (0, 2)), lambda: ld.flip(box, 1)),
    "a part of a number": (
        lambda: ld.flip(ld.broadcast_to(ld.constant(2.0), (3, 3)))[1:] * x,
        lambda: ld.broadcast_to(ld.constant(2.0), (2, 3)) * x,
    ),
    "a part joined with zeros": (
        lambda: ld.concat([x, ld.broadcast_to(ld.constant(0.0), (4, 3))]),
        lambda: ld.pad(x, ((0, 4), (0, 0))),
    ),
    "times one": (lambda: x * 1.0, lambda: x),
    "one times": (lambda: 1.0 * x, lambda: x),
    "divided by one": (lambda: x / 1.0, lambda: x),
    "double negation": (lambda: ld.neg(ld.neg(x)), lambda: x),
    "power of two": (lambda: x**2, lambda: ld.square(x)),
    "power of one": (lambda: x**1, lambda: x),
    "power of one, whatever the type of the number": (lambda: x**1.0, lambda: x),
    "transpose of a transpose": (
        lambda: ld.transpose(ld.transpose(box, (1, 2, 0)), (1, 0, 2)),
        lambda: ld.transpose(box, (2, 1, 0)),
    ),
    "transpose of a number": (
        lambda: ld.broadcast_to(ld.constant(2.0), (3, 2)).T + x,
        lambda: ld.broadcast_to(ld.constant(2.0), (2, 3)) + x,
    ),
    "reshape of a number": (
        lambda: ld.broadcast_to(ld.constant(2.0), (3, 2)).reshape(2, 3) + x,
        lambda: ld.broadcast_to(ld.constant(2.0), (2, 3)) + x,
    ),
    "the sum of numbers": (lambda: x * (ld.constant(2.0) + 3.0), lambda: x * 5.0),
    "the difference of numbers": (lambda: x * (ld.constant(2.0) - 3.0), lambda: x * -1.0),
    "the quotient of numbers, in f32": (lambda: x * (ld.constant(1.0) / 3.0), lambda: x * float(np.float32(1) / 3)),
    "a number negated": (lambda: x * ld.neg(ld.constant(2.0)), lambda: x * -2.0),
    "the square of a number": (lambda: x * ld.square(ld.constant(3.0)), lambda: x * 9.0),
    "the root of a number": (lambda: x * ld.sqrt(ld.constant(9.0)), lambda: x * 3.0),
    "one row after another": (lambda: ld.neg(ld.neg(x * 1.0)).reshape(6).reshape(2, 3) ** 1, lambda: x),
    "numbers": (lambda: x * (ld.constant(2.0) * 3.0), lambda: x * 6.0),
    "reshape twice": (lambda: x.reshape(6).reshape(3, 2), lambda: x.reshape(3, 2)),
    "reshape back": (lambda: x.reshape(6).reshape(2, 3), lambda: x),
    "transpose twice": (lambda: x.T.T, lambda: x),
    "broadcast twice": (
        lambda: ld.broadcast_to(ld.broadcast_to(x, (1, 2, 3)), (4, 2, 3)),
        lambda: ld.broadcast_to(x, (4, 2, 3)),
    ),
    "a mask by what was pooled": (
        lambda: ld.where(image > 0, ld.vjp([pooled], [image], [pooled * 2])[0], 0.0),
        lambda: ld.vjp([pooled], [image], [ld.where(pooled > 0, pooled * 2, 0.0)])[0],
    ),
    "kept: a mask by something else": (
        lambda: ld.where(image * 2 > 0, ld.vjp([pooled], [image], [pooled * 2])[0], 0.0),
        lambda: ld.where(image * 2 > 0, ld.vjp([pooled], [image], [pooled * 2])[0], 0.0),
    ),
    "a product over one term": (
        lambda: x.reshape(6, 1) @ wide,
        lambda: ld.fma(x.reshape(6, 1), wide, ld.broadcast_to(ld.constant(np.float32(0)), (6, 64))),
    ),
    "kept: a product over two terms": (
        lambda: x.reshape(3, 2) @ x.reshape(2, 3),
        lambda: x.reshape(3, 2) @ x.reshape(2, 3),
    ),
    "a product of equal rows": (
        lambda: ld.broadcast_to(x[:1], (5, 3)) @ x.T,
        lambda: ld.broadcast_to(x[:1] @ x.T, (5, 2)),
    ),
    "a product of equal rows, all of them one number": (
        lambda: ld.broadcast_to(ld.constant(2.0), (5, 3)) @ x.T,
        lambda: ld.broadcast_to(ld.broadcast_to(ld.constant(2.0), (1, 3)) @ x.T, (5, 2)),
    ),
    "kept: a product of equal columns": (
        lambda: ld.broadcast_to(x[:, :1], (2, 3)) @ x.T,
        lambda: ld.broadcast_to(x[:, :1], (2, 3)) @ x.T,
    ),
    "a step along a product over one term, whose column takes the number": (
        lambda: ld.fma(-0.5, x.reshape(6, 1) @ wide, steps),
        lambda: ld.fma(ld.broadcast_to(ld.constant(-0.5), (6, 64)) * x.reshape(6, 1), wide, steps),
    ),
    "kept: a step along a product that is no column by a row": (
        lambda: ld.fma(-0.5, ld.fma(steps, wide, 0.0), steps),
        lambda: ld.fma(-0.5, ld.fma(steps, wide, 0.0), steps),
    ),
    "kept: a step of which each element has a length of its own": (
        lambda: ld.fma(steps, x.reshape(6, 1) @ wide, steps),
        lambda: ld.fma(
            steps, ld.fma(x.reshape(6, 1), wide, ld.broadcast_to(ld.constant(np.float32(0)), (6, 64))), steps
        ),
    ),
    "a sum over an axis of one": (
        lambda: wide.sum(0),
        lambda: wide.reshape(64) + ld.broadcast_to(ld.constant(0.0), (64,)),
    ),
    "kept: a sum over two": (lambda: x.sum(0), lambda: x.sum(0)),
    "the sum over pixels of what a pooling spread": (
        lambda: ld.vjp([pooled], [image], [pooled * 2])[0].sum((0, 1, 2)),
        lambda: (pooled * 2).sum((0, 1, 2)),
    ),
    "kept: its sum over rows": (
        lambda: ld.vjp([pooled], [image], [pooled * 2])[0].sum((0, 1)),
        lambda: ld.vjp([pooled], [image], [pooled * 2])[0].sum((0, 1)),
    ),
    "stop_gradient": (lambda: ld.stop_gradient(x) + x, lambda: x + x),
    "kept: zero times x may be NaN": (lambda: x * 0.0, lambda: x * 0.0),
    "kept: plus zero turns -0 into 0": (lambda: x + 0.0, lambda: x + 0.0),
    "kept: one divided by x": (lambda: 1.0 / x, lambda: 1.0 / x),
    "kept: log of a number is the device's": (
        lambda: x + ld.log(ld.constant(2.0)),
        lambda: x + ld.log(ld.constant(2.0)),
    ),
    "kept: exp of a number is the device's": (
        lambda: x + ld.exp(ld.constant(1.0)),
        lambda: x + ld.exp(ld.constant(1.0)),
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_rows(name):
    before, after = ROWS[name]
    assert text(simplify([before()])) == text([after()])


def test_every_row_is_shown_above(monkeypatch):
    """A row that rewrites none of the cases is one that nobody tests."""
    used, everything = set(), {rule.__name__ for rules in table.values() for rule in rules}

    def watched(rule):
        def watch(tensor):
            result = rule(tensor)
            if result is not None:
                used.add(rule.__name__)
            return result

        return watch

    for op, rules in table.items():
        monkeypatch.setitem(table, op, [watched(rule) for rule in rules])
    for before, _ in ROWS.values():
        simplify([before()])
    assert used == everything


FOLDED = [ld.add, ld.subtract, ld.multiply, ld.divide, ld.neg, ld.sqrt, ld.square]


@pytest.mark.parametrize("dtype", [ld.f32, ld.f64], ids=str)
@pytest.mark.parametrize("function", FOLDED, ids=lambda f: f.__name__)
def test_what_the_desk_folds_has_the_bits_that_the_device_would_find(function, dtype):
    count = 1 if function in (ld.neg, ld.sqrt, ld.square) else 2
    values = [np.asarray(v, dtype.numpy) for v in (1.7, 0.3)][:count]
    folded = ld.compile(f=ld.broadcast_to(function(*map(ld.constant, values)), (1,)) * ld.input("one", (1,), dtype))
    assert len(folded.entry("f").steps) == 1
    run = ld.compile(f=function(*(ld.input(f"v{k}", (), dtype) for k in range(count))))
    found = ld.Session(folded).f(one=np.ones(1, dtype.numpy))
    expected = ld.Session(run).f(**{f"v{k}": v for k, v in enumerate(values)})
    assert found[0] == expected


def test_gradients_carry_no_ones():
    shown = text(simplify([ld.grad((ld.tanh(x) * 1.0).sum(), x)]))
    assert shown.count("multiply") == 0  # 1 - tanh**2, times a cotangent of ones


def test_a_row_that_stands_for_equal_ones_has_their_bits():
    rows, matrix = ld.input("rows", (5, 37)), ld.input("matrix", (37, 19))
    plan = ld.compile(one=ld.broadcast_to(rows[2:3], (5, 37)) @ matrix + 0.0, all=rows @ matrix)
    rng, session = np.random.default_rng(0), ld.Session(plan)
    a, b = (rng.normal(size=s).astype(np.float32) for s in (rows.shape, matrix.shape))
    found = session.one(rows=a, matrix=b)
    assert found.tobytes() == session.all(rows=np.repeat(a[2:3], 5, 0), matrix=b).tobytes()
    product = next(s for s in plan.entry("one").steps if s.declared.name == "matmul_nn")
    assert product.rows == 1
