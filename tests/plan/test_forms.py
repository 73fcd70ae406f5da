"""What `lazydiff show` writes: CSV, JSON, trace and SVG agree with the plan, and with each other."""

import csv
import io
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from itertools import combinations

import numpy as np
import pytest

import lazydiff as ld
from lazydiff.dtypes import f32
from lazydiff.examples import digits
from lazydiff.plan.as_csv import to_csv
from lazydiff.plan.as_json import from_json, to_json
from lazydiff.plan.as_trace import STEP_US, to_trace
from lazydiff.plan.lifetimes import entry_lives, spans
from lazydiff.plan.memory_map import memory_map_svg
from lazydiff.plan.model import Entry, Kind, Plan, Step, Symbol
from lazydiff.plan.show import number
from regions import cut
from tiny_plan import multiply, ram, tiny


def recurrent():
    """Shared weights, Adam and micro-batches: tiles, running sums in a state's place, updates that wait."""
    x, w = ld.input("x", (8, 3, 4)), ld.param("w", np.eye(4, dtype=np.float32))
    h = x[:, 0]
    for t in range(3):
        h = ld.tanh(h @ w + x[:, t])
    return ld.compile(train=ld.train_step(ld.square(h).mean(), ld.adam(), micro_batches=2), infer=h)


def two_regions():
    return digits.build(2, {"dtcm": "8 KiB", "sram": "64 KiB"})


PLANS = {"tiny": tiny, "digits": lambda: digits.build(2, None), "rnn": recurrent, "regions": two_regions}


@pytest.fixture(scope="module", params=PLANS.values(), ids=PLANS)
def plan(request):
    return request.param()


def rows(plan):
    return [
        (r["id"], *(int(r[k]) for k in ("lower", "upper", "size", "offset")))
        for r in csv.DictReader(io.StringIO(to_csv(plan)))
    ]


CSV_OF_TINY = """\
id,lower,upper,size,offset
train:executor,0,8,32,0
train:w,0,7,16,32
train:w#2,7,8,16,32
train:x,0,2,16,48
train:product,0,3,16,64
train:square,3,8,16,64
train:loss,4,8,4,80
infer:executor,8,10,32,0
infer:w,8,10,16,32
infer:x,8,10,16,48
infer:infer,8,10,16,64
"""


def test_the_csv_is_the_one_written_by_hand():
    assert to_csv(tiny()) == CSV_OF_TINY


CSV_OF_TINY_IN_TWO_REGIONS = """\
id,lower,upper,size,offset,region
train:executor,0,8,40,0,dtcm
train:w,0,7,16,40,dtcm
train:w#2,7,8,16,40,dtcm
train:x,0,2,16,56,dtcm
train:product,0,3,16,72,sram
train:square,3,8,16,72,sram
train:loss,4,8,4,88,sram
infer:executor,8,10,40,0,dtcm
infer:w,8,10,16,40,dtcm
infer:x,8,10,16,56,dtcm
infer:infer,8,10,16,72,sram
"""


def test_the_csv_names_regions_and_counts_through_them():
    assert to_csv(cut(tiny(), 64)) == CSV_OF_TINY_IN_TWO_REGIONS


def test_the_csv_is_a_solution_at_the_capacity_of_the_plan(plan):
    """MiniMalloc's own rule: no two lines share a byte at a time, and none ends above the capacity."""
    found = rows(plan)
    for (_, a0, a1, a_size, a_at), (_, b0, b1, b_size, b_at) in combinations(found, 2):
        assert a1 <= b0 or b1 <= a0 or a_at + a_size <= b_at or b_at + b_size <= a_at
    assert all(lower < upper for _, lower, upper, *_ in found)
    assert max(at + size for *_, size, at in found) <= plan.ram_bytes
    assert len({name for name, *_ in found}) == len(found)


