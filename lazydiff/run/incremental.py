"""An incremental entry as a Python function: of its segments only those run that something changed reaches."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NoReturn

import numpy as np

from lazydiff.errors import InputError
from lazydiff.plan.model import Plan
from lazydiff.plan.segments import Segment
from lazydiff.run.arrays import admit, names_error, out_arrays, refused_element, value_error
from lazydiff.run.entry import Array, EntryCall, Out, Result, Value
from lazydiff.run.info import SymbolInfo

Version = tuple[int, ...]


class Versions:
    """Tells whether a parameter or state may have changed: counts who writes it, entries and the user."""

    def __init__(self, plan: Plan, calls: Mapping[str, EntryCall]) -> None:
        self._writers: dict[str, list[EntryCall]] = {s.name: [] for s in plan.state}
        name_of = {s.buffer: s.name for s in plan.state}
        for entry in plan.entries:
            for old, _ in entry.updates:
                self._writers[name_of[old]].append(calls[entry.name])
        self._written = dict.fromkeys(self._writers, 0)
        self.resets = 0

    def of(self, state: str) -> Version:
        """A value that differs from an earlier one if the state was written in between."""
        return self._written[state], *(call.runs for call in self._writers[state])

    def wrote(self, state: str) -> None:
        """The user has written a state."""
        self._written[state] += 1

    def reset(self) -> None:
        """Every state is back at its first value: nothing that was kept is valid."""
        self.resets += 1


class _Part:
    """A segment, and the versions of the states it last read (None: what it keeps is not valid)."""

    def __init__(self, segment: Segment, call: EntryCall) -> None:
        self.call, self.keeps, self.writes = call, segment.keeps, segment.writes
        self.reads = sorted(segment.reads)
        self.seen: list[Version] | None = None


class IncrementalCall:
    """An incremental entry as a function of those of its inputs that changed, given by name.

    The first call takes every input. Later ones rerun the segments that a given input reaches, and those that a
    parameter or state reaches which an entry or the user has written since; the other outputs are what they were. With
    `changed=` (names of given inputs) only those count as changed; others may be given too, and are read where a
    segment has to run again for another reason. Results equal a run with every input, bit for bit.

    Inputs, outputs and `out=` are as EntryCall's. Raises InputError for what EntryCall does, and for an input that is
    needed and was not given; then nothing has run.
    """

    __slots__ = ("_lock", "_parts", "_read", "_resets", "_versions", "inputs", "name", "outputs")

    def __init__(
        self,
        name: str,
        segments: Sequence[Segment],
        calls: Sequence[EntryCall],
        versions: Versions,
        lock: threading.RLock,
        read: Callable[[str], np.ndarray],
    ) -> None:
        self.name, self._versions, self._lock, self._read = name, versions, lock, read
        self._parts = [_Part(s, c) for s, c in zip(segments, calls, strict=True)]
        self._resets = versions.resets
        self.inputs: tuple[SymbolInfo, ...] = tuple(s for c in calls for s in c.inputs)
        self.outputs: tuple[SymbolInfo, ...] = tuple(s for c in calls for s in c.outputs)

    def __repr__(self) -> str:
        inputs = ", ".join(f"{s.name}: {s.dtype} {s.shape}" for s in self.inputs)
        return f"<incremental entry {self.name}({inputs}) of {len(self._parts)} segments>"

    def __call__(self, /, *, changed: Collection[str] | None = None, out: Out | None = None, **inputs: Array) -> Result:
        """Run what has to run; see the class."""
        with self._lock:
            targets = None if out is None else out_arrays(self.name, self.outputs, out)
            due = self._due(self._changed(changed, inputs))
            arrays = self._admit(due, inputs)
            values: dict[str, Value] = {}
            for part in due:
                part.seen = None
            for part in due:
                values |= self._run(part, arrays)
            for part in self._parts:
                if part not in due:
                    values |= {name: self._kept(state) for name, state in part.keeps.items()}
            if targets is not None:
                for symbol, target in zip(self.outputs, targets, strict=True):
                    target[...] = values[symbol.name]
                return out  # type: ignore[return-value]
            return values[self.outputs[0].name] if len(self.outputs) == 1 else values

    def due(self, changed: Collection[str] = ()) -> tuple[str, ...]:
        """The names of the segments that a call would run, were these inputs given."""
        with self._lock:
            return tuple(p.call.name for p in self._due(self._changed(None, dict.fromkeys(changed, 0))))

    def repeat(self, times: int, /, *, out: Out | None = None, **inputs: Array) -> Result:
        """Refused: a second run on the same inputs would run nothing. Raises InputError."""
        raise InputError(
            f"{self.name}: an incremental entry does not repeat: on the same inputs nothing is left to run\n"
            f"  try: {self.name}(...), or repeat one of {', '.join(p.call.name for p in self._parts)}"
        )

    def bind(self, /, **inputs: Array) -> NoReturn:
        """Refused: which segments a bound call would have to run is not known before it. Raises InputError."""
        raise InputError(f"{self.name}: an incremental entry does not bind arrays\n  try: {self.name}(...)")

    def many(self, /, **inputs: Array) -> NoReturn:
        """Refused: it would run every segment for each batch, so there is nothing to be saved. Raises InputError."""
        raise InputError(
            f"{self.name}: an incremental entry does not run along larger arrays\n"
            f"  try: a loop over {self.name}(...), or an entry that is not incremental"
        )

    def _changed(self, changed: Collection[str] | None, inputs: Mapping[str, Array]) -> set[str]:
        names = [s.name for s in self.inputs]
        if any(n not in names for n in inputs):
            raise names_error(self.name, [n for n in names if n in inputs], inputs)
        fresh = set(inputs) if changed is None else {changed} if isinstance(changed, str) else set(changed)
        if absent := sorted(fresh - set(inputs)):
            raise InputError(
                f"{self.name}: changed names {', '.join(map(repr, absent))}, not given\n  try: give them too"
            )
        return fresh

    def _due(self, changed: set[str]) -> list[_Part]:
        """The segments that must run, in order: a changed input or state reaches them, or one that is due before."""
        if self._resets != self._versions.resets:
            self._resets = self._versions.resets
            for part in self._parts:
                part.seen = None
        due: list[_Part] = []
        written: set[str] = set()
        for part in self._parts:
            if (
                part.seen is None
                or len(part.keeps) < len(part.call.outputs)  # the last segment: any input reaches it, so it keeps none
                or any(s.name in changed for s in part.call.inputs)
                or any(s in written for s in part.reads)
                or part.seen != [self._versions.of(s) for s in part.reads]
            ):
                due.append(part)
                written |= part.writes
        return due

    def _admit(self, due: Sequence[_Part], inputs: Mapping[str, Array]) -> dict[str, np.ndarray]:
        """The arrays that the due segments read. Raises InputError before any of them has run."""
        if missing := [(p, s.name) for p in due for s in p.call.inputs if s.name not in inputs]:
            part, name = missing[0]
            with_it = [s.name for s in part.call.inputs if s.name in inputs]
            if part.seen is None:
                why = "nothing is kept of it yet"
            elif with_it:
                why = f"it changes together with {', '.join(map(repr, with_it))}"
            else:
                stale = [s for s, v in zip(part.reads, part.seen, strict=True) if v != self._versions.of(s)]
                changes = f"{', '.join(map(repr, stale)) or 'nothing'} has changed since"
                why = f"{changes}, and the input is not kept (ld.incremental(.., keep=[{name!r}]) does that)"
            wanted = ", ".join(f"{n}=..." for n in dict.fromkeys([*inputs, *(n for _, n in missing)]))
            raise InputError(f"{self.name}: missing {name!r}: {why}\n  try: {self.name}({wanted})")
        arrays = {}
        for symbol in (s for p in due for s in p.call.inputs):
            where = f"{self.name}: input {symbol.name!r}"
            array = arrays[symbol.name] = admit(where, symbol, inputs[symbol.name])
            if (element := refused_element(symbol, array)) is not None:
                raise value_error(where, symbol, array, element)
        return arrays

    def _run(self, part: _Part, arrays: Mapping[str, np.ndarray]) -> dict[str, Value]:
        found = part.call(**{s.name: arrays[s.name] for s in part.call.inputs})
        part.seen = [self._versions.of(s) for s in part.reads]
        return dict(found) if isinstance(found, Mapping) else {part.call.outputs[0].name: found}

    def _kept(self, state: str) -> Value:
        """The value of an output whose segment need not run."""
        array = self._read(state)
        return array if array.ndim else array.item()
