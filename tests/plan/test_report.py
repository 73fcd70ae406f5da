"""What a compiled plan knows beyond its file: peak, lower bound, what each stage saved, extra work, waiting updates."""

import copy
import pickle

import numpy as np
import pytest

import lazydiff as ld
from lazydiff.candidates import SPARE
from lazydiff.memory.budgets.boards import BOARDS
from lazydiff.plan.report import extra_percent


def perceptron(optimizer=None, parts=None, batch=32, layers=1):
    """A training step of `layers` hidden layers of 64."""
    h, y = ld.input("x", (batch, 64)), ld.input("y", (batch, 3))
    for n in range(layers):
        h = ld.tanh(h @ ld.param(f"w{n}", np.full((64, 64), 0.1, np.float32)))
    loss = ld.mse(h @ ld.param("v", np.ones((64, 3), np.float32)), y).mean()
    return ld.train_step(loss, optimizer or ld.sgd(0.1), micro_batches=parts)


def normalised():
    """Three convolutions with batch norm, whose backward pass computes cheap values again."""
    h, moves = ld.input("x", (4, 8, 8, 4)), []
    for n in "abc":
        w = ld.param(f"{n}.w", np.full((3, 3, 4, 4), 0.2, np.float32))
        gain, shift = ld.param(f"{n}.g", np.ones(4, np.float32)), ld.param(f"{n}.b", np.zeros(4, np.float32))
        mean, var = ld.state(f"{n}.m", np.zeros(4, np.float32)), ld.state(f"{n}.v", np.ones(4, np.float32))
        y, pairs = ld.batch_norm(ld.conv2d(h, w, 1, 1), gain, shift, mean, var)
        h, moves = ld.relu(y), moves + pairs
    return ld.train_step(ld.square(h).mean(), ld.sgd(0.1), updates=moves)


def saved(plan, stage):
    (by_stage,) = plan.report.savings().values()
    return by_stage[stage]


def test_the_table_of_a_plan_counted_by_hand():
    """tanh(x @ w), a product of 8 by 256 that tanh is written over: 32 + 128 + 8,192 B; without that, twice 8,192."""
    x, w = ld.input("x", (8, 4)), ld.param("w", np.ones((4, 256), np.float32))
    plan = ld.compile(f=ld.tanh(x @ w))
    text = str(plan)
    rows = dict(line.rsplit(maxsplit=1) for line in text.splitlines()[3:20] if line and not line.endswith("%"))
    assert text.startswith("RAM       8 352 B   everything that changes, in one block for f\nflash ")
    assert "lower bound                      8 352\narena                            8 352\n" in text
    assert (
        "bytes saved at the peak by           f\n"
        "  fusion                             0\n"
        "  saving less                        0\n"
        "  sharing                        8 064\n"
        "  order                              0\n"
        "  recomputation                      0\n"
        "  batch split                        0\n"
        "extra work                       0.0 %\n"
        "\n"
        "f: peak at step 1 of 2, matmul (test_report.py:"
    ) in text
    assert rows["  params"] == "0"


def test_the_same_text_twice():
    assert str(ld.compile(train=perceptron())) == str(ld.compile(train=perceptron()))


def test_fusion_saves_what_is_between_maps():
    """x * exp(tanh(x) + sin(x)): x, tanh(x) and sin(x) at once if apart; in one map its scratch, 8 numbers twice."""
    x = ld.input("x", (1024,))
    assert saved(ld.compile(f=x * ld.exp(ld.tanh(x) + ld.sin(x))), "fusion") == 2 * 4096 - 64


def test_fusion_saves_the_gradient_that_an_update_eats_in_tiles():
    x, w = ld.input("x", (1, 512)), ld.param("w", np.ones((512, 64), np.float32))
    plan = ld.compile(train=ld.train_step((x @ w).sum(), ld.sgd(0.1)))
    assert saved(plan, "fusion") > 512 * 64 * 4 - 1024


def test_fusion_may_cost_its_scratch():
    x = ld.input("x", (2,))
    assert saved(ld.compile(f=ld.exp(ld.tanh(x) + ld.sin(x))), "fusion") == -8


def test_order_saves_what_is_made_too_early():
    """As written the first weight's gradient comes first, so those of the layers' values wait for their weights."""
    plan = ld.compile(train=perceptron(layers=4))
    assert saved(plan, "order") >= 32 * 64 * 4
    assert saved(ld.compile(train=perceptron(layers=0)), "order") == 0


def test_recomputation_saves_bytes_for_work():
    plan = ld.compile(train=normalised())
    image = 4 * 4 * 8 * 8 * 4
    assert saved(plan, "recomputation") >= image
    ((once, done),) = plan.report.work().values()
    assert once < done < 1.1 * once
    assert plan.report.extra_work == extra_percent((once, done)) > 0
    assert extra_percent((200, 250)) == 25
    assert f"extra work {plan.report.extra_work:25.1f} %" in str(plan)
    assert ld.compile(train=perceptron()).report.extra_work == 0


