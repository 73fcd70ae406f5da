"""The exact search against schedules enumerated one by one, and against graphs whose optima are proven."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lazydiff.memory.facts import Facts
from lazydiff.memory.lives import peak
from lazydiff.memory.ordering.schedule import orders
from lazydiff.memory.recompute import array
from lazydiff.memory.recompute.array import exact
from lazydiff.memory.recompute.portfolio import impossible
from tests.memory.recompute.test_evict import entries
from tools.bench.planner.remat import OPTIMA, forward_runs, graph, unit_chain

REPEATS = 2


def enumerated(facts, budget):
    """The least work of all schedules of at most REPEATS repeats, or None."""
    n, best = len(facts.reads), None
    nothing_kept = replace(facts, keep=frozenset())  # with it, the peak never falls as a schedule grows
    stack = [()]
    while stack:
        schedule = stack.pop()
        cost = facts.work(schedule)
        if best is not None and cost >= best:
            continue
        try:
            if peak(nothing_kept, schedule) > budget:
                continue
        except ValueError:
            continue
        if len(set(schedule)) == n and peak(facts, schedule) <= budget:
            best = cost
        elif len(schedule) < n + REPEATS:
            stack += [
                (*schedule, u) for u in range(n) if u not in schedule or len(schedule) - len(set(schedule)) < REPEATS
            ]
    return best


@st.composite
def budgets(draw, facts, base):
    high = peak(facts, base)
    return draw(st.integers(max(0, high - 6), high))


@settings(max_examples=200, deadline=None)
@given(entries(4), st.data())
def test_no_schedule_is_cheaper_and_none_exists_where_it_says_so(facts, data):
    base = orders(facts)[0]
    budget = data.draw(budgets(facts, base))
    found = exact(facts, base, budget)
    best = enumerated(facts, budget)
    assert found.proved
    if found.schedule is None:
        assert best is None
    else:
        assert peak(facts, found.schedule) <= budget
        assert set(found.schedule) == set(base)
        if best is None or facts.work(found.schedule) < best:
            assert len(found.schedule) > len(base) + REPEATS
        else:
            assert facts.work(found.schedule) == best


@settings(max_examples=100, deadline=None)
@given(entries(8), st.data())
def test_in_the_order_given_nothing_is_cheaper_than_in_all_orders(facts, data):
    base = orders(facts)[0]
    budget = data.draw(budgets(facts, base))
    free, fixed = exact(facts, base, budget, 20_000), exact(facts, base, budget, 20_000, in_order=True)
    if fixed.schedule is not None:
        assert list(dict.fromkeys(fixed.schedule)) == list(base)
        assert not fixed.proved
        if free.proved:
            assert facts.work(free.schedule) <= facts.work(fixed.schedule)


@pytest.mark.parametrize("name", OPTIMA)
def test_proven_optima_are_met_and_one_byte_less_than_the_least_is_infeasible(name):
    facts = graph(name)
    base = list(range(len(facts.reads)))
    for budget, least in OPTIMA[name].items():
        found = exact(facts, base, budget)
        assert found.proved
        assert found.schedule is not None
        assert facts.work(found.schedule) == least, budget
        assert peak(facts, found.schedule) <= budget
    below = exact(facts, base, min(OPTIMA[name]) - 1)
    assert below.schedule is None
    assert below.proved


@pytest.mark.parametrize("layers", range(2, 11))
def test_unit_chains_follow_the_closed_formula(layers):
    facts = unit_chain(layers)
    base = list(range(len(facts.reads)))
    for budget in range(2, layers + 3):
        found = exact(facts, base, budget)
        assert found.proved
        runs = None if found.schedule is None else facts.work(found.schedule)
        assert runs == forward_runs(layers, budget), budget


def test_a_value_is_made_three_times_where_that_is_cheapest():
    facts = graph("unet-9")
    found = exact(facts, list(range(len(facts.reads))), 72)
    assert found.schedule is not None
    assert max(found.schedule.count(u) for u in range(9)) == 3


def test_a_state_is_not_read_again_after_its_update():
    """Unit 0 makes 4 bytes of a state that unit 2 writes over, unit 3 reads them after that; 8 bytes lie between."""
    facts = Facts(
        sizes=(0, 4, 0, 8, 1),
        reads=((0,), (), (3,), (1, 2)),
        writes=((1,), (3,), (2,), (4,)),
        after=((), (), (0,), ()),
        cost=(1,) * 4,
        in_place=((),) * 4,
        once=(False, False, True, False),
        born=(),
        keep=frozenset({4}),
    )
    none = exact(facts, range(4), 11)
    assert (none.schedule, none.proved) == (None, True)
    assert exact(facts, range(4), 12).schedule is not None
    unordered = replace(facts, after=((),) * 4)
    assert exact(unordered, range(4), 11).schedule is not None


def test_what_can_be_made_again_may_wait():
    """Unit 2, which runs once, makes value 2 of value 0, as large: value 0 must be dropped and made again for it."""
    facts = Facts(
        sizes=(4, 1, 4, 8, 1, 1),
        reads=((), (0,), (0,), (1,), (3,), (2, 4)),
        writes=((0,), (1,), (2,), (3,), (4,), (5,)),
        after=((),) * 6,
        cost=(1,) * 6,
        in_place=((),) * 6,
        once=(False, False, True, False, False, False),
        born=(),
        keep=frozenset({5}),
    )
    found = exact(facts, range(6), 10)
    assert found.proved
    assert facts.work(found.schedule) == 7


def test_the_node_limit_ends_a_search_without_a_proof():
    facts = unit_chain(20)
    found = exact(facts, list(range(len(facts.reads))), 5, node_limit=100)
    assert (found.schedule, found.proved) == (None, False)
    assert found.nodes <= 100


def test_what_more_nodes_find_is_not_called_impossible():
    facts = unit_chain(12)
    base = list(range(len(facts.reads)))
    assert impossible([(facts, [base])], 2)
    assert not impossible([(facts, [base])], 3)


def test_many_small_values_do_not_hide_a_proof(monkeypatch):
    """Units 0 to 9 make a byte each, in any order; 10 and 11 make 100 bytes each, which 12 reads, with the bytes."""
    none = ((),) * 13
    facts = Facts(
        sizes=(*[1] * 10, 100, 100, 1),
        reads=(*none[:12], tuple(range(12))),
        writes=tuple((n,) for n in range(13)),
        after=none,
        cost=(1,) * 13,
        in_place=none,
        once=(False,) * 13,
        born=(),
        keep=frozenset({12}),
    )
    found = exact(facts, range(13), 199, 3000)
    assert (found.schedule, found.proved) == (None, True)
    assert exact(facts, range(13), 211, 3000).proved
    monkeypatch.setattr(array, "FREE", ())
    assert not exact(facts, range(13), 199, 3000).proved
