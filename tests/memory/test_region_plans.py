"""`ram={"dtcm": ..., "sram": ...}`: plans for several regions, what is refused, and what an error says."""

import contextlib
import os
import re
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lazydiff as ld
from lazydiff.memory.budgets.boards import REGIONS
from lazydiff.memory.placement.place import Interval
from lazydiff.plan.check import check
from lazydiff.plan.lifetimes import entry_lives, spans
from lazydiff.plan.model import Kind, Region, executor_bytes
from test_spread import assignments

RNG = np.random.default_rng(5)
WIDTHS = (24, 40, 32, 8)
WEIGHTS = [RNG.normal(size=s).astype(np.float32) / 4 for s in pairwise(WIDTHS)]
BATCH = RNG.normal(size=(16, 24)).astype(np.float32), RNG.integers(0, 8, 16, np.int32)


def network(ram=None, infer=True, **options):
    x, y = ld.input("x", (16, 24)), ld.input("y", (16,), ld.i32)
    value = x
    for n, w in enumerate(WEIGHTS):
        value = ld.tanh(value) @ ld.param(f"w{n}", w)
    step = ld.train_step(ld.cross_entropy(value, y).mean(), ld.sgd(0.1, momentum=0.9))
    entries = {"train": step} | ({"infer": ld.argmax(value)} if infer else {})
    return ld.compile(ram=ram, **entries, **options)


def deep(ram=None, micro_batches=None, **options):
    """Eight layers whose activations are most of the bytes."""
    x, y = ld.input("x", (64, 8)), ld.input("y", (64, 8))
    value = x
    for n in range(8):
        value = ld.tanh(value @ ld.param(f"w{n}", np.eye(8, dtype=np.float32)))
    step = ld.train_step(ld.mse(value, y), ld.sgd(0.1), micro_batches=micro_batches)
    return ld.compile(ram=ram, train=step, **options)


def trained(plan, inputs=BATCH, steps=3):
    """The bits of all states after a few steps."""
    session = ld.Session(plan)
    for _ in range(steps):
        session.train(x=inputs[0], y=inputs[1])
    return {s.name: session.read(s.name).tobytes() for s in plan.state}


def require_held(plan, ram):
    check(plan)
    assert [r.name for r in plan.regions] == list(ram)
    for r in plan.regions:
        assert r.used_bytes <= r.size_bytes
        inside = [b.end for b in plan.buffers if b.region.in_ram and plan.regions[b.region.number] is r]
        assert r.used_bytes - 8 < max(inside, default=0) <= r.used_bytes or (
            not inside and r.used_bytes <= plan.executor_bytes
        )


@pytest.mark.parametrize(
    "ram",
    [
        {"all": 65536},
        {"dtcm": 8192, "sram": 32768},
        {"dtcm": 1000, "sram": "64 KiB"},
        {"dtcm": 64, "sram": 32768},
        {"one": "8 KiB", "two": "8 KiB", "three": "8 KiB", "four": "8 KiB"},
    ],
    ids=str,
)
def test_every_region_holds_its_own_and_the_bits_are_those_of_one_block(ram):
    plan = network(ram)
    require_held(plan, ram)
    assert trained(plan) == trained(network())


def test_one_block_keeps_its_bytes_and_a_region_with_a_name_takes_as_many():
    assert not network().named
    alone = network({"sram": network().ram_bytes})
    assert alone.ram_bytes == network().ram_bytes


def test_the_first_region_is_preferred_and_a_later_one_stays_empty_where_it_is_not_needed():
    plan = network({"dtcm": "64 KiB", "sram": "256 KiB"})
    assert plan.regions[1].used_bytes == 0
    swapped = network({"sram": "256 KiB", "dtcm": "64 KiB"})
    assert [(r.name, r.used_bytes > 0) for r in swapped.regions] == [("sram", True), ("dtcm", False)]


def test_weights_go_before_their_momentum_into_the_first_region():
    """A step reads a weight for every sample, and its momentum once."""
    size = sum(w.nbytes for w in WEIGHTS)
    plan = network({"dtcm": executor_bytes(2) + size, "sram": "64 KiB"})
    where = {s.name: plan.buffers[s.buffer].region for s in plan.state}
    in_first = sum(where[f"w{n}"] == Region.RAM for n in range(3))
    assert in_first > sum(where[f"w{n}.momentum"] == Region.RAM for n in range(3))


def test_states_lie_once_for_all_entries():
    plan = network({"dtcm": 8192, "sram": 32768})
    state = {s.buffer for s in plan.state}
    for entry in plan.entries:
        for step in entry.steps:
            for b in step.reads:
                buffer = plan.buffers[b]
                assert b in state or buffer.kind not in (Kind.PARAMS, Kind.STATE) or b in {n for _, n in entry.updates}


