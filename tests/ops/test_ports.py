"""Every op says what computes it, and so which ports have it."""

import numpy as np
import pytest

import lazydiff as ld
from lazydiff.graph.node import OPS
from lazydiff.kernels.table import KERNELS
from lazydiff.memory.selection.selector import Selector
from lazydiff.ops.ports import kernels_of, ports_of
from test_derivatives import CASES


@pytest.mark.parametrize("op", OPS.values(), ids=lambda op: op.name)
def test_an_op_costs_nothing_or_names_its_kernels_and_every_port_has_them(op):
    free = op.view or op.kind == "leaf"
    assert bool(kernels_of(op)) != free
    assert set(op.kernels) <= {k.name for k in KERNELS.values()}
    assert ports_of(op) == {"c", "micropython"}


def test_no_kernel_is_named_that_the_compiler_never_takes(monkeypatch):
    """Over every case of the registry; that it takes no other is asserted where it makes a call (Selector.call)."""
    seen, call = set(), Selector.call

    def spy(self, kernel, node, *rest):
        seen.add((node.op.name, kernel.name))
        return call(self, kernel, node, *rest)

    monkeypatch.setattr(Selector, "call", spy)
    for function, values in CASES.values():
        inputs = [ld.input(f"x{i}", v.shape, ld.f64) for i, v in enumerate(values)]
        y = (function(*inputs) * 1).sum()
        ld.compile(f=[y, *ld.grad(y, inputs)])
    x = ld.input("x", (5,))
    i = ld.input("i", (5,), ld.i32)
    key = ld.random_key("key", 3)
    ld.compile(f={"argmax": ld.argmax(x), "rows": ld.one_hot(i, 3), "drop": ld.dropout(x, 0.5, key)})
    image, w = ld.input("image", (1, 4, 4, 1)), ld.param("w", np.ones((3, 3, 1, 2), np.float32))
    feature = ld.max_pool2d(ld.conv2d(image, w, 1, 1), 2)
    second = ld.param("second", np.ones((1, 1, 2, 2), np.float32))
    pooled = ld.max_pool2d(ld.conv2d(feature, second), 2)
    ld.compile(train=ld.train_step(ld.square(pooled).mean(), ld.sgd(0.1)))
    declared = {(op.name, k) for op in OPS.values() for k in op.kernels}
    assert seen <= declared
    assert {(o, k) for o, k in declared - seen if o != "next_key"} == set()


def test_a_port_without_one_of_the_kernels_lacks_the_op(monkeypatch):
    from lazydiff.ops import ports

    class Some:
        ports = ("c",)

    monkeypatch.setitem(ports._BY_NAME, "matmul_nt", Some)
    assert ports_of(OPS["matmul"]) == {"c"}
    assert ports_of(OPS["add"]) == {"c", "micropython"}
