"""Placement: nothing alive at once shares a byte, and nothing is below the contention bound."""

from hypothesis import given
from hypothesis import strategies as st

from lazydiff.memory.place import Interval, _first_fit, lower_bound, place

STEPS = 12
INTERVAL = st.builds(
    lambda size, start, length: Interval(4 * size, start, min(STEPS - 1, start + length)),
    st.integers(1, 40),
    st.integers(0, STEPS - 1),
    st.integers(0, 6),
)


@given(st.lists(INTERVAL, min_size=1, max_size=25))
def test_intervals_alive_at_once_lie_apart(intervals):
    offsets, height = place(intervals, STEPS)
    ends = [o + i.size_bytes for o, i in zip(offsets, intervals, strict=True)]
    assert height == max(ends)
    for a in range(len(intervals)):
        for b in range(a):
            both = intervals[a].start <= intervals[b].end and intervals[b].start <= intervals[a].end
            assert not both or ends[a] <= offsets[b] or ends[b] <= offsets[a]


@given(st.lists(INTERVAL, min_size=1, max_size=25))
def test_the_bound_is_the_most_bytes_alive_at_one_step(intervals):
    most = max(sum(i.size_bytes for i in intervals if i.start <= t <= i.end) for t in range(STEPS))
    assert lower_bound(intervals, STEPS) == most
    assert place(intervals, STEPS)[1] >= most


def test_the_same_intervals_get_the_same_places():
    intervals = [Interval(8, 0, 3), Interval(8, 1, 2), Interval(16, 2, 4)]
    assert place(intervals, 5) == place(list(intervals), 5)


def _first_fit_plainly(intervals, order):
    offsets = {}
    for n in order:
        mine, at = intervals[n], 0
        beside = [p for p in offsets if intervals[p].start <= mine.end and mine.start <= intervals[p].end]
        for low, high in sorted((offsets[p], offsets[p] + intervals[p].size_bytes) for p in beside):
            if low - at >= mine.size_bytes:
                break
            at = max(at, high)
        offsets[n] = at
    return [offsets[n] for n in range(len(intervals))]


@given(
    st.lists(INTERVAL, min_size=1, max_size=25).flatmap(lambda i: st.tuples(st.just(i), st.permutations(range(len(i)))))
)
def test_each_interval_takes_the_lowest_gap(case):
    intervals, order = case
    assert _first_fit(intervals, order) == _first_fit_plainly(intervals, order)
