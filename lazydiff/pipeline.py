"""compile(): the one place where the stages stand in order, from entries that a user wrote to a judged plan."""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial

from lazydiff.candidates import Candidate, lowest_candidate, prepare
from lazydiff.entries import versions
from lazydiff.errors import GraphError
from lazydiff.frontend.incremental import Incremental, Outputs, segments
from lazydiff.frontend.training import Step
from lazydiff.graph.node import Tensor, user_line
from lazydiff.graph.walk import topological
from lazydiff.memory.budgets.ram import Ram, parse_ram
from lazydiff.memory.budgets.savings import savings, work
from lazydiff.memory.calls import EntryCalls
from lazydiff.memory.lower import Store
from lazydiff.ops.leaves import checked_name
from lazydiff.plan.check import check
from lazydiff.plan.codec import decode
from lazydiff.plan.model import Plan
from lazydiff.plan.report import Asked, Report, Waits

EntrySpec = Outputs | Step | Incremental


def compile(  # noqa: A001 - the field's word
    *, ram: Asked = None, recompute: str = "auto", **entries: EntrySpec
) -> Plan:
    """The plan of one or more entries that share parameters and RAM.

    An entry is a tensor (its output is named like the entry), several (name -> tensor, or a sequence: named
    entry0, entry1, ..), a `train_step` or `incremental(...)`. `ram` is a budget for everything the plan keeps in
    RAM: bytes, "64 KiB" (1024 each), "64 kB" (1000 each) or a board such as "pico" (budgets/boards.py). Several
    regions are a mapping of one to four, {"dtcm": "64 KiB", "sram": "256 KiB"}, or a board's, "teensy41:dtcm+ocram":
    each value lies in one of them, what is used most for its bytes in the first that has room. Where a plan needs more,
    `recompute="auto"` drops values and computes them again before they are read, for the least extra work found;
    every value keeps its bits. "none" computes nothing twice for the budget's sake. Raises BudgetError if it does not
    fit, GraphError if the entries can't be compiled.
    """
    if recompute not in ("auto", "none"):
        raise GraphError(f'{user_line()}: recompute={recompute!r}; "auto" or "none"')
    parse_ram(ram)
    if not entries:
        raise GraphError(f"{user_line()}: compile needs an entry, such as infer=tensor or train=ld.train_step(...)")
    steps = _as_steps(entries)
    _check_names(steps)
    _check_derivatives(steps)
    return _compiled(steps, recompute == "auto", ram)


def _compiled(steps: dict[str, Step], remake: bool, ram: Asked) -> Plan:
    with _uncollected():
        found = _fitting(steps, parse_ram(ram), remake)
        check(found.plan)
    return replace(found.plan, report=_report(steps, found, remake))


def _fitting(steps: dict[str, Step], ram: Ram, remake: bool) -> Candidate:
    if not ram.limited:
        found = lowest_candidate(prepare(steps, ram, remake, every=False))
        if ram.missing(found.plan) <= 0:
            return found
    from lazydiff.fitting import fit  # half of the planner, imported where there is a budget

    return fit(steps, ram, remake)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the collector of cycles, which would look a tenth of the time through what stays anyway."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _report(asked: dict[str, Step], found: Candidate, remake: bool) -> Report:
    """What compile() knows beyond the plan."""
    entries = {c.entry.name: c.entry for c in found.choices}
    steps, unit = found.steps, found.unit
    updated = {id(leaf) for s in steps.values() for leaf, _ in s.updates}

    def written(name: str) -> partial[list[EntryCalls]]:
        return partial(versions, Store(updated), name, steps[name])

    def parts(name: str) -> int:
        asked_for = steps[name].micro_batches
        return asked_for if isinstance(asked_for, int) else 1

    def waits(name: str) -> Waits:
        found = list(steps[name].waits)
        if parts(name) > 1:
            last = f"{parts(name)} micro-batches add to the gradient, so the last of them comes before the update"
            found += [(leaf.name, last) for leaf, _ in steps[name].updates if leaf.op.name == "param"]
        late = "it can't be made in the place of the old value, so it is copied there at the end"
        return *found, *((old.label, late) for old in entries[name].copied)

    return Report(
        cache(lambda: {n: savings(e, unit, written(n), parts(n) > 1) for n, e in entries.items()}),
        cache(lambda: {n: work(e, unit, written(n)) for n, e in entries.items()}),
        {name: why for name in entries if (why := waits(name))},
        partial(_compiled, asked, remake),
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
    """Refuse names that can't be written, and two leaves of one name: state over the whole plan, inputs in an entry."""
    shared: dict[str, Tensor] = {}
    problems = []
    for name, step in steps.items():
        for given in (name, *step.outputs):
            checked_name(given)
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
