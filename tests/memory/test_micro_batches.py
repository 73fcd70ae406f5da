"""The bytes of micro-batches: fewer activations, one buffer a gradient; "auto" fits the budget."""

import numpy as np
import pytest

import lazydiff as ld

N, WIDTH = 32, 16


def step(micro_batches=None, depth=6, optimizer=None):
    x, y = ld.input("x", (N, WIDTH)), ld.input("y", (N, WIDTH))
    h = x
    for k in range(depth):
        w = ld.param(f"w{k}", np.random.default_rng(k).normal(size=(WIDTH, WIDTH)).astype(np.float32) * 0.2)
        h = ld.tanh(h @ w)
    return ld.train_step(ld.mse(h, y), optimizer or ld.sgd(0.1), micro_batches=micro_batches)


def ram(micro_batches, **options):
    return ld.compile(train=step(micro_batches, **options)).ram_bytes


def test_a_split_step_keeps_parameters_one_gradient_each_and_a_micro_batch_of_activations():
    depth = 6
    weights, inputs, row = 4 * depth * WIDTH * WIDTH, 2 * 4 * N * WIDTH, 4 * WIDTH
    for parts in (2, 4, 8, 16):
        samples = N // parts
        kept = weights + weights + inputs  # parameters, gradients, the batch itself
        alive = (depth + 3) * samples * row  # one activation a layer, a copy of the input, two cotangents
        assert ram(parts) <= kept + alive + 1024, parts
    assert ram(16) < ram(8) < ram(4) < ram(2)


def test_with_momentum_the_gradient_is_added_up_in_the_bytes_of_the_momentum():
    optimizer, slots = ld.sgd(0.1, momentum=0.9), 4 * 6 * WIDTH * WIDTH
    assert ram(8, optimizer=optimizer) - slots <= ram(8) - 5 * 4 * WIDTH * WIDTH
    plan = ld.compile(train=step(4, optimizer=optimizer))
    places = {plan.buffers[s.buffer].offset for s in plan.state if s.name.endswith(".momentum")}
    so_far = [b for b in plan.buffers if b.label.endswith("(so far)")]
    assert len(so_far) == 6 * 3
    assert {b.offset for b in so_far} == places


def test_auto_takes_the_fewest_parts_that_fit():
    whole = ram(None)
    assert ram("auto") == whole  # no budget, nothing to do
    assert ld.compile(train=step("auto"), ram=whole).ram_bytes == whole
    sizes = {k: ram(k) for k in (2, 4, 8, 16, 32)}
    assert sizes[4] < whole
    plan = ld.compile(train=step("auto"), recompute="none", ram=sizes[4])
    assert plan.ram_bytes == next(s for s in sizes.values() if s <= sizes[4])
    least = min(sizes.values())
    with pytest.raises(ld.BudgetError) as caught:
        ld.compile(train=step("auto"), recompute="none", ram=least - 8)
    assert caught.value.needed_bytes == least


def test_auto_leaves_a_step_whose_samples_meet_whole():
    x = ld.input("x", (8, 4))
    z = x @ ld.param("w", np.eye(4, dtype=np.float32))
    loss = -ld.log_softmax(z @ z.T).sum()
    whole = ld.compile(train=ld.train_step(loss, ld.sgd(0.1)))
    with pytest.raises(ld.BudgetError) as caught:
        ld.compile(
            train=ld.train_step(loss, ld.sgd(0.1), micro_batches="auto"), recompute="none", ram=whole.ram_bytes - 8
        )
    assert caught.value.needed_bytes == whole.ram_bytes
