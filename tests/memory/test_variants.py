"""Maps get long blocks where their temporaries have room, and nowhere else."""

import numpy as np
import pytest

import lazydiff as ld
from lazydiff import candidates
from lazydiff.frontend.training import Step
from lazydiff.memory.selection import programs
from lazydiff.memory.selection.programs import BLOCK, LEAST_BLOCK, MOST_BLOCKS
from lazydiff.memory.variants import HIGH_TILES, LONG_BLOCKS
from lazydiff.plan.model import MAP

RNG = np.random.default_rng(3)


def deep(ram=None):
    """A layer whose activation and its slope need temporaries."""
    x, y = ld.input("x", (16, 24)), ld.input("y", (16, 40))
    w = ld.param("w", RNG.normal(size=(24, 40)).astype(np.float32))
    loss = ld.mse(ld.tanh(x @ w) * ld.sigmoid(x @ w), y)
    return ld.compile(ram=ram, train=ld.train_step(loss, ld.sgd(0.1)))


def blocks(plan, entry=0):
    return [s.program.block for s in plan.entries[entry].steps if s.kernel == MAP and s.program.n_temps]


def trained(plan):
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(16, 24)).astype(np.float32), rng.normal(size=(16, 40)).astype(np.float32)
    session = ld.Session(plan)
    session.write("w", np.full((24, 40), 0.1, np.float32))
    losses = [float(session.train(x=x, y=y)).hex() for _ in range(3)]
    return losses, session.read("w").tobytes()


def test_long_blocks_are_taken_with_room_and_give_the_same_bits_and_no_byte_more(monkeypatch):
    free, roomy = deep(), deep("64 KiB")
    monkeypatch.setattr(candidates, "faster", lambda entry, lives, *_: (entry, lives))
    plain = deep()
    assert max(blocks(plain)) < BLOCK
    assert max(blocks(roomy)) == LONG_BLOCKS[0]
    assert plain.ram_bytes == free.ram_bytes <= roomy.ram_bytes <= 65536
    assert trained(plain) == trained(free) == trained(roomy)


def test_without_a_budget_high_tiles_may_cost_a_thousandth(monkeypatch):
    x, y = ld.input("x", (2048, 300)), ld.input("y", (2048, 64))
    w = ld.param("w", np.zeros((300, 64), np.float32))
    step = Step({}, ((w, w - 0.1 * (x.T @ y)),))

    def tiles(plan):
        return [s.tile_rows for s in plan.entries[0].steps if s.tile_rows]

    free = ld.compile(train=step)
    monkeypatch.setattr(candidates, "SPARE", 1 << 40)
    least = ld.compile(train=step)
    assert tiles(free) == [HIGH_TILES[0]] > tiles(least)
    assert least.ram_bytes < free.ram_bytes <= least.ram_bytes * 1025 // 1024


@pytest.mark.parametrize("over", [0, 4000])
def test_no_budget_is_exceeded_for_a_long_block(over):
    least = deep().ram_bytes + over
    assert deep(least).ram_bytes <= least


