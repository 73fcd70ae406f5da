"""The gradient of a pooled feature map, made a row at a time by the convolution's transposes that read it."""

import numpy as np
import pytest

import lazydiff as ld
from lazydiff import entries
from lazydiff.run.reference import Reference
from small import pooled
from tools.bench.workloads.counting import counted
from tools.bench.workloads.definitions import ALL
from tools.bench.workloads.lazy import compiled


def kernels(plan):
    return [s.declared.name for s in plan.entry("train").steps]


def one(side=12, channels=4, more=None, **options):
    """A convolution, pooled, and a dense layer."""
    rng = np.random.default_rng(1)
    x, y = ld.input("x", (3, side, side, 2)), ld.input("y", (3,), ld.i32)
    shape = (3, 3, 2 // options.get("groups", 1), channels)
    c = ld.param("c", rng.normal(size=shape).astype(np.float32))
    b = ld.param("b", rng.normal(size=channels).astype(np.float32))
    z = ld.conv2d(x, c, 1, 1, **options) + b
    h = ld.max_pool2d(ld.relu(z), 2).reshape(3, -1)
    loss = ld.cross_entropy(h @ ld.param("e", rng.normal(size=(h.shape[1], 3)).astype(np.float32)), y).mean()
    outputs = more(loss, z) if more else None
    return ld.compile(train=ld.train_step(loss, ld.sgd(0.1, momentum=0.9), outputs=outputs))


def trained(plan, runtime=ld.Session, steps=3):
    rng, session = np.random.default_rng(3), runtime(plan)
    shape = next(s.shape for s in plan.entry("train").inputs if s.name == "x")
    for _ in range(steps):
        x, y = rng.normal(size=shape).astype(np.float32), rng.integers(0, 3, shape[0]).astype(np.int32)
        session.run("train", x=x, y=y)
    return [session.read(s.name) for s in plan.state]


def without(monkeypatch, build):
    with monkeypatch.context() as patch:
        patch.setattr(entries, "unpool", lambda roots: None)
        return build()


def test_the_gradient_of_a_feature_map_never_exists_and_the_bits_are_the_same(monkeypatch):
    less, more = one(), without(monkeypatch, one)
    assert "pool_scatter" in kernels(more)
    assert "unpool_grad_w" not in kernels(more)
    assert "pool_scatter" not in kernels(less)
    assert "unpool_grad_w" in kernels(less)
    assert less.ram_bytes <= more.ram_bytes - 3 * 12 * 12 * 4 * 4 // 2
    bits = [[a.tobytes() for a in trained(p)] for p in (less, more)]
    assert bits[0] == bits[1]


def test_a_whole_network_keeps_its_bits_too_and_trains_alike_in_numpy(monkeypatch):
    def build():
        return pooled(4, 16)

    less, more = build(), without(monkeypatch, build)
    assert {"unpool_grad_w", "unpool_grad_x"} <= set(kernels(less))
    assert less.ram_bytes < more.ram_bytes
    bits = [[a.tobytes() for a in trained(p)] for p in (less, more)]
    assert bits[0] == bits[1]
    for a, b in zip(trained(less, steps=1), trained(less, Reference, steps=1), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_a_gradient_that_somebody_else_reads_stays_whole():
    assert "pool_scatter" in kernels(one(more=lambda loss, z: {"g": ld.grad(loss, z)}))
    assert "pool_scatter" in kernels(one(groups=2))


def test_a_bias_gradient_is_summed_over_the_winners_alone():
    """The sum over all pixels of a pooling's gradient is that of what was spread."""
    x, b = ld.input("x", (2, 6, 6, 3)), ld.param("b", np.zeros(3, np.float32))
    y = ld.max_pool2d(x + b, 3)
    plan = ld.compile(train={"g": ld.grad((y * y).sum(), b)})
    assert "pool_scatter" not in kernels(plan)
    data = np.random.default_rng(0).normal(size=(2, 6, 6, 3)).astype(np.float32)
    best = data.reshape(2, 2, 3, 2, 3, 3).max((2, 4))
    np.testing.assert_allclose(ld.Session(plan).run("train", x=data), 2 * best.sum((0, 1, 2)), rtol=1e-5)


@pytest.mark.parametrize("name", ["w2_lenet_b1", "w2_lenet_b32"])
def test_lenet_keeps_less_than_four_fifths_of_what_its_backward_pass_saves(name):
    plan = compiled(ALL[name])
    assert plan.ram_bytes <= counted(ALL[name]).goal
    assert all(not b.label.startswith("conv2d") for b in plan.buffers if b.size_bytes >= 4 * 28 * 28 * 6)
