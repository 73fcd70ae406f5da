"""einsum and its kin against NumPy: any subscripts, any number of operands."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lazydiff as ld


def close(build, expected, *arrays):
    inputs = [ld.input(f"x{k}", a.shape, ld.f64) for k, a in enumerate(arrays)]
    plan = ld.compile(f={"y": build(*inputs)})
    found = ld.Session(plan).run("f", **{f"x{k}": a for k, a in enumerate(arrays)})
    found = np.asarray(found["y"] if isinstance(found, dict) else found)
    assert found.shape == np.shape(expected)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


EXTENTS = dict(zip("abcde", (2, 3, 1, 4, 2), strict=True))


@st.composite
def subscripts(draw):
    """Terms of up to four letters, some with an ellipsis; a result of some of the letters, or none written."""
    terms = draw(st.lists(st.text("abcde", max_size=4), min_size=1, max_size=4))
    dots = [draw(st.integers(-1, 2)) for _ in terms]  # -1: no ellipsis
    places = [draw(st.integers(0, len(t))) for t in terms]
    thin = [draw(st.booleans()) for _ in terms]
    written = [t if d < 0 else t[:p] + "..." + t[p:] for t, d, p in zip(terms, dots, places, strict=True)]
    shapes = []
    for t, d, p, one in zip(terms, dots, places, thin, strict=True):
        shape = [EXTENTS[x] for x in t]
        lead = [(3, 2)[-d:][k] if not (one and k == 0) else 1 for k in range(d)] if d > 0 else []
        shapes.append((*shape[:p], *lead, *shape[p:]))
    text = ",".join(written)
    if draw(st.booleans()):
        letters = sorted(set("".join(terms)))
        chosen = draw(st.permutations(letters)) if letters else []
        text += "->" + ("..." if max(dots) > -1 else "") + "".join(chosen[: draw(st.integers(0, len(letters)))])
    return text, shapes


@settings(max_examples=150, deadline=None)
@given(subscripts(), st.booleans())
def test_einsum_is_numpys(case, optimize):
    text, shapes = case
    rng = np.random.default_rng(len(text))
    arrays = [rng.normal(size=s) for s in shapes]
    close(lambda *xs: ld.einsum(text, *xs, optimize=optimize), np.einsum(text, *arrays), *arrays)


def test_an_extent_of_1_broadcasts_by_its_letter():
    a, b = np.random.default_rng(0).normal(size=(2, 1, 3, 4))
    close(lambda x, y: ld.einsum("ijk,ijk->jk", x, y), np.einsum("ijk,ijk->jk", a, b), a, b)
    thin = a[:, :1]
    close(lambda x, y: ld.einsum("ijk,ijk->k", x, y), np.einsum("ijk,ijk->k", thin, b), thin, b)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ij", "1 operands are named, 2 are given"),
        ("ijk,jk", "'ijk' does not name the 2 axes"),
        ("ij,ik", "'i' is 2 and 3"),
        ("ij,jk->iz", "'iz' is not some"),
        ("ij,jk->ii", "'ii' is not some"),
        ("i1,jk", "'i1' does not name"),
        ("...j,jk->k", "'k' is not some"),
    ],
)
def test_einsum_names_the_subscripts_and_the_shapes(text, words):
    a, b = ld.input("a", (2, 3)), ld.input("b", (3, 4))
    with pytest.raises(ld.ShapeError, match=rf"test_algebra.*{text.replace('.', '[.]')}.*\(2, 3\), \(3, 4\): {words}"):
        ld.einsum(text, a, b)


def test_products_of_axes_are_numpys():
    rng = np.random.default_rng(1)
    a, b, c = rng.normal(size=(2, 3, 4)), rng.normal(size=(4, 3, 5)), rng.normal(size=(3,))
    close(lambda x, y: ld.tensordot(x, y, ((1, -1), (1, 0))), np.tensordot(a, b, ((1, 2), (1, 0))), a, b)
    close(lambda x, y: ld.tensordot(x, y, 0), np.tensordot(a, c, 0), a, c)
    close(lambda x, y: ld.tensordot(x, y), np.tensordot(a, b.transpose(1, 0, 2), 2), a, b.transpose(1, 0, 2).copy())
    close(ld.dot, np.dot(c, c), c, c)
    close(ld.dot, np.dot(a, b.swapaxes(0, 1)), a, b.swapaxes(0, 1).copy())
    close(lambda x: ld.dot(x, 3.0), c * 3, c)
    close(lambda x, y: ld.vecdot(x, y, 1), np.einsum("ijk,ij->ik", a, a[:, :, 0]), a, a[:, :, :1].copy())
    close(ld.outer, np.outer(a, c), a, c)
    with pytest.raises(ld.ShapeError, match="tensordot"):
        ld.tensordot(ld.input("x", (2, 3)), ld.input("y", (2, 3)), 1)
    with pytest.raises(ld.ShapeError, match="vecdot"):
        ld.vecdot(ld.input("x", (2, 3)), ld.input("y", (2, 1)))


def test_a_matrix_product_by_einsum_copies_nothing():
    a, b = ld.input("a", (3, 4)), ld.input("b", (5, 4))
    steps = ld.compile(f=ld.einsum("ij,kj->ki", a, b)).entry("f").steps
    assert [s.label for s in steps] in (["matmul", "output"], ["matmul"])
    (step,) = ld.compile(f=ld.einsum("ij,kj", a, b)).entry("f").steps
    assert step.label == "matmul"


def test_a_sum_over_no_elements_is_zero():
    a, b = np.ones((2, 0)), np.ones((0, 3))
    y = ld.einsum("ij,jk->ik", ld.constant(a), ld.constant(b)) + ld.input("x", (2, 3), ld.f64)
    np.testing.assert_array_equal(ld.Session(ld.compile(f=y)).f(x=np.ones((2, 3))), np.ones((2, 3)))
