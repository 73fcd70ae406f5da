"""Placement in several regions: the answer is that of every assignment tried, and what is used most comes first."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazydiff.memory.placement.packing import Decision
from lazydiff.memory.placement.place import Interval, place
from lazydiff.memory.placement.regions import spread

STEPS = 5
INTERVAL = st.builds(
    lambda size, start, length: Interval(4 * size, start, min(STEPS - 1, start + length)),
    st.integers(1, 4),
    st.integers(0, STEPS - 1),
    st.integers(0, STEPS - 1),
)
ROOMS = st.lists(st.integers(-1, 9).map(lambda units: 4 * units), min_size=1, max_size=3)
SMALL = st.lists(INTERVAL, min_size=1, max_size=6)


def placed_in_one(intervals, room):
    """Every combination of offsets is tried, one interval after the other."""

    def rest(n, offsets):
        if n == len(intervals):
            return True
        mine = intervals[n]
        for at in range(0, room - mine.size_bytes + 1, 4):
            clear = all(
                mine.end < other.start
                or other.end < mine.start
                or at + mine.size_bytes <= o
                or o + other.size_bytes <= at
                for other, o in zip(intervals, offsets, strict=False)
            )
            if clear and rest(n + 1, [*offsets, at]):
                return True
        return False

    return rest(0, [])


def assignments(intervals, rooms):
    """Every assignment of intervals to regions in which each region can hold its own."""
    known = {}
    for chosen in itertools.product(range(len(rooms)), repeat=len(intervals)):
        fit = True
        for r, room in enumerate(rooms):
            inside = tuple(i for i, c in zip(intervals, chosen, strict=True) if c == r)
            if (inside, room) not in known:
                known[inside, room] = placed_in_one(inside, room)
            fit = fit and known[inside, room]
        if fit:
            yield chosen


def require_apart(intervals, places):
    for (a, (r, at)), (b, (s, o)) in itertools.combinations(zip(intervals, places, strict=True), 2):
        together = r == s and a.start <= b.end and b.start <= a.end
        assert not together or at + a.size_bytes <= o or o + b.size_bytes <= at


@given(SMALL, ROOMS)
def test_the_answer_is_that_of_every_assignment_and_every_place(intervals, rooms):
    found = spread(intervals, STEPS, rooms, [1] * len(intervals))
    possible = any(True for _ in assignments(intervals, rooms))
    assert found.decision == (Decision.YES if possible else Decision.NO)
    require_apart(intervals, found.places)
    for (r, at), interval in zip(found.places, intervals, strict=True):
        assert 0 <= at <= found.heights[r] - interval.size_bytes
    held = [height <= max(0, room) for height, room in zip(found.heights, rooms, strict=True)]
    assert all(held[:-1])  # what has no place lies behind the last region
    assert held[-1] == possible


@given(SMALL)
def test_one_region_is_placed_as_without_regions(intervals):
    found = spread(intervals, STEPS, [10_000], [1] * len(intervals))
    assert found.heights == [place(intervals, STEPS).height]


def test_the_most_used_lie_in_the_first_region():
    """Two of eight values are used a hundred times as often as the others, and just fit the first region."""
    intervals = [Interval(64, 0, 4) for _ in range(8)]
    heat = [1] * 8
    heat[3] = heat[6] = 100
    found = spread(intervals, STEPS, [128, 10_000], heat)
    assert [n for n, (r, _) in enumerate(found.places) if r == 0] == [3, 6]
    assert found.heights == [128, 6 * 64]


def test_a_small_hot_value_goes_before_a_large_one_that_is_used_as_often_in_all():
    intervals = [Interval(128, 0, 4), Interval(16, 0, 4), Interval(8, 0, 4)]
    assert [r for r, _ in spread(intervals, STEPS, [128, 1024], [500, 500, 500]).places] == [1, 0, 0]


def test_what_fits_only_together_is_found_though_it_is_cold():
    """By heat alone the first region gets the small one, and then neither region has room for the large ones."""
    intervals = [Interval(8, 0, 4), Interval(24, 0, 4), Interval(16, 0, 4), Interval(24, 0, 4)]
    found = spread(intervals, STEPS, [48, 24], [100, 1, 1, 1])
    assert found.decision == Decision.YES
    assert found.heights == [48, 24]


@pytest.mark.parametrize("rooms", [[0, 64], [-8, 64], [64, 0]])
def test_a_region_without_room_is_left_empty(rooms):
    intervals = [Interval(32, 0, 4), Interval(32, 0, 2), Interval(32, 3, 4)]
    found = spread(intervals, STEPS, rooms, [1, 1, 1])
    assert found.decision == Decision.YES
    assert found.heights == [max(0, room) for room in rooms]


def test_nothing_to_place_needs_no_bytes():
    assert spread([], 1, [64, 64], []).heights == [0, 0]
