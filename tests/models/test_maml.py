"""MAML as a user runs it: the exact meta-gradient, what it learns, and what both orders cost."""

import numpy as np
import pytest

import lazydiff as ld
from lazydiff.examples import maml
from lazydiff.graph.walk import topological


def meta_gradient(second_order):
    weights = maml.initial(0, ld.f64)
    found = maml.losses(weights, 3, second_order, ld.f64)
    return found.after, weights, maml.sample(np.random.default_rng(3), 3)


def test_the_meta_gradient_is_exact():
    loss, _, values = meta_gradient(True)
    ld.check_grads(loss, values, order=1, tolerance=1e-6, eps=1e-5)


def test_first_order_maml_is_not_the_gradient():
    loss, _, values = meta_gradient(False)
    with pytest.raises(ld.GradientError):
        ld.check_grads(loss, values, order=1, tolerance=1e-6, eps=1e-5)


def test_the_second_order_graph_stays_small():
    loss, weights, _ = meta_gradient(True)
    forward, both = len(topological([loss])), len(topological([loss, *ld.grad(loss, weights)]))
    assert (forward, both) == (97, 213)


def test_one_step_on_ten_points_fits_a_new_sinusoid():
    second, first = maml.build(True), maml.build(False)
    assert second.ram_bytes <= 736_304
    assert first.ram_bytes <= 311_312
    session = maml.train(second, maml.ITERATIONS)
    before, after = maml.evaluate(session)
    assert after < before / 3
