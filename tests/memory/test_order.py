"""Orders of an entry's units: the C evaluation against lives(), exact search and the whole against every order."""

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lazydiff.memory.facts import Facts
from lazydiff.memory.lives import lives, peak
from lazydiff.memory.ordering.bindings import Units
from lazydiff.memory.ordering.order import best_first, best_order
from lazydiff.memory.ordering.schedule import orders
from lazydiff.memory.placement.packing import Decision


@st.composite
def entries(draw, most=7):
    """Facts of up to `most` units: inputs (read or not), dead writes, places shared, outputs, orders from outside."""
    return random_facts(random.Random(draw(st.integers(0, 2**32 - 1))), draw(st.integers(1, most)))


def random_facts(rng, units):
    """Later units read what earlier ones made, mostly of late; the numbers of the units are then shuffled."""
    sizes = [rng.choice((0, 8, 16, 24, 64)) for _ in range(rng.randint(0, 3))]
    born = tuple(range(len(sizes)))
    reads, writes, after, in_place = [], [], [], []
    for u in range(units):
        known = range(len(sizes))
        reads.append(tuple(rng.sample(known, min(len(known), rng.choice((0, 1, 1, 2, 2, 3))))))
        writes.append(tuple(range(len(sizes), len(sizes) + rng.choice((0, 1, 1, 1, 2)))))
        for _ in writes[u]:
            sizes.append(sizes[rng.choice(reads[u])] if reads[u] and rng.random() < 0.6 else rng.choice((0, 8, 16, 40)))
        after.append((rng.randrange(u),) if u and rng.random() < 0.15 else ())
        pairs = [(o, n) for o in reads[u] for n in writes[u] if sizes[o] == sizes[n] and rng.random() < 0.5]
        in_place.append(tuple(rng.sample(pairs, len(pairs))))
    keep = frozenset(v for v in range(len(sizes)) if rng.random() < 0.15)
    names = rng.sample(range(units), units)
    at = sorted(range(units), key=lambda u: names[u])  # by new number: the old one
    return Facts(
        tuple(sizes),
        tuple(reads[u] for u in at),
        tuple(writes[u] for u in at),
        tuple(tuple(sorted(names[a] for a in after[u])) for u in at),
        (1,) * units,
        tuple(in_place[u] for u in at),
        (True,) * units,
        born,
        keep,
    )


def every_order(facts):
    """All valid orders."""
    needs = [set(n) for n in facts.needs()]
    for order in itertools.permutations(range(len(needs))):
        done = set()
        for u in order:
            if not needs[u] <= done:
                break
            done.add(u)
        else:
            yield list(order)


def use_by_step(facts, order):
    """What lives() says is alive at each step."""
    intervals = lives(facts, order).intervals
    return [sum(i.size_bytes for i in intervals if i.start <= t <= i.end) for t in range(len(order))]


@settings(max_examples=200, deadline=None)
@given(entries(most=20), st.randoms(use_true_random=False))
def test_the_c_evaluation_is_that_of_lives(facts, rng):
    needs = facts.needs()
    order, done = [], set()
    while len(order) < len(needs):
        ready = [u for u in range(len(needs)) if u not in done and done.issuperset(needs[u])]
        order.append(rng.choice(ready))
        done.add(order[-1])
    assert Units(facts).usage(order) == use_by_step(facts, order)


def by_rule(facts, greedy):
    """Of the units that may run always the one after which the fewest bytes more are alive (greedy), then the first."""
    needs, done, alive = facts.needs(), [], set(facts.born)
    readers = [{u for u, reads in enumerate(facts.reads) if v in reads} for v in range(len(facts.sizes))]

    def after(u):
        there = alive | set(facts.writes[u])
        return {v for v in there if v in facts.keep or readers[v] - {*done, u}}

    while len(done) < len(needs):
        ready = [u for u in range(len(needs)) if u not in done and set(needs[u]) <= set(done)]
        u = min(ready, key=lambda u: (greedy and sum(facts.sizes[v] for v in after(u)), u))
        alive = after(u)
        done.append(u)
    return done


@settings(max_examples=200, deadline=None)
@given(entries(most=20))
def test_orders_by_rule_follow_it(facts):
    assert orders(facts) == [by_rule(facts, False), by_rule(facts, True)]


def test_units_that_wait_for_each_other_are_refused():
    facts = Facts((), ((), ()), ((), ()), ((1,), (0,)), (1, 1), ((), ()), (True, True), (), frozenset())
    with pytest.raises(AssertionError, match="wait for each other"):
        orders(facts)


@settings(max_examples=150, deadline=None)
@given(entries())
def test_no_order_has_a_peak_below_the_least(facts):
    units = Units(facts)
    assert len({units.least(order) for order in itertools.islice(every_order(facts), 5)}) == 1
    assert units.least(units.first()) <= min(peak(facts, order) for order in every_order(facts))


def least_with(facts, u, before, readers):
    """Bytes alive with a unit in every order: of what surely is made by then and not yet read for the last time."""
    shared = {}
    for old, new in facts.in_place[u]:
        if facts.sizes[old] == facts.sizes[new] and old not in (*shared.values(), *facts.keep) and new not in shared:
            shared[new] = old
    alive = 0
    for v in {*range(len(facts.sizes))} - shared.keys():
        made = v in facts.born or facts.maker[v] in before[u]
        if made and (v in facts.writes[u] or v in facts.keep or any(u in before[r] for r in readers[v])):
            alive += facts.sizes[v]
    return alive


