"""Versions of an entry: which is lowest is found, and what can't be is not searched."""

from types import SimpleNamespace

import pytest

from lazydiff.memory.version import lowest_version


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
