"""Graphs: equal expressions are one node, errors name the user's line, depth does not matter."""

import weakref
from textwrap import dedent

import numpy as np
import pytest

import lazydiff as ld
from lazydiff.graph import node
from lazydiff.graph.text import text
from lazydiff.graph.walk import topological


def test_equal_expressions_are_one_node():
    x, y = ld.input("x", (3,)), ld.input("y", (3,))
    assert x * y is x * y
    assert ld.input("x", (3,)) is x
    assert ld.tanh(x + 1) is ld.tanh(x + 1.0)
    assert ld.param("w", [1.0]) is ld.param("w", [1.0])
    assert ld.param("w", [1.0]) is not ld.param("w", [2.0])
    assert x * y is not y * x


def test_text_form():
    x, w = ld.input("x", (2, 3)), ld.param("w", np.zeros((3, 2), np.float32))
    assert text([ld.relu(x @ w + 1)]) == dedent("""\
        x = input dtype=f32 shape=(2, 3)  f32[2, 3]
        w = param dtype=f32 shape=(3, 2)  f32[3, 2]
        %2 = matmul x w  f32[2, 2]
        %3 = const 1.0  f32[]
        %4 = broadcast_to %3 shape=(2, 2)  f32[2, 2]
        %5 = add %2 %4  f32[2, 2]
        %6 = relu %5  f32[2, 2]
        return %6""")


BAD = {
    "broadcast": (ld.ShapeError, lambda x, y: x + ld.input("z", (4,))),
    "matmul": (ld.ShapeError, lambda x, y: x @ x),
    "reshape": (ld.ShapeError, lambda x, y: x.reshape(7)),
    "axis": (ld.ShapeError, lambda x, y: x.sum(axis=5)),
    "transpose": (ld.ShapeError, lambda x, y: ld.transpose(x, (0, 0))),
    "broadcast_to": (ld.ShapeError, lambda x, y: ld.broadcast_to(x, (3,))),
    "conv2d": (ld.ShapeError, lambda x, y: ld.conv2d(x, x)),
    "labels": (ld.ShapeError, lambda x, y: ld.cross_entropy(x, ld.input("l", (3,), ld.i32))),
    "label dtype": (ld.DtypeError, lambda x, y: ld.cross_entropy(x, ld.input("l", (2,)))),
    "mixed": (ld.DtypeError, lambda x, y: x + y),
    "input dtype": (ld.DtypeError, lambda x, y: ld.input("q", (2,), np.float32)),
    "int sum": (ld.DtypeError, lambda x, y: ld.input("q", (2,), ld.i32).sum()),
    "complex": (ld.DtypeError, lambda x, y: x + np.ones(3, complex)),
    "shape": (ld.ShapeError, lambda x, y: ld.input("q", (0,))),
    "name": (ld.GraphError, lambda x, y: ld.input("", (1,))),
    "name of half a character": (ld.GraphError, lambda x, y: ld.input("a\ud800", (1,))),
    "entry of half a character": (ld.GraphError, lambda x, y: ld.compile(**{"a\ud800": x})),
    "name out": (ld.GraphError, lambda x, y: ld.input("out", (1,))),
    "name changed": (ld.GraphError, lambda x, y: ld.input("changed", (1,))),
    "grad of many": (ld.GraphError, lambda x, y: ld.grad(x, x)),
    "no parameter": (ld.GraphError, lambda x, y: ld.train_step(x.sum(), ld.sgd(0.1))),
    "if": (ld.GraphError, lambda x, y: bool(x > 0)),
    "numpy reads": (ld.GraphError, lambda x, y: np.asarray(x)),
    "numpy lists": (ld.GraphError, lambda x, y: ld.constant([x, x])),
}


@pytest.mark.parametrize("name", BAD)
def test_errors_name_the_users_line(name):
    error, function = BAD[name]
    with pytest.raises(error) as caught:
        function(ld.input("x", (2, 3)), ld.input("y", (2, 3), ld.f64))
    assert f"test_graph.py:{function.__code__.co_firstlineno}" in str(caught.value)