@settings(max_examples=50, deadline=None)
@given(entries(most=150))
def test_the_least_is_what_must_be_alive_with_some_unit(facts):
    order, needs = orders(facts)[0], facts.needs()
    readers = [[u for u, reads in enumerate(facts.reads) if v in reads] for v in range(len(facts.sizes))]
    before = {}
    for u in order:
        before[u] = {u}.union(*(before[n] for n in needs[u]))
    assert Units(facts).least(order) == max(least_with(facts, u, before, readers) for u in order)


@settings(max_examples=150, deadline=None)
@given(entries())
def test_exact_search_finds_the_least_of_all_orders(facts):
    units = Units(facts)
    peaks = [peak(facts, order) for order in every_order(facts)]
    worst = max(every_order(facts), key=lambda order: peak(facts, order))
    decision, found, proved = units.window(worst, 0, units.count, 0, 10_000, 10**6)
    assert decision == (Decision.YES if min(peaks) < max(peaks) else Decision.NO)
    assert peak(facts, found) == proved == min(peaks)
    assert peak(facts, best_order(facts, orders(facts))) == min(peaks)


@settings(max_examples=100, deadline=None)
@given(entries(), st.integers(1, 20), st.integers(0, 60), st.integers(0, 200))
def test_under_a_limit_nothing_false_is_said(facts, nodes, work, start):
    units = Units(facts)
    least = min(peak(facts, order) for order in every_order(facts))
    worst = max(every_order(facts), key=lambda order: peak(facts, order))
    decision, found, proved = units.window(worst, 0, units.count, start, nodes, work)
    assert proved <= least
    assert (peak(facts, found) < peak(facts, worst)) == (decision == Decision.YES)
    if decision == Decision.NO:
        assert peak(facts, worst) == proved == least
    if decision == Decision.YES:
        assert start >= least or proved < least or peak(facts, found) == least


@settings(max_examples=100, deadline=None)
@given(entries(), st.data())
def test_a_window_is_as_good_as_any_order_of_its_steps(facts, data):
    units = Units(facts)
    base = units.listed(False)
    first = data.draw(st.integers(0, units.count - 1))
    after = data.draw(st.integers(first + 1, units.count))
    within = [o for o in every_order(facts) if o[:first] == base[:first] and o[after:] == base[after:]]
    _, found, proved = units.window(base, first, after, 0, 10_000, 10**6)
    assert found in within
    assert max(units.usage(found)[first:after]) == proved == min(max(units.usage(o)[first:after]) for o in within)


@settings(max_examples=100, deadline=None)
@given(entries(most=40))
def test_no_step_makes_an_order_worse_or_invalid_and_none_is_random(facts):
    """lives() raises if an order is invalid."""
    units = Units(facts)
    given_ = orders(facts)
    for base in (*given_, units.listed(False), units.listed(True)):
        before = peak(facts, base)
        for made in (units.moved(base, 1, 20_000), units.window(base, 0, units.count, before // 2, 50, 500)[1]):
            assert sorted(made) == sorted(base)
            assert peak(facts, made) <= before
        good = units.moved(base, 1, 20_000)
        assert good == units.moved(base, 1, 20_000)
        assert all(peak(facts, units.moved(good, 1, looks)) <= peak(facts, good) for looks in (100, 1000, 2000, 5000))
    best = best_order(facts, given_)
    assert sorted(best) == list(range(units.count))
    assert peak(facts, best) <= min(peak(facts, base) for base in given_)
    assert best == best_order(facts, given_)
    first, *others = best_first(units, given_)
    assert first == best
    assert [peak(facts, s) for s in others] == sorted(peak(facts, s) for s in others)


def ladder(steps):
    """A recurrence and its backward pass, each step of which also makes a gradient that one unit adds up at the end.

    Unit s makes value s + 1 from s; unit steps + s reads it and makes the derivative; unit 2 * steps + s takes the
    derivative in, a large one, and hands on a small sum.
    """
    n = steps
    reads = [(s,) for s in range(n)]
    reads += [(n - s, n + 2 * s) if s else (n,) for s in range(n)]
    writes = [(s + 1,) for s in range(n)] + [(n + 1 + 2 * s, n + 2 + 2 * s) for s in range(n)]
    sums = 3 * n + 1
    reads += [(n + 1 + 2 * s, sums + s - 1) if s else (n + 1,) for s in range(n)]
    writes += [(sums + s,) for s in range(n)]
    sizes = [4] * (n + 1) + [64, 4] * n + [1] * n
    count = 3 * n
    return Facts(
        tuple(sizes),
        tuple(reads),
        tuple(writes),
        ((),) * count,
        (1,) * count,
        ((),) * count,
        (False,) * count,
        (0,),
        frozenset({sums + n - 1}),
    )


@pytest.mark.parametrize("steps", [3, 40, 300])
def test_each_gradient_is_taken_in_before_the_next_is_made(steps):
    """As written, all gradients wait for the end."""
    facts = ladder(steps)
    found = best_order(facts, [list(range(3 * steps))])
    least = 4 * steps + 64 + 4 + 4
    assert peak(facts, list(range(3 * steps))) >= 64 * steps
    assert peak(facts, found) <= least + 4 + 1


def test_entries_of_no_unit_or_one():
    none = Facts((3,), (), (), (), (), (), (), (0,), frozenset({0}))
    assert best_order(none, [[]]) == []
    one = Facts((3, 5), ((0,),), ((1,),), ((),), (1,), ((),), (False,), (0,), frozenset({1}))
    assert best_order(one, [[0]]) == [0]
