"""Rows that are pooled as they are made: no feature map exists whole, and every bit is the same."""

import numpy as np
import pytest

import lazydiff as ld
from lazydiff.entries import versions
from lazydiff.frontend.training import Step
from lazydiff.memory.budgets.ram import Ram
from lazydiff.memory.buffers import lifetimes, unroll
from lazydiff.memory.layout import stacked
from lazydiff.memory.lower import Store, lower
from lazydiff.plan.check import check
from lazydiff.plan.model import MAP
from lazydiff.run.reference import Reference
from small import pooled


def groups(plan, entry):
    """The steps that run together, by kernel name."""
    found, group = [], []
    for step in plan.entry(entry).steps:
        group.append(step.declared.name)
        if not step.tile_rows:
            found += [group] if len(group) > 2 else []
            group = []
    return found


def trained(plan, runtime=ld.Session):
    rng, session = np.random.default_rng(3), runtime(plan)
    shape = next(s.shape for s in plan.entry("train").inputs if s.name == "x")
    for _ in range(3):
        x, y = rng.normal(size=shape).astype(np.float32), rng.integers(0, 3, shape[0]).astype(np.int32)
        session.run("train", x=x, y=y)
    return [session.read(s.name) for s in plan.state]


@pytest.mark.parametrize(("n", "side"), [(1, 8), (2, 8), (3, 4), (2, 12)])
def test_no_feature_map_exists_whole_and_the_bits_are_the_same(n, side):
    plan = pooled(n, side)
    first, second = groups(plan, "train")
    assert first == ["conv2d", "map", "max_pool_index", "pool_gather"]
    assert second == ["conv2d", "max_pool_index", "pool_gather"]
    whole = pooled(n, side, outputs=lambda maps: dict(zip("uv", maps, strict=True)))  # both maps must exist
    assert groups(whole, "train") == []
    assert plan.ram_bytes <= whole.ram_bytes - 4 * 4 * n * side**2 // 2
    bits = [[a.tobytes() for a in trained(p)] for p in (plan, whole)]
    assert bits[0] == bits[1]
    for a, b in zip(trained(plan), trained(plan, Reference), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_a_map_writes_over_the_tile_that_it_reads():
    plan = pooled()
    (step,) = (s for s in plan.entry("train").steps if s.kernel == MAP and s.tile_rows)
    tile, made = step.operands[step.program.tile], step.writes[0]
    assert step.program.tiles
    assert plan.buffers[tile].offset == plan.buffers[made].offset
    assert plan.buffers[tile].size_bytes == 2 * 8 * 4 * 4  # two rows of four channels


def test_an_index_that_nobody_reads_again_is_a_byte_a_pixel_all_the_same():
    """Inference alone: the index is whole, as its readers in the group are given their rows of it."""
    (first, second) = groups(pooled(), "infer")
    assert first[-1] == second[-1] == "pool_gather"


@pytest.mark.parametrize(
    ("window", "stride", "padding", "side"),
    [
        ((2, 2), (2, 2), ((1, 0), (0, 0)), 8),  # a row above the image
        ((3, 2), (2, 2), ((0, 1), (0, 0)), 8),  # rows that two windows see
        ((1, 1), (4, 4), 0, 9),  # rows that are fewer than the windows' strides
        ((2, 2), (2, 2), 0, 9),
    ],
)
def test_windows_that_overlap_or_leave_rows_out_are_not_chained(window, stride, padding, side):
    x = ld.input("x", (2, side, side, 1))
    y = ld.max_pool2d(ld.conv2d(x, np.ones((3, 3, 1, 2), np.float32), 1, 1), window, stride, padding)
    plan = ld.compile(infer=y)
    assert groups(plan, "infer") == []
    check(plan)


def test_a_map_that_has_no_product_to_chain_is_pooled_as_it_is_made():
    """A sum of two tensors: the group begins with the map."""
    x, y = ld.input("x", (2, 8, 8, 2)), ld.input("y", (2, 8, 8, 2))
    plan = ld.compile(infer=ld.max_pool2d(ld.square(x) + y, (2, 1)))
    assert groups(plan, "infer") == [["map", "max_pool_index", "pool_gather"]]
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=(2, 8, 8, 2)).astype(np.float32) for _ in range(2))
    wanted = (a * a + b).reshape(2, 4, 2, 8, 2).max(2)
    np.testing.assert_array_equal(ld.Session(plan).run("infer", x=a, y=b), wanted)
    np.testing.assert_array_equal(Reference(plan).run("infer", x=a, y=b)["infer"], wanted)


