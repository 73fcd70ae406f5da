"""Random numbers: Random123's known answers, the documented layout of the counter, streams, steps and dropout."""

import numpy as np
import pytest

import lazydiff as ld
from lazydiff.kernels.random import philox
from lazydiff.run.reference import Reference

# kat_vectors of Random123 for philox4x32 with 10 rounds: counter, key, words.
ANSWERS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def words(text):
    return np.array([int(w, 16) for w in text.split()], np.uint64)


@pytest.mark.parametrize(("counter", "key", "wanted"), ANSWERS)
def test_the_known_answers(counter, key, wanted):
    np.testing.assert_array_equal(philox(words(counter), words(key)), words(wanted))


@pytest.mark.parametrize("dtype", [ld.f32, ld.f64], ids=str)
def test_element_i_comes_from_the_documented_words_in_c_and_in_the_oracle(dtype):
    seed, stream, steps = 0x89ABCDEF_01234567, 2**31 - 1, 3
    key = ld.random_key("key", seed)
    plan = ld.compile(draw={"u": ld.uniform(ld.next_key(key, steps), (7,), dtype, stream)})
    each = 4 if dtype is ld.f32 else 2
    blocks = philox(np.array([[b, stream, steps, 0] for b in range(4)]), np.array([0x01234567, 0x89ABCDEF], np.uint64))
    wanted = []
    for i in range(7):
        w = [int(x) for x in blocks[i // each]]
        high = i % each if each == 4 else 2 * (i % 2)
        wanted.append(
            (w[high] >> 8) * 2.0**-24 if each == 4 else ((w[high] >> 5) * 2**26 + (w[high + 1] >> 6)) * 2.0**-53
        )
    for runner in (ld.Session(plan), Reference(plan)):
        found = runner.run("draw")
        found = found["u"] if isinstance(found, dict) else found
        np.testing.assert_array_equal(found, np.array(wanted, dtype.numpy))


def train(steps_at_once=1):
    key, w = ld.random_key("key", 5), ld.param("w", np.zeros(4, np.float32))
    loss = (w * ld.uniform(key, (4,))).sum()
    step = ld.train_step(loss, ld.sgd(1.0), updates=[(key, ld.next_key(key, steps_at_once))])
    return ld.compile(train=step, draw=ld.uniform(key, (4,)))


def test_a_training_step_moves_the_key_on_after_it_was_used():
    plan = train()
    session, reference = ld.Session(plan), Reference(plan)
    total = np.zeros(4, np.float32)
    for n in range(3):
        np.testing.assert_array_equal(session.read("key"), [5, 0, n, 0])
        total = total - session.draw()
        session.train()
        reference.run("train")
    np.testing.assert_array_equal(session.read("w"), total)
    np.testing.assert_array_equal(reference.read("w"), total)


def test_the_count_of_steps_has_64_bits():
    plan = train(2**31 - 1)
    for runner in (ld.Session(plan), Reference(plan)):
        runner.write("key", np.array([1, 2, -1, 7], np.int32))
        runner.run("train")
        np.testing.assert_array_equal(runner.read("key"), [1, 2, 2**31 - 2, 8])
        runner.write("key", np.array([1, 2, -1, -1], np.int32))
        runner.run("train")
        np.testing.assert_array_equal(runner.read("key"), [1, 2, 2**31 - 2, 0])


def test_draws_are_even_and_streams_and_keys_differ():
    one, two = ld.random_key("one", 1), ld.random_key("two", 2)
    draws = {"a": ld.uniform(one, (4000,)), "b": ld.uniform(one, (4000,), stream=1), "c": ld.uniform(two, (4000,))}
    assert ld.uniform(one, (4000,)) is draws["a"]
    found = ld.Session(ld.compile(f=draws)).f()
    for u in found.values():
        assert u.min() >= 0
        assert u.max() < 1
        np.testing.assert_allclose(np.histogram(u, 8, (0, 1))[0], 500, atol=110)  # five standard deviations
    for p, q in (("a", "b"), ("a", "c"), ("b", "c")):
        assert abs(np.corrcoef(found[p], found[q])[0, 1]) < 0.08


def test_bernoulli_and_dropout():
    key, x = ld.random_key("key", 9), ld.input("x", (5000,))
    y = ld.dropout(x, 0.25, key, stream=2)
    found = ld.Session(
        ld.compile(
            f={
                "y": y,
                "g": ld.grad(y.sum(), x),
                "coin": ld.bernoulli(key, 0.3, (5000,)),
                "sure": ld.bernoulli(key, 1.0, (50,)),
            }
        )
    ).f(x=np.ones(5000, np.float32))
    assert set(np.unique(found["y"])) == {0, np.float32(1 / 0.75)}
    assert abs((found["y"] == 0).mean() - 0.25) < 0.03
    np.testing.assert_array_equal(found["g"], found["y"])
    assert found["coin"].dtype == np.bool_
    assert abs(found["coin"].mean() - 0.3) < 0.03
    assert found["sure"].all()
    assert ld.dropout(x, 0.0, key) is x


def test_what_is_no_key_no_rate_and_no_seed_is_refused():
    key, x = ld.random_key("key", 9), ld.input("x", (5,))
    with pytest.raises(ld.DtypeError, match="random key"):
        ld.uniform(x, (3,))
    with pytest.raises(ld.GraphError, match="rate"):
        ld.dropout(x, 1.0, key)
    with pytest.raises(ld.GraphError, match="seed"):
        ld.random_key("k", -1)
    with pytest.raises(ld.GraphError, match="stream"):
        ld.uniform(key, (3,), stream=-1)


@pytest.mark.parametrize("dtype", [ld.f32, ld.f64], ids=str)
def test_normal_numbers_have_the_moments_of_the_normal_distribution(dtype):
    key, count = ld.random_key("key", 12), 20000
    plan = ld.compile(f={"z": ld.normal(key, (count,), dtype), "other": ld.normal(key, (count,), dtype, stream=1)})
    found = ld.Session(plan).f()
    z = found["z"].astype(np.float64)
    for power, moment, deviation in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs((z**power).mean() - moment) < 4 * np.sqrt(deviation / count), power
    assert abs(np.corrcoef(z, found["other"])[0, 1]) < 0.03
    for name, value in Reference(plan).run("f").items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-6)
    with pytest.raises(ld.GraphError, match="stream"):
        ld.normal(key, (3,), stream=2**30)
