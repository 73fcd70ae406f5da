"""The registry loop: every public array function forward, in C and in the oracle, against NumPy and SciPy."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

import lazydiff as ld
from forward_table import (
    ALONG,
    AWKWARD,
    ELSEWHERE,
    INTEGER,
    LOGICAL,
    MATRIX,
    ONE,
    REDUCTIONS,
    TABLES,
    THREE,
    TWO,
    WHOLE,
)
from lazydiff.dtypes import FLOATS
from lazydiff.graph.node import OPS
from lazydiff.run.reference import Reference

few = settings(max_examples=4, derandomize=True, deadline=None, database=None)
dtypes = pytest.mark.parametrize("dtype", FLOATS, ids=str)
RNG = np.random.default_rng(21)


def both_runtimes(outputs, wanted, inputs, dtype, size=1.0):
    """Run the outputs as one plan, in C and with numpy: their values are those wanted, of NumPy's shape and kind.

    `size` is how large the numbers are that meet in one result: the rounding errors grow with it.
    """
    plan = ld.compile(f=outputs)
    unit = float(np.finfo(dtype.numpy).eps)
    inputs = {s.name: inputs[s.name] for s in plan.entry("f").inputs}
    for runner in (ld.Session(plan).arrays, Reference(plan).run):
        with np.errstate(all="ignore"):
            found = runner("f", **inputs)
        for name, value in wanted.items():
            assert found[name].shape == np.shape(value), name
            kind = np.asarray(value).dtype.kind
            if kind in "biu" and name not in ("argmax", "argmin"):
                assert found[name].dtype == value.dtype, name
                np.testing.assert_array_equal(found[name], value, name)
                continue
            with np.errstate(all="ignore"):
                value = np.asarray(value).astype(dtype.numpy)
            least = float(np.finfo(dtype.numpy).smallest_subnormal)
            atol = max(64 * least, 16 * unit * size if size != 1.0 else 0.0)
            np.testing.assert_allclose(found[name], value, 64 * unit, atol, err_msg=name)
            zeros = (found[name] == 0) & (value == 0)
            np.testing.assert_array_equal(np.signbit(found[name][zeros]), np.signbit(value[zeros]), name)


def truth(function, *args):
    """NumPy's value in float64, without its warnings."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return function(*(a.astype(np.float64) if a.dtype.kind == "f" else a for a in args))


# --------------------------------------------------------------------------------------------------- nothing forgotten


def test_no_public_array_function_is_forgotten():
    named = {name.split()[0] for table in TABLES for name in table}
    elsewhere = {name: file for file, names in ELSEWHERE.items() for name in names.split()}
    leaves = {"input", "param", "state"}
    for name in ld.__all__:
        module = getattr(getattr(ld, name), "__module__", "")
        if module.startswith("lazydiff.ops.") or name in ("softmax", "log_softmax", "one_hot"):
            assert name in named | leaves | set(elsewhere), f"ld.{name} has no row in forward_table"
    for name, file in elsewhere.items():
        assert f"ld.{name}" in (Path(__file__).parent / file).read_text(), (name, file)
    inner = {"join", "matches", "uniform"}  # of sums of parts, of one_hot, of random numbers
    assert {op.name for op in OPS.values() if op.opcode} <= named | set(elsewhere) | inner


# ------------------------------------------------------------------------------------------------------- of every value


@dtypes
def test_functions_of_every_awkward_value(dtype):
    """Of one, and of two with every value beside every other: a column and a row that broadcast."""
    with np.errstate(over="ignore"):
        row = np.array(AWKWARD).astype(dtype.numpy)
    a, b = row[:, None], row
    x, y = ld.input("a", a.shape, dtype), ld.input("b", b.shape, dtype)
    outputs = {n: f(y) for n, (f, _) in ONE.items()} | {n: f(x, y) for n, (f, _) in TWO.items()}
    wanted = {n: truth(g, b) for n, (_, g) in ONE.items()} | {n: truth(g, a, b) for n, (_, g) in TWO.items()}
    both_runtimes(outputs, wanted, {"a": a, "b": b}, dtype)


@few
@given(mutually_broadcastable_shapes(num_shapes=3, max_dims=3, max_side=4))
@dtypes
def test_functions_broadcast_as_numpys(dtype, shapes):
    arrays = [RNG.normal(size=s).astype(dtype.numpy) for s in shapes.input_shapes]
    tensors = [ld.input(f"x{i}", a.shape, dtype) for i, a in enumerate(arrays)]
    rows = [(1, row) for row in ONE.items()] + [(2, row) for row in TWO.items()] + [(3, row) for row in THREE.items()]
    outputs = {n: f(*tensors[:arity]) for arity, (n, (f, _)) in rows}
    wanted = {n: truth(g, *arrays[:arity]) for arity, (n, (_, g)) in rows}
    both_runtimes(outputs, wanted, {f"x{i}": a for i, a in enumerate(arrays)}, dtype, size=8.0)


