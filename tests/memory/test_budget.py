"""`ram=`: what is understood, what is refused, and what the error says when a plan does not fit."""

import dataclasses
import re

import numpy as np
import pytest

import lazydiff as ld
from lazydiff import fitting
from lazydiff.memory.budgets.boards import BOARDS
from lazydiff.memory.budgets.budget import require_fit
from lazydiff.memory.budgets.ram import parse_bytes, parse_ram
from small import pooled
from tools.bench.workloads import lazy
from tools.bench.workloads.definitions import ALL


def network(ram=None, batch=16, momentum=0.9, hidden=24, trainable=None, parts=None):
    """A perceptron and its inference; the hidden layer makes the training step the larger entry."""
    x, y = ld.input("x", (batch, 32)), ld.input("y", (batch,), ld.i32)
    w, v = (ld.param(n, np.zeros(s, np.float32)) for n, s in (("body.w", (32, hidden)), ("head.w", (hidden, 10))))
    logits = ld.relu(x @ w) @ v
    loss, optimizer = ld.cross_entropy(logits, y).mean(), ld.sgd(0.1, momentum=momentum)
    step = ld.train_step(loss, optimizer, trainable=trainable, micro_batches=parts)
    return ld.compile(train=step, infer=ld.argmax(logits), ram=ram, recompute="none")


def refusal(ram, **options):
    with pytest.raises(ld.BudgetError) as caught:
        network(ram, **options)
    return caught.value


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("64 KiB", 65536),
        ("64 kib", 65536),
        ("64 K", 65536),
        ("64 kB", 64000),
        ("64 kb", 64000),
        ("64KB", 64000),
        ("1.5MiB", 1572864),
        ("0.1 kB", 100),
        ("3 GiB", 3 << 30),
        (12, 12),
        (np.int64(12), 12),
        ("512", 512),
        (None, None),
        ("pico", BOARDS["pico"]),
        (" Pi-Zero2 ", BOARDS["pi_zero2"]),
    ],
)
def test_sizes_are_understood(text, size):
    assert parse_bytes(text) == size


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("", "no size and no board"),
        ("64 q", "no size and no board; write bytes"),
        ("-5", "at least 1 byte"),
        (0, "at least 1 byte"),
        ("0", "at least 1 byte"),
        ("0.5 B", "at least 1 byte"),
        (-1, "at least 1 byte"),
        (2**32, "4 GiB"),
        ("5 GiB", "4 GiB"),
        ("9" * 400 + " KiB", "4 GiB"),
        (1.5, "whole number"),
        (float("nan"), "whole number"),
        (float("inf"), "whole number"),
        ("nan", "no size"),
        (True, "whole number"),
        ([64], "whole number"),
        ("pcio", "did you mean 'pico'"),
        ("esp32s2", "'esp32s3'"),
        ("nano_33_ble", "did you mean 'nano33ble'"),
        ("toaster", "or a board: bluepill_f103c8, .* pico, "),
    ],
)
def test_sizes_that_are_none_are_refused(bad, said):
    with pytest.raises(ld.GraphError, match="ram=") as caught:
        network(bad)
    assert re.search(said, str(caught.value)), caught.value


def test_every_board_leaves_room_for_a_small_plan():
    assert all(2**13 <= size < 2**32 for size in BOARDS.values())


def test_a_budget_is_exact_and_its_error_teaches():
    needed = network().ram_bytes
    assert network(needed).ram_bytes == needed
    error = refusal(needed - 1)
    text = str(error)
    assert (error.needed_bytes, error.budget_bytes) == (needed, needed - 1)
    assert error.lower_bound_bytes <= needed
    assert f"{needed:,} B" in text
    assert f"{needed - 1:,} B" in text
    assert re.search(r"peak at step \d+ of \d+: .*test_budget\.py:\d+", text)
    assert "alive: " in text
    assert "no plan can fit" not in text  # the bytes alive at once would fit, but no places for them were found
    assert "no plan can fit: all orders of the " in str(refusal(needed - 500))  # so small an entry is searched whole


def test_it_says_which_of_two_entries_does_not_fit():
    plan = network()
    assert re.search(r"`train` needs [\d,]+ B; `infer` fits in [\d,]+ B", str(refusal(plan.ram_bytes - 1)))
    assert re.search(r"`train` needs [\d,]+ B; `infer` needs [\d,]+ B", str(refusal(1000)))


def test_a_budget_below_parameters_and_state_is_proved_impossible():
    text = str(refusal(8000))
    kept = 2 * 4 * (32 * 24 + 24 * 10)
    assert f"no plan can fit: parameters, state and the executor's 32 B alone are {kept + 32:,} B" in text


def saved(text, what):
    (number,) = re.findall(what + r"[^;]* saves ([\d,]+) B", text)
    return int(number.replace(",", ""))


def test_the_remedies_are_worth_what_they_say():
    """Each is tried: the plan with the remedy is smaller by the bytes that the message gives."""
    full = network(batch=48).ram_bytes
    text = str(refusal(full - 4000, batch=48))
    assert saved(text, "an optimizer without state") == full - network(batch=48, momentum=0.0).ram_bytes
    frozen = network(batch=48, trainable=["head.*"]).ram_bytes
    assert full - frozen >= saved(text, "freezing body.w") == 2 * 4 * 32 * 24
    full, text = network().ram_bytes, str(refusal(network().ram_bytes - 4000))
    (smaller,) = re.findall(r"a batch of (\d+) instead of 16", text)
    real = full - network(batch=int(smaller)).ram_bytes
    assert saved(text, "a batch of") == pytest.approx(real, rel=0.05)