def test_the_csv_read_again_gives_the_same_lives(plan):
    """To the step; a tiled step and its map are one moment, in whose middle a new value takes over."""
    found, start = rows(plan), 0
    for entry in plan.entries:
        lives = entry_lives(plan, entry)
        mine = [r for r in found if start <= r[1] < start + 2 * len(entry.steps)]
        assert [(r[3], r[4]) for r in mine[1:]] == [(v.buffer.size_bytes, v.begin) for v in lives.lives]
        for (_, lower, upper, *_), life in zip(mine[1:], lives.lives, strict=True):
            first, last = (lower - start) // 2, (upper - start - 1) // 2
            assert first == life.first or (first == life.first + 1 and entry.steps[life.first].tile_rows)
            assert last == life.last or (last == life.last - 1 and entry.steps[last].tile_rows)
        for half in range(2 * len(entry.steps)):
            alive = sum(size for _, lower, upper, size, _ in mine if lower <= start + half < upper)
            assert alive <= lives.live_bytes[half // 2]
        start += 2 * len(entry.steps)


def test_names_with_commas_and_quotes_survive():
    odd = tiny()
    odd = Plan(odd.ram_bytes, 8, odd.buffers, (Symbol('a,"b"', 0, (4,), 0),), odd.entries, b"", odd.init)
    assert [name for name, *_ in rows(odd)][1] == 'train:a,"b"'


def test_a_result_over_an_input_at_the_first_step_takes_over_in_the_middle():
    buffers = (ram(Kind.IO, 32, 4), ram(Kind.IO, 32, 4))
    entry = Entry("f", (Symbol("x", 0, (4,)),), (Symbol("f", 1, (4,)),), (multiply(4, (0,), 1),))
    plan = Plan(48, 8, buffers, (), (entry,), b"", b"")
    lives = entry_lives(plan, entry)
    assert {(v.name, span) for v, span in zip(lives.lives, spans(lives), strict=True)} == {("x", (0, 1)), ("f", (1, 2))}


def test_a_tiled_update_takes_over_between_its_two_steps():
    buffers = (ram(Kind.PARAMS, 32, 8), ram(Kind.IO, 64, 8), ram(Kind.WORK, 96, 4, "tile"), ram(Kind.PARAMS, 32, 8))
    product = Step(10, f32, (1, 1, 2), (1, 4, 2, 2, 0, 0), 2)
    steps = (product, multiply(8, (2, 0), 3, tile=0))
    entry = Entry("train", (Symbol("x", 1, (8,)),), (), steps, ((0, 3),))
    plan = Plan(112, 8, buffers, (Symbol("w", 0, (8,), 0),), (entry,), b"", bytes(32))
    lives = entry_lives(plan, entry)
    found = {(v.name, v.is_new): span for v, span in zip(lives.lives, spans(lives), strict=True)}
    assert (found["w", False], found["w", True]) == ((0, 2), (2, 4))


@pytest.mark.parametrize("forms", [to_csv, to_trace, to_json, memory_map_svg, str])
def test_an_entry_without_steps_has_every_form(forms):
    """The derivative of a constant: zeros, which take neither bytes nor steps."""
    x = ld.input("x", (3,))
    plan = ld.compile(f=ld.grad(ld.stop_gradient(x).sum() + x[0] - x[0], [x])[0] * 0.0, g=x * 2.0)
    empty = Plan(plan.ram_bytes, plan.align, plan.buffers, plan.state, (Entry("none", (), (), ()),), b"", b"")
    assert forms(empty)
    assert forms(plan)


def test_the_same_text_in_every_process():
    program = (
        "from lazydiff.examples import digits; from lazydiff.plan import as_csv, as_trace, memory_map\n"
        "plan = digits.build(2, '41 KiB')\n"
        "print(plan, as_csv.to_csv(plan), as_trace.to_trace(plan), memory_map.memory_map_svg(plan), plan.peak)\n"
        "print(plan.sweep([60000, 42000, 1000]))"
    )
    found = set()
    for seed in ("0", "1"):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        found.add(subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, check=True).stdout)
    assert len(found) == 1


# ------------------------------------------------------------------ JSON

