"""compile(): the one place where the stages stand in order, from entries that a user wrote to a judged plan."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache, partial

import numpy as np

from lazydiff.errors import GraphError
from lazydiff.frontend.incremental import Incremental, Outputs, segments
from lazydiff.frontend.training import Step
from lazydiff.graph.node import Tensor, user_line
from lazydiff.graph.walk import number, topological
from lazydiff.memory.budget import LIMIT, parse_bytes, require_fit
from lazydiff.memory.buffers import Lifetimes, lifetimes, unroll
from lazydiff.memory.calls import EntryCalls, Unit, Value, View
from lazydiff.memory.facts import facts
from lazydiff.memory.lives import peak
from lazydiff.memory.lower import Store, alignment_unit, lower
from lazydiff.memory.place import place
from lazydiff.memory.programs import copy_call
from lazydiff.memory.savings import savings, work
from lazydiff.memory.schedule import add_update_order, orders
from lazydiff.memory.select import ROWS
from lazydiff.memory.selector import Selector
from lazydiff.memory.variants import faster
from lazydiff.passes.again import again
from lazydiff.passes.simplify import simplify
from lazydiff.passes.split_batch import Batch, split
from lazydiff.plan.check import check
from lazydiff.plan.codec import decode
from lazydiff.plan.model import Kind, Plan
from lazydiff.plan.report import Report, Waits

EntrySpec = Outputs | Step | Incremental


def compile(*, ram: int | str | None = None, **entries: EntrySpec) -> Plan:  # noqa: A001 - the field's word
    """The plan of one or more entries that share parameters and one block of RAM.

    An entry is a tensor (its output is named like the entry), several (name -> tensor, or a sequence: named
    entry0, entry1, ..), a `train_step` or `incremental(...)`. `ram` is a budget for everything the plan keeps in
    RAM: bytes, "64 KiB" (1024 each), "64 kB" (1000 each) or a board such as "pico" (memory/boards.py). Raises
    BudgetError if it does not fit, GraphError if the entries can't be compiled.
    """
    budget = parse_bytes(ram)
    if not entries:
        raise GraphError(f"{user_line()}: compile needs an entry, such as infer=tensor or train=ld.train_step(...)")
    steps = _as_steps(entries)
    _check_names(steps)
    _check_derivatives(steps)
    return _compiled(steps, budget)


def _compiled(steps: dict[str, Step], ram: int | str | None) -> Plan:
    budget = parse_bytes(ram)
    plan, placed, chosen = _split_to_fit(steps, budget)
    if plan.ram_bytes > (budget or LIMIT - 1):
        require_fit(plan, budget, more=_splitting(steps, plan, placed, budget or LIMIT - 1))
    check(plan)
    return replace(plan, report=_report(steps, chosen, placed))


Placed = list[tuple[EntryCalls, Lifetimes]]


def _planned(steps: Mapping[str, Step], budget: int | None) -> tuple[Plan, Placed]:
    store = Store({id(leaf) for s in steps.values() for leaf, _ in s.updates})
    prepared = [_versions(store, name, s) for name, s in steps.items()]
    calls = [c for versions in prepared for e in versions for u in e.units for c in u.calls]
    unit = alignment_unit([v for c in calls for v in (*c.reads, *c.writes)])
    placed = [min((_plan_entry(e, unit) for e in es), key=lambda pair: pair[1].bound_bytes) for es in prepared]
    heights = (place(v.intervals, v.steps).height for _, v in placed)
    room = max([(budget or 0) - store.ram_bytes(unit), *heights])
    return lower(store, [faster(entry, lives, room, unit) for entry, lives in placed], unit), placed


def _split_to_fit(steps: dict[str, Step], budget: int | None) -> tuple[Plan, Placed, dict[str, Step]]:
    """The plan, and its steps, in the micro-batches that they ask for: where that is "auto", the fewest that fit.

    The entry with the highest bound is split further, as long as it is one that may be; if nothing fits, the smallest
    plan met is the answer. A step of "auto" that can't be split stays whole.
    """
    plan, placed = _planned(steps, budget)
    best = plan, placed, steps
    left: dict[str, list[int]] = {}
    now = steps
    while budget is not None and plan.ram_bytes > budget:
        name = max(placed, key=lambda pair: pair[1].bound_bytes)[0].name
        if name not in left:
            left[name] = _equal_parts(steps[name]) if steps[name].micro_batches == "auto" else []
        if not left[name]:
            break
        now = now | {name: replace(steps[name], micro_batches=left[name].pop(0))}
        plan, placed = _planned(now, budget)
        best = min(best, (plan, placed, now), key=lambda found: found[0].ram_bytes)
    return best


def _splitting(steps: dict[str, Step], plan: Plan, placed: Placed, budget: int) -> list[tuple[str, int]]:
    """What micro-batches would save where nobody asked for them: the first of a few numbers that fits, or the best."""
    name = max(placed, key=lambda pair: pair[1].bound_bytes)[0].name
    best = plan.ram_bytes, 1
    for parts in _equal_parts(steps[name])[:4] if steps[name].micro_batches is None else ():
        found, _ = _planned(steps | {name: replace(steps[name], micro_batches=parts)}, budget)
        best = min(best, (found.ram_bytes, parts))
        if found.ram_bytes <= budget:
            break
    return [(f"train_step(..., micro_batches={best[1]})", plan.ram_bytes - best[0])]


def _equal_parts(step: Step) -> list[int]:
    """The numbers of micro-batches of equal size, fewest first, from 2; none for a step that can't be split."""
    try:
        n = Batch(step.roots).samples
    except GraphError:
        return []
    return [k for k in range(2, n + 1) if n % k == 0]


