"""What the MicroPython port refuses, in which words, and that nothing has changed afterwards."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

import lazydiff as ld
from lazydiff.dtypes import bits, f32, f64
from lazydiff.kernels.opcodes import BY_NAME, LOAD, STORE
from lazydiff.kernels.program import NO_TILE, Instruction, MapInput, Program
from lazydiff.plan.codec import HEADER_WORDS, encode
from lazydiff.plan.model import MAP, Buffer, Entry, Kind, Plan, Region, Step, Symbol
from micropython_runner import (
    Arrays,
    Builder,
    run_unix,
    write_case,
)
from regions import halves


def small() -> tuple[Plan, Arrays]:
    """One weight, a finite input and labels in 0 .. 1; plus an entry that only infers."""
    x, y = ld.expect(ld.input("x", (2, 3))), ld.input("y", (2,), ld.i32)
    logits = x @ ld.param("w", np.arange(6, dtype=np.float32).reshape(3, 2) / 8)
    train = ld.train_step(ld.cross_entropy(logits, y).mean(), ld.sgd(0.5))
    rng = np.random.default_rng(3)
    batches = {"x": rng.normal(size=(1, 2, 3)).astype(np.float32), "y": np.array([[0, 1]], np.int32)}
    return ld.compile(train=train, infer=logits, ram="4 KiB"), batches


@pytest.mark.parametrize("parts", [1, 2])
def test_bad_plans_and_inputs_are_refused_with_words_and_change_nothing(interpreter, tmp_path, parts):
    plan, batches = small()
    plan = halves(plan, parts) if parts > 1 else plan
    (tmp_path / "m.lzp").write_bytes(encode(plan, debug=False))
    x, y = (batches[k].reshape(-1).tolist() for k in "xy")
    used = [r.used_bytes for r in plan.regions]
    table = 4 * HEADER_WORDS  # its count, then name, size and used bytes of each region
    no_tables = {
        "regions0": (table, 0, "regions: 0 of them"),
        "regions1": (table, 1, "regions: not as many bytes together"),
        "regions5": (table, 5, "regions: 5 of them"),
        "full": (table + 8, used[0] - 8, f"regions: {used[0]} of {used[0] - 8} bytes used"),
        "less": (table + 12, used[0] - 8, "regions: not as many bytes together"),
        "name": (table + 4, 1 << 20, "region: its name lies outside the strings"),
    }
    words = [(case, at, value) for case, (at, value, _) in no_tables.items()] if parts > 1 else []
    calls = {"train": {"x": x, "y": y}, "infer": {"x": x}, "words": words}
    (tmp_path / "case.json").write_text(json.dumps(calls))
    said = {case: " ".join(words) for case, *words in interpreter("mpy_refuse.py", tmp_path)}
    for case, _, _ in words:
        assert said[case].startswith(f"PlanError {no_tables[case][2]}")
    cuts = [case for case in said if case.startswith(("cut", "file"))]
    assert len(cuts) == 16
    for case in [*cuts, "longer", "magic", "version", "table", "order", "foreign"]:
        assert said[case].startswith("PlanError "), said[case]
    for case, words in {
        "cut3": "header: the file ends inside it",
        "longer": "the header says",
        "magic": "not a lazydiff plan",
        "version": "format version 3; this port reads 1 and 2",
        "table": "kernel table 999; this port has",
        "order": "foreign byte order",
        "foreign": "foreign byte order",
    }.items():
        assert words in said[case]
    size = len(encode(plan, debug=False))
    assert said["flipped"] == f"refused {size} ran 0 of {size}"
    _, refused, _, ran, _, total = said["mended"].split()
    assert int(refused) + int(ran) == int(total) == size
    assert int(refused) > 0.5 * size  # the rest are weights, unused bits and labels of nothing
    for case, words in {
        "nan": "train: `x` element 2 is nan; it must be finite",
        "nan_array": "train: `x` element 2 is nan; it must be finite",
        "high": "train: `y` element 1 is 10; it must be 0 .. 1",
        "low": "train: `y` element 0 is -1; it must be 0 .. 1",
        "short": "train: `x` needs shape (2, 3): 6 elements, not 5",
        "nested": "train: `x` needs shape (2, 3); axis 1 does not fit",
        "scalar": "train: `x` needs shape (2, 3), not",
        "text": "train: `x` holds numbers, not",
        "float_label": "train: `y` holds integers, not",
        "missing": "train: input `y` is missing",
        "unknown": "train: no input `z`; it takes x, y",
        "entry": "no entry 'tune'; there are train, infer",
        "parameter": "no parameter 'v'; there are w",
        "write_short": "write: `w` needs shape (3, 2): 6 elements, not 1",
        "write_text": "write: `w` holds numbers, not",
    }.items():
        assert said[case].startswith("InputError " + words), said[case]
    assert (said["untouched"], said["touched"]) == ("True", "True")


def _careless_plans() -> dict[str, tuple[str, Plan]]:
    """Plans that lose a value or end outside a buffer, each with the words that it must be refused with."""
    neg = BY_NAME["neg"].number

    def plan(*operands: tuple[int, int], outputs: Sequence[int] = (2,), state: bool = False, **change: object) -> Plan:
        """`neg` from buffer to buffer: 0 is the input, 3 lies over the end of 0 and over 1, 4 is a constant, 7 lies on
        2 and 8 on 0."""
        places = [(64, 32), (96, 32), (128, 32), (88, 32), (0, 32), (160, 16), (96, 32)]
        places += [(128, 32), (64, 32)]
        regions = [Region.CONST if k == 4 else Region.RAM for k in range(9)]
        kinds = [Kind.PARAMS if state and k in (1, 6) else Kind.IO for k in range(9)]
        buffers = [Buffer(r, k, f32, *p) for r, k, p in zip(regions, kinds, places, strict=True)]
        program = Program((8,), (MapInput(f32, 0, (1,)),), (f32,), 0, 1, NO_TILE, (Instruction(neg, 1, 0),))
        program = replace(program, **change)  # type: ignore[arg-type]
        steps = tuple(Step(MAP, f32, pair, program.words()) for pair in operands)
        inputs, owned = (Symbol("x", 0, (8,)),), (Symbol("w", 1, (8,)),) if state else ()
        entry = Entry("run", inputs, tuple(Symbol(f"out{k}", k, (8,)) for k in outputs), steps)
        return Plan(192, 16, tuple(buffers), owned, (entry,), bytes(32), b"")

    def packed(size: int = 2, copy: bool = False, shown: int = 4, offset: int = 0) -> Plan:
        """Nine floats stored as bits in buffer 1 (of `size` bytes), the bits as bits in 2 and as floats in 4."""
        dtypes, sizes = [f32, bits, bits, f32, f32], [36, size, 2, 4, 36]
        buffers = [
            Buffer(Region.RAM, Kind.IO, d, 64 + 40 * k, s) for k, (d, s) in enumerate(zip(dtypes, sizes, strict=True))
        ]
        store, load = Instruction(STORE.number, 1, 0), Instruction(LOAD.number, 1, 0)
        through = (load._replace(dst=2), store._replace(a=2))
        items = [MapInput(f32, 0, (1,)), MapInput(bits, offset, (1,)), MapInput(bits, 0, (1,))]
        codes = [(store,), (store,) if copy else through, (load,)]
        operands = [(0, 1), (1, 2) if copy else (1, 2, 3), (2, 4)]
        outs = (bits, bits, f32)
        programs = [
            Program((9,), (item,), (out,), len(o) - 2, 1, NO_TILE, code)
            for item, out, o, code in zip(items, outs, operands, codes, strict=True)
        ]
        steps = tuple(Step(MAP, f32, o, p.words()) for o, p in zip(operands, programs, strict=True))
        entry = Entry("run", (Symbol("x", 0, (9,)),), (Symbol("out", shown, (9 if shown == 4 else 2,)),), steps)
        return Plan(264, 16, tuple(buffers), (), (entry,), b"", b"")

    late = (Instruction(neg, 1, 0), Instruction(BY_NAME["add"].number, 1, 0, 1))
    return {
        "fine": ("opened", plan((0, 2))),
        "in_place": ("opened", plan((0, 2), (2, 7), outputs=(7,))),
        "twice": ("step 1: writes buffer 2 a second time", plan((0, 2), (2, 2))),
        "input": ("step 0: writes buffer 0 a second time", plan((0, 0), outputs=(0,))),
        "unwritten": ("step 0: reads buffer 1, which nobody has written", plan((1, 2))),
        "forgotten": ("step 2: reads buffer 0, which nobody has written", plan((0, 2), (2, 3), (0, 2))),
        "over": ("step 0: writes over buffer 0, which it reads", plan((0, 3), outputs=(3,))),
        "late": ("step 0: writes over buffer 0, which it reads", plan((0, 8), outputs=(8,), instructions=late)),
        "const": ("map: output 0 is not in RAM", plan((0, 4), outputs=(0,))),
        "no_output": ("entry run: an output is not written", plan((0, 2), outputs=(1,))),
        "lost": ("entry run: a parameter is lost", plan((0, 2), (2, 3), outputs=(3,), state=True)),
        "part": ("opened", plan((0, 3), outputs=(3,), inputs=(MapInput(f32, 6, (1,), ((0, 2),)),))),
        "part_shifted": (
            "step 0: writes over buffer 0, which it reads",
            plan((0, 3), outputs=(3,), inputs=(MapInput(f32, 5, (1,), ((0, 2),)),)),
        ),
        "part_elsewhere": (
            "step 0: writes over buffer 0, which it reads",
            plan((0, 3), outputs=(3,), inputs=(MapInput(f32, 6, (1,), ((1, 2),)),)),
        ),
        "part_turned": (
            "step 0: writes over buffer 0, which it reads",
            plan((0, 3), outputs=(3,), inputs=(MapInput(f32, 7, (-1,), ((0, 2),)),)),
        ),
        "small": ("map: output 0 ends outside its buffer", plan((0, 5), outputs=(0,))),
        "past": ("map: input 0 ends outside its buffer", plan((0, 2), inputs=(MapInput(f32, 1, (1,)),))),
        "before": ("map: input 0 ends outside its buffer", plan((0, 2), inputs=(MapInput(f32, 0, (-1,)),))),
        "opcode": ("which this port does not have", plan((0, 2), instructions=(Instruction(99, 1, 0),))),
        "bits": ("opened", packed()),
        "bits_further": ("opened", packed(offset=7)),
        "bits_small": ("map: output 0 ends outside its buffer", packed(size=1)),
        "bits_past": ("map: input 0 ends outside its buffer", packed(offset=8)),
        "bits_copied": ("reads another dtype", packed(copy=True)),
        "bits_shown": ("made of bits, which are for map alone", packed(shown=1)),
        "slot": ("reads what is not written", plan((0, 2), instructions=(Instruction(neg, 1, 1),))),
    }


def test_a_plan_that_loses_a_value_or_leaves_a_buffer_is_refused_with_words(interpreter, tmp_path):
    plans = _careless_plans()
    for name, (_, plan) in plans.items():
        plan.save(str(tmp_path / f"{name}.lzp"))
    (tmp_path / "case.json").write_text(json.dumps([f"{name}.lzp" for name in plans]))
    said = {name: " ".join(words) for name, *words in interpreter("mpy_load.py", tmp_path)}
    for name, (words, _) in plans.items():
        assert said[f"{name}.lzp"].endswith(words), (name, said[f"{name}.lzp"])


def test_a_plan_of_two_float_dtypes_is_refused_with_words(tmp_path):
    b = Builder()
    wide = b.given(np.ones(3), f64)
    one = b.given(np.ones(3))
    b.map(
        [one, b.shown("out", 3)],
        Program((3,), (MapInput(f32, 0, (1,)),), (f32,), 0, 1, NO_TILE, (Instruction(3, 1, 0),)),
    )
    assert wide == 0
    write_case(tmp_path, b.plan(), "run", b.data, ("out",))
    with pytest.raises(AssertionError, match="f32 and f64 in one plan"):
        run_unix("mpy_run.py", tmp_path)
