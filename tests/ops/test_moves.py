"""Moves against NumPy, bit for bit, in C and in the oracle; what they cost in bytes; what they refuse."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lazydiff as ld
from lazydiff.plan.model import MAP
from lazydiff.run.reference import Reference

X = np.arange(24.0, dtype=np.float32).reshape(4, 6)
X[1, 2], X[0, 0], X[2, 5] = -0.0, np.nan, -np.inf


def same(build, expected, *arrays):
    """`build(*inputs)` has the very bytes of `expected`, in C and in the oracle."""
    inputs = [ld.input(f"x{k}", a.shape, next(d for d in DTYPES if d.numpy == a.dtype)) for k, a in enumerate(arrays)]
    plan = ld.compile(f={"y": build(*inputs)})
    data = {f"x{k}": a for k, a in enumerate(arrays) if f"x{k}" in {s.name for s in plan.entry("f").inputs}}
    for runner in (ld.Session(plan), Reference(plan)):
        found = runner.run("f", **data)
        found = np.asarray(found["y"] if isinstance(found, dict) else found, expected.dtype)  # a Session gives one bare
        assert found.shape == expected.shape
        assert found.tobytes() == np.ascontiguousarray(expected).tobytes(), (found, expected)
    return plan


DTYPES = (ld.f32, ld.f64, ld.i32, ld.u8, ld.i8, ld.bool_)
KEYS = [
    np.s_[1],
    np.s_[-1, 2],
    np.s_[..., 3],
    np.s_[:, None, ::2],
    np.s_[::-1],
    np.s_[1:3, ::-2],
    np.s_[None, ..., None],
    np.s_[3:0:-2, -2:0:-1],
    np.s_[-3:, :-1],
    np.s_[2:100, -100:2],
    np.s_[...],
    np.s_[np.int64(2)],
    (),
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_basic_indexing_is_numpys(key):
    same(lambda x: x[key], X[key], X)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (4, "index 4 of axis 0"),
        ((0, -7), "index -7 of axis 1"),
        ((0, 0, 0), "3 indices"),
        ((..., 0, ...), "more than one"),
        ([0, 1], "ld.take"),
        (np.array([True] * 4), "ld.where"),
        (1.5, "not float"),
        (True, "not bool"),
    ],
)
def test_indices_that_are_refused_name_the_users_line(key, words):
    with pytest.raises(ld.ShapeError, match=rf"test_moves\.py:\d+: (?s:.*){words}"):
        ld.input("x", (4, 6))[key]


NAMED = {
    "concat": (lambda x: ld.concat([x, x[:, :1], x], -1), lambda a: np.concatenate([a, a[:, :1], a], -1)),
    "concat flat": (lambda x: ld.concat([x[0], x], None), lambda a: np.concatenate([a[0], a], None)),
    "stack": (lambda x: ld.stack([x, x, x], 1), lambda a: np.stack([a, a, a], 1)),
    "split": (lambda x: ld.split(x, (1, 4), 1)[1], lambda a: np.split(a, (1, 4), 1)[1]),
    "split equal": (lambda x: ld.split(x, 3, 1)[2], lambda a: np.split(a, 3, 1)[2]),
    "unstack": (lambda x: ld.unstack(x, -1)[4], lambda a: a[:, 4]),
    "moveaxis": (lambda x: ld.moveaxis(x[None], (0, 2), (1, 0)), lambda a: np.moveaxis(a[None], (0, 2), (1, 0))),
    "swapaxes": (lambda x: ld.swapaxes(x, 0, -1), lambda a: a.T),
    "permute_dims": (lambda x: ld.permute_dims(x[None], (2, 0, 1)), lambda a: a[None].transpose(2, 0, 1)),
    "expand_dims": (lambda x: ld.expand_dims(x, (0, -1)), lambda a: np.expand_dims(a, (0, -1))),
    "squeeze": (lambda x: ld.squeeze(x[:, None, :1], 1), lambda a: a[:, :1]),
    "squeeze all": (lambda x: ld.squeeze(x[:, None, :1]), lambda a: a[:, 0]),
    "ravel": (lambda x: ld.ravel(x.T), lambda a: a.T.ravel()),
    "flatten": (lambda x: ld.flatten(x[None, :, None], 1, -2), lambda a: a[None]),
    "roll": (lambda x: ld.roll(x, (1, -8), (0, 1)), lambda a: np.roll(a, (1, -8), (0, 1))),
    "roll flat": (lambda x: ld.roll(x, 7), lambda a: np.roll(a, 7)),
    "tile": (lambda x: ld.tile(x, (2, 1, 3)), lambda a: np.tile(a, (2, 1, 3))),
    "tile fewer": (lambda x: ld.tile(x, 2), lambda a: np.tile(a, 2)),
    "repeat": (lambda x: ld.repeat(x, 3, 1), lambda a: np.repeat(a, 3, 1)),
    "repeat flat": (lambda x: ld.repeat(x, 2), lambda a: np.repeat(a, 2)),
    "flip": (lambda x: ld.flip(x), np.flip),
    "diagonal": (lambda x: ld.diagonal(x, 2), lambda a: np.diagonal(a, 2)),
    "diagonal below": (lambda x: ld.diagonal(x[None], -1, 2, 1), lambda a: np.diagonal(a[None], -1, 2, 1)),
    "pad": (lambda x: ld.pad(x, ((1, 2), (0, 3))), lambda a: np.pad(a, ((1, 2), (0, 3)))),
    "pad reflect": (lambda x: ld.pad(x, (3, 2), "reflect"), lambda a: np.pad(a, (3, 2), "reflect")),
    "pad edge": (lambda x: ld.pad(x, ((0, 2), (5, 0)), "edge"), lambda a: np.pad(a, ((0, 2), (5, 0)), "edge")),
    "pad wrap": (lambda x: ld.pad(x, ((4, 1), (0, 2)), "wrap"), lambda a: np.pad(a, ((4, 1), (0, 2)), "wrap")),
}  # fmt: skip


@pytest.mark.parametrize("name", NAMED)
def test_each_move_keeps_every_bit(name):
    symbolic, numeric = NAMED[name]
    same(symbolic, numeric(X), X)
    for dtype in (ld.u8, ld.bool_):
        whole = (np.arange(24).reshape(4, 6) % 7).astype(dtype.numpy)
        same(symbolic, numeric(whole), whole)


def test_concat_of_i32_keeps_every_bit():
    big = np.array([2**31 - 1, -(2**31), 2**24 + 1, -5], np.int32)
    same(lambda x: ld.concat([x, x]), np.concatenate([big, big]), big)


def test_moves_of_floats_only():
    finite = np.nan_to_num(X, neginf=-2)
    same(lambda x: ld.pad(x, 1, value=-2.5), np.pad(finite, 1, constant_values=-2.5), finite)
    same(lambda x: ld.pad(x, 1, value=-0.0), np.pad(finite, 1, constant_values=-0.0), finite)
    for k in range(-5, 8):
        same(lambda x, k=k: ld.triu(x, k), np.triu(finite, k), finite)
        same(lambda x, k=k: ld.tril(x[None], k), np.tril(finite, k)[None], finite)
    same(lambda x: ld.trace(x, 1), np.trace(finite, 1), finite)


# --------------------------------------------------------------------------------------------- random chains of views


def grow(recipe, tensors, arrays):
    """Apply random moves; a part of what is there already may be joined on."""
    t, a = tensors[-1], arrays[-1]
    for op, i, j in recipe:
        axis = i % a.ndim if a.ndim else 0
        lead = (slice(None),) * axis
        if op == 0 and a.ndim:
            t, a = ld.flip(t, axis), np.flip(a, axis)
        elif op == 1 and a.ndim:
            begin, step = j % a.shape[axis], 1 + j % 3
            t, a = t[(*lead, slice(begin, None, step))], a[(*lead, slice(begin, None, step))]
        elif op == 2 and a.ndim:
            cut = slice(None, j % a.shape[axis] - a.shape[axis], -1 - j % 2)
            if a[(*lead, cut)].size:
                t, a = t[(*lead, cut)], a[(*lead, cut)]
        elif op == 3 and a.size < 100:
            widths = tuple((j % 3, i % 2) if d == axis else (0, j % 2) for d in range(a.ndim))
            t, a = ld.pad(t, widths), np.pad(a, widths) if a.ndim else a
        elif op == 4:
            axes = tuple(np.roll(np.arange(a.ndim), j))
            t, a = ld.transpose(t, tuple(int(x) for x in axes)), np.transpose(a, axes)
        elif op == 5 and a.ndim < 4 and a.size < 60:
            t, a = ld.broadcast_to(t, (2, *a.shape)), np.broadcast_to(a, (2, *a.shape))
        elif op == 6 and a.ndim and a.size < 100:
            t, a = ld.concat([t, t[(*lead, slice(0, 1))]], axis), np.concatenate([a, a[(*lead, slice(0, 1))]], axis)
        elif op == 7 and a.ndim:
            at = j % a.shape[axis] - (a.shape[axis] if j % 2 else 0)
            t, a = t[(*lead, at)], a[(*lead, at)]
        elif op == 8:
            t, a = (t.reshape(-1), a.reshape(-1)) if j % 2 else (t[..., None], a[..., None]) if a.ndim < 5 else (t, a)
        elif op == 9 and a.ndim > 1:
            t, a = ld.diagonal(t, 0, axis, (axis + 1) % a.ndim), np.diagonal(a, 0, axis, (axis + 1) % a.ndim)
        elif op == 10 and a.ndim and a.shape[0] % 2 == 0:
            t, a = t.reshape(2, -1, *a.shape[1:]), a.reshape(2, -1, *a.shape[1:])
        tensors.append(t)
        arrays.append(a)


RECIPE = st.lists(st.tuples(st.integers(0, 10), st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=9)


@settings(max_examples=120, deadline=None)
@given(RECIPE)
def test_random_chains_of_moves_equal_numpy_bit_for_bit(recipe):
    """Read three ways: copied out, added in a map to itself reversed, and summed by a kernel that needs it whole."""
    x = ld.input("x", (3, 4))
    tensors, arrays = [x], [np.arange(1.0, 13.0, dtype=np.float32).reshape(3, 4)]
    grow(recipe, tensors, arrays)
    t, a = tensors[-1], arrays[-1]
    outputs = {"out": t * 1.0, "there": t, "both": t + ld.flip(t), "sum": t.sum()}
    plan = ld.compile(f=outputs)
    expected = {"out": a, "there": a, "both": a + np.flip(a), "sum": a.sum()}
    named = {s.name for s in plan.entry("f").inputs}
    for runner in (ld.Session(plan), Reference(plan)):
        found = runner.run("f", **({"x": arrays[0]} if named else {}))
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value, err_msg=name)


# --------------------------------------------------------------------------------------------------------------- bytes


def test_padding_slicing_and_adding_cost_one_map_and_no_buffer():
    x, y = ld.input("x", (8, 8)), ld.input("y", (8, 8))
    padded = ld.pad(x, 1)
    blurred = padded[:-2, 1:-1] + padded[2:, 1:-1] + ld.flip(padded)[1:-1, 2:] * y
    plan = ld.compile(f=blurred)
    (step,) = plan.entry("f").steps
    assert step.kernel == MAP
    plain = ld.compile(f=x + y * x)
    assert plan.ram_bytes <= plain.ram_bytes + 8 * 8 * 4 + 64 * 4 * 2  # the output can't lie on x; temporaries
    a, b = np.random.default_rng(0).normal(size=(2, 8, 8)).astype(np.float32)
    p = np.pad(a, 1)
    expected = p[:-2, 1:-1] + p[2:, 1:-1] + np.flip(p)[1:-1, 2:] * b
    np.testing.assert_array_equal(ld.Session(plan).f(x=a, y=b), expected)


def test_new_axes_and_parts_of_axes_are_views_and_cost_no_step():
    x = ld.input("x", (4, 6))
    parts = [x.T.reshape(6, 1, 4), x[:, :4].reshape(4, 2, 2), x.reshape(2, 12)[:, ::3], ld.expand_dims(x[:, 1:], 0)]
    plan = ld.compile(f=sum(((p * 2.0).sum() for p in parts), start=ld.constant(0.0)))
    copies = [s for s in plan.entry("f").steps if s.label == "copy"]
    assert not copies
    expected = sum((p * 2).sum() for p in (X[1:2].T, X[:, :4], X.reshape(2, 12)[:, ::3], X[:, 1:]))
    assert np.isnan(expected) == np.isnan(ld.Session(plan).f(x=X)).all()


def test_what_a_gradient_of_a_part_touches_lies_in_zeros():
    x = ld.input("x", (5, 3))
    plan = ld.compile(f=ld.grad((x[1::2, ::-1] * 3.0).sum() + x[0, 0], x))
    expected = np.zeros((5, 3), np.float32)
    expected[1::2] = 3
    expected[0, 0] = 1
    np.testing.assert_array_equal(ld.Session(plan).f(), expected)


def test_iterating_a_tensor_gives_its_parts():
    x = ld.input("x", (3, 2))
    a, b, c = x
    same(lambda x: ld.stack(list(x)[:2]), X[:2], X)
    assert (a.shape, b.shape, c.shape) == ((2,),) * 3
    with pytest.raises(ld.GraphError):
        iter(ld.input("s", ()))
