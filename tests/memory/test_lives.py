"""Facts, schedules with repeats, and the entry that a schedule unrolls to."""

import numpy as np
import pytest

import lazydiff as ld
from lazydiff import candidates
from lazydiff.memory import buffers
from lazydiff.memory.facts import Facts, facts
from lazydiff.memory.lives import lives, peak


def chain(n, **options):
    """Values 0 (the input) to n, unit u makes u + 1 from u; then unit n reads them all from the end to the start."""
    fields = {
        "sizes": (1,) * (2 * n + 1),
        "reads": (*((u,) for u in range(n)), *((n - k, n + k) if k else (n,) for k in range(n))),
        "writes": tuple((u + 1,) for u in range(2 * n)),
        "after": ((),) * (2 * n),
        "cost": (1,) * (2 * n),
        "in_place": ((),) * (2 * n),
        "once": (False,) * (2 * n),
        "born": (0,),
        "keep": frozenset({2 * n}),
    }
    return Facts(**(fields | options))


def test_a_repeated_unit_makes_a_value_of_its_own_and_shortens_the_first():
    known = chain(3)
    plain = lives(known, range(6))
    assert [(m.value, m.start, m.end) for m in plain.makings][1:3] == [(1, 0, 5), (2, 1, 4)]
    again = lives(known, [0, 1, 2, 3, 0, 1, 4, 0, 5])
    assert [(m.value, m.start, m.end) for m in again.makings if m.value == 1] == [(1, 0, 1), (1, 4, 5), (1, 7, 8)]


def test_values_share_bytes_only_where_the_old_one_dies():
    known = chain(2, in_place=(((0, 1),), ((1, 2),), ((2, 3),), ((1, 4),)))
    found = lives(known, range(4))
    assert [[found.makings[n].value for n in p] for p in found.places] == [[0, 1, 4], [2, 3]]  # 1 outlives unit 1
    assert found.bound_bytes == 2
    assert lives(known, range(4), in_place=False).bound_bytes == 3


@pytest.mark.parametrize(
    ("options", "schedule", "words"),
    [
        ({}, [1, 0, 2, 3], "reads value 1, which is not made yet"),
        ({"once": (True, False, False, False)}, [0, 1, 2, 0, 3], "may run only once"),
        ({"after": ((1,), (), (), ())}, [0, 1, 2, 3], "must run after units"),
        ({"after": ((), (0,), (), ())}, [0, 1, 2, 0, 3], "must run after units"),
    ],
)
def test_a_schedule_that_is_wrong_is_refused(options, schedule, words):
    with pytest.raises(ValueError, match=words):
        lives(chain(2, **options), schedule)


def test_a_plan_with_units_that_run_twice_gives_the_same_bits(monkeypatch):
    """Every unit that may be repeated runs again right before it is read for the last time."""
    rng = np.random.default_rng(0)
    x, y = ld.input("x", (8, 6)), ld.input("y", (8,), ld.i32)
    w1, w2 = (ld.param(n, rng.normal(size=s).astype(np.float32)) for n, s in (("w1", (6, 5)), ("w2", (5, 3))))
    loss = ld.cross_entropy(ld.tanh(x @ w1) @ w2, y).mean()
    step = ld.train_step(loss, ld.sgd(0.1, momentum=0.9))
    once = ld.compile(train=step)
    repeated = []

    def unroll(entry, units, schedule):
        known, _ = facts(entry, units, 4)
        maker = known.maker
        readable = {v for v in range(len(known.sizes)) if v not in known.born}
        again = []
        for u in schedule:
            for v in known.reads[u]:
                m = maker.get(v)
                if v in readable and m is not None and not known.once[m] and not any(m in a for a in known.after):
                    again += [m]
                    repeated.append(m)
            again.append(u)
        assert peak(known, again) > 0
        return buffers.unroll(entry, units, again)

    monkeypatch.setattr(candidates, "unroll", unroll)
    twice = ld.compile(train=step)
    assert repeated
    assert len(twice.entry("train").steps) > len(once.entry("train").steps)
    xs, ys = rng.normal(size=(8, 6)).astype(np.float32), np.arange(8, dtype=np.int32) % 3
    sessions = [ld.Session(p) for p in (once, twice)]
    for _ in range(3):
        a, b = (s.train(x=xs, y=ys) for s in sessions)
        assert a == b
    assert np.array_equal(sessions[0].read("w1"), sessions[1].read("w1"))
