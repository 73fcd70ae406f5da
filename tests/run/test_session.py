"""Session: what goes in, what comes out, and every array that is turned away before anything changes."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import lazydiff as ld
from lazydiff.errors import InputError, PlanError, ToolError
from lazydiff.plan.check import check
from lazydiff.run import native
from lazydiff.run.session import Session
from small_plan import W0, small_plan

X = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
Y = np.array([0, 9], np.int32)
F32, I32 = np.float32, np.int32


@pytest.fixture
def session() -> Session:
    return Session(small_plan())


def test_the_hand_written_plan_is_valid():
    check(small_plan())


def test_a_scalar_output_is_a_float_and_the_parameter_is_updated_in_place(session):
    loss = session.train(x=X, y=Y)
    assert type(loss) is float
    assert loss == (X @ W0).sum()
    assert np.array_equal(session.read("w"), W0 - F32(0.25))


def test_one_output_is_a_fresh_array_each_time(session):
    first = session.infer(x=X)
    assert first.dtype == F32
    assert np.array_equal(first, X @ W0)
    session.write("w", np.zeros((3, 2), F32))
    second = session.infer(x=X)
    assert not second.any()
    assert np.array_equal(first, X @ W0)


def test_several_outputs_are_a_dict_by_name(session):
    got = session.both(x=X, scale=2)
    assert list(got) == ["total", "product"]
    assert got["total"] == (X @ W0).sum()
    assert np.array_equal(got["product"], 2 * (X @ W0))


@pytest.mark.parametrize("scale", [3, 3.0, F32(3), np.float64(3), np.array(3, F32)], ids=lambda v: type(v).__name__)
def test_a_scalar_input_may_be_any_number(session, scale):
    assert np.array_equal(session.both(x=X, scale=scale)["product"], 3 * (X @ W0))


def test_out_is_filled_and_returned(session):
    out = np.empty((2, 2), F32)
    assert session.infer(x=X, out=out) is out
    assert np.array_equal(out, X @ W0)
    loss = np.empty((), F32)
    session.train(x=X, y=Y, out=loss)
    assert loss == (X @ W0).sum()
    assert session.train(x=X, y=Y) != loss  # written to the session's own place again
    assert loss == (X @ W0).sum()
    several = {"total": np.empty((), F32), "product": np.empty((2, 2), F32)}
    session.reset()
    assert session.both(x=X, scale=1, out=several) is several
    assert several["total"] == (X @ W0).sum()


def test_run_and_repeat_reach_an_entry_by_name(session):
    assert session.run("train", x=X, y=Y) == (X @ W0).sum()
    session.reset()
    assert session.repeat("train", 4, x=X, y=Y) == (X @ (W0 - F32(0.75))).sum()
    assert np.array_equal(session.read("w"), W0 - F32(1))
    session.reset()
    assert np.array_equal(session.read("w"), W0)


def test_state_and_write_put_everything_back(session):
    before = session.state()
    session.train(x=X, y=Y)
    assert not np.array_equal(session.read("w"), before["w"])
    for name, value in before.items():
        session.write(name, value)
    assert np.array_equal(session.read("w"), W0)


def test_the_ram_block_has_exactly_the_plans_bytes_and_is_aligned(session):
    plan = small_plan()
    assert session.ram_bytes == session._model.blocks[0].nbytes == plan.ram_bytes
    assert session._model.blocks[0].ctypes.data % 16 == 0


def test_nothing_is_written_outside_the_ram_block():
    plan = small_plan()
    big = np.full(plan.ram_bytes + 4096, 0xA5, np.uint8)
    begin = -big.ctypes.data % 16 + 2048
    make = native._aligned
    try:
        native._aligned = lambda size, align: big[begin : begin + size] if size == plan.ram_bytes else make(size, align)
        session = Session(plan)
    finally:
        native._aligned = make
    session.train(x=X, y=Y)
    session.both(x=X, scale=1)
    assert session._model.blocks[0].base is big
    assert (big[:begin] == 0xA5).all()
    assert (big[begin + plan.ram_bytes :] == 0xA5).all()


def test_a_path_and_bytes_open_the_same_plan(tmp_path):
    path = tmp_path / "m.lzp"
    small_plan().save(str(path))
    for source in (path, str(path), path.read_bytes()):
        assert np.array_equal(Session(source).infer(x=X), X @ W0)


def test_read_only_arrays_are_good_inputs(session):
    x, y = X.copy(), Y.copy()
    x.flags.writeable = y.flags.writeable = False
    assert session.train(x=x, y=y) == (X @ W0).sum()


def test_arrays_that_own_an_equal_but_not_identical_dtype_are_taken(session):
    dtype = np.dtype("<f4", metadata={"unit": "V"})
    assert np.array_equal(session.infer(x=X.astype(dtype)), X @ W0)


class Weird(np.ndarray):
    pass


def test_subclasses_of_arrays_are_taken(session):
    assert np.array_equal(session.infer(x=X.view(Weird)), X @ W0)


def read_only(array):
    array.flags.writeable = False
    return array


BAD = {  # (entry, inputs): the words its message must hold
    "missing name": ("train", {"x": X}, "missing 'y'", "train(x=..., y=...)"),
    "unknown name": ("train", {"x": X, "y": Y, "z": Y}, "unknown 'z'", "try:"),
    "wrong name": ("train", {"x": X, "labels": Y}, "missing 'y'; unknown 'labels'", "try:"),
    "wrong shape": ("train", {"x": X[:1].copy(), "y": Y}, "'x' has shape (1, 3), not (2, 3)", "another batch"),
    "flat": ("train", {"x": X.reshape(-1), "y": Y}, "'x' has shape (6,), not (2, 3)", ".reshape((2, 3))"),
    "transposed": ("train", {"x": X.T.copy(), "y": Y}, "'x' has shape (3, 2)", "try:"),
    "float64": ("train", {"x": X.astype(np.float64), "y": Y}, "'x' is float64, not f32", ".astype(np.float32)"),
    "int64 labels": ("train", {"x": X, "y": Y.astype(np.int64)}, "'y' is int64, not i32", ".astype(np.int32)"),
    "float labels": ("train", {"x": X, "y": Y.astype(F32)}, "'y' is float32, not i32", ".astype(np.int32)"),
    "NaN labels": ("train", {"x": X, "y": np.array([1, np.nan], F32)}, "'y' is float32 with 1 NaN", "[1]"),
    "big-endian": ("train", {"x": X.astype(">f4"), "y": Y}, "'x' is >f4, not f32", ".astype(np.float32)"),
    "object": ("train", {"x": X.astype(object), "y": Y}, "'x' is object, not f32", "try:"),
    "label too large": ("train", {"x": X, "y": np.array([0, 10], I32)}, "'y' holds 10 at [1]", "0 .. 9"),
    "label negative": ("train", {"x": X, "y": np.array([-1, 0], I32)}, "'y' holds -1 at [0]", "0 .. 9"),
    "NaN": ("train", {"x": np.where(X == 5, np.nan, X).astype(F32), "y": Y}, "'x' holds nan at [1, 1]", "finite"),
    "infinite": (
        "train",
        {"x": np.where(X == 4, -np.inf, X).astype(F32), "y": Y},
        "'x' holds -inf at [1, 0]",
        "finite",
    ),
    "Fortran order": ("train", {"x": np.asfortranarray(X), "y": Y}, "'x' is not C-contiguous", "ascontiguousarray"),
    "every other": ("train", {"x": X, "y": np.zeros(4, I32)[::2]}, "'y' is not C-contiguous", "ascontiguousarray"),
    "reversed": ("train", {"x": X[::-1], "y": Y}, "'x' is not C-contiguous", "ascontiguousarray"),
    "a list": ("train", {"x": X.tolist(), "y": Y}, "'x' is a list", "np.asarray(..., np.float32)"),
    "None": ("train", {"x": None, "y": Y}, "'x' is a NoneType", "try:"),
    "a number": ("train", {"x": X, "y": 3}, "'y' is a int", "try:"),
    "a string": ("both", {"x": X, "scale": "2"}, "'scale' is a str", "try:"),
    "complex": ("both", {"x": X, "scale": np.complex64(1)}, "'scale' is", "try:"),
    "one-element array": ("both", {"x": X, "scale": np.ones(1, F32)}, "'scale' has shape (1,), not ()", ".reshape(())"),
    "read-only out": (
        "infer",
        {"x": X, "out": read_only(np.empty((2, 2), F32))},
        "out= is read-only",
        "np.empty((2, 2)",
    ),
    "out shape": ("infer", {"x": X, "out": np.empty((4,), F32)}, "out= has shape (4,)", "try:"),
    "out dtype": ("infer", {"x": X, "out": np.empty((2, 2))}, "out= is float64", "try:"),
    "out order": ("infer", {"x": X, "out": np.empty((2, 2), F32).T}, "out= is not C-contiguous", "np.empty((2, 2)"),
    "out a list": ("infer", {"x": X, "out": []}, "out= is a list", "try:"),
    "out names": ("both", {"x": X, "scale": 1, "out": {"total": np.empty((), F32)}}, "['total']", "total, product"),
    "out no dict": ("both", {"x": X, "scale": 1, "out": np.empty((2, 2), F32)}, "a ndarray", "total, product"),
    "unknown entry": ("trian", {"x": X, "y": Y}, "no entry 'trian'", "train, infer, both"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_and_no_parameter_is_touched(session, case):
    entry, inputs, *words = BAD[case]
    session.train(x=X, y=Y)
    before = session.state()
    with pytest.raises(InputError) as caught:
        session.run(entry, **inputs)
    for word in words:
        assert word in str(caught.value)
    if entry in ("train", "infer", "both"):
        assert str(caught.value).startswith(f"{entry}: ")
    assert before.keys() == session.state().keys()
    assert all(np.array_equal(before[name], value) for name, value in session.state().items())
    assert session.infer(x=X).shape == (2, 2)  # the session goes on


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("v", W0, "no parameter or state 'v'"),
        ("w", W0.T.copy(), "has shape (2, 3), not (3, 2)"),
        ("w", W0.astype(np.float64), "is float64, not f32"),
        ("w", np.asfortranarray(W0), "is not C-contiguous"),
        ("w", W0.tolist(), "is a list"),
    ],
)
def test_a_bad_write_changes_nothing(session, name, value, words):
    with pytest.raises(InputError) as caught:
        session.write(name, value)
    assert words in str(caught.value)
    assert np.array_equal(session.read("w"), W0)


def test_reading_a_name_that_is_none_lists_the_names(session):
    with pytest.raises(InputError, match="parameters and state: w"):
        session.read("loss")


def test_a_misspelt_entry_is_an_attribute_error_that_lists_the_entries(session):
    with pytest.raises(AttributeError, match="no entry 'trian'; this plan's entries: train, infer, both"):
        session.trian(x=X)


@pytest.mark.parametrize("times", [0, -1, 2**32])
def test_repeat_refuses_a_count_that_is_none(session, times):
    with pytest.raises(InputError, match="times"):
        session.repeat("train", times, x=X, y=Y)


def test_a_range_failure_inside_repeat_stops_before_the_first_step(session):
    with pytest.raises(InputError, match="holds 77"):
        session.repeat("train", 3, x=X, y=np.array([77, 0], I32))
    assert np.array_equal(session.read("w"), W0)


def damaged(name: str, data: bytes) -> bytes:
    words = np.frombuffer(data, "<u4").copy()
    if name == "truncated":
        return data[:-8]
    if name == "cut inside a word":
        return data[:-3]
    if name == "empty":
        return b""
    if name == "head only":
        return data[:20]
    if name == "longer":
        return data + bytes(8)
    if name == "foreign":
        return words.byteswap().tobytes()
    if name == "format":
        words[1] += 2
    if name == "table":
        words[1] += 1 << 16
    if name == "magic":
        words[0] ^= 1
    if name == "bit":
        words[-3] ^= 1 << 7
    return words.tobytes()


DAMAGES = (
    "truncated",
    "cut inside a word",
    "empty",
    "head only",
    "longer",
    "foreign",
    "format",
    "table",
    "magic",
    "bit",
)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_a_plan_error_that_names_the_file(damage, tmp_path):
    path = tmp_path / "bad.lzp"
    path.write_bytes(damaged(damage, small_plan().to_bytes()))
    with pytest.raises(PlanError) as caught:
        Session(path)
    assert str(path) in str(caught.value)
    assert "try:" in str(caught.value)


def test_each_kind_of_damage_has_its_own_sentence():
    data = small_plan().to_bytes()
    sentences = set()
    for damage in ("truncated", "foreign", "format", "magic", "bit"):
        with pytest.raises(PlanError) as caught:
            Session(damaged(damage, data))
        sentences.add(str(caught.value).splitlines()[0])
    assert len(sentences) == 5


def test_without_the_extension_the_error_names_the_command(monkeypatch):
    monkeypatch.setattr(native, "_native", None)
    with pytest.raises(ToolError, match="pip install"):
        Session(small_plan())


def test_threads_that_share_a_session_wait_for_each_other(session):
    wrong = []

    def work(value: float) -> None:
        x = np.full((2, 3), value, F32)
        for _ in range(300):
            if not np.array_equal(session.infer(x=x), x @ W0):
                wrong.append(value)

    threads = [threading.Thread(target=work, args=(v,)) for v in (1.0, 2.0, 3.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_arrays_have_the_outputs_dtypes_numbers_too():
    x = ld.input("x", (3,))
    session = ld.Session(ld.compile(one=x.sum(), two={"total": x.sum(), "count": ld.argmax(x)}))
    found = session.arrays("one", x=np.ones(3, np.float32)) | session.arrays("two", x=np.ones(3, np.float32))
    assert {name: (a.dtype.name, a.shape) for name, a in found.items()} == {
        "one": ("float32", ()),
        "total": ("float32", ()),
        "count": ("int32", ()),
    }


@pytest.mark.parametrize("simd", native.simd_names())
def test_an_instruction_set_can_be_forced(simd, monkeypatch):
    monkeypatch.setenv("LZD_SIMD", simd)
    session = Session(small_plan())
    assert session.simd == simd
    assert session.train(x=X, y=Y) == (X @ W0).sum()


def test_the_fastest_instruction_set_is_taken_unasked(monkeypatch):
    monkeypatch.delenv("LZD_SIMD", raising=False)
    assert Session(small_plan()).simd == native.simd_names()[0]


def test_an_unknown_instruction_set_is_refused_with_those_there_are(monkeypatch):
    monkeypatch.setenv("LZD_SIMD", "mmx")
    with pytest.raises(ToolError, match=r"LZD_SIMD=mmx: .*\n  try: .*scalar|neon"):
        Session(small_plan())
