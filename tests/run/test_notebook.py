"""t.numpy() computes a tensor at once: compiled once for equal graphs, right for whatever it is given."""

import subprocess
import sys

import numpy as np
import pytest

import lazydiff as ld
from lazydiff import notebook


@pytest.fixture
def compiled(monkeypatch):
    """The plans made in a test, with an empty cache."""
    made = []
    whole = notebook.compile_plan
    monkeypatch.setattr(notebook, "compile_plan", lambda **e: made.append(whole(**e)) or made[-1])
    notebook._by_graph.clear()
    return made


def _affine():
    w = ld.param("w", np.float32([[1, 2], [3, 4]]))
    return ld.input("x", (2,)) @ w + ld.input("b", ())


def test_values_follow_the_inputs(compiled):
    t = _affine()
    np.testing.assert_array_equal(t.numpy(x=[1, 0], b=10), [11, 12])
    np.testing.assert_array_equal(t.numpy(x=np.array([0.0, 1.0]), b=np.float64(0)), [3, 4])
    first, second = t.numpy(x=[1, 1], b=0), t.numpy(x=[1, 1], b=0)
    assert first.dtype == np.float32
    assert first.tobytes() == second.tobytes()
    first[:] = 0
    np.testing.assert_array_equal(second, [4, 6])
    assert len(compiled) == 1


def test_an_equal_graph_is_compiled_once(compiled):
    for _ in range(3):  # each time new nodes: the old ones are gone
        assert _affine().numpy(x=[1, 0], b=0).tolist() == [1, 2]
    assert len(compiled) == 1
    (2 * _affine()).numpy(x=[1, 0], b=0)
    assert len(compiled) == 2


def test_the_data_of_constants_and_parameters_tells_graphs_apart(compiled):
    x = ld.input("x", (2,))
    assert (x + np.float32([1, 2])).numpy(x=[0, 0]).tolist() == [1, 2]
    assert (x + np.float32([1, 3])).numpy(x=[0, 0]).tolist() == [1, 3]
    assert (x + ld.param("p", [1.0, 2.0])).numpy(x=[0, 0]).tolist() == [1, 2]
    assert (x + ld.param("p", [5.0, 6.0])).numpy(x=[0, 0]).tolist() == [5, 6]
    assert (x + ld.param("p", [5.0, 6.0])).numpy(x=[0, 0], params={"p": [7, 8]}).tolist() == [7, 8]
    assert (x + ld.param("p", [1.0, 2.0])).numpy(x=[0, 0], params={"p": [9, 8]}).tolist() == [9, 8]
    assert len(compiled) == 5, "a parameter that is given is no part of the graph's hash"


def test_leaves_numbers_gradients_and_other_dtypes():
    x, i = ld.input("x", (3,)), ld.input("i", (3,), ld.i32)
    assert x.numpy(x=[1, 2, 3]).tolist() == [1, 2, 3]
    assert ld.constant(np.float64(2.5)).numpy().shape == ()
    assert ld.param("p", [1.0, 2.0]).numpy().tolist() == [1, 2]
    assert ld.zeros_like(x).numpy().tolist() == [0, 0, 0]
    assert (x > 1).numpy(x=[1, 2, 3]).tolist() == [False, True, True]
    assert (i + 1).numpy(i=[1, 2, 3]).dtype == np.int32
    assert ld.grad(ld.sum(x**3), x).numpy(x=[1, 2, 3]).tolist() == [3, 12, 27]
    wide = ld.input("w", (2,), ld.f64)
    assert (wide / 3).numpy(w=[1, 2]).tobytes() == (np.array([1.0, 2.0]) / 3).tobytes()


def test_unfit_arrays_are_refused():
    t, i = _affine(), ld.input("i", (2,), ld.i32) * 2
    for inputs, why in (
        ({"x": [1, 2]}, "missing 'b'"),
        ({"x": [1, 2], "b": 1, "c": 2}, "unknown 'c'"),
        ({"x": [1, 2, 3], "b": 1}, r"shape \(3,\), not \(2,\)"),
        ({"x": [1, 2j], "b": 1}, "complex128, not f32"),
        ({"x": [1, 2], "b": 1, "params": {"q": 1}}, r"params names \['q'\]"),
        ({"x": [1, 2], "b": 1, "params": {"w": [1, 2]}}, r"parameter 'w' has shape"),
    ):
        with pytest.raises(ld.InputError, match=why):
            t.numpy(**inputs)
    with pytest.raises(ld.InputError, match="float64, not i32"):
        i.numpy(i=[0.5, 1.0])
    with pytest.raises(ld.InputError, match="numbers that i32 does not"):
        i.numpy(i=[2**40, 1])


def test_few_graphs_are_kept(compiled):
    x = ld.input("x", ())
    for k in range(notebook.KEPT_GRAPHS + 3):
        assert (x + float(k)).numpy(x=1) == k + 1
    assert len(notebook._by_graph) == notebook.KEPT_GRAPHS
    (x + 0.5 - 0.5).numpy(x=1)
    assert (x + 0.0).numpy(x=1) == 1, "an old graph is compiled again"


def test_importing_lazydiff_does_not_import_the_runtime():
    program = (
        "import sys, lazydiff; sys.exit('lazydiff.notebook' in sys.modules or 'lazydiff.run.session' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