@pytest.mark.parametrize("dtype", [ld.i32, ld.u8, ld.i8, ld.bool_], ids=str)
def test_functions_of_integers_and_bools(dtype):
    row = np.array([0, 1, 2, 3, 1, 0, 7, 5]).astype(dtype.numpy)
    if dtype in (ld.i32, ld.i8):
        row = row - row.dtype.type(3)
    a, b = row[:, None], row
    x, y = ld.input("a", a.shape, dtype), ld.input("b", b.shape, dtype)
    names = LOGICAL if dtype is ld.bool_ else [*INTEGER, *LOGICAL]
    table = {n: (ONE[n], (y,), (b,)) if n in ONE else (TWO[n], (x, y), (a, b)) for n in names}
    if dtype is ld.u8:  # where NumPy wraps round we saturate: test_integers
        del table["neg"], table["subtract"]
    outputs = {n: f(*ts) for n, ((f, _), ts, _) in table.items()}
    both_runtimes(outputs, {n: g(*xs) for n, ((_, g), _, xs) in table.items()}, {"a": a, "b": b}, ld.f32)


# ------------------------------------------------------------------------------------------------- of every shape, axis

SHAPES = st.lists(st.integers(1, 5), min_size=1, max_size=4).map(tuple)


@st.composite
def shapes_and_axes(draw):
    """A shape, an axis of it counted from either end, and a tuple of axes, none and all among them."""
    shape = draw(SHAPES)
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    some = draw(st.lists(st.sampled_from(range(len(shape))), unique=True))
    axes = draw(st.sampled_from([None, axis, tuple(some), tuple(i - len(shape) for i in some)]))
    return shape, axis, axes, draw(st.booleans())


@few
@given(shapes_and_axes())
@dtypes
def test_reductions_and_moves_follow_numpys_axes(dtype, drawn):
    shape, axis, axes, keepdims = drawn
    value = RNG.normal(size=shape).astype(dtype.numpy)
    x = ld.input("x", shape, dtype)
    outputs = {n: f(x, axes, keepdims) for n, (f, _) in REDUCTIONS.items()}
    outputs |= {n: f(x, axis) for n, (f, _) in ALONG.items()} | {n: f(x) for n, (f, _) in WHOLE.items()}
    wanted = {n: truth(lambda v, g=g: g(v, axes, keepdims), value) for n, (_, g) in REDUCTIONS.items()}
    wanted |= {n: truth(lambda v, g=g: g(v, axis), value) for n, (_, g) in ALONG.items()}
    wanted |= {n: truth(g, value) for n, (_, g) in WHOLE.items()}
    if len(shape) > 1:
        outputs |= {n: f(x) for n, (f, _) in MATRIX.items()}
        wanted |= {n: truth(g, value) for n, (_, g) in MATRIX.items()}
    both_runtimes(outputs, wanted, {"x": value}, dtype, size=float(np.sqrt(value.size)) + 1)


@pytest.mark.parametrize("shape", [(1,), (1, 1), (1, 1, 1)], ids=str)
def test_shapes_of_one_element(shape):
    value = np.full(shape, -1.5, np.float32)
    x = ld.input("x", shape)
    outputs = {n: f(x, None, True) for n, (f, _) in REDUCTIONS.items()} | {n: f(x, -1) for n, (f, _) in ALONG.items()}
    wanted = {n: truth(lambda v, g=g: g(v, None, True), value) for n, (_, g) in REDUCTIONS.items()}
    wanted |= {n: truth(lambda v, g=g: g(v, -1), value) for n, (_, g) in ALONG.items()}
    outputs |= {n: f(x) for n, (f, _) in (ONE | WHOLE).items()} | {n: f(x, x) for n, (f, _) in TWO.items()}
    wanted |= {n: truth(g, value) for n, (_, g) in (ONE | WHOLE).items()}
    wanted |= {n: truth(g, value, value) for n, (_, g) in TWO.items()}
    both_runtimes(outputs, wanted, {"x": value}, ld.f32)


@dtypes
def test_shapes_without_elements(dtype):
    """The shape and dtype are NumPy's, and nothing of the function is left."""
    value = np.zeros((3, 0), dtype.numpy)
    x, column = ld.constant(value), ld.constant(np.ones((3, 1), dtype.numpy))
    pairs = [(n, f(x), truth(g, value)) for n, (f, g) in ONE.items()]
    pairs += [(n, f(x, column), truth(g, value, column.data)) for n, (f, g) in TWO.items()]
    pairs += [(n, f(x, column, x), truth(g, value, column.data, value)) for n, (f, g) in THREE.items()]
    pairs += [(n, f(x, 0), truth(lambda v, g=g: g(v, 0), value)) for n, (f, g) in ALONG.items() if n != "vecdot"]
    some = {n: row for n, row in REDUCTIONS.items() if n not in ("var", "std")}
    pairs += [(n, f(x, 0, True), truth(lambda v, g=g: g(v, 0, True), value)) for n, (f, g) in some.items()]
    for name, found, wanted in pairs:
        assert found.shape == np.shape(wanted), name
        assert found.dtype in (dtype, ld.bool_, ld.i32), name
        assert found.op.name == "const", name
