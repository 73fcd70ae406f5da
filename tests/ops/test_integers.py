"""Arithmetic on integers: exact, saturating, of NumPy's dtypes; counters as state."""

import numpy as np
import pytest

import lazydiff as ld
from lazydiff.dtypes import from_numpy
from lazydiff.run.reference import Reference

I32 = np.array([0, 1, -1, 2**24 + 1, 2**31 - 1, -(2**31), 46341, -46341], np.int32)
U8 = np.array([0, 1, 2, 127, 128, 254, 255, 255], np.uint8)
I8 = np.array([0, 1, -1, 127, -128, 5, -7, 100], np.int8)
OPS = {
    "add": (ld.add, np.add),
    "subtract": (ld.subtract, np.subtract),
    "multiply": (ld.multiply, np.multiply),
    "maximum": (ld.maximum, np.maximum),
    "minimum": (ld.minimum, np.minimum),
}
COMPARISONS = {
    "less": (ld.less, np.less),
    "greater_equal": (ld.greater_equal, np.greater_equal),
    "equal": (ld.equal, np.equal),
    "not_equal": (ld.not_equal, np.not_equal),
}


def both_runtimes(outputs, **inputs):
    plan = ld.compile(f=outputs)
    found = ld.Session(plan).arrays("f", **inputs)
    for name, value in Reference(plan).run("f", **inputs).items():
        np.testing.assert_array_equal(found[name], value, name)
    return found


@pytest.mark.parametrize(
    ("a", "b", "dtype"), [(I32, I32, "i4"), (U8, U8, "u1"), (I8, I8, "i1"), (U8, I8, "i4"), (I32, U8, "i4")]
)
def test_arithmetic_is_exact_and_saturates(a, b, dtype):
    x, y = (ld.input(n, (8, 1) if n == "x" else (8,), from_numpy(v.dtype)) for n, v in (("x", a), ("y", b)))
    found = both_runtimes(
        {n: f(x, y) for n, (f, _) in (OPS | COMPARISONS).items()} | {"where": ld.where(ld.less(x, y), x, y)},
        x=a.reshape(8, 1),
        y=b,
    )
    wide, info = (a.reshape(8, 1).astype(np.int64), b.astype(np.int64)), np.iinfo(dtype)
    for name, (_, numpy) in OPS.items():
        assert found[name].dtype == np.dtype(dtype)
        np.testing.assert_array_equal(found[name], np.clip(numpy(*wide), info.min, info.max), name)
    for name, (_, numpy) in COMPARISONS.items():
        np.testing.assert_array_equal(found[name], numpy(*wide), name)
    np.testing.assert_array_equal(found["where"], np.minimum(*wide))


def test_operators_and_python_numbers_take_the_tensors_dtype():
    x, flag = ld.input("x", (8,), ld.i32), ld.input("flag", (8,), ld.bool_)
    found = both_runtimes(
        {"line": 3 * x - 2**24, "sizes": abs(x), "signs": ld.sign(-x), "masked": x * flag, "mixed": x + np.int8(-3)},
        x=I32 // 4,
        flag=I32 > 0,
    )
    small = I32 // 4
    np.testing.assert_array_equal(found["line"], 3 * small - 2**24)
    np.testing.assert_array_equal(found["sizes"], np.abs(small))
    np.testing.assert_array_equal(found["signs"], np.sign(-small))
    np.testing.assert_array_equal(found["masked"], small * (I32 > 0))
    np.testing.assert_array_equal(found["mixed"], small - 3)


def test_simplifying_keeps_saturation_and_dtype():
    x = ld.input("x", (8,), ld.u8)
    found = both_runtimes(
        {"twice": ld.neg(ld.neg(x)), "one": x * ld.constant(np.int32(1)), "sum": ld.constant(np.uint8(200)) + x}, x=U8
    )
    np.testing.assert_array_equal(found["twice"], np.zeros(8))
    assert found["one"].dtype == np.int32
    np.testing.assert_array_equal(found["sum"], np.minimum(200 + U8.astype(int), 255))


def test_copies_of_integers_keep_every_bit():
    x = ld.input("x", (2, 4), ld.i32)
    values = I32.reshape(2, 4)
    found = both_runtimes({"turned": x.T, "same": x}, x=values)
    np.testing.assert_array_equal(found["turned"], values.T)
    np.testing.assert_array_equal(found["same"], values)


def test_what_integers_have_no_room_for_is_refused():
    x = ld.input("x", (3,), ld.u8)
    for bad in (lambda: x + 256, lambda: x * -1):
        with pytest.raises(ld.DtypeError, match="does not fit u8"):
            bad()
    for bad in (lambda: x + 0.5, lambda: ld.exp(x), lambda: x / x, lambda: x + ld.input("f", (3,))):
        with pytest.raises(ld.DtypeError, match="cast first"):
            bad()


def test_a_counter_is_state_and_counts_beyond_what_f32_holds():
    count, w = ld.state("count", [2**24], ld.i32), ld.param("w", np.ones(3, np.float32))
    step = ld.train_step(
        (w * w).sum(), ld.sgd(0.1), updates=[(count, count + 1)], outputs={"even": ld.equal(count, 2**24)}
    )
    session = ld.Session(ld.compile(train=step))
    for n in range(3):
        assert session.read("count") == [2**24 + n]
        assert session.train()["even"] == [n == 0]
    session.write("count", np.array([7], np.int32))
    session.train()
    assert session.read("count") == [8]


def test_a_parameter_is_a_float():
    with pytest.raises(ld.DtypeError, match="float32 or float64"):
        ld.param("w", [1, 2], ld.i32)