REDUCED = {  # by the kernel that ends the group
    "sum_rows": lambda v: v.sum(0),
    "reduce_sum": lambda v: v.sum(-1),
    "reduce_max": lambda v: v.max((1, 2)),
    "reduce_min": lambda v: ld.min(v, 1),
    "argmax": lambda v: ld.argmax(v, axis=-1),
}


@pytest.mark.parametrize("ram", [None, "1 MiB"])
@pytest.mark.parametrize("kernel", REDUCED)
def test_what_is_only_reduced_does_not_exist_whole(kernel, ram):
    x, y = ld.input("x", (5, 1, 31)), ld.input("y", (9, 1))  # so that v can't lie over x
    v = ld.tanh(x) * y
    plan, whole = ld.compile(ram=ram, f=REDUCED[kernel](v)), ld.compile(ram=ram, f={"f": REDUCED[kernel](v), "v": v})
    chain = [s for s in plan.entry("f").steps if s.tile_rows]
    assert [s.declared.name for s in plan.entry("f").steps][-2:] == ["map", kernel]
    assert (len(chain), chain[0].program.tiles, whole.entry("f").steps[-2].tile_rows) == (1, True, 0)
    if ram is None:
        assert plan.ram_bytes < whole.ram_bytes - 4 * 5 * 9 * 31 // 2
    check(plan)
    rng = np.random.default_rng(0)
    given = {"x": rng.normal(size=x.shape).astype(np.float32), "y": rng.normal(size=y.shape).astype(np.float32)}
    found = np.asarray(ld.Session(plan).run("f", **given))
    assert found.tobytes() == np.asarray(ld.Session(whole).run("f", **given)["f"]).tobytes()
    np.testing.assert_allclose(found, Reference(plan).run("f", **given)["f"], rtol=1e-5, atol=1e-5)


def test_two_sums_of_what_a_product_makes_eat_its_rows_together():
    x, w = ld.input("x", (64, 6)), ld.param("w", np.arange(30, dtype=np.float32).reshape(6, 5))
    v = ld.square(x @ w)
    plan = ld.compile(f={"a": v.sum(0), "b": v.sum(0) * 2.0})
    assert groups(plan, "f") == [["matmul_nn", "map", "sum_rows"]]
    data = np.random.default_rng(0).normal(size=x.shape).astype(np.float32)
    np.testing.assert_allclose(ld.Session(plan).run("f", x=data)["b"], 2 * np.square(data @ w.data).sum(0), rtol=1e-5)


def test_what_is_pooled_and_then_reduced_is_in_one_group_alone():
    x = ld.input("x", (2, 12, 12, 3))
    plan = ld.compile(f=ld.argmax(ld.max_pool2d(ld.square(x), 2).reshape(2, -1), axis=-1))
    assert groups(plan, "f") == [["map", "max_pool_index", "pool_gather"]]
    check(plan)


def test_a_chain_that_is_made_again_keeps_its_bits():
    """Twice in a row: the second making has values of its own, its tile in the place of its own tile."""
    x = ld.input("x", (2, 8, 8, 2))
    h = ld.max_pool2d(ld.relu(ld.conv2d(x, np.ones((3, 3, 2, 4), np.float32), 1, 1)), 2)
    store = Store(set())
    entry = versions(store, "infer", Step({"h": ld.square(h)}, ()))[0]
    (chain,) = (n for n, u in enumerate(entry.units) if len(u.calls) > 2)
    schedule = [n for u in range(len(entry.units)) for n in ([u, u] if u == chain else [u])]
    again, order = unroll(entry, entry.units, schedule)
    lives = lifetimes(again, order, 4)
    plan = lower(store, [(again, lives)], stacked(store.kept, [lives], 4), Ram((1 << 20,)))
    check(plan)
    assert len(groups(plan, "infer")) == 2
    chains = [u.calls for u in order if len(u.calls) > 2]
    assert all(calls[1].results[0].replaces is calls[0].results[0] for calls in chains)
    assert chains[0][0].results[0] is not chains[1][0].results[0]
    data = np.random.default_rng(0).normal(size=x.shape).astype(np.float32)
    once = ld.Session(ld.compile(infer=ld.square(h))).run("infer", x=data)
    np.testing.assert_array_equal(ld.Session(plan).run("infer", x=data), once)