def test_room_that_another_entry_needs_anyway_is_used_without_a_budget():
    x = ld.input("x", (16, 64))
    gate = ld.tanh(x) * ld.sigmoid(x)
    wide = ld.param("wide", RNG.normal(size=(64, 256)).astype(np.float32))
    alone, both = ld.compile(f=gate), ld.compile(f=gate, g=x @ wide)
    assert blocks(alone) == [16 * 64 // MOST_BLOCKS]
    assert blocks(both) == [LONG_BLOCKS[0]]
    assert both.ram_bytes == ld.compile(g=x @ wide).ram_bytes


def product(rows):
    """Of two sums; in f32 each takes a temporary."""
    x, y = ld.input("x", (rows, 64)), ld.input("y", (rows, 64))
    return (x + 1.0) * (y - x)


@pytest.mark.parametrize(
    ("rows", "block"), [(1, LEAST_BLOCK), (4, LEAST_BLOCK), (16, 8), (128, BLOCK), (200, BLOCK)], ids=str
)
def test_blocks_are_short_at_the_peak_of_a_small_map_and_at_most_128(rows, block, monkeypatch):
    plan = ld.compile(f=product(rows))
    (temps,) = (s.program.n_temps for s in plan.entries[0].steps)
    assert blocks(plan) == [block]
    assert plan.ram_bytes == 32 + 2 * 256 * rows + 4 * temps * block
    monkeypatch.setattr(programs, "LEAST_BLOCK", BLOCK)
    long = ld.compile(f=product(rows))
    assert blocks(long) == [BLOCK]
    assert long.ram_bytes - plan.ram_bytes == 4 * temps * (BLOCK - block)
    given = {n: RNG.normal(size=(rows, 64)).astype(np.float32) for n in "xy"}
    found = [ld.Session(p).f(**given).tobytes() for p in (plan, long)]
    assert found[0] == found[1]


def test_a_budget_with_less_room_than_a_long_block_takes_one_between():
    least = ld.compile(f=product(4))
    (temps,) = (s.program.n_temps for s in least.entries[0].steps)
    budgets = [least.ram_bytes + 4 * temps * (block - LEAST_BLOCK) for block in (LEAST_BLOCK, 15, 16, 63, BLOCK)]
    found = [blocks(ld.compile(f=product(4), ram=budget)) for budget in budgets]
    assert found == [[LEAST_BLOCK], [LEAST_BLOCK], [16], [16], [BLOCK]]


@pytest.mark.parametrize(("more", "rows"), [(0, 1), (2047, 1), (2048, 2), (6144, 4), (8191, 4), (14336, 8)])
def test_a_tile_is_as_high_as_there_is_room(more, rows):
    """Of 2, 4 or 8 rows; one of 512 columns takes 2,048 bytes."""
    x, y = ld.input("x", (32, 64)), ld.input("y", (32, 512))
    w = ld.param("w", np.zeros((64, 512), np.float32))
    step = Step({}, ((w, w - 0.1 * (x.T @ y)),))
    least = ld.compile(train=step)
    assert [s.tile_rows for s in least.entries[0].steps if s.tile_rows] == [1]
    plan = ld.compile(train=step, ram=least.ram_bytes + more)
    assert [s.tile_rows for s in plan.entries[0].steps if s.tile_rows] == [rows]
    assert least.ram_bytes + 2048 * (rows - 1) <= plan.ram_bytes <= least.ram_bytes + more


def test_a_product_whose_tile_has_room_makes_eight_rows_at_a_time(monkeypatch):
    def tiles(plan):
        return [s.tile_rows for s in plan.entries[0].steps if s.tile_rows]

    free, roomy = ld.compile(train=wide_step()), ld.compile(train=wide_step(), ram="256 KiB")
    monkeypatch.setattr(candidates, "faster", lambda entry, lives, *_: (entry, lives))
    plain = ld.compile(train=wide_step())
    assert tiles(plain) == [1, 1]
    assert tiles(free) == [1, HIGH_TILES[0]]  # the first runs where most is alive
    assert tiles(roomy) == [HIGH_TILES[0]] * 2
    assert free.ram_bytes == plain.ram_bytes
    x = RNG.normal(size=(4, 64)).astype(np.float32)
    kept = []
    for plan in (plain, free, roomy):
        session = ld.Session(plan)
        for _ in range(3):
            session.train(x=x)
        kept.append([session.read(n).tobytes() for n in ("v", "w")])
    assert kept[0] == kept[1] == kept[2]


def wide_step():
    rng = np.random.default_rng(5)
    x = ld.input("x", (4, 64))
    w, v = (ld.param(n, (0.1 * rng.normal(size=(64, 64))).astype(np.float32)) for n in "wv")
    return ld.train_step(ld.square(ld.tanh(x @ w) @ v).mean(), ld.sgd(0.1))
