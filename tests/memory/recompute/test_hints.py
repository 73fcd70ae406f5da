"""ld.keep and ld.recompute: hints that move bytes and no bits."""

import numpy as np
import pytest

import lazydiff as ld

N, WIDTH = 64, 12


def step(hint=lambda h, k: h, depth=5):
    rng = np.random.default_rng(0)
    x, y = ld.input("x", (N, WIDTH)), ld.input("y", (N, WIDTH))
    h = x
    for k in range(depth):
        h = ld.tanh(h @ ld.param(f"w{k}", rng.normal(size=(WIDTH, WIDTH)).astype(np.float32) * 0.4))
        h = hint(h, k)
    return ld.train_step(ld.mse(h, y), ld.sgd(0.1, momentum=0.9))


def trained(plan):
    rng = np.random.default_rng(1)
    session = ld.Session(plan)
    for _ in range(3):
        session.train(**{k: rng.normal(size=(N, WIDTH)).astype(np.float32) for k in "xy"})
    return {k: v.tobytes() for k, v in session.state().items()}


def makings(plan):
    return sum(s.label == "tanh" for s in plan.entry("train").steps)


@pytest.mark.parametrize("hint", [ld.keep, ld.recompute])
def test_hints_change_no_bit(hint):
    plain = ld.compile(train=step())
    hinted = step(lambda h, k: hint(h) if k % 2 else h)
    for ram in (None, plain.ram_bytes - 4 * N * WIDTH):
        assert trained(ld.compile(train=hinted, ram=ram)) == trained(plain)


def test_recompute_drops_what_it_is_asked_to_without_a_budget():
    plain = ld.compile(train=step())
    hinted = step(lambda h, k: ld.recompute(h) if k in (0, 1, 3) else h)
    plan = ld.compile(train=hinted)
    assert plan.ram_bytes <= plain.ram_bytes - 4 * N * WIDTH
    assert makings(plan) > makings(plain)
    assert makings(ld.compile(train=hinted, recompute="none")) == makings(plain)


def test_what_is_kept_is_made_once_under_a_budget():
    plain = ld.compile(train=step())
    ram = plain.ram_bytes - 4 * N * WIDTH
    assert makings(ld.compile(train=step(), ram=ram)) > makings(plain)
    with pytest.raises(ld.BudgetError):
        ld.compile(train=step(lambda h, k: ld.keep(h)), ram=ram)
    plan = ld.compile(train=step(lambda h, k: ld.keep(h) if k else h), ram=ram)
    again = [s.source for s in plan.entry("train").steps if s.label == "tanh"]
    assert len(again) == makings(plain) + 1


def test_a_hint_is_the_tensor_itself_in_derivatives_and_micro_batches():
    x, w = ld.input("x", (4, 3)), ld.param("w", np.ones((3, 3), np.float32))
    for hint in (ld.keep, ld.recompute):
        y = ld.square(hint(ld.tanh(x @ w))).sum()
        plain = ld.square(ld.tanh(x @ w)).sum()
        data = np.arange(12, dtype=np.float32).reshape(4, 3) / 12
        a, b = (ld.grad(loss, x).numpy(x=data) for loss in (y, plain))
        assert np.array_equal(a, b)
        a, b = (ld.jvp(loss, x, ld.sin(x)).numpy(x=data) for loss in (y, plain))
        assert np.array_equal(a, b)
        split = ld.compile(train=ld.train_step(y / 4, ld.sgd(0.1), micro_batches=2))
        assert split.entry("train").steps