def test_micro_batches_are_tried():
    full = network(batch=256).ram_bytes
    budget = full * 5 // 6
    error = refusal(budget, batch=256)
    text = str(error)
    (parts,) = re.findall(r"micro_batches=(\d+)\) saves [\d,]+ B \(enough\)", text)
    assert int(parts) > 1
    assert network(budget, batch=256, parts=int(parts)).ram_bytes == error.needed_bytes - saved(text, "micro_batches")


def test_micro_batches_are_compared_with_the_smallest_plan():
    """Recomputation alone brings the plan down, but not enough: what splitting saves is counted from there."""

    def deep(ram=None, parts=None):
        h = ld.input("x", (256, 32))
        for n in range(6):
            h = ld.tanh(h @ ld.param(f"w{n}", np.zeros((32, 32), np.float32)))
        return ld.compile(train=ld.train_step(ld.square(h).mean(), ld.sgd(0.1), micro_batches=parts), ram=ram)

    with pytest.raises(ld.BudgetError) as caught:
        deep(half := deep().ram_bytes // 2)
    text = str(caught.value)
    assert caught.value.needed_bytes < deep().ram_bytes
    (parts,) = re.findall(r"micro_batches=(\d+)\) saves [\d,]+ B", text)
    assert deep(parts=int(parts)).ram_bytes == caught.value.needed_bytes - saved(text, "micro_batches")
    assert deep(half, int(parts)).ram_bytes <= half  # and with what room there is, for less work


def test_a_budget_that_only_fits_without_optimizer_state_says_so():
    without = network(batch=48, momentum=0.0).ram_bytes
    words = r"an optimizer without state \([^;]*\) saves [\d,]+ B \(enough\)"
    assert re.search(words, str(refusal(without, batch=48)))
    assert not re.search(words, str(refusal(without - 8, batch=48)))


def test_a_caller_adds_a_proof_or_what_it_found():
    plan = network()
    with pytest.raises(ld.BudgetError, match="no plan can fit: matmul alone needs 9"):
        require_fit(plan, parse_ram(plan.ram_bytes - 8), proof="matmul alone needs 9")
    with pytest.raises(ld.BudgetError, match=r"none was ruled out: the least budget with a plan is [\d,]+ B"):
        require_fit(plan, parse_ram(plan.ram_bytes - 8), searched=True)
    with pytest.raises(ld.BudgetError, match=r'recompute="auto" saves 2,000 B \(enough\)'):
        require_fit(plan, parse_ram(plan.ram_bytes - 8), more=[('recompute="auto"', 2000)])
    require_fit(plan, parse_ram(plan.ram_bytes))
    require_fit(plan, parse_ram(None))


def test_a_plan_of_four_gib_is_refused_without_a_budget():
    plan = dataclasses.replace(network(), ram_bytes=2**32)
    with pytest.raises(ld.BudgetError, match="4,294,967,296 B"):
        require_fit(plan, parse_ram(None))
    x = ld.input("x", (1 << 16, 1 << 14))
    with pytest.raises(ld.BudgetError, match="ram= gives 4,294,967,295 B"):
        ld.compile(f=ld.cumsum(ld.tanh(x), 0) @ ld.transpose(x))


def test_an_entry_of_one_node():
    with pytest.raises(ld.BudgetError, match=r"`f` needs 48 B, ram= gives 40 B"):
        ld.compile(f=ld.input("x", (3,)), ram=40)


def test_where_there_is_room_the_version_of_least_work_is_taken():
    """The gradients of pooled feature maps made a row at a time take fewer bytes, and longer."""

    def kernels(plan):
        return {s.declared.name for s in plan.entry("train").steps}

    least = pooled(side=16)
    roomy, tight = pooled(side=16, ram="64 KiB"), pooled(side=16, ram=least.ram_bytes)
    assert {"unpool_grad_w", "unpool_grad_x"} <= kernels(least) == kernels(tight)
    assert {"conv2d_grad_w", "conv2d_grad_x", "pool_scatter"} <= kernels(roomy)
    assert tight.ram_bytes <= least.ram_bytes < roomy.ram_bytes <= 65536
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 16, 16, 2)).astype(np.float32), np.array([0, 2], np.int32)
    trained = []
    for plan in (least, tight, roomy):
        session = ld.Session(plan)
        session.train(x=x, y=y)
        trained.append([session.read(s.name).tobytes() for s in plan.state])
    assert trained[0] == trained[1] == trained[2]


def test_micro_batches_go_on_to_where_nothing_has_to_be_computed_twice(monkeypatch):
    """Four meet the budget with values made twice; with five there is room for the version that keeps them."""

    def plan():
        step = dataclasses.replace(lazy.step(ALL["w7_pinn_f32_taylor"]), micro_batches="auto")
        return ld.compile(train=step, ram=685_892)

    found = plan()
    assert found.report.extra_work == 0
    monkeypatch.setattr(fitting, "FURTHER", 0)
    assert plan().report.extra_work > 10
