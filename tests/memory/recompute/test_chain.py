"""Crossings of chains of stages against the closed formula, proven optima and the exact search."""

import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lazydiff.memory.facts import Facts
from lazydiff.memory.lives import peak
from lazydiff.memory.ordering.schedule import orders
from lazydiff.memory.recompute.array import exact
from lazydiff.memory.recompute.chain import chain, crossing
from lazydiff.memory.recompute.portfolio import recompute
from lazydiff.memory.recompute.stages import stages
from tests.memory.recompute.test_evict import entries
from tools.bench.planner.remat import OPTIMA, forward_runs, graph, unit_chain


def runs(facts, budget, base=None):
    found = chain(facts, list(range(len(facts.reads))) if base is None else base, budget)
    assert not found.proved
    if found.schedule is None:
        return None
    assert peak(facts, found.schedule) <= budget
    assert set(found.schedule) == set(range(len(facts.reads)))
    return facts.work(found.schedule)


@st.composite
def nets(draw):
    """Layers of any size and work, some with a value inside; steps back read inputs, outputs, or what is inside."""
    n = draw(st.integers(2, 5))
    sizes, reads, writes, cost, in_place, back = [], [], [], [], [], []
    x = None

    def unit(read, size, work, same=False):
        reads.append(tuple(v for v in read if v is not None))
        writes.append((len(sizes),))
        cost.append(work)
        in_place.append(tuple((v, len(sizes)) for v in reads[-1] if same and sizes[v] == size))
        sizes.append(size)
        return len(sizes) - 1

    def scratch(size):
        writes[-1] = (*writes[-1], len(sizes))
        sizes.append(size)

    small = st.integers(1, 4)
    for _ in range(n):
        inner = None
        if draw(st.booleans()):
            inner = unit([x], draw(small), draw(small))
        y = unit([x, inner] if draw(st.booleans()) else [inner if inner is not None else x], draw(small), draw(small))
        if draw(st.booleans()):
            scratch(draw(st.integers(5, 12)))
        wanted = [v for v in (x, inner, y) if v is not None and draw(st.booleans())]
        back.append((wanted, draw(small)))
        x = y
    gradient = unit([x], draw(small), 0)
    for wanted, size in reversed(back):
        gradient = unit([*wanted, gradient], size, draw(st.integers(0, 2)), same=True)
    k = len(reads)
    once = tuple(u > k - n - 1 for u in range(k))
    kept = frozenset({gradient})
    return Facts(tuple(sizes), tuple(reads), tuple(writes), ((),) * k, tuple(cost), tuple(in_place), once, (), kept)


@pytest.mark.parametrize("layers", [*range(2, 17), 31, 48, 64])
def test_unit_chains_follow_the_closed_formula(layers):
    facts = unit_chain(layers)
    for budget in range(2, layers + 3):
        assert runs(facts, budget) == forward_runs(layers, budget), budget


@pytest.mark.parametrize("budget", [4, 5, 12, 18, 130, 1001])
def test_a_thousand_layers_are_quick_and_within_two_percent(budget):
    facts = unit_chain(1000)
    start = time.process_time()
    found = chain(facts, list(range(len(facts.reads))), budget)
    assert time.process_time() - start < 5
    assert peak(facts, found.schedule) <= budget
    assert facts.work(found.schedule) * 100 <= forward_runs(1000, budget) * 102


@pytest.mark.parametrize("name", ["chain-12", "chain-12-relu", "mobilenetv1-stages"])
def test_graphs_that_are_chains_meet_their_proven_optima(name):
    facts = graph(name)
    for budget, least in OPTIMA[name].items():
        assert runs(facts, budget) == least, budget
    assert runs(facts, min(OPTIMA[name]) - 1) is None


@settings(max_examples=150, deadline=None)
@given(nets(), st.data())
def test_uneven_chains_fit_and_are_never_cheaper_than_the_optimum(facts, data):
    base = list(range(len(facts.reads)))
    high = peak(facts, base)
    budget = data.draw(st.integers(high // 2, high))
    ours, best = runs(facts, budget), exact(facts, base, budget, 100_000)
    if ours is not None and best.proved:
        assert best.schedule is not None
        assert facts.work(best.schedule) <= ours


@settings(max_examples=300, deadline=None)
@given(nets(), st.data())
def test_what_is_planned_to_fit_fits(facts, data):
    base = list(range(len(facts.reads)))
    high = peak(facts, base)
    budget = data.draw(st.integers(high // 2, high))
    planned = crossing(facts, base, budget)
    assert planned is None or peak(facts, planned) <= budget
    assert crossing(facts, base, 2 * sum(facts.sizes)) is not None or stages(facts, base, 100) is None


@settings(max_examples=150, deadline=None)
@given(entries(10), st.data())
def test_of_any_entry_what_is_found_is_valid(facts, data):
    base = orders(facts)[0]
    runs(facts, data.draw(st.integers(0, peak(facts, base))), base)


def test_the_stages_of_a_chain_are_its_layers():
    facts = unit_chain(5)
    found = stages(facts, list(range(len(facts.reads))), 100)
    assert [s.forward for s in found.stages] == [(0,), (1,), (2,), (3,), (4,)]
    assert [s.back for s in found.stages] == [(), (9, 10), (8,), (7,), (5, 6)]
    joined = stages(facts, list(range(len(facts.reads))), 3)
    assert [s.forward for s in joined.stages] == [(0, 1), (2, 3), (4,)]


def test_what_an_update_writes_over_is_not_read_again():
    """The first step back writes over what layer 1 reads, so layer 1 may not run again after it."""
    facts = unit_chain(6)
    base = list(range(len(facts.reads)))
    tied = replace(facts, after=tuple((1,) if u == 7 else () for u in base))
    assert runs(facts, 4) == 9
    for budget in range(2, 9):
        found, least = runs(tied, budget), exact(tied, base, budget)
        assert least.proved
        assert found is None or tied.work(least.schedule) <= found
        if budget == 7:
            assert found == 6


@pytest.mark.parametrize("budget", [4, 5, 8])
def test_deep_chains_take_their_best_crossing(budget):
    facts = unit_chain(64)
    found = recompute(facts, [list(range(len(facts.reads)))], budget)
    assert peak(facts, found) <= budget
    assert facts.work(found) == forward_runs(64, budget)