def _report(asked: dict[str, Step], steps: dict[str, Step], placed: Placed) -> Report:
    """What compile() knows beyond the plan; `steps` are those asked for, with the micro-batches that were chosen."""
    entries = {e.name: e for e, _ in placed}
    calls = [c for e in entries.values() for u in e.units for c in u.calls]
    unit = alignment_unit([v for c in calls for v in (*c.reads, *c.writes)])
    updated = {id(leaf) for s in steps.values() for leaf, _ in s.updates}

    def versions(name: str) -> partial[list[EntryCalls]]:
        return partial(_versions, Store(updated), name, steps[name])

    def parts(name: str) -> int:
        asked_for = steps[name].micro_batches
        return asked_for if isinstance(asked_for, int) else 1

    def waits(name: str) -> Waits:
        if parts(name) == 1:
            return steps[name].waits
        last = f"{parts(name)} micro-batches add to the gradient, so the last of them comes before the update"
        return *steps[name].waits, *((leaf.name, last) for leaf, _ in steps[name].updates if leaf.op.name == "param")

    return Report(
        cache(lambda: {n: savings(e, unit, versions(n), parts(n) > 1) for n, e in entries.items()}),
        cache(lambda: {n: work(e, unit, versions(n)) for n, e in entries.items()}),
        {name: found for name in entries if (found := waits(name))},
        partial(_compiled, asked),
    )


def load(path: str | bytes) -> Plan:
    """The plan in a `.lzp` file (or its bytes), read and judged. Raises PlanError."""
    if isinstance(path, bytes):
        data = path
    else:
        with open(path, "rb") as file:
            data = file.read()
    plan = decode(data)
    check(plan)
    return plan


def _as_steps(entries: Mapping[str, EntrySpec]) -> dict[str, Step]:
    """Each entry as steps by name: one, or the segments of an incremental one."""
    steps: dict[str, Step] = {}
    for name, spec in entries.items():
        if isinstance(spec, Incremental):
            step = _as_step(name, spec.outputs)
            _check_names({name: step})
            _check_derivatives({name: step})
            steps |= segments(name, step.outputs, spec)
        elif re.fullmatch(r".+\.\d+", name):
            raise GraphError(f"{user_line()}: entry {name!r}: a name that ends so is an incremental entry's segment")
        else:
            steps[name] = _as_step(name, spec)
    return steps


def _as_step(name: str, spec: Step | Outputs) -> Step:
    if isinstance(spec, Step):
        return spec
    spec = {name: spec} if isinstance(spec, Tensor) else spec
    items = spec.items() if isinstance(spec, Mapping) else ((f"{name}{i}", t) for i, t in enumerate(spec))
    outputs = dict(items)
    wrong = [k for k, t in outputs.items() if not isinstance(t, Tensor)]
    if wrong or not outputs:
        raise GraphError(f"{user_line()}: entry {name!r} must be tensors or a train_step; {wrong or 'it is empty'}")
    empty = {k: t.shape for k, t in outputs.items() if not t.size}
    if empty:
        raise GraphError(f"{user_line()}: entry {name!r}: outputs without elements, so nothing to compute: {empty}")
    return Step(outputs, ())


