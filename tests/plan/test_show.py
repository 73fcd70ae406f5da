"""The memory table and map count what must be in RAM, on plans small enough to count by hand."""

import xml.etree.ElementTree as ET

import pytest

from lazydiff import pipeline
from lazydiff.dtypes import f32
from lazydiff.examples import digits
from lazydiff.plan.lifetimes import entry_lives, union_bytes
from lazydiff.plan.memory_map import memory_map, memory_map_svg
from lazydiff.plan.model import Entry, Kind, Plan, Step, Symbol
from lazydiff.plan.show import report, table
from regions import cut
from tiny_plan import H2, W_NEW, W, multiply, ram, tiny


def test_union_counts_shared_bytes_once():
    assert union_bytes([(0, 10), (5, 12), (20, 24), (20, 22)]) == 16


def test_a_value_lives_from_its_write_to_its_last_read():
    lives = entry_lives(tiny(), tiny().entry("train"))
    steps = {(life.name, life.is_new): (life.first, life.last) for life in lives.lives}
    assert steps == {
        ("w", False): (0, 3), ("w", True): (3, 3), ("x", False): (0, 0), ("product", False): (0, 1),
        ("square", False): (1, 3), ("loss", False): (2, 3),
    }  # fmt: skip


def test_in_place_and_updated_bytes_count_once():
    lives = entry_lives(tiny(), tiny().entry("train"))
    assert lives.live_bytes == (32 + 16 + 16 + 16, 32 + 16 + 16, 32 + 16 + 16 + 4, 32 + 16 + 16 + 4)
    assert (lives.peak_step, lives.lower_bound_bytes, lives.arena_bytes) == (0, 80, 88)


def test_an_entry_is_charged_for_its_own_bytes_only():
    lives = entry_lives(tiny(), tiny().entry("infer"))
    assert (lives.lower_bound_bytes, lives.arena_bytes, lives.arena_over_bound) == (80, 80, 1.0)


def test_a_parameter_nobody_reads_is_kept():
    plan = tiny()
    buffers = (*plan.buffers, ram(Kind.STATE, 88, 2))
    kept = Plan(96, 8, buffers, (*plan.state, Symbol("clock", 6, (2,))), plan.entries, b"", plan.init)
    lives = entry_lives(kept, kept.entry("infer"))
    assert (lives.lower_bound_bytes, report(kept)["entries"]["infer"]["at_peak"]["state"]) == (88, 8)


def test_an_old_value_nobody_reads_frees_its_place_until_the_new_one_is_written():
    plan = tiny()
    entry = plan.entry("train")
    steps = (*entry.steps[:3], multiply(4, (H2,), W_NEW))
    lives = entry_lives(plan, Entry("train", entry.inputs, entry.outputs, steps, entry.updates))
    assert [(life.first, life.last) for life in lives.lives if life.name == "w"] == [(0, 0), (3, 3)]
    assert lives.live_bytes == (80, 48, 52, 68)


def test_a_tiled_step_and_its_map_are_one_moment():
    """c = square(a @ b) two rows at a time: a, b, the tile and c are all needed while the pair runs."""
    buffers = (ram(Kind.IO, 32, 8), ram(Kind.IO, 64, 4), ram(Kind.WORK, 80, 4, "tile"), ram(Kind.IO, 96, 8))
    product = Step(10, f32, (0, 1, 2), (1, 4, 2, 2, 0, 0), 2)
    pair = (product, multiply(8, (2,), 3, tile=0))
    entry = Entry("infer", (Symbol("a", 0, (4, 2)), Symbol("b", 1, (2, 2))), (Symbol("infer", 3, (4, 2)),), pair)
    plan = Plan(128, 8, buffers, (), (entry,), b"", b"")
    assert entry_lives(plan, entry).live_bytes == (128, 128)


def test_a_place_written_twice_is_free_in_between():
    """The work buffer holds one value at steps 0 and 1, another at 3 and 4; at step 2 nobody needs it."""
    buffers = (ram(Kind.IO, 32, 4), ram(Kind.WORK, 48, 4), ram(Kind.WORK, 64, 4), ram(Kind.IO, 80, 4))
    steps = (
        multiply(4, (0,), 1), multiply(4, (1,), 2), multiply(4, (0, 2), 3), multiply(4, (0,), 1), multiply(4, (1,), 3),
    )  # fmt: skip
    entry = Entry("infer", (Symbol("x", 0, (4,)),), (Symbol("infer", 3, (4,)),), steps)
    lives = entry_lives(Plan(96, 8, buffers, (), (entry,), b"", b""), entry)
    assert [(x.first, x.last) for x in lives.lives if x.buffer is buffers[1]] == [(0, 1), (3, 4)]
    assert lives.live_bytes == (64, 80, 80, 64, 64)


def test_bytes_by_kind_sum_to_the_lower_bound():
    for facts in report(tiny())["entries"].values():
        assert sum(facts["at_peak"].values()) == facts["lower_bound_bytes"]
        assert sum(each["bytes"] for each in facts["alive"]) + 32 == facts["lower_bound_bytes"]


