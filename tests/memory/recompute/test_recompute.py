"""Plans that make values again to fit a budget: the same bits as those that keep everything, within the bytes given."""

import re

import numpy as np
import pytest

import lazydiff as ld


def normal(rng, *shape):
    return rng.normal(size=shape).astype(np.float32) * np.float32(0.3)


def mlp():
    rng = np.random.default_rng(0)
    h, y = ld.input("x", (32, 24)), ld.input("y", (32,), ld.i32)
    for k in range(6):
        h = ld.tanh(h @ ld.param(f"w{k}", normal(rng, 24, 24)) + ld.param(f"b{k}", normal(rng, 24)))
    return ld.train_step(ld.cross_entropy(h, y).mean(), ld.sgd(0.1, momentum=0.9)), {"x": (32, 24), "y": 24}


def conv():
    rng = np.random.default_rng(1)
    h, y = ld.input("x", (2, 12, 12, 3)), ld.input("y", (2,), ld.i32)
    moves = []
    for k in range(4):
        h = ld.conv2d(h, ld.param(f"w{k}", normal(rng, 3, 3, h.shape[-1], 6)), padding=1)
        mean, var = ld.state(f"m{k}", np.zeros(6, np.float32)), ld.state(f"v{k}", np.ones(6, np.float32))
        h, pairs = ld.batch_norm(h, ld.param(f"g{k}", normal(rng, 6)), ld.param(f"s{k}", normal(rng, 6)), mean, var)
        h, moves = ld.relu(h), moves + pairs
    loss = ld.cross_entropy(ld.mean(h, (1, 2)), y).mean()
    return ld.train_step(loss, ld.adam(0.01), updates=moves), {"x": (2, 12, 12, 3), "y": 6}


def attention():
    rng = np.random.default_rng(2)
    h, y = ld.input("x", (2, 10, 8)), ld.input("y", (2, 10), ld.i32)
    for k in range(3):
        q, key, v, out = (h @ ld.param(f"{n}{k}", normal(rng, 8, 8)) for n in "qkvo")
        h = h + ld.softmax(q @ ld.transpose(key, (0, 2, 1))) @ v * out
    return ld.train_step(ld.cross_entropy(h, y).mean(), ld.sgd(0.1)), {"x": (2, 10, 8), "y": 8}


def dropout():
    rng = np.random.default_rng(3)
    h, y = ld.input("x", (64, 16)), ld.input("y", (64,), ld.i32)
    draws = ld.random_key("draws", 7)
    for k in range(5):
        h = ld.dropout(ld.tanh(h @ ld.param(f"w{k}", normal(rng, 16, 16))), 0.5, draws, stream=k)
    loss = ld.cross_entropy(h, y).mean()
    return ld.train_step(loss, ld.sgd(0.1), updates=[(draws, ld.next_key(draws))]), {"x": (64, 16), "y": 16}


STEPS = {"mlp": mlp, "conv": conv, "attention": attention, "dropout": dropout}


def kept_bytes(plan):
    return sum(plan.buffers[s.buffer].size_bytes for s in plan.state)


@pytest.mark.parametrize("name", STEPS)
def test_values_made_again_have_the_same_bits(name):
    step, shapes = STEPS[name]()
    plain = ld.compile(train=step, recompute="none")
    kept = kept_bytes(plain)
    budget = kept + (plain.ram_bytes - kept) * 7 // 10
    with pytest.raises(ld.BudgetError, match=r'try: recompute="auto" saves [\d,]+ B \(enough\)'):
        ld.compile(train=step, ram=budget, recompute="none")
    plan = ld.compile(train=step, ram=budget)
    assert plan.ram_bytes <= budget
    rng = np.random.default_rng(9)
    sessions = ld.Session(plain), ld.Session(plan)
    for _ in range(3):
        x = normal(rng, *shapes["x"])
        y_shape = next(s.shape for s in plan.entry("train").inputs if s.name == "y")
        y = rng.integers(0, shapes["y"], y_shape).astype(np.int32)
        first, second = (s.train(x=x, y=y) for s in sessions)
        assert first == second
    for key, value in sessions[0].state().items():
        assert value.tobytes() == sessions[1].read(key).tobytes(), key


