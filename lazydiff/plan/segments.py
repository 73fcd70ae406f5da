"""Finds a plan's incremental entries: which entries are segments of one, and the states each reads and writes."""

from __future__ import annotations

from dataclasses import dataclass

from lazydiff.plan.model import Entry, Plan


@dataclass(frozen=True, slots=True)
class Segment:
    """One entry of an incremental entry. `keeps` names the state in which an output survives, by output."""

    entry: Entry
    reads: frozenset[str]
    writes: frozenset[str]
    keeps: dict[str, str]


def incremental_entries(plan: Plan) -> dict[str, tuple[Segment, ...]]:
    """The segments of each incremental entry `e`, in the order in which they run: the entries `e.0`, `e.1`, ..."""
    by_name = {e.name: e for e in plan.entries}
    found: dict[str, tuple[Segment, ...]] = {}
    for entry in plan.entries:
        stem, dot, number = entry.name.rpartition(".")
        if dot and stem and number == "0" and stem not in by_name:
            parts: list[Segment] = []
            while (part := by_name.get(f"{stem}.{len(parts)}")) is not None:
                parts.append(_segment(plan, part))
            found[stem] = tuple(parts)
    return found


def _segment(plan: Plan, entry: Entry) -> Segment:
    name_of = {s.buffer: s.name for s in plan.state}
    new_of = {new: name_of[old] for old, new in entry.updates}
    reads = frozenset(name_of[b] for step in entry.steps for b in step.reads if b in name_of)
    keeps = {s.name: new_of[s.buffer] for s in entry.outputs if s.buffer in new_of}
    return Segment(entry, reads, frozenset(new_of.values()), keeps)


def kept_states(plan: Plan) -> dict[str, str]:
    """The states that belong to incremental entries, not to the user: the entry by state."""
    return {name: entry for entry, parts in incremental_entries(plan).items() for p in parts for name in p.writes}
