"""Placement: nothing alive at once shares a byte, none is below the bound, exact search tells yes from no."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazydiff.memory.placement.packing import Buffers, Decision, first_fit, search
from lazydiff.memory.placement.place import Interval, fits, instance, lower_bound, place
from lazydiff.memory.placement.sections import contention, most_over_life, sections
from tools.bench.planner.instances import (
    CAPACITY,
    IDEALLOC,
    MINIMALLOC,
    checked_height,
    idealloc,
    minimalloc,
)
from tools.bench.planner.instances import steps as steps_of

STEPS = 12
INTERVAL = st.builds(
    lambda size, start, length: Interval(4 * size, start, min(STEPS - 1, start + length)),
    st.integers(1, 40),
    st.integers(0, STEPS - 1),
    st.integers(0, 6),
)
INTERVALS = st.lists(INTERVAL, min_size=1, max_size=25)
TINY = st.lists(
    st.builds(
        lambda size, start, length: Interval(size, start, start + length), st.integers(1, 4), *[st.integers(0, 5)] * 2
    ),
    min_size=1,
    max_size=6,
)


def _both_alive(a, b):
    return a.start <= b.end and b.start <= a.end


def _has_placement(intervals, capacity):
    """Every combination of offsets is tried, one interval after the other."""

    def rest(n, offsets):
        if n == len(intervals):
            return True
        mine = intervals[n]
        for at in range(capacity - mine.size_bytes + 1) if mine.at is None else [mine.at]:
            if (
                at + mine.size_bytes <= capacity
                and not any(
                    _both_alive(mine, other) and at < o + other.size_bytes and o < at + mine.size_bytes
                    for other, o in zip(intervals, offsets, strict=False)
                )
                and rest(n + 1, [*offsets, at])
            ):
                return True
        return False

    return rest(0, [])


@given(INTERVALS)
def test_intervals_alive_at_once_lie_apart(intervals):
    placed = place(intervals, STEPS)
    assert placed.height == checked_height(intervals, placed.offsets)


@pytest.mark.parametrize("seed", [7, 30, 57, 133])
def test_first_fit_mended_meets_bounds_that_no_order_meets(seed):
    """What lay above the bound goes first: so no search is needed. What is low enough is not mended."""
    rng = np.random.default_rng(seed)
    drawn = [(int(rng.integers(40)), 16 * int(rng.integers(1, 20)), int(rng.integers(12))) for _ in range(60)]
    intervals = [Interval(size, start, min(39, start + length)) for start, size, length in drawn]
    assert place(intervals, 40, work=0).verdict == "bound met"
    bound = lower_bound(intervals, 40)
    fitted = place(intervals, 40, enough=2 * bound, work=0)
    assert bound < checked_height(intervals, fitted.offsets) <= 2 * bound


@given(INTERVALS)
def test_the_bound_is_the_most_bytes_alive_at_one_step(intervals):
    most = max(sum(i.size_bytes for i in intervals if i.start <= t <= i.end) for t in range(STEPS))
    assert lower_bound(intervals, STEPS) == most
    placed = place(intervals, STEPS)
    assert placed.bound == most
    assert placed.height >= most


@given(INTERVALS)
def test_sections_keep_who_is_alive_with_whom_and_the_bound(intervals):
    first, after, count = sections([i.start for i in intervals], [i.end for i in intervals])
    assert 1 <= count <= len(intervals)
    for (a, i), (b, j) in itertools.combinations(enumerate(intervals), 2):
        assert _both_alive(i, j) == bool(first[a] < after[b] and first[b] < after[a])
    sums = contention(np.array([i.size_bytes for i in intervals]), first, after, count)
    assert sums.max() == lower_bound(intervals, STEPS)
    assert most_over_life(sums, first, after).tolist() == [
        max(sums[a:b]) for a, b in zip(first.tolist(), after.tolist(), strict=True)
    ]


@given(TINY, st.integers(1, 12))
def test_search_agrees_with_trying_every_placement(intervals, capacity):
    decision, offsets, _ = fits(intervals, capacity, 100_000)
    assert decision == (Decision.YES if _has_placement(intervals, capacity) else Decision.NO)
    if decision == Decision.YES:
        assert checked_height(intervals, offsets) <= capacity


@given(TINY, st.data())
def test_search_and_first_fit_go_round_fixed_intervals(intervals, data):
    held = []
    for n, i in enumerate(intervals):
        at = data.draw(st.none() | st.integers(0, 6), label=f"offset of {n}")
        one = Interval(i.size_bytes, i.start, i.end, at)
        apart = at is None or all(
            not _both_alive(one, o) or o.at is None or at + one.size_bytes <= o.at or o.at + o.size_bytes <= at
            for o in held
        )
        held.append(one if apart else i)
    capacity = data.draw(st.integers(1, 12), label="capacity")
    decision, offsets, _ = fits(held, capacity, 100_000)
    assert decision == (Decision.YES if _has_placement(held, capacity) else Decision.NO)
    if decision == Decision.YES:
        assert checked_height(held, offsets) <= capacity
    placed = place(held, STEPS)
    assert placed.height == checked_height(held, placed.offsets)
    assert all(i.at in (None, o) for i, o in zip(held, placed.offsets, strict=True))


@given(TINY)
def test_a_placement_of_few_intervals_is_proved_the_lowest(intervals):
    placed = place(intervals, STEPS)
    assert placed.verdict in ("bound met", "proved")
    assert placed.height == next(c for c in itertools.count(1) if _has_placement(intervals, c))


def test_a_height_above_the_bound_can_be_proved():
    # Full at every step but one, at which the two long ones of size 1 would have to be at two heights at once.
    sizes = ((1, 0, 3), (4, 1, 1), (2, 2, 2), (2, 2, 4), (1, 3, 5), (2, 4, 4), (4, 5, 5))
    intervals = [Interval(*one) for one in sizes]
    placed = place(intervals, 6)
    assert (placed.bound, placed.height, placed.verdict) == (5, 6, "proved")
    assert not _has_placement(intervals, 5)


def test_intervals_of_no_bytes_and_none_at_all():
    assert place([], 1).offsets == []
    assert place([], 1).height == 0
    placed = place([Interval(0, 0, 3), Interval(8, 0, 3), Interval(0, 1, 2, 4)], 4)
    assert (placed.offsets, placed.height, placed.verdict) == ([0, 0, 4], 8, "bound met")


def test_fixed_intervals_that_overlap_are_refused():
    with pytest.raises(ValueError, match="fixed at 0 and 4 overlap"):
        place([Interval(8, 0, 1, 0), Interval(8, 1, 2, 4)], 3)
    with pytest.raises(ValueError, match="ends before it"):
        sections([3], [2])


@given(INTERVALS)
def test_sizes_times_a_unit_give_offsets_times_it(intervals):
    wide = [Interval(64 * i.size_bytes, i.start, i.end) for i in intervals]
    assert place(wide, STEPS).offsets == [64 * o for o in place(intervals, STEPS).offsets]


def _first_fit_plainly(intervals, order, tightest):
    offsets = {}
    for n in order:
        mine, at, gaps = intervals[n], 0, []
        beside = [p for p in offsets if _both_alive(intervals[p], mine)]
        for low, high in sorted((offsets[p], offsets[p] + intervals[p].size_bytes) for p in beside):
            if low - at >= mine.size_bytes:
                gaps.append((low - at, at))
            at = max(at, high)
        offsets[n] = at if not gaps else min(gaps)[1] if tightest else gaps[0][1]
    return [offsets[n] for n in range(len(intervals))]


@given(INTERVALS.flatmap(lambda i: st.tuples(st.just(i), st.permutations(range(len(i))))), st.booleans())
def test_first_fit_takes_the_lowest_or_the_tightest_gap(case, tightest):
    intervals, order = case
    buffers = instance(intervals).buffers
    offsets, height = first_fit(buffers, order, tightest)
    unit = intervals[0].size_bytes // int(buffers.size[0])
    assert (unit * offsets).tolist() == _first_fit_plainly(intervals, order, tightest)
    assert unit * height == checked_height(intervals, (unit * offsets).tolist())


@pytest.mark.parametrize("name", MINIMALLOC)
def test_search_places_the_minimalloc_instances(name):
    intervals = minimalloc(name)
    decision, offsets, nodes = fits(intervals, CAPACITY, 1_000_000)
    assert decision == Decision.YES
    assert checked_height(intervals, offsets) <= CAPACITY
    assert fits(intervals, CAPACITY, nodes) == (decision, offsets, nodes)
    assert fits(intervals, CAPACITY, nodes - 1)[0] == Decision.NOT_DECIDED
    assert fits(intervals, lower_bound(intervals, steps_of(intervals)) - 1, 1)[0] == Decision.NO


@pytest.mark.parametrize("name", IDEALLOC)
def test_placement_meets_the_bound_of_the_idealloc_instances(name):
    intervals = idealloc(name)
    placed = place(intervals, steps_of(intervals))
    assert placed.verdict == "bound met"
    assert checked_height(intervals, placed.offsets) == placed.bound


def test_a_search_over_its_node_limit_says_so():
    buffers = Buffers(*(np.array([1, 1]), np.zeros(2, np.int32), np.ones(2, np.int32)), 1, np.zeros(0, np.int64))
    assert search(buffers, 2, 1).decision == Decision.NOT_DECIDED
    assert search(buffers, 2, 2).decision == Decision.YES
    assert search(buffers, 1, 0).decision == Decision.NO