def refusal(step, ram):
    with pytest.raises(ld.BudgetError) as caught:
        ld.compile(train=step, ram=ram)
    return caught.value, str(caught.value)


def test_below_what_one_call_needs_no_plan_can_fit():
    step, _ = STEPS["mlp"]()
    error, text = refusal(step, kept_bytes(ld.compile(train=step)) + 8000)
    assert re.search(
        r"no plan can fit: what .* \(test_recompute.py:\d+\) of `train` reads and writes takes [\d,]+ B", text
    )
    assert ld.compile(train=step, ram=error.needed_bytes).ram_bytes == error.needed_bytes


def test_where_nothing_is_found_the_error_has_the_least_budget_and_the_lower_bound():
    step, _ = STEPS["conv"]()
    plain = ld.compile(train=step)
    kept = kept_bytes(plain)
    error, text = refusal(step, kept + (plain.ram_bytes - kept) // 2)
    assert f"none was ruled out: the least budget with a plan is {error.needed_bytes:,} B\n    what " in text
    assert ld.compile(train=step, ram=error.needed_bytes).ram_bytes == error.needed_bytes


def test_micro_batches_and_recomputation_compete_and_the_cheaper_wins():
    """Splitting a multilayer perceptron costs no products twice; with updates that wait for it, it takes gradients."""

    def step(width, depth, n, parts):
        rng = np.random.default_rng(0)
        h, y = ld.input("x", (n, width)), ld.input("y", (n, width))
        for k in range(depth):
            h = ld.tanh(h @ ld.param(f"w{k}", normal(rng, width, width)))
        return ld.train_step(ld.mse(h, y), ld.sgd(0.1), micro_batches=parts)

    for width, n, share, cheaper in ((8, 64, 8, 2), (48, 8, 9, None)):
        whole = ld.compile(train=step(width, 6, n, None))
        kept = kept_bytes(whole)
        ram = kept + (whole.ram_bytes - kept) * share // 10
        auto, recomputed = (ld.compile(train=step(width, 6, n, parts), ram=ram) for parts in ("auto", None))
        assert auto.to_bytes() == ld.compile(train=step(width, 6, n, cheaper), ram=ram).to_bytes()
        assert (auto.report.extra_work < recomputed.report.extra_work) == (cheaper == 2)


def test_each_of_several_entries_is_made_to_fit():
    rng = np.random.default_rng(5)
    x, y = ld.input("x", (16, 12)), ld.input("y", (16, 12))
    h, sums = x, []
    for k in range(6):
        h = ld.tanh(h @ ld.param(f"w{k}", normal(rng, 12, 12)))
        sums.append(h)
    joined = ld.concat([s.sum(0, keepdims=True) for s in reversed(sums)])
    entries = {"train": ld.train_step(ld.mse(h, y), ld.sgd(0.1)), "infer": h, "sensitivity": ld.grad(joined.sum(), x)}
    plain = ld.compile(**entries)
    kept = kept_bytes(plain)
    plan = ld.compile(**entries, ram=kept + (plain.ram_bytes - kept) * 8 // 10)
    more = [len(plan.entry(n).steps) - len(plain.entry(n).steps) for n in entries]
    assert more[0] > 0
    assert more[1] == 0
    assert more[2] > 0
    sessions = ld.Session(plain), ld.Session(plan)
    data = {k: normal(rng, 16, 12) for k in "xy"}
    assert sessions[0].train(**data) == sessions[1].train(**data)
    for name in ("infer", "sensitivity"):
        first, second = (getattr(s, name)(x=data["x"]) for s in sessions)
        assert np.asarray(first).tobytes() == np.asarray(second).tobytes()
