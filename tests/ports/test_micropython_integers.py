"""MicroPython's integers, indices and random numbers: the same bits as in C."""

import numpy as np
import pytest

import lazydiff as ld
from micropython_runner import outputs, write_case

X = np.array([0, 1, -1, 2**24 + 1, 2**31 - 1, -(2**31), 46341, -46341], np.int32)


def compare(interpreter, folder, plan, inputs, read=()):
    """Three runs of the entry `f` of every output and the state after them, bit for bit."""
    session = ld.Session(plan)
    runs = [session.arrays("f", **inputs) for _ in range(3)]
    batches = {name: np.stack([value] * 3) for name, value in inputs.items()}
    write_case(folder, plan, "f", batches, tuple(runs[0]), read)
    assert batches  # an input says how many runs there are
    lines = interpreter("mpy_run.py", folder)
    for name, value in runs[0].items():
        wanted = np.concatenate([r[name].reshape(-1) for r in runs])
        shown = value.dtype.newbyteorder("<").str if value.ndim else "<f8"  # a number is a float there
        np.testing.assert_array_equal(outputs(lines, name, shown), wanted, name)
    for name in read:
        wanted = session.read(name).reshape(-1)
        np.testing.assert_array_equal(outputs(lines, name, wanted.dtype.newbyteorder("<").str), wanted, name)


def test_integers_are_exact_in_a_plan_of_f32(interpreter, tmp_path):
    x, y, f = ld.input("x", (8, 1), ld.i32), ld.input("y", (8,), ld.i32), ld.input("f", (3,))
    count = ld.state("count", [2**24], ld.i32)
    entry = {
        "sum": x + y, "product": x * y, "most": ld.maximum(x, y), "picked": ld.where(ld.less(x, y), x - y, 7),
        "same": ld.equal(x, y), "turned": y.reshape(2, 4).T, "f": ld.square(f) + ld.astype(count, ld.f32),
    }  # fmt: skip
    w = ld.param("w", np.ones(3, np.float32))
    step = ld.train_step((w * f).sum(), ld.sgd(0.5), updates=[(count, count + 1)], outputs=entry)
    inputs = {"x": X.reshape(8, 1), "y": X[::-1].copy(), "f": np.array([0.5, 2, -3], np.float32)}
    compare(interpreter, tmp_path, ld.compile(f=step), inputs, ("count", "w"))


@pytest.mark.parametrize("dtype", [ld.f32, ld.f64], ids=str)
def test_dropout_of_a_training_step_drops_the_same_elements(interpreter, tmp_path, dtype):
    key, x = ld.random_key("key", 0xFEDCBA98_76543210), ld.input("x", (11,), dtype)
    w = ld.param("w", np.ones(11, dtype.numpy))
    draw = ld.uniform(key, (11,), dtype, stream=2**31 - 1)
    kept = ld.dropout(x, 0.5, key) if dtype is ld.f32 else ld.where(ld.uniform(key, (11,), dtype) < 0.5, x, 0.0)
    step = ld.train_step(
        (kept * w).sum(),
        ld.sgd(0.25),
        updates=[(key, ld.next_key(key, 2**31 - 1))],
        outputs={"draw": draw, "kept": kept},
    )
    inputs = {"x": np.arange(1, 12).astype(dtype.numpy)}
    compare(interpreter, tmp_path, ld.compile(f=step), inputs, ("key", "w"))


def test_indices_given_and_computed_pick_and_add_the_same_rows(interpreter, tmp_path):
    table, ids, f = (
        ld.param("table", np.arange(12, dtype=np.float32).reshape(4, 3)),
        ld.input("ids", (5,), ld.i32),
        ld.input("f", (4,)),
    )
    wild = ld.astype(f, ld.i32)
    entry = {
        "wild": ld.take(table, wild, 0), "sums": ld.cumsum(ld.embedding(table, ids), 0),
        "back": ld.cumsum(table, 1, reverse=True), "added": ld.scatter_add(table, wild, table + 1.0),
    }  # fmt: skip
    step = ld.train_step(ld.square(ld.embedding(table, ids)).sum(), ld.sgd(0.125), outputs=entry)
    inputs = {"ids": np.array([3, 0, 3, 1, 3], np.int32), "f": np.array([-5, 9, 1, 2], np.float32)}
    compare(interpreter, tmp_path, ld.compile(f=step), inputs, ("table",))