@pytest.mark.parametrize("parts", [2, 4])
def test_a_batch_split_saves_the_difference_of_the_two_plans(parts):
    whole, split = (ld.compile(train=perceptron(parts=p, batch=512)) for p in (None, parts))
    assert saved(whole, "batch split") == 0
    spare = whole.lower_bound // SPARE  # what faster kernels may cost, which savings leave out
    assert abs(saved(split, "batch split") - (whole.lower_bound - split.lower_bound)) < 16 + spare
    assert saved(split, "batch split") > 512 * 64 * 3


def test_the_split_that_a_budget_chose_is_reported():
    whole = ld.compile(train=perceptron(batch=512)).ram_bytes
    plan = ld.compile(train=perceptron(parts="auto", batch=512), ram=whole * 3 // 4)
    assert saved(plan, "batch split") > whole // 5
    assert "micro-batches add to the gradient" in str(plan)


# ------------------------------------------------------------------ updates that wait


def waits(step):
    return dict(ld.compile(train=step).report.waits.get("train", ()))


def test_most_updates_do_not_wait():
    assert waits(perceptron(ld.adam(), layers=2)) == {}
    assert waits(perceptron(ld.clip_by_value(ld.sgd(0.1), 1.0), layers=2)) == {}
    assert "updates that wait" not in str(ld.compile(train=perceptron()))


def test_a_shared_parameter_waits_for_its_other_uses():
    x, w = ld.input("x", (4, 4)), ld.param("w", np.eye(4, dtype=np.float32))
    h = ld.tanh(x @ w)
    h = ld.tanh(h @ ld.transpose(w))
    step = ld.train_step(ld.square(h @ ld.param("v", np.ones((4, 4), np.float32))).mean(), ld.sgd(0.1))
    found = waits(step)
    assert list(found) == ["w"]
    first, second = (h.inputs[0].source.rpartition(":")[2] for h in (ld.tanh(x @ w), h))
    assert found["w"].startswith("used 2 times (test_report.py:")
    assert found["w"].count("test_report.py:") == 2
    assert first != second


def test_a_use_behind_stop_gradient_is_none():
    x, w = ld.input("x", (4, 4)), ld.param("w", np.eye(4, dtype=np.float32))
    loss = ld.square(x @ w).mean() + (x @ ld.stop_gradient(w)).mean()
    assert waits(ld.train_step(loss, ld.sgd(0.1))) == {}


def test_a_global_norm_waits_for_all_gradients():
    found = waits(perceptron(ld.clip_by_global_norm(ld.sgd(0.1), 1.0)))
    assert list(found) == ["w0", "v"]
    assert set(found.values()) == {"a norm over several gradients, so all of them come before the first update"}
    alone = ld.param("w", np.ones(4, np.float32))
    loss = ld.square(ld.input("x", (4,)) * alone).mean()
    assert waits(ld.train_step(loss, ld.clip_by_global_norm(ld.sgd(0.1), 1.0))) == {}


def test_a_gradient_on_the_way_to_another_is_no_norm():
    """Biases as large as the sums: their gradients are what the gradient of w is made of, clipped or not."""
    w = ld.param("w", np.eye(4, dtype=np.float32))
    sums = [ld.input(n, (4, 4)) @ w + ld.param(f"b{n}", np.ones((4, 4), np.float32)) for n in "xy"]
    step = ld.train_step(sum(ld.square(s).sum() for s in sums), ld.clip_by_value(ld.sgd(0.1), 1.0))
    found = waits(step)
    assert list(found) == ["w"]
    assert found["w"].startswith("used 2 times")


def test_accumulation_waits_for_the_last_micro_batch():
    found = waits(perceptron(parts=4))
    assert list(found) == ["w0", "v"]
    assert set(found.values()) == {"4 micro-batches add to the gradient, so the last of them comes before the update"}


def test_a_new_value_that_is_copied_at_the_end_waits():
    """Two states that change places: neither can be written before the other has been read."""
    a, b = (ld.state(n, np.ones(3, np.float32)) for n in "ab")
    w = ld.param("w", np.ones(3, np.float32))
    loss = ld.square(w * ld.input("x", (3,))).sum()
    found = waits(ld.train_step(loss, ld.sgd(0.1), updates=[(a, b * 2.0), (b, a * 2.0)]))
    assert set(found) <= {"a", "b"}
    assert set(found.values()) == {"it can't be made in the place of the old value, so it is copied there at the end"}


def test_the_table_groups_parameters_by_reason():
    text = str(ld.compile(train=perceptron(ld.clip_by_global_norm(ld.sgd(0.1), 1.0), parts=2)))
    assert (
        "train: updates that wait for more than their own gradient\n"
        "  a norm over several gradients, so all of them come before the first update:\n"
        "    w0  v\n"
        "  2 micro-batches add to the gradient, so the last of them comes before the update:\n"
        "    w0  v\n"
    ) in text


# ------------------------------------------------------------------ peak, lower bound, sweep


def test_peak_and_lower_bound_are_those_of_the_largest_entry():
    x, w = ld.input("x", (8, 4)), ld.param("w", np.ones((4, 256), np.float32))
    h = x @ w
    plan = ld.compile(small=x * 2.0, large=ld.tanh(h))
    assert plan.lower_bound == plan.ram_bytes == 32 + 128 + 8192
    peak = plan.peak
    assert (peak.entry, peak.step, peak.op, peak.source) == ("large", 0, "matmul", h.source)
    assert peak.bytes == 8352
    assert peak.alive == (("matmul", "work", 8192), ("x", "io", 128))
    assert ld.load(plan.to_bytes()).peak == peak


def test_the_peak_of_regions_says_where():
    x, w = ld.input("x", (8, 4)), ld.param("w", np.ones((4, 256), np.float32))
    peak = ld.compile(large=ld.tanh(x @ w), ram={"dtcm": 512, "sram": 8192}).peak
    assert peak.regions == {"dtcm": 40 + 128, "sram": 8192}
    assert dict(zip((name for name, *_ in peak.alive), peak.where, strict=True)) == {"matmul": "sram", "x": "dtcm"}
    assert ld.compile(large=ld.tanh(x @ w)).peak.regions == {}


def test_the_bytes_alive_sum_to_the_peak():
    peak = ld.compile(train=perceptron(layers=3), infer=ld.input("z", (9,)) * 2.0).peak
    assert sum(size for *_, size in peak.alive) + 32 == peak.bytes


def test_a_sweep_gives_a_row_for_each_budget():
    plan = ld.compile(train=perceptron(parts="auto", batch=512))
    most = plan.ram_bytes
    rows = plan.sweep([most, most - 8, "1 KiB", "pico"])
    assert [r.budget for r in rows] == [most, most - 8, "1 KiB", "pico"]
    assert rows[0].ram_bytes == most > BOARDS["pico"] >= rows[3].ram_bytes
    assert rows[1].ram_bytes <= most - 8
    assert (rows[2].ram_bytes, rows[2].extra_work) == (None, None)
    assert 1024 < rows[2].least_bytes < most
    assert all(r.extra_work >= 0 for r in rows if r.ram_bytes)
    assert plan.sweep([rows[2].least_bytes])[0].ram_bytes == rows[2].least_bytes
    assert plan.sweep([]) == []


def test_a_budget_below_buys_bytes_with_work():
    """Each hidden layer's tanh that is not kept is a product more; the report's bytes are those between two plans."""
    whole = ld.compile(train=perceptron(layers=6, batch=256))
    plan = ld.compile(train=perceptron(layers=6, batch=256), ram=whole.ram_bytes * 8 // 10)
    assert plan.ram_bytes <= whole.ram_bytes * 8 // 10
    assert saved(whole, "recomputation") == 0
    assert abs(saved(plan, "recomputation") - (whole.lower_bound - plan.lower_bound)) < 16
    assert saved(plan, "recomputation") >= 256 * 64 * 4
    assert saved(plan, "order") == saved(whole, "order")
    layer = 256 * 64 * 64 + 256 * 64
    ((once, done),) = plan.report.work().values()
    assert (done - once) % layer == 0
    assert done - once >= layer
    rows = whole.sweep([whole.ram_bytes * k // 10 for k in (10, 9, 8, 7)])
    assert all(r.ram_bytes <= r.budget for r in rows)
    assert [r.extra_work for r in rows] == sorted(r.extra_work for r in rows)
    assert rows[0].extra_work == 0 < rows[1].extra_work
    assert rows[2].extra_work == plan.report.extra_work


def test_a_plan_that_may_not_recompute_is_swept_without():
    whole = ld.compile(train=perceptron(layers=6, batch=256), recompute="none")
    assert whole.sweep([whole.ram_bytes * 8 // 10])[0].ram_bytes is None


def test_a_sweep_refuses_what_is_no_budget():
    plan = ld.compile(train=perceptron())
    for bad in (0, "64 q", -1, 2**32):
        with pytest.raises(ld.GraphError, match="ram="):
            plan.sweep([bad])


def test_a_plan_from_a_file_has_no_report_and_says_so():
    plan = ld.compile(train=perceptron())
    for other in (ld.load(plan.to_bytes()), pickle.loads(pickle.dumps(plan)), copy.deepcopy(plan)):
        assert other == plan
        assert hash(other) == hash(plan)
        assert other.report is None
        assert "saved" not in str(other)
        with pytest.raises(ld.PlanError, match="read from a file"):
            other.sweep([1024])
