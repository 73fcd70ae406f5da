"""Runs a plan: names and arrays in, one C call a step, values out."""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Mapping
from typing import Literal, get_args

import numpy as np

from lazydiff.errors import InputError, LazydiffError
from lazydiff.plan.codec import decode
from lazydiff.plan.model import Plan
from lazydiff.plan.segments import incremental_entries
from lazydiff.run.arrays import admit, list_names, value_error
from lazydiff.run.entry import Array, EntryCall, Out, Result
from lazydiff.run.incremental import IncrementalCall, Versions
from lazydiff.run.info import SymbolInfo
from lazydiff.run.native import Model

Maps = Literal["interpreted", "compiled"]


class Session:
    """A plan with its RAM: `s.train(x=xb, y=yb)`, one attribute for each entry.

    `plan` is a Plan, the path of a `.lzp` file, or its bytes. The session takes a block for each region of RAM, exactly
    `ram_bytes` bytes together, and nothing else grows after that. Raises PlanError for a plan that breaks a rule of
    plan/SPEC.md, ToolError where the C extension is missing or LZD_SIMD names no set of
    kernels, OSError for a file that can't be read.

    With `threads=4` steps with enough to do are cut into ranges of rows, for threads that are started here; the
    results are the same bits. Their stacks and scratch are memory beside `ram_bytes`. `close()` joins them, as does the
    end of the session; a forked child goes on with one. Raises InputError for a number that is not 1 to 64.

    With `maps="compiled"` elementwise programs run as loops that this machine's C compiler made of them: the same bits,
    in a half to nine tenths of a step's time, most on small networks and where the update is most of the work. The
    compiler takes a second or two the first time; what it made is kept in the user's cache folder (run/compiled.py).
    Raises ToolError where there is none, InputError for another word than "interpreted" and "compiled".

    Threads may share a session: its calls wait for each other.
    """

    def __init__(
        self, plan: Plan | str | os.PathLike[str] | bytes, threads: int = 1, maps: Maps = "interpreted"
    ) -> None:
        if maps not in get_args(Maps):
            raise InputError(f"maps={maps!r}\n  try: {' or '.join(map(repr, get_args(Maps)))}")
        if isinstance(plan, Plan):
            data, where = plan.to_bytes(), "plan"
        elif isinstance(plan, bytes | bytearray | memoryview):
            data, where = bytes(plan), "plan"
        else:
            where = os.fspath(plan)
            with open(plan, "rb") as file:
                data = file.read()
        self._where = where
        self._model = Model(data, where)
        self._maps = maps
        if maps == "compiled":
            from lazydiff.run.compiled import compile_maps  # with all that it takes to run a compiler

            found = compile_maps(plan if isinstance(plan, Plan) else decode(data), self._model.simd)
            self._model.use_maps(found.functions if found else {})
        if threads != 1:
            self._model.start_threads(threads)
        self._lock = threading.RLock()
        self._state = {s.name: s for s in self._model.state}
        self._calls = {e.name: EntryCall(self._model, e, self._lock) for e in self._model.entries}
        self._entries: dict[str, EntryCall | IncrementalCall] = dict(self._calls)
        self._kept: dict[str, str] = {}  # states that are an incremental entry's own: the entry by name
        self._versions: Versions | None = None
        if any(name.endswith(".0") for name in self._calls):
            self._find_incremental(plan if isinstance(plan, Plan) else decode(data))
        for name, call in self._entries.items():
            if not hasattr(type(self), name) and not name.startswith("_"):  # one called `read` is reached through run()
                setattr(self, name, call)

    def _find_incremental(self, plan: Plan) -> None:
        """Put each incremental entry in the place of its segments, which `entry()` still finds by name."""
        found = incremental_entries(plan)
        versions = self._versions = Versions(plan, self._calls)
        for name, segments in found.items():
            calls = [self._calls[s.entry.name] for s in segments]
            made = IncrementalCall(name, segments, calls, versions, self._lock, self.read)
            self._kept |= {state: name for s in segments for state in s.writes}
            names = list(self._entries.items())
            at = next(i for i, (n, _) in enumerate(names) if n == calls[0].name)
            own = {c.name for c in calls}
            self._entries = dict([*names[:at], (name, made), *(p for p in names[at:] if p[0] not in own)])

    def __getattr__(self, name: str) -> EntryCall | IncrementalCall:
        """Only reached for a name that is no entry."""
        if name.startswith("_"):
            raise AttributeError(name)
        raise AttributeError(f"Session has no entry {name!r}; {list_names('entries', self._entries)}")

    def __repr__(self) -> str:
        return f"<Session of {self._where}: {', '.join(self._entries)}; {self.ram_bytes} bytes of RAM>"

    @property
    def ram_bytes(self) -> int:
        """All the RAM the plan runs in, the executor's own bytes included."""
        return sum(block.nbytes for block in self._model.blocks)

    @property
    def regions(self) -> dict[str, int]:
        """Bytes of RAM by region, in the plan's order; one called "ram" where the plan names none."""
        return {n: b.nbytes for n, b in zip(self._model.regions, self._model.blocks, strict=True)}

    @property
    def simd(self) -> str:
        """The instruction set whose kernels run: "avx512", "avx2", "neon" or "scalar". All give the same bits.

        It is the fastest that the machine has, unless the environment's LZD_SIMD names another when the session is
        made.
        """
        return self._model.simd

    @property
    def maps(self) -> str:
        """How elementwise programs run: "interpreted" or "compiled"."""
        return self._maps

    @property
    def threads(self) -> int:
        """How many threads run a large step, the caller's among them."""
        return self._model.threads

    def close(self) -> None:
        """End and join the session's threads. It still runs, on the caller's thread alone."""
        with self._lock:
            self._model.stop_threads()

    @property
    def entries(self) -> tuple[str, ...]:
        """The entries' names, in the plan's order."""
        return tuple(self._entries)

    def entry(self, name: str) -> EntryCall | IncrementalCall:
        """An entry by name, a segment of an incremental one too. Raises InputError for a name that is none."""
        found = self._entries.get(name) or self._calls.get(name)
        if found is None:
            raise InputError(f"no entry {name!r}\n  {list_names('entries', self._entries)}")
        return found

    def run(self, entry: str, /, *, out: Out | None = None, **inputs: Array | Collection[str]) -> Result:
        """Run an entry by name: see EntryCall, and IncrementalCall for `changed=`."""
        return self.entry(entry)(out=out, **inputs)  # type: ignore[arg-type]

    def arrays(self, entry: str, /, **inputs: Array) -> dict[str, np.ndarray]:
        """Run an entry; all its outputs by name and as arrays, even a single one or a number."""
        call = self.entry(entry)
        found = self.run(entry, out=None, **inputs)
        values = found if isinstance(found, Mapping) else {call.outputs[0].name: found}
        return {s.name: np.asarray(values[s.name], s.dtype.numpy) for s in call.outputs}

    def repeat(self, entry: str, times: int, /, *, out: Out | None = None, **inputs: Array) -> Result:
        """Run an entry `times` times (at least once) on the same inputs in one C call; the last run's outputs."""
        return self.entry(entry).repeat(times, out=out, **inputs)

    def read(self, name: str) -> np.ndarray:
        """A copy of a parameter or state. Raises InputError for a name that is neither."""
        symbol = self._symbol(name)
        with self._lock:
            return self._copy(symbol)

    def write(self, name: str, array: Array) -> None:
        """Set a parameter or state; dtype and shape must be its own. Raises InputError; then nothing was written."""
        symbol = self._symbol(name)
        if name in self._kept:
            raise InputError(
                f"write: {name!r} is kept for entry {self._kept[name]!r}\n  try: run the entry with other inputs"
            )
        value = admit(f"write: {name!r}", symbol, array)
        with self._lock:
            status = self._model.write(symbol, value)
            if status:
                failure = self._model.failure(status)
                if failure.is_input:
                    raise value_error(f"write: {name!r}", symbol, value, failure.item)
                raise LazydiffError(f"write: {name!r}: {failure.text}")
            if self._versions:
                self._versions.wrote(name)

    def state(self) -> dict[str, np.ndarray]:
        """Copies of every parameter and state by name; `write` puts one back. What entries keep is not among them."""
        with self._lock:
            return {name: self._copy(symbol) for name, symbol in self._state.items() if name not in self._kept}

    def reset(self) -> None:
        """Set parameters and state to the plan's first values."""
        with self._lock:
            self._model.reset()
            if self._versions:
                self._versions.reset()

    def _symbol(self, name: str) -> SymbolInfo:
        if name not in self._state:
            raise InputError(f"no parameter or state {name!r}\n  {list_names('parameters and state', self._state)}")
        return self._state[name]

    def _copy(self, symbol: SymbolInfo) -> np.ndarray:
        to = np.empty(symbol.shape, symbol.dtype.numpy)
        status = self._model.read(symbol, to)
        if status:
            raise LazydiffError(f"read: {symbol.name!r}: {self._model.failure(status).text}")
        return to