def test_recomputation_meets_a_budget_of_two_regions():
    plain = deep()
    half = plain.ram_bytes * 6 // 10 // 2 // 8 * 8
    ram = {"dtcm": half, "sram": half}
    plan = deep(ram)
    require_held(plan, ram)
    assert len(plan.entries[0].steps) > len(plain.entries[0].steps)
    inputs = [RNG.normal(size=(64, 8)).astype(np.float32) for _ in range(2)]
    assert trained(plan, inputs) == trained(plain, inputs)
    with pytest.raises(ld.BudgetError, match='recompute="auto" saves'):
        deep(ram, recompute="none")


def test_micro_batches_meet_a_budget_of_two_regions():
    third = deep().ram_bytes // 3 // 8 * 8
    ram = {"dtcm": third // 2, "sram": third}
    plan = deep(ram, micro_batches="auto", recompute="none")
    require_held(plan, ram)


def refusal(make, *arguments, **options):
    with pytest.raises(ld.BudgetError) as caught:
        make(*arguments, **options)
    return caught.value


def test_the_least_budget_that_an_error_names_has_a_plan():
    for ram in ({"dtcm": 2048, "sram": 4096}, {"dtcm": 4096, "sram": 8192}):
        error = refusal(network, ram, recompute="none")
        assert list(error.needed_regions) == list(ram)
        assert error.needed_regions["dtcm"] <= ram["dtcm"]
        assert error.needed_regions["sram"] > ram["sram"]
        again = network(error.needed_regions, recompute="none")
        assert again.ram_bytes <= error.needed_bytes == sum(error.needed_regions.values())


def test_an_error_says_who_is_alive_and_in_which_region():
    text = str(refusal(network, {"dtcm": 2048, "sram": 4096}, recompute="none"))
    assert "ram= gives dtcm 2,048 B and sram 4,096 B" in text
    assert re.search(r"\([\d,]+ B too many in sram\)", text)
    assert re.search(r"alive: w\d[.\w]* [\d,]+ in sram", text)


def test_a_buffer_larger_than_every_region_is_a_proof():
    x = ld.input("x", (1000,))
    text = str(refusal(ld.compile, f=ld.cumsum(ld.exp(x), 0), ram={"a": 3000, "b": 3000, "c": 3000, "d": 3000}))
    assert re.search(r"no plan can fit: what .* of `f` reads and writes has no place in the regions", text)
    assert ld.compile(f=ld.cumsum(ld.exp(x), 0), ram={"a": 3000, "b": 4000, "c": 4096}).regions[0].used_bytes == 48


def test_two_entries_of_which_one_does_not_fit():
    big = ld.input("z", (2000,))
    small = {"small": ld.exp(ld.input("x", (8,)))}
    text = str(refusal(ld.compile, **small, big=ld.exp(big), ram={"a": 4096, "b": 2048}))
    assert re.search(r"`big` needs 8,[\d,]+ B; `small` fits in [\d,]+ B", text)
    assert ld.compile(**small, big=ld.exp(big), ram={"a": 64, "b": 8000}).regions[1].used_bytes == 8000


@pytest.mark.parametrize(
    ("ram", "said"),
    [
        ({}, "0 regions; a plan has 1 to 4"),
        (dict.fromkeys("abcde", 1000), "5 regions"),
        ({"dtcm": 0, "sram": -5}, "region 'dtcm': .*at least 1 byte(.|\n)*region 'sram': .*at least 1 byte"),
        ({"dtcm": "64 q"}, "no size and no board"),
        ({"dtcm": None}, "has no size, but None"),
        ({"dtcm": {"a": 1}}, "has no size"),
        ({"dtcm": 1.5}, "no whole number of bytes"),
        ({"dtcm": 39, "sram": 4096}, "the first and holds the executor's 40 bytes"),
        ({"": 100}, "no region's name"),
        ({"d tcm": 100}, "no region's name"),
        ({"1a": 100}, "no region's name"),
        ({3: 100}, "3 is no region's name"),
        ({"a": 100, "A": 100}, "two regions are named 'A', but for upper and lower case"),
        ({"a": "3 GiB", "b": "3 GiB"}, "4 GiB or more together"),
        ("teensy41:dtcm+sram", "teensy41 has dtcm, ocram"),
        ("teensy41:dtcm+dtcm", "each once"),
        ("teensy41:", "teensy41 has dtcm, ocram"),
        ("tensy41:dtcm", "did you mean 'teensy41'"),
        ("pico:sram", "boards with known regions: disco_f746ng"),
    ],
    ids=str,
)
def test_regions_that_can_not_be_are_refused(ram, said):
    with pytest.raises(ld.GraphError, match=said):
        ld.compile(f=ld.input("x", (3,)) * 2.0, ram=ram)


@pytest.mark.parametrize("board", REGIONS)
def test_a_boards_regions_in_the_order_asked_for(board):
    for names in (list(REGIONS[board]), list(REGIONS[board])[::-1]):
        plan = ld.compile(f=ld.input("x", (3,)) * 2.0, ram=f"{board.upper()}:{'+'.join(names)}")
        assert [(r.name, r.size_bytes) for r in plan.regions] == [(n, REGIONS[board][n]) for n in names]


@pytest.mark.parametrize(
    ("ram", "graph"),
    [
        ({"a": 64, "b": 64}, lambda x: x),
        ({"a": 64, "b": 64}, lambda x: ld.grad(ld.stop_gradient(x).sum(), [x])[0]),  # zeros, without bytes or steps
        ({"a": 77, "b": 33, "c": 13}, ld.exp),
        ({"a": 104, "b": 64}, lambda x: ld.exp(ld.astype(x, ld.f64))),
        ({"a": 64, "b": 60, "c": 60}, lambda x: x > 0.5),
    ],
    ids=["input", "zeros", "odd sizes", "f64", "bool"],
)
def test_graphs_of_a_step_or_none(ram, graph):
    f = graph(ld.input("x", (5,)))
    plan = ld.compile(f=f, ram=ram)
    check(plan)
    inputs = {s.name: np.linspace(-1, 1, 5, dtype=np.float32) for s in plan.entries[0].inputs}
    assert np.array_equal(ld.Session(plan).f(**inputs), ld.Session(ld.compile(f=f)).f(**inputs))


def test_an_incremental_entry_keeps_its_values_in_regions():
    u, v, w = ld.input("u", (2, 4)), ld.input("v", (2, 4)), ld.param("w", np.eye(4, dtype=np.float32))
    entry = ld.incremental({"y": ld.tanh(u @ w) + ld.exp(v)})
    plan = ld.compile(f=entry, ram={"a": 128, "b": 400})
    require_held(plan, {"a": 128, "b": 400})
    a, b = np.full((2, 4), 0.25, np.float32), np.ones((2, 4), np.float32)
    sessions = ld.Session(plan), ld.Session(ld.compile(f=entry))
    for inputs in ({"u": a, "v": b}, {"v": a}, {"u": b}):
        first, second = (s.f(**inputs) for s in sessions)
        assert np.array_equal(first, second)


def test_a_sweep_takes_regions():
    ram = {"dtcm": 8192, "sram": 32768}
    rows = network().sweep([ram, {"dtcm": 64, "sram": 64}, 65536])
    assert rows[0].ram_bytes == network(ram).ram_bytes
    assert [row.ram_bytes is None for row in rows] == [False, True, False]


PROGRAM = """
import test_region_plans as t
print(t.network({"dtcm": 8192, "sram": 32768}).to_bytes().hex())
"""


def test_the_same_bytes_under_every_hash_seed():
    found = set()
    for seed in ("0", "7"):
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=environment, check=True
        )
        found.add(done.stdout)
    assert found == {network({"dtcm": 8192, "sram": 32768}).to_bytes().hex() + "\n"}


TINY = ld.compile(f=ld.exp(ld.cumsum(ld.input("x", (4, 2)), 0)) @ ld.input("w", (2, 3)))


@given(st.lists(st.integers(1, 9).map(lambda n: 16 * n), min_size=1, max_size=3))
def test_there_is_a_plan_where_some_assignment_of_buffers_gives_one(sizes):
    """Every assignment of the one block's buffers to regions is tried, and every place."""
    sizes[0] += executor_bytes(len(sizes))
    (entry,) = TINY.entries
    lives = entry_lives(TINY, entry)
    intervals = [
        Interval(life.buffer.size_bytes, begin, end - 1)
        for life, (begin, end) in zip(lives.lives, spans(lives), strict=True)
    ]
    rooms = [sizes[0] - executor_bytes(len(sizes)), *sizes[1:]]
    possible = any(True for _ in assignments(intervals, rooms))
    found, ram = [], {f"r{n}": size for n, size in enumerate(sizes)}
    with contextlib.suppress(ld.BudgetError):
        found.append(TINY.report.again(ram))
    assert len(found) == possible
    for plan in found:
        check(plan)
