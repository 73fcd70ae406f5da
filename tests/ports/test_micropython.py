"""The MicroPython port: the same plan, on real interpreters, gives the desktop's losses."""

from __future__ import annotations

import ast
import json

import numpy as np
import pytest

import lazydiff as ld
from lazydiff.examples.digits import BATCH, build, load_digits
from lazydiff.plan.model import Plan
from lazydiff.run.reference import Reference
from micropython_runner import (
    PORT,
    Arrays,
    outputs,
    run_unix,
    write_case,
)
from regions import halves
from small import joined, pooled, put_together


def train_on_desktop(plan: Plan, batches: Arrays) -> tuple[np.ndarray, Reference]:
    reference = Reference(plan)
    steps = len(next(iter(batches.values())))
    return np.array(
        [reference.run("train", **{k: v[i] for k, v in batches.items()})["loss"] for i in range(steps)]
    ), reference


def demo() -> tuple[Plan, Arrays]:
    """The demo's own plan, and its first three batches."""
    data = load_digits()
    images, labels = data.train_images[: 3 * BATCH], data.train_labels[: 3 * BATCH]
    return build(), {"x": images.reshape(3, BATCH, *images.shape[1:]), "y": labels.reshape(3, BATCH)}


def classifier(activation=ld.tanh) -> tuple[Plan, Arrays]:
    """4-8-3 with cross-entropy and momentum; a hundred batches of eight out of three clusters, as iris has."""
    rng = np.random.default_rng(2)
    x, y = ld.input("x", (8, 4)), ld.input("y", (8,), ld.i32)
    w0, b0 = ld.param("w0", rng.normal(0, 0.5, (4, 8)).astype(np.float32)), ld.param("b0", np.zeros(8, np.float32))
    w1, b1 = ld.param("w1", rng.normal(0, 0.5, (8, 3)).astype(np.float32)), ld.param("b1", np.zeros(3, np.float32))
    logits = activation(x @ w0 + b0) @ w1 + b1
    step = ld.train_step(ld.cross_entropy(logits, y).mean(), ld.sgd(0.05, momentum=0.9))
    centres = np.array([[-1, 1.0, -1.3, -1.2], [0.1, -0.7, 0.3, 0.2], [0.9, -0.1, 1.0, 1.1]])
    labels = rng.integers(0, 3, (100, 8), np.int32)
    samples = (centres[labels] + rng.normal(0, 0.4, (100, 8, 4))).astype(np.float32)
    return ld.compile(train=step, infer=logits, ram="4 KiB"), {"x": samples, "y": labels}


