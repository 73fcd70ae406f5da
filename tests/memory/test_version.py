"""Versions of an entry: which is lowest is found, and what can't be is not searched."""

from types import SimpleNamespace

import pytest

import lazydiff as ld
from bench.workloads import lazy
from bench.workloads.definitions import ALL
from lazydiff.memory import apart
from lazydiff.memory.version import Version, lowest_version


class Known(SimpleNamespace):
    """A version of a known bound, which notes when its peak is asked for."""

    @property
    def peak(self):
        self.asked.append(self)
        return self.is_peak


@pytest.mark.parametrize(
    ("numbers", "best", "searched"),
    [
        ([(5, 9)], 0, 0),
        ([(5, 9), (9, 9), (10, 10)], 0, 1),  # the bound of the second is what the first one has
        ([(9, 9), (5, 9)], 0, 2),  # the first of equals
        ([(8, 20), (7, 30), (20, 21), (19, 19)], 3, 3),
    ],
)
def test_only_what_may_be_the_lowest_is_searched(numbers, best, searched):
    asked = []
    versions = [Known(least=least, is_peak=peak, asked=asked) for least, peak in numbers]
    assert lowest_version(versions) is versions[best]
    assert len(asked) == searched


def test_a_try_of_a_gradient_apart_is_judged_as_the_entry_that_it_stands_for(monkeypatch):
    judged = []

    def both(version, n, cheaply=apart._peak_with):
        whole = Version(apart._split(version.entry, version.entry.units[n]), version.unit_bytes, version.remake)
        judged.append((cheaply(version, n), whole.rules_peak))
        return judged[-1][0]

    monkeypatch.setattr(apart, "_peak_with", both)
    for name in ("w3_ae_b32", "w7_pinn_f32", "w8_maml"):
        ld.compile(train=lazy.step(ALL[name]))
    assert len(judged) > 10
    assert all(one == other for one, other in judged)
    assert len({one for one, _ in judged}) > 3
