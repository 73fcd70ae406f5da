"""Plans of whole graphs: right values whatever shares bytes, updates in place, and budgets that teach."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lazydiff as ld
from lazydiff.examples import digits
from lazydiff.frontend.training import Step
from lazydiff.kernels.table import MAX_OPERANDS
from lazydiff.plan.lifetimes import entry_lives
from lazydiff.plan.model import Kind, Region
from lazydiff.run.reference import Reference
from small import classifier

UNARY = [
    (ld.tanh, np.tanh),
    (ld.neg, np.negative),
    (ld.square, np.square),
    (ld.relu, lambda a: np.maximum(a, 0)),
    (lambda t: t.T, np.transpose),
    (lambda t: ld.broadcast_to(t.sum(axis=1, keepdims=True), t.shape), lambda a: a.sum(1, keepdims=True) + 0 * a),
    (lambda t: t.reshape(4, 4, 1).reshape(16).reshape(4, 4), lambda a: a),
    (lambda t: t @ t, lambda a: a @ a),
]
BINARY = [(ld.add, np.add), (ld.subtract, np.subtract), (ld.multiply, np.multiply), (ld.matmul, np.matmul)]


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=14))
def test_random_graphs_equal_numpy(recipe):
    x = ld.input("x", (4, 4), ld.f64)
    data = np.linspace(-0.5, 0.45, 16).reshape(4, 4)
    tensors, arrays = [x], [data]
    for op, i, j in recipe:
        i, j = i % len(tensors), j % len(tensors)
        if op < 8:
            symbolic, numeric = UNARY[op]
            tensors.append(symbolic(tensors[i]))
            arrays.append(numeric(arrays[i]))
        else:
            symbolic, numeric = BINARY[op - 8]
            tensors.append(symbolic(tensors[i], tensors[j]))
            arrays.append(numeric(arrays[i], arrays[j]))
    outputs = {f"o{k}": t for k, t in enumerate(tensors[1:]) if k % 2 == 0 or k == len(tensors) - 2}
    plan = ld.compile(f=outputs)
    found = ld.Session(plan).run("f", x=data)
    found = found if isinstance(found, dict) else {next(iter(outputs)): found}
    for name, value in found.items():
        np.testing.assert_allclose(value, arrays[int(name[1:]) + 1], rtol=1e-9, atol=1e-9)


SHAPES = [(3, 5), (5, 3), (3, 1), (1, 5), (5,), (3, 5, 2), ()]
PAIRS = [(ld.add, np.add), (ld.multiply, np.multiply), (ld.maximum, np.maximum), (ld.subtract, np.subtract)]


def grow(recipe, tensors, arrays):
    """Apply random operations to random earlier results of any shape; those that do not fit together are left out."""
    for op, i, j in recipe:
        t, a = tensors[i % len(tensors)], arrays[i % len(arrays)]
        u, b = tensors[j % len(tensors)], arrays[j % len(arrays)]
        if op < 4:
            try:
                shape = np.broadcast_shapes(a.shape, b.shape)
            except ValueError:
                continue
            if math.prod(shape) <= 200:
                tensors.append(PAIRS[op][0](t, u))
                arrays.append(PAIRS[op][1](a, b))
        elif op == 4 and a.ndim == b.ndim == 2 and a.shape[1] == b.shape[0]:
            tensors.append(t @ u)
            arrays.append(a @ b)
        elif op == 5 and a.ndim:
            axis = j % a.ndim
            tensors.append(t.sum(axis=axis))
            arrays.append(a.sum(axis))
        elif op == 6:
            tensors.append(ld.tanh(t))
            arrays.append(np.tanh(a))
        elif op == 7:
            tensors.append(t.T)
            arrays.append(a.T)
        elif op == 8:
            tensors.append(t.reshape(-1))
            arrays.append(a.reshape(-1))
        elif op == 9 and a.ndim:
            axis = j % a.ndim
            tensors.append(ld.max(t, axis, True))
            arrays.append(a.max(axis, keepdims=True))


RECIPE = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=20)


@settings(max_examples=80)
@given(RECIPE, st.lists(st.integers(0, 60), min_size=2, max_size=5))
def test_random_graphs_of_many_shapes_equal_numpy(recipe, wanted):
    """Inputs, results and states that are replaced, in whatever order they are scheduled and wherever they are put."""
    rng = np.random.default_rng(len(recipe))
    arrays = [rng.uniform(-0.9, 0.9, shape) for shape in SHAPES]
    tensors = [ld.input(f"x{k}", shape, ld.f64) for k, shape in enumerate(SHAPES)]
    data = {f"x{k}": a for k, a in enumerate(arrays)}
    slots = [ld.state(f"s{k}", a + 0.5) for k, a in enumerate(arrays[:2])]
    tensors += slots
    arrays += [a + 0.5 for a in arrays[:2]]
    grow(recipe, tensors, arrays)
    outputs = {f"o{n}": tensors[n] for n in {w % len(tensors) for w in wanted}}
    news = [[n for n, t in enumerate(tensors) if t.shape == s.shape][-1 - k] for k, s in enumerate(slots)]
    step = Step(outputs, tuple((s, tensors[n]) for s, n in zip(slots, news, strict=True)))
    plan = ld.compile(f=step)
    names = {s.name for s in plan.entry("f").inputs}
    for runner in (ld.Session(plan), Reference(plan)):
        found = runner.run("f", **{k: v for k, v in data.items() if k in names})
        found = found if isinstance(found, dict) else {next(iter(outputs)): found}
        for name, value in found.items():
            np.testing.assert_allclose(value, arrays[int(name[1:])], rtol=1e-9, atol=1e-9)
        for slot, n in zip(slots, news, strict=True):
            np.testing.assert_allclose(runner.read(slot.name), arrays[n], rtol=1e-9, atol=1e-9)


def test_a_long_chain_of_three_operands_each_is_split_into_maps_that_fit():
    names = [f"{side}{i}" for i in range(20) for side in "ab"]
    leaves = {n: ld.input(n, (4,)) for n in names}
    h = ld.input("h", (4,))
    kept = {}
    for i in range(20):
        h = kept[f"k{i}"] = ld.fma(leaves[f"a{i}"], leaves[f"b{i}"], h)
    arrays = {n: np.full(4, 0.5, np.float32) for n in (*names, "h")}
    for outputs in ({"last": h}, kept):
        plan = ld.compile(f=outputs)
        assert all(len(s.operands) <= MAX_OPERANDS for s in plan.entries[0].steps)
        found = ld.Session(plan).f(**arrays)
        last = found["k19"] if outputs is kept else found
        np.testing.assert_array_equal(last, np.full(4, 0.5 + 20 * 0.25, np.float32))


def test_an_update_waits_for_the_last_reader_of_the_old_value():
    a, b = ld.param("a", [1.0, 2.0]), ld.param("b", [10.0, 20.0])
    step = Step({"old": a * 3}, ((a, a + b), (b, b * a)))
    plan = ld.compile(f=step)
    for runner in (ld.Session(plan), Reference(plan)):
        old = runner.run("f")
        np.testing.assert_array_equal(old["old"] if isinstance(old, dict) else old, [3, 6])
        np.testing.assert_array_equal(runner.read("a"), [11, 22])
        np.testing.assert_array_equal(runner.read("b"), [10, 40])


@pytest.mark.parametrize("new", [lambda a, b: ((a, b), (b, a)), lambda a, b: ((a, b * 1.0), (b, a + 0.0))])
def test_two_parameters_can_swap(new):
    a, b = ld.param("a", [1.0, 2.0]), ld.param("b", [10.0, 20.0])
    plan = ld.compile(f=Step({"sum": a + b}, new(a, b)))
    session = ld.Session(plan)
    session.run("f")
    np.testing.assert_array_equal(session.read("a"), [10, 20])
    np.testing.assert_array_equal(session.read("b"), [1, 2])


def test_a_product_that_reads_the_old_weight_is_not_written_over_it():
    w = ld.param("w", np.arange(9, dtype=np.float32).reshape(3, 3))
    plan = ld.compile(f=Step({"trace": w.sum()}, ((w, w @ w),)))
    session = ld.Session(plan)
    session.run("f")
    old = np.arange(9, dtype=np.float32).reshape(3, 3)
    np.testing.assert_array_equal(session.read("w"), old @ old)


def test_sgd_without_momentum_equals_the_formula():
    rng = np.random.default_rng(3)
    w0, x0 = rng.normal(size=(20, 5)).astype(np.float32), rng.normal(size=(4, 20)).astype(np.float32)
    w = ld.param("w", w0)
    loss = ld.mse(ld.input("x", (4, 20)) @ w, ld.input("t", (4, 5)))
    plan = ld.compile(train=ld.train_step(loss, ld.sgd(0.5)))
    session = ld.Session(plan)
    session.train(x=x0, t=np.zeros((4, 5), np.float32))
    expected = w0 - 0.5 * x0.T @ (x0 @ w0) * 2 / 20
    np.testing.assert_allclose(session.read("w"), expected, rtol=1e-4, atol=1e-6)
    assert not any(b.kind == Kind.WORK and b.size_bytes >= 400 for b in plan.buffers)  # w has 400 bytes: no gradient
    assert any(s.tile_rows for s in plan.entry("train").steps)


def test_sgd_with_momentum_keeps_no_gradient_of_a_dense_weight():
    w = ld.param("w", np.ones((200, 5), np.float32))
    loss = ld.square(ld.input("x", (4, 200)) @ w).mean()
    for nesterov in (False, True):
        plan = ld.compile(train=ld.train_step(loss, ld.sgd(0.5, momentum=0.9, nesterov=nesterov)))
        work = [b for b in plan.buffers if b.kind == Kind.WORK]
        assert not any(b.size_bytes >= 4000 for b in work)  # the weight, its momentum and their new values are no work
        tiled = [s for s in plan.entry("train").steps if s.tile_rows]
        assert [plan.buffers[s.writes[0]].label for s in tiled] == ["tile"]
    # and where the user asks for the gradient itself, there it is
    asked = ld.train_step(loss, ld.sgd(0.5, momentum=0.9), outputs={"g": ld.grad(loss, w)})
    plan = ld.compile(train=asked)
    assert plan.buffers[plan.entry("train").outputs[1].buffer].size_bytes == 4000


def test_the_fused_update_has_the_bits_of_the_unfused_one():
    rng = np.random.default_rng(4)
    w = ld.param("w", rng.normal(size=(20, 5)).astype(np.float32))
    x = ld.input("x", (4, 20))
    loss = ld.square(x @ w).mean()
    gradient = ld.grad(loss, w)
    fused = ld.train_step(loss, ld.sgd(0.1, momentum=0.9))
    plain = ld.train_step(loss, ld.sgd(0.1, momentum=0.9), outputs={"g": gradient})  # g must exist: no tile
    data = rng.normal(size=(4, 20)).astype(np.float32)
    weights = []
    for step in (fused, plain):
        plan = ld.compile(train=step)
        session = ld.Session(plan)
        for _ in range(3):
            session.train(x=data)
        weights.append((session.read("w").tobytes(), any(s.tile_rows for s in plan.entry("train").steps)))
    assert weights[0][0] == weights[1][0]
    assert (weights[0][1], weights[1][1]) == (True, False)


def test_frozen_parameters_live_in_flash():
    x = ld.input("x", (2, 4))
    body, head = ld.param("body.w", np.ones((4, 8), np.float32)), ld.param("head.w", np.ones((8, 3), np.float32))
    loss = ld.square(ld.relu(x @ body) @ head).mean()
    full = ld.compile(train=ld.train_step(loss, ld.sgd(0.1)))
    some = ld.compile(train=ld.train_step(loss, ld.sgd(0.1), trainable=["head.*"]))
    region = {b.label: b.region for b in some.buffers if b.kind == Kind.PARAMS and "new" not in b.label}
    assert region == {"body.w": Region.CONST, "head.w": Region.RAM}
    assert some.ram_bytes <= full.ram_bytes - 4 * 8 * 4
    session = ld.Session(some)
    session.train(x=np.ones((2, 4), np.float32))
    np.testing.assert_array_equal(session.read("body.w"), np.ones((4, 8)))
    with pytest.raises(ld.LazydiffError):
        session.write("body.w", np.zeros((4, 8), np.float32))
    with pytest.raises(ld.GraphError, match="match none"):
        ld.train_step(loss, ld.sgd(0.1), trainable=["tail.*"])


def test_a_step_touches_no_byte_outside_its_plan():
    plan = classifier()
    reference = Reference(plan)
    used = np.zeros(plan.ram_bytes, bool)
    for b in plan.buffers:
        if b.region == Region.RAM:
            used[b.offset : b.end] = True
    reference.ram[~used] = 0xA5
    reference.run("train", x=np.ones((4, 4), np.float32), y=np.zeros(4, np.int32))
    assert (reference.ram[~used] == 0xA5).all()
    assert used[32:].mean() > 0.95  # and the plan has no large holes


def test_a_session_takes_the_planned_bytes_and_keeps_to_them():
    plan = classifier()
    session = ld.Session(plan)
    ram = session._model.blocks[0]
    assert ram.nbytes == session.ram_bytes == plan.ram_bytes
    used = np.zeros(plan.ram_bytes, bool)
    used[:32] = True  # the executor's
    for b in plan.buffers:
        if b.region == Region.RAM:
            used[b.offset : b.end] = True
    ram[~used] = 0xA5
    session.train(x=np.ones((4, 4), np.float32), y=np.zeros(4, np.int32))
    session.infer(x=np.ones((4, 4), np.float32))
    assert (ram[~used] == 0xA5).all()
    assert not used.all()


def test_the_demo_is_at_its_lower_bound():
    plan = digits.build()
    for entry in plan.entries:
        assert entry_lives(plan, entry).arena_over_bound == 1.0


def test_a_refused_label_changes_nothing():
    session = ld.Session(classifier())
    before = session.state()
    with pytest.raises(ld.InputError, match="y"):
        session.train(x=np.ones((4, 4), np.float32), y=np.array([0, 1, 3, 2], np.int32))
    for name, value in session.state().items():
        np.testing.assert_array_equal(value, before[name])
