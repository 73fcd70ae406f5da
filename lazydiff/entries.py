"""An entry that a user wrote -> kernel calls: simplified, fused, selected, its updates in order; in every version."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lazydiff.frontend.training import Step
from lazydiff.graph.node import Tensor
from lazydiff.graph.walk import is_zero
from lazydiff.memory.apart import apart
from lazydiff.memory.calls import EntryCalls, Unit, Value, View
from lazydiff.memory.lower import Store, alignment_unit
from lazydiff.memory.ordering.schedule import add_update_order
from lazydiff.memory.parts import in_parts
from lazydiff.memory.selection.programs import copy_call
from lazydiff.memory.selection.rows import ROWS
from lazydiff.memory.selection.selector import Selector
from lazydiff.memory.version import Version
from lazydiff.passes.again import again
from lazydiff.passes.apiece import apiece
from lazydiff.passes.lean import lean
from lazydiff.passes.simplify import simplify
from lazydiff.passes.unpool import unpool
from lazydiff.plan.model import Kind


def versions(store: Store, name: str, step: Step, **stages: bool) -> list[EntryCalls]:
    """The entry as written in every version, and with gradients apart from their updates, where that lowers the peak.

    Each of these also with the parts of what is put together made in its place, if there are such. The options turn
    stages off, see `forms` (memory/budgets/savings.py).
    """
    fused = stages.pop("fused", True)
    made = [written(store, name, step, roots, fused) for roots in forms(step, **stages)]
    if not stages.get("spared", True):
        return made
    unit = alignment_unit(values(made))
    return [v.entry for v in grown([Version(e, unit, False) for e in made], len(made))]


def grown(made: list[Version], forms: int) -> list[Version]:
    """The versions as written, of so many, those with gradients apart, and each of these with parts in their whole."""
    found = made + apart(made, forms)
    return found + [Version(e, v.unit_bytes, v.remake) for v in found if (e := in_parts(v.entry)) is not None]


def values(entries: Iterable[EntryCalls]) -> Iterator[Value]:
    """All values that the calls touch."""
    return (v for e in entries for u in e.units for c in u.calls for v in (*c.reads, *c.writes))


def forms(step: Step, *, repeated: bool = True, divided: bool = True, spared: bool = True) -> list[list[Tensor]]:
    """The step's roots, with cheap values computed again, and by each reader, if it has such; in micro-batches.

    Each of these also with what is only compared kept as a bit each, and new states made before the parameter
    (`spared`); these also with the gradients of pooled feature maps made a row at a time. The options turn stages off.
    """
    roots = simplify(step.roots)
    found = [r for r in (roots, again(roots) if repeated else None) if r is not None]
    if repeated and (each := apiece(found[-1])) is not None:
        found.append(each)
    if isinstance(step.micro_batches, int) and divided:
        from lazydiff.passes.split_batch import split  # with a rule for each op; few steps are split

        found = [split(r, step.micro_batches) for r in found]
    if spared:
        less = [r for each in found if (r := lean(each, len(step.outputs))) is not None]
        found += [*less, *(r for each in less or found if (r := unpool(each)) is not None)]
    return found


def written(store: Store, name: str, step: Step, roots: list[Tensor], fused: bool = True) -> EntryCalls:
    """The calls of an entry in one of its forms; without `fused` each node of its own."""
    targets = [leaf for leaf, _ in step.updates]
    outputs = dict(zip(step.outputs, roots[: len(step.outputs)], strict=True))
    zeros = {k: t for k, t in outputs.items() if is_zero(t)}
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
    entry.copied.append(old)
    entry.updates = [(o, final if n is new else n) for o, n in entry.updates]