def _check_names(steps: Mapping[str, Step]) -> None:
    """Refuse two different leaves of one name: state over the whole plan, inputs in an entry."""
    shared: dict[str, Tensor] = {}
    problems = []
    for name, step in steps.items():
        inputs: dict[str, Tensor] = {}
        targets = [leaf for leaf, _ in step.updates]
        if len({id(t) for t in targets}) != len(targets):
            problems.append(f"entry {name!r} updates one parameter twice")
        for node in topological([*step.outputs.values(), *targets, *(v for _, v in step.updates)]):
            if node.op.name in ("input", "param", "state"):
                known = inputs if node.op.name == "input" else shared
                other = known.setdefault(node.name, node)
                if other is not node:
                    problems.append(
                        f"two different {node.op.name}s are named {node.name!r}: {other.source}, {node.source}"
                    )
    if problems:
        raise GraphError("\n".join(dict.fromkeys(problems)))


def _check_derivatives(steps: Mapping[str, Step]) -> None:
    """Refuse derivatives that do not exist: all of them in one error, each with the user's line."""
    roots = [t for s in steps.values() for t in (*s.outputs.values(), *(v for _, v in s.updates))]
    found = [str(n.options["what"]) for n in topological(roots) if n.op.name == "missing_derivative"]
    if found:
        raise GraphError(
            "derivatives that do not exist:\n  "
            + "\n  ".join(dict.fromkeys(found))
            + "\n  try: ld.stop_gradient(x) for a derivative of zero, or ld.custom_derivative(f, vjp=...) for your own"
        )


def _versions(
    store: Store, name: str, step: Step, *, fused: bool = True, repeated: bool = True, divided: bool = True
) -> list[EntryCalls]:
    """The entry as written, and with cheap values computed again if it has such; each in its micro-batches.

    The options turn stages off (memory/savings.py).
    """
    roots = simplify(step.roots)
    found = [r for r in (roots, again(roots) if repeated else None) if r is not None]
    if isinstance(step.micro_batches, int) and divided:
        found = [split(r, step.micro_batches) for r in found]
    return [_entry_calls(store, name, step, r, fused) for r in found]


def _entry_calls(store: Store, name: str, step: Step, roots: list[Tensor], fused: bool) -> EntryCalls:
    targets = [leaf for leaf, _ in step.updates]
    outputs = dict(zip(step.outputs, roots[: len(step.outputs)], strict=True))
    zeros = {k: t for k, t in outputs.items() if number(t) == 0 and not np.signbit(number(t) or 0.0)}
    some = {k: t for k, t in outputs.items() if k not in zeros}
    selector = Selector(store.leaf, ROWS, fused)
    for leaf in targets:
        selector.know(leaf)
    calls = selector.entry(name, some, list(zip(targets, roots[len(step.outputs) :], strict=True)))
    for k, t in zeros.items():
        calls.outputs[k] = View(Value(t.dtype, 0, Kind.CONST, k), t.shape, ())
    calls.outputs = {k: calls.outputs[k] for k in step.outputs}
    for old, new in add_update_order(calls.units, calls.updates):
        _copy_at_end(calls, old, new)
    return calls


def _copy_at_end(entry: EntryCalls, old: Value, new: Value) -> None:
    """Give `new` a place of its own; a last unit moves it over `old` when every other unit has run."""
    new.replaces, new.kind = None, Kind.WORK
    final = Value(old.dtype, old.elements, old.kind, f"{old.label} (new)", replaces=old)
    copy = copy_call(View(new, (new.elements,), (1,)), "update", "", final)
    entry.units.append(Unit([copy], set(entry.units)))
    entry.updates = [(o, final if n is new else n) for o, n in entry.updates]


def _plan_entry(entry: EntryCalls, unit_bytes: int) -> tuple[EntryCalls, Lifetimes]:
    """The entry as it will run, in the order of the lowest bound."""
    known, _ = facts(entry, entry.units, unit_bytes)
    schedule = min(orders(known), key=lambda s: peak(known, s))
    entry, order = unroll(entry, entry.units, schedule)
    return entry, lifetimes(entry, order, unit_bytes)