SCHEMA = {
    "format": int, "table": int, "ram_bytes": int, "align": int, "buffers": list, "state": list, "entries": list,
    "consts": str, "init": str, "memory": dict,
}  # fmt: skip
MEMORY = {
    "ram_bytes": int, "lower_bound_bytes": int, "flash_bytes": int, "const_bytes": int, "init_bytes": int,
    "entries": dict, "lives": dict,
}  # fmt: skip
ENTRY = {
    "steps": int, "peak_step": int, "peak_op": str, "peak_source": str, "lower_bound_bytes": int, "arena_bytes": int,
    "arena_over_bound": float, "at_peak": dict, "alive": list, "inputs": list, "outputs": list,
}  # fmt: skip
VALUE = {"name": str, "kind": str, "offset": int, "bytes": int, "first_step": int, "last_step": int}


def types(found):
    return {key: type(value) for key, value in found.items()}


def test_the_json_reads_back_and_keeps_its_schema(plan):
    document = json.loads(to_json(plan))
    assert from_json(to_json(plan)) == plan
    named = {"regions": list} if plan.named else {}
    assert types(document) == SCHEMA | named
    assert document["format"] == plan.format
    memory = document["memory"]
    assert types(memory) == MEMORY | named
    assert memory["lower_bound_bytes"] == plan.lower_bound
    for entry in plan.entries:
        facts, lives = memory["entries"][entry.name], memory["lives"][entry.name]
        assert types(facts) == ENTRY | ({"regions": dict} if named else {})
        assert len(lives["live_bytes"]) == len(entry.steps)
        assert lives["live_bytes"][facts["peak_step"]] == max(lives["live_bytes"])
        assert all(types(value) == VALUE | ({"region": str} if named else {}) for value in lives["values"])
        assert len(lives["values"]) == len(entry_lives(plan, entry).lives)


# ------------------------------------------------------------------ trace


def test_the_trace_has_each_step_once_in_order(plan):
    events = json.loads(to_trace(plan))["traceEvents"]
    names = {e["pid"]: e["args"]["name"] for e in events if e["name"] == "process_name"}
    assert list(names.values()) == [entry.name for entry in plan.entries]
    for pid, name in names.items():
        steps = [e for e in events if e["ph"] == "X" and e["pid"] == pid]
        assert [e["ts"] for e in steps] == [STEP_US * n for n in range(len(plan.entry(name).steps))]
        assert {e["dur"] for e in steps} == {STEP_US}
        assert [e["args"]["source"] for e in steps] == [s.source for s in plan.entry(name).steps]


def test_the_trace_opens_and_closes_every_value(plan):
    events = json.loads(to_trace(plan))["traceEvents"]
    for pid, entry in enumerate(plan.entries, 1):
        begins, ends = (
            {e["id"]: e for e in events if e["ph"] == ph and e["pid"] == pid and e["cat"] != "step"} for ph in "be"
        )
        lives = entry_lives(plan, entry)
        assert sorted(begins) == sorted(ends) == list(range(len(lives.lives)))
        assert all(begins[n]["ts"] < ends[n]["ts"] <= STEP_US * len(entry.steps) for n in begins)
        assert all((begins[n]["name"], begins[n]["cat"]) == (ends[n]["name"], ends[n]["cat"]) for n in begins)