def test_the_table_names_peak_step_and_source():
    text = table(tiny())
    assert "train: peak at step 1 of 4, x * w (tiny.py:3)\n  alive  w 16  x 16  product 16" in text
    assert "RAM          88 B" in text
    assert "arena / lower bound              1.100       1.000" in text
    assert text == table(tiny())


MAP_OF_TINY = """\
train: steps 1 to 4 to the right, bytes up; . free, peak between the bars
       80 |....|....11111111
       64 |aaaa|bbbbbbbbbbbb
       48 |0000|............
       32 |====|============
          |####|############
          |####|############
        0 |####|############
          # executor 32  = params and state 16  0 x 16
          1 loss 4  a product 16  b square 16"""


def test_the_text_map_is_the_one_drawn_by_hand():
    assert memory_map(tiny(), "train", width=28, rows=7) == MAP_OF_TINY


MAP_OF_TINY_IN_TWO_REGIONS = """\
train: steps 1 to 4 to the right, bytes up; . free, peak between the bars
       16 |....|....11111111
        0 |aaaa|bbbbbbbbbbbb
          sram--------------
       56 |0000|............
       40 |====|============
          |####|############
          |####|############
        0 |####|############
          dtcm--------------
          # executor 40  = params and state 16  0 x 16
          1 loss 4  a product 16  b square 16"""


def test_the_text_map_has_a_floor_for_each_region():
    assert memory_map(cut(tiny(), 64), "train", width=28, rows=7) == MAP_OF_TINY_IN_TWO_REGIONS


def test_the_table_says_what_each_region_holds():
    text = table(cut(tiny(), 64))
    assert "RAM          96 B   everything that changes, in 2 regions for train and infer\n" in text
    assert "  dtcm        72 of 72 B\n  sram        24 of 124 B\n" in text
    assert (
        "  in dtcm                           72          72\n  in sram                           16          16\n"
        in text
    )
    assert "alive  w 16 in dtcm  x 16 in dtcm  product 16 in sram" in text


def test_what_is_too_small_to_draw_is_counted():
    """Sums of 4 and 12 bytes above an input of 1,024 share one row: the 12 are drawn, the 4 counted."""
    buffers = (ram(Kind.IO, 32, 256), ram(Kind.IO, 1056, 1), ram(Kind.IO, 1060, 3))
    steps = (Step(2, f32, (0, 1), (1, 256, 1)), Step(2, f32, (0, 2), (1, 256, 1)))
    outputs = (Symbol("small", 1, ()), Symbol("less", 2, (3,)))
    plan = Plan(1072, 8, buffers, (), (Entry("infer", (Symbol("x", 0, (256,)),), outputs, steps),), b"", b"")
    text = memory_map(plan, "infer", rows=4)
    assert [line[:9].strip() for line in text.splitlines()[1:7]] == ["1 056", "", "", "", "32", "0"]
    assert text.splitlines()[1].endswith("1111|2222|")
    assert "too small" not in text
    together = Plan(1072, 8, buffers, (), (Entry("infer", plan.entries[0].inputs, outputs, steps[::-1]),), b"", b"")
    assert memory_map(together, "infer", rows=4).endswith(
        "# executor 32  0 x 1 024  1 less 12  and 1 too small to draw, at most 4"
    )


def test_the_svg_is_xml_with_a_rectangle_per_value():
    text = memory_map_svg(tiny())
    titles = [e.text for e in ET.fromstring(text).iter("{http://www.w3.org/2000/svg}title")]
    plan = tiny()
    assert len(titles) == sum(1 + len(entry_lives(plan, entry).lives) for entry in plan.entries)
    assert any("product: 16 B f32, work" in title and "bytes 64 to 79, steps 1 to 2" in title for title in titles)
    assert text == memory_map_svg(tiny())


def test_names_are_escaped_in_the_svg():
    plan = tiny()
    odd = Plan(plan.ram_bytes, 8, plan.buffers, (Symbol('<w & "b">', W, (4,), 0),), plan.entries, b"", plan.init)
    assert any('<w & "b">' in (e.text or "") for e in ET.fromstring(memory_map_svg(odd)).iter())


def test_a_control_character_in_a_name_leaves_the_svg_readable():
    plan = tiny()
    odd = Plan(plan.ram_bytes, 8, plan.buffers, (Symbol("w\x01\x1b", W, (4,), 0),), plan.entries, b"", plan.init)
    assert any("w\ufffd\ufffd" in (e.text or "") for e in ET.fromstring(memory_map_svg(odd)).iter())


@pytest.mark.parametrize("batch", [1, 8])
def test_the_planner_and_the_table_count_the_same_lower_bound(batch, monkeypatch):
    """The planner counts from its graph, the table from the plan's steps, rounded up to the alignment of the block."""
    found = []
    fitting = pipeline._fitting
    monkeypatch.setattr(pipeline, "_fitting", lambda *given: found.append(fitting(*given)) or found[-1])
    plan = digits.build(batch, None)
    state = sum(plan.buffers[s.buffer].size_bytes for s in plan.state)
    planned = 32 + state + max(choice.lives.bound_bytes for choice in found[0].choices)
    assert 0 <= report(plan)["lower_bound_bytes"] - planned < plan.align
