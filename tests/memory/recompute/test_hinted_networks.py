"""Random training steps with hints, dropout, views and shared weights, under random budgets: no bit changes."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import lazydiff as ld

N, WIDTH = 8, 6


@st.composite
def networks(draw):
    """A training step of a dozen random layers with skips, views, dropout, shared weights and states."""
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    x, y, key = ld.input("x", (N, WIDTH)), ld.input("y", (N, WIDTH)), ld.random_key("key", 3)
    weights = [
        ld.param(f"w{k}", (rng.normal(size=(WIDTH, WIDTH)) * 0.5).astype(np.float32))
        for k in range(draw(st.integers(1, 4)))
    ]
    running = ld.state("running", np.zeros(WIDTH, np.float32))
    values = [ld.tanh(x @ weights[0])]
    for k in range(draw(st.integers(3, 12))):
        h = values[draw(st.integers(max(0, len(values) - 3), len(values) - 1))]
        w = weights[draw(st.integers(0, len(weights) - 1))]
        kind = draw(st.integers(0, 8))
        made = [
            lambda h=h, w=w: ld.tanh(h @ w),
            lambda h=h, w=w: ld.relu(h @ w + h),
            lambda h=h, w=w: ld.concat([h[:, :2], ld.sigmoid(h @ w)[:, 2:]], 1),
            lambda h=h, k=k: ld.dropout(h, 0.25, key, stream=k),
            lambda h=h, w=w: ld.flip(h, 1) * ld.exp(-ld.square(h @ w)),
            lambda h=h: h - running * 0.1,
            lambda h=h, w=w: ld.recompute(ld.tanh(h @ w)),
            lambda h=h, w=w: ld.keep(ld.softmax(h @ w)),
            lambda h=h: ld.layer_norm(h, ld.constant(np.ones(WIDTH, np.float32)), None),
        ][kind]()
        values.append(made)
    loss = ld.mse(values[-1] + values[len(values) // 2], y)
    moves = [(key, ld.next_key(key)), (running, running * 0.9 + values[-1].mean(0) * 0.1)]
    optimizer = [ld.sgd(0.1), ld.sgd(0.1, momentum=0.9), ld.adam(0.01)][draw(st.integers(0, 2))]
    return lambda parts: ld.train_step(loss, optimizer, outputs={"h": values[-1]}, updates=moves, micro_batches=parts)


def trained(plan):
    rng = np.random.default_rng(1)
    session = ld.Session(plan)
    outputs = []
    for _ in range(2):
        found = session.train(**{k: rng.normal(size=(N, WIDTH)).astype(np.float32) for k in "xy"})
        outputs.append([np.asarray(v).tobytes() for v in found.values()])
    return outputs, {k: v.tobytes() for k, v in session.state().items()}


@settings(max_examples=8, deadline=None)
@given(networks(), st.integers(40, 99), st.sampled_from([None, None, 2]))
def test_no_bit_changes_under_any_budget(network, percent, parts):
    plain = ld.compile(train=network(parts), recompute="none")
    kept = sum(plain.buffers[s.buffer].size_bytes for s in plain.state)
    try:
        plan = ld.compile(train=network(parts), ram=kept + (plain.ram_bytes - kept) * percent // 100)
    except ld.BudgetError as error:
        plan = ld.compile(train=network(parts), ram=error.needed_bytes)  # the least that it names
    assert trained(plan) == trained(plain)
