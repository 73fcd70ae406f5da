"""Cheap values that several maps read are computed by each of them: fewer bytes, the same bits."""

import numpy as np
import pytest

import lazydiff as ld
from lazydiff import entries
from lazydiff.passes.apiece import MOST, apiece
from lazydiff.passes.simplify import simplify
from lazydiff.plan.model import MAP
from lazydiff.run.reference import Reference
from tools.bench.workloads.definitions import ALL
from tools.bench.workloads.lazy import compiled, losses, step


def diffusion(dtype=ld.f32):
    """A network of two layers whose first and second derivatives by its input are in the loss."""
    rng = np.random.default_rng(0)
    x = ld.input("x", (64, 1), dtype)
    shapes = {"u": (1, 16), "v": (16, 16), "w": (16, 1)}
    u, v, w = (ld.param(n, rng.normal(size=s).astype(dtype.numpy)) for n, s in shapes.items())
    y = ld.tanh(ld.tanh(x @ u) @ v) @ w
    loss = ld.mean(ld.square(ld.derivative(y, x, 2) + y * ld.derivative(y, x)))
    return ld.train_step(loss, ld.sgd(0.01, momentum=0.9))


def trained(plan, runtime=ld.Session):
    rng, session = np.random.default_rng(1), runtime(plan)
    dtype = plan.entry("train").inputs[0]
    for _ in range(3):
        session.run("train", x=rng.normal(size=(64, 1)).astype(plan.buffers[dtype.buffer].dtype.numpy))
    return [session.read(s.name) for s in plan.state]


def without(monkeypatch, build):
    with monkeypatch.context() as patch:
        patch.setattr(entries, "apiece", lambda roots: None)
        return build()


@pytest.mark.parametrize("dtype", [ld.f32, ld.f64], ids=lambda d: d.name)
def test_a_layer_of_several_orders_takes_fewer_bytes_and_keeps_its_bits(dtype, monkeypatch):
    less = ld.compile(train=diffusion(dtype))
    more = without(monkeypatch, lambda: ld.compile(train=diffusion(dtype)))
    array = 64 * 16 * dtype.itemsize
    assert less.ram_bytes <= more.ram_bytes - array
    found = trained(less)
    assert [a.tobytes() for a in found] == [a.tobytes() for a in trained(more)]
    for ours, numpy in zip(found, trained(less, Reference), strict=True):
        np.testing.assert_allclose(ours, numpy, rtol=1e-4, atol=1e-5)
    assert less.report.extra_work > more.report.extra_work > 0  # what is computed again is owned up to


@pytest.mark.parametrize("name", [n for n in ALL if n.startswith("w7")])
def test_losses_with_derivatives_inside_keep_arrays_less_for_a_little_work(name, monkeypatch):
    plan = compiled(ALL[name])
    more = without(monkeypatch, lambda: compiled(ALL[name]))
    array = 1000 * 20 * np.dtype(ALL[name].dtype).itemsize
    assert plan.ram_bytes <= more.ram_bytes - (2 if name.endswith("taylor") else 4) * array
    assert losses(ALL[name], 3, plan) == losses(ALL[name], 3, more)
    assert plan.report.extra_work < more.report.extra_work + 6


def test_a_map_with_all_that_it_computes_for_itself_has_an_end():
    """A chain of values that two readers share each: copies of copies stop in time."""
    x = y = ld.input("x", (64, 16))
    w = ld.param("w", np.ones((16, 16), np.float32))
    shared = []
    for k in range(40):
        y = ld.square(y) * float(k + 2)
        shared.append(y)
    loss = sum((((s - x) @ w).sum() for s in shared), start=ld.constant(0.0))
    plan = ld.compile(out=loss)
    sizes = [len(s.program.instructions) for s in plan.entries[0].steps if s.kernel == MAP]
    assert 0 < max(sizes) <= MOST + 2
    data = np.random.default_rng(0).uniform(size=(64, 16)).astype(np.float32) * 1e-3
    assert np.isfinite(ld.Session(plan).run("out", x=data))


@pytest.mark.parametrize("name", ["w1_mlp_b32", "w4_dscnn_b1", "w5_resnet8_b1", "w6_vww_full_b1", "w8_maml"])
def test_where_nothing_is_shared_so_no_version_is_made(name):
    assert apiece(simplify(step(ALL[name]).roots)) is None
