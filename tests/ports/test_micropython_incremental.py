"""Under MicroPython the segments of an incremental entry are entries: running those that a change reaches is enough."""

import json

import numpy as np

import lazydiff as ld
from micropython_runner import outputs


def test_a_segment_that_runs_again_finds_what_the_others_kept(interpreter, tmp_path):
    a, b, p = ld.input("a", (4,)), ld.input("b", (4,)), ld.param("p", np.float32([1, 2, 3, 4]))
    scale = ld.exp(p)
    plan = ld.compile(f=ld.incremental({"early": ld.tanh(a) * scale, "late": ld.tanh(a) * ld.exp(b) + scale}))
    assert [len(e.inputs) for e in plan.entries] == [0, 1, 1, 0]
    plan.save(str(tmp_path / "m.lzp"))
    first, then = np.float32([1, 2, 3, 4]) / 4, np.float32([[0, 0, 0, 0], [1, 2, 3, 4]]) / 5
    first.tofile(tmp_path / "a.bin")
    then.tofile(tmp_path / "b.bin")
    calls = []
    for name, given, steps in (("f.0", "", 1), ("f.1", "a", 1), ("f.2", "b", 2), ("f.3", "", 1)):
        show = [s.name for s in plan.entry(name).outputs]
        inputs = {given: ("f", 4)} if given else {}
        calls.append({"entry": name, "steps": steps, "inputs": inputs, "show": show, "output": "".join(show)})
    (tmp_path / "case.json").write_text(json.dumps({"calls": calls, "read": ["f.early"]}))
    lines = interpreter("mpy_run.py", tmp_path)
    expected = ld.Session(plan).f(a=first, b=then[1])
    np.testing.assert_allclose(outputs(lines, "late", "<f4"), expected["late"], rtol=1e-5)
    np.testing.assert_allclose(outputs(lines, "f.early", "<f4"), expected["early"], rtol=1e-5)
