"""Architecture search: the exact second-order gradient, the planner's bytes as a price, and what is found."""

import numpy as np
import pytest

import lazydiff as ld
from lazydiff.examples import nas
from lazydiff.graph.walk import topological


def test_the_price_is_the_planners_number():
    table = nas.ram_table()
    for cell in (("identity",) * 3, ("conv3x3", "maxpool3x3", "conv1x1")):
        at = tuple(nas.OPS.index(op) for op in cell)
        assert table[at] == nas.plan_of(cell).ram_bytes == ld.Session(nas.plan_of(cell)).ram_bytes
    shares = [ld.constant(np.eye(4, dtype=np.float32)[k]) for k in (1, 3, 2)]
    price = ld.Session(ld.compile(f=nas.expected_price(shares) * 1)).f()
    np.testing.assert_allclose(price, (table[1, 3, 2] - table.min()) / (table.max() - table.min()), rtol=1e-6)


@pytest.mark.parametrize("order", ["first", "second"])
def test_the_gradient_of_the_architecture(order):
    """Second order is the derivative of the validation loss after a step of the weights; first order is not."""
    cost, alphas = nas.search_cost("second", 0.0)
    wanted = ld.grad(cost, alphas)
    found = ld.grad(nas.search_cost(order, 0.0)[0], alphas)
    rng = np.random.default_rng(0)
    inputs = {n: rng.random((nas.BATCH, 8, 8, 1), np.float32) for n in ("x", "xv")}
    inputs |= {n: rng.integers(0, 10, nas.BATCH).astype(np.int32) for n in ("y", "yv")}
    outputs = {f"w{n}": g for n, g in enumerate(wanted)} | {f"g{n}": g for n, g in enumerate(found)}
    values = ld.Session(ld.compile(f=outputs)).arrays("f", **inputs)
    same = [np.allclose(values[f"w{n}"], values[f"g{n}"], rtol=1e-4, atol=1e-7) for n in range(len(alphas))]
    assert all(same) if order == "second" else not any(same)


def test_second_order_is_exact():
    cost, _ = nas.search_cost("second", 0.1)
    rng = np.random.default_rng(1)
    values = {n: rng.random((nas.BATCH, 8, 8, 1)) for n in ("x", "xv")}
    values |= {n: rng.integers(0, 10, nas.BATCH).astype(np.int32) for n in ("y", "yv")}
    ld.check_grads(cost, values, order=1, modes=["rev"], eps=1e-6, tolerance=1e-5)


def test_what_the_search_finds():
    found = nas.run("second")
    table = nas.ram_table()
    assert table.min() < found.cell_ram_bytes < table.max()
    assert found.accuracy > 0.8
    assert found.cell != ("identity",) * 3


def test_the_second_order_graph_stays_small():
    counts = {}
    for order in ("first", "second"):
        cost, alphas = nas.search_cost(order, 0.1)
        counts[order] = len(topological([cost])), len(topological([cost, *ld.grad(cost, alphas)]))
    assert counts == {"first": (176, 334), "second": (338, 692)}