def test_the_counters_of_the_trace_reach_the_peak_and_no_more(plan):
    events = json.loads(to_trace(plan))["traceEvents"]
    for pid, entry in enumerate(plan.entries, 1):
        counters = [e for e in events if e["ph"] == "C" and e["pid"] == pid]
        live = entry_lives(plan, entry).live_bytes
        assert all(sum(e["args"].values()) <= live[e["ts"] // STEP_US] for e in counters)
        assert max(sum(e["args"].values()) for e in counters) == max(live)
        assert list(counters[0]["args"]) == ["executor", "params", "state", "io", "work"]


# ------------------------------------------------------------------ SVG

SVG = "{http://www.w3.org/2000/svg}"


def test_the_svg_has_a_rectangle_per_value_at_its_place_and_time(plan):
    """Each panel's ground gives the scale: its height is all RAM, its width all steps."""
    root = ET.fromstring(memory_map_svg(plan))
    grounds = [r for r in root.iter(f"{SVG}rect") if r.get("fill") == "#f5f7fa"]
    boxes = [r for r in root.iter(f"{SVG}rect") if r.find(f"{SVG}title") is not None]
    assert len(grounds) == len(plan.entries)
    for ground, entry in zip(grounds, plan.entries, strict=True):
        x, y, width, height = (float(ground.get(k)) for k in ("x", "y", "width", "height"))
        lives = entry_lives(plan, entry)
        executor, *mine = boxes[: len(lives.lives) + 1]
        boxes = boxes[len(lives.lives) + 1 :]
        assert executor.find(f"{SVG}title").text == f"executor: {plan.executor_bytes} B"
        for box, life, (begin, end) in zip(mine, lives.lives, spans(lives), strict=True):
            where = f" of {plan.regions[life.buffer.region.number].name}" if plan.named else ""
            first, last = life.buffer.offset, life.buffer.end - 1
            assert f"\nbytes {number(first)} to {number(last)}{where}, steps" in box.find(f"{SVG}title").text
            assert box.find(f"{SVG}title").text.startswith(f"{life.name}: ")
            expected = (
                x + width * begin / 2 / len(entry.steps),
                y + height * (1 - life.end / plan.ram_bytes),
                width * (end - begin) / 2 / len(entry.steps),
                max(0.8, height * life.buffer.size_bytes / plan.ram_bytes),
            )
            assert [float(box.get(k)) for k in ("x", "y", "width", "height")] == pytest.approx(expected, abs=0.06)
    assert boxes == []


def test_the_svg_names_each_region_where_it_begins():
    plan = two_regions()
    root = ET.fromstring(memory_map_svg(plan))
    ground = next(r for r in root.iter(f"{SVG}rect") if r.get("fill") == "#f5f7fa")
    top, height = float(ground.get("y")), float(ground.get("height"))
    found = {t.text: float(t.get("y")) for t in root.iter(f"{SVG}text") if t.text in ("dtcm", "sram")}
    assert list(found) == ["dtcm", "sram"]
    below = next(float(t.get("y")) for t in root.iter(f"{SVG}text") if t.text == "dtcm")
    above = next(float(t.get("y")) for t in root.iter(f"{SVG}text") if t.text == "sram")
    assert below == pytest.approx(top + height + 4, abs=0.06)
    share = plan.regions[0].used_bytes / plan.ram_bytes
    assert above == pytest.approx(top + height * (1 - share) + 4, abs=0.06)


def test_the_svg_marks_the_peak_and_has_a_legend():
    plan = digits.build(2, None)
    root = ET.fromstring(memory_map_svg(plan))
    texts = [t.text for t in root.iter(f"{SVG}text")]
    assert [t for t in texts if t in ("executor", "params", "state", "io", "work")] == [
        "executor", "params", "state", "io", "work",
    ]  # fmt: skip
    marks = [r for r in root.iter(f"{SVG}rect") if r.get("stroke") == "#c2334d"]
    assert len(marks) == 2
    lives = entry_lives(plan, plan.entry("train"))
    (ground, *_) = (r for r in root.iter(f"{SVG}rect") if r.get("fill") == "#f5f7fa")
    wide = float(ground.get("width")) / len(plan.entry("train").steps)
    at = float(ground.get("x")) + wide * lives.peak_step
    assert float(marks[0].get("x")) == pytest.approx(at, abs=0.06)


def test_a_long_step_name_is_cut_before_it_reaches_the_next_panel():
    plan = digits.build(2, None)
    root = ET.fromstring(memory_map_svg(plan))
    slanted = [t.text for t in root.iter(f"{SVG}text") if "rotate" in (t.get("transform") or "")]
    assert any(text.endswith("\u2026") for text in slanted)
    assert max(map(len, slanted)) == 22