def test_two_parameters_of_one_name_are_refused_together_with_their_lines():
    a, b = ld.param("w", [1.0]), ld.param("w", [2.0])
    with pytest.raises(ld.GraphError, match=r"named 'w': test_graph.py:\d+, test_graph.py:\d+"):
        ld.compile(f=a + b)
    with pytest.raises(ld.GraphError, match="named 'w'"):
        ld.compile(f=a * 2, g=b * 2)  # entries share their parameters
    ld.compile(f=ld.input("x", (2,)) + 1, g=ld.input("x", (3,)) + 1)  # but not their inputs


@pytest.mark.parametrize("entries", [{}, {"f": {}}, {"f": {"a": 3}}])
def test_entries_that_are_none(entries):
    with pytest.raises(ld.GraphError):
        ld.compile(**entries)


def test_numpy_arrays_stand_on_either_side():
    x = ld.input("x", (3,))
    plan = ld.compile(f={"a": np.ones(3, np.float32) - x, "b": x * np.arange(3.0), "c": 2 / x, "d": np.eye(3) @ x})
    found = ld.Session(plan).f(x=np.array([1, 2, 4], np.float32))
    np.testing.assert_array_equal(found["a"], [0, -1, -3])
    np.testing.assert_array_equal(found["b"], [0, 2, 8])
    np.testing.assert_array_equal(found["c"], [2, 1, 0.5])
    np.testing.assert_array_equal(found["d"], [1, 2, 4])


def chain(x, links):
    y = x
    for _ in range(links):
        y = ld.tanh(y + 0.125)
    return y


def test_a_chain_of_5000_nodes_needs_no_recursion():
    x = ld.input("x", (2,))
    y = chain(x, 2500)
    assert len(topological([y])) > 5000
    assert len(topological([ld.grad(y.sum(), x)])) > 10_000
    expected = np.zeros(2)
    for _ in range(2500):
        expected = np.tanh(expected + 0.125)
    np.testing.assert_allclose(ld.Session(ld.compile(f=y)).f(x=np.zeros(2, np.float32)), expected, rtol=1e-4)


def test_the_gradient_of_a_long_chain_compiles_and_is_right():
    x = ld.input("x", (2,), ld.f64)
    found = ld.Session(ld.compile(f=ld.grad(chain(x, 1200).sum(), x))).f(x=np.zeros(2))
    value, slope = 0.0, 1.0
    for _ in range(1200):
        value = np.tanh(value + 0.125)
        slope *= 1 - value * value
    np.testing.assert_allclose(found, [slope, slope], rtol=1e-9)


class Counted(weakref.WeakValueDictionary):
    """The table of nodes, counting the ones that are made, those that are dropped again included."""

    made = 0

    def __setitem__(self, key, value):
        self.made += 1
        super().__setitem__(key, value)


@pytest.mark.parametrize("shape", ["deep", "wide"])
def test_the_gradient_of_one_parameter_builds_nothing_for_the_others(monkeypatch, shape):
    x = ld.input("x", (4, 8))

    def made(n):
        w = [ld.param(f"w{i}", np.full((8, 8), i + 1, np.float32)) for i in range(n)]
        if shape == "deep":
            h = x
            for each in w:
                h = ld.tanh(h @ each)
            loss = h.sum()
        else:
            loss = (x @ w[0]).sum()
            for each in w[1:]:
                loss = loss + ld.tanh(x @ each).sum()
        with monkeypatch.context() as patch:
            table = Counted(node._interned)
            patch.setattr(node, "_interned", table)
            gradient = ld.grad(loss, w[-1])
        assert gradient.shape == (8, 8)
        return table.made

    assert 0 < made(20) == made(2)


def test_the_gradient_of_an_absent_parameter_costs_nothing():
    x, absent = ld.input("x", (3,)), ld.param("absent", np.ones((50, 50), np.float32))
    plan = ld.compile(f=ld.grad((x * x).sum(), absent))
    assert not plan.entry("f").steps
    assert plan.ram_bytes == 32
    assert len(plan.consts) < 16
    assert not ld.Session(plan).f().any()