def test_three_steps_of_the_demo_network_give_the_desktops_losses(interpreter, tmp_path):
    plan, batches = demo()
    parameters = ("conv1.w", "conv2.w", "conv2.b", "dense.w", "learning_rate")
    write_case(tmp_path, plan, "train", batches, ("loss",), parameters)
    lines = interpreter("mpy_run.py", tmp_path)
    losses, reference = train_on_desktop(plan, batches)
    np.testing.assert_allclose(outputs(lines, "loss", "<f8"), losses, rtol=1e-5)
    for name in parameters:
        wanted = reference.read(name)
        got = outputs(lines, name, "<f4" if wanted.ndim else "<f8")
        np.testing.assert_allclose(got, wanted.reshape(-1), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("activation", [ld.tanh, ld.relu], ids=["tanh", "relu"])
def test_a_hundred_steps_of_a_classifier_give_the_desktops_losses(interpreter, tmp_path, activation):
    plan, batches = classifier(activation)
    write_case(tmp_path, plan, "train", batches, ("loss",))
    losses, _ = train_on_desktop(plan, batches)
    assert losses[-20:].mean() < 0.5 * losses[:5].mean()  # it does learn, so a hundred steps mean something
    np.testing.assert_allclose(outputs(interpreter("mpy_run.py", tmp_path), "loss", "<f8"), losses, rtol=1e-5)


@pytest.mark.parametrize("parts", [2, 3])
def test_a_plan_of_several_regions_gives_the_bits_of_one_block(interpreter, tmp_path, parts):
    plan, batches = classifier()
    found = []
    for case in (plan, halves(plan, parts)):
        write_case(tmp_path, case, "train", batches, ("loss",), ("w0", "b1", "w1.momentum"))
        found.append(interpreter("mpy_run.py", tmp_path))
    assert found[0] == found[1]
    assert len(found[0]) == 103


def test_parts_put_together_in_their_places_give_the_desktops_numbers(interpreter, tmp_path):
    plan, rng = joined(), np.random.default_rng(5)
    assert len(put_together(plan)) >= 2
    x = rng.normal(size=(1, 6, 3)).astype(np.float32)
    session = ld.Session(plan)
    for entry in ("through", "plain"):
        write_case(tmp_path, plan, entry, {"x": x}, (entry,))
        found = outputs(interpreter("mpy_run.py", tmp_path), entry, "<f4")
        np.testing.assert_allclose(found, session.run(entry, x=x[0]).reshape(-1), rtol=1e-4, atol=1e-5)


def test_pooled_as_made_rows_give_the_desktops_losses(interpreter, tmp_path):
    """Two groups: a convolution, a map in the place of its tile and a pooling; a convolution and a pooling."""
    rng = np.random.default_rng(4)
    plan = pooled()
    assert sum(s.declared.name == "max_pool_index" and s.tile_rows > 0 for s in plan.entry("train").steps) == 2
    data = {"x": rng.normal(size=(5, 2, 8, 8, 2)).astype(np.float32), "y": rng.integers(0, 3, (5, 2)).astype(np.int32)}
    losses, reference = train_on_desktop(plan, data)
    write_case(tmp_path, plan, "train", data, ("loss",), ("c", "d"))
    lines = interpreter("mpy_run.py", tmp_path)
    np.testing.assert_allclose(outputs(lines, "loss", "<f8"), losses, rtol=1e-4)
    for name in ("c", "d"):
        np.testing.assert_allclose(outputs(lines, name, "<f4"), reference.read(name).reshape(-1), rtol=1e-3, atol=1e-5)


def test_a_step_leaves_no_byte_behind_and_allocates_what_the_readme_says(interpreter, tmp_path):
    plan, batches = classifier()
    write_case(tmp_path, plan, "train", batches, ("loss",))
    said = {case: int(count) for case, count in interpreter("mpy_memory.py", tmp_path)}
    stated = (PORT / "README.md").read_text()
    which = "unix" if interpreter is run_unix else "wasm"
    row = next(line for line in stated.splitlines() if line.startswith(f"| 4-8-3 classifier, batch 8, {which}"))
    held, allocated = (cell.replace(" ", "") for cell in row.split("|")[2:4])
    assert said["allocated"] == pytest.approx(int(allocated), rel=0.1)
    if which == "unix":  # wasm collects only between programs
        assert said["held"] == pytest.approx(int(held), rel=0.1)
        assert said["left"] == 0


def test_the_demo_network_trains_in_a_heap_of_208_kib(tmp_path):
    plan, batches = demo()
    write_case(tmp_path, plan, "train", batches, ("loss",))
    losses, _ = train_on_desktop(plan, batches)
    lines = run_unix("mpy_run.py", tmp_path, heap="208k")
    np.testing.assert_allclose(outputs(lines, "loss", "<f8"), losses, rtol=1e-5)


def test_package_json_lists_exactly_the_files_of_the_port():
    listed = json.loads((PORT / "package.json").read_text())
    files = sorted(f"lazydiff/{p.name}" for p in (PORT / "lazydiff").glob("*.py"))
    assert sorted(to for to, _ in listed["urls"]) == sorted(source for _, source in listed["urls"]) == files
    assert listed["version"] == ld.__version__


def test_every_public_name_of_the_port_is_one_of_the_desktops():
    names = set()
    for node in ast.parse((PORT / "lazydiff/__init__.py").read_text()).body:
        if isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
    assert {"Session", "load", "PlanError"} <= names <= set(ld.__all__)
    session = next(
        n
        for n in ast.parse((PORT / "lazydiff/session.py").read_text()).body
        if isinstance(n, ast.ClassDef) and n.name == "Session"
    )
    methods = {f.name for f in session.body if isinstance(f, ast.FunctionDef) and not f.name.startswith("_")}
    assert {"read", "write", "run"} <= methods <= set(dir(ld.Session))
