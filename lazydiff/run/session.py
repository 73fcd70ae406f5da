"""Runs a plan: names and arrays in, one C call a step, values out."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lazydiff.errors import InputError, LazydiffError
from lazydiff.plan.model import Plan
from lazydiff.run.arrays import admit, list_names, names_error, out_arrays, value_error
from lazydiff.run.native import EntryInfo, HeapCounter, Model, SymbolInfo

Scalar = float | int | bool
Value = Scalar | np.ndarray
Result = Value | Mapping[str, Value]
Array = np.ndarray | Scalar
Out = np.ndarray | Mapping[str, np.ndarray]


class Session:
    """A plan with its RAM: `s.train(x=xb, y=yb)`, one attribute for each entry.

    `plan` is a Plan, the path of a `.lzp` file, or its bytes. The session takes one block of exactly `ram_bytes` bytes
    and nothing else grows after that. Raises PlanError for a plan that breaks a rule of plan/SPEC.md, ToolError where
    the C extension is missing, OSError for a file that can't be read.

    Threads may share a session: its calls wait for each other.
    """

    def __init__(self, plan: Plan | str | os.PathLike[str] | bytes) -> None:
        if isinstance(plan, Plan):
            data, where = plan.to_bytes(), "plan"
        elif isinstance(plan, bytes | bytearray | memoryview):
            data, where = bytes(plan), "plan"
        else:
            data, where = Path(plan).read_bytes(), os.fspath(plan)
        self._where = where
        self._model = Model(data, where)
        self._lock = threading.Lock()
        self._state = {s.name: s for s in self._model.state}
        self._entries = {e.name: EntryCall(self._model, e, self._lock) for e in self._model.entries}
        for name, call in self._entries.items():
            if not hasattr(type(self), name) and not name.startswith("_"):  # one called `read` is reached through run()
                setattr(self, name, call)

    def __getattr__(self, name: str) -> EntryCall:
        """Only reached for a name that is no entry."""
        if name.startswith("_"):
            raise AttributeError(name)
        raise AttributeError(f"Session has no entry {name!r}; {list_names('entries', self._entries)}")

    def __repr__(self) -> str:
        return f"<Session of {self._where}: {', '.join(self._entries)}; {self.ram_bytes} bytes of RAM>"

    @property
    def ram_bytes(self) -> int:
        """All the RAM the plan runs in, the executor's own bytes included."""
        return self._model.ram.nbytes

    @property
    def entries(self) -> tuple[str, ...]:
        """The entries' names, in the plan's order."""
        return tuple(self._entries)

    def entry(self, name: str) -> EntryCall:
        """An entry by name. Raises InputError for a name that is none."""
        if name not in self._entries:
            raise InputError(f"no entry {name!r}\n  {list_names('entries', self._entries)}")
        return self._entries[name]

    def run(self, entry: str, /, *, out: Out | None = None, **inputs: Array) -> Result:
        """Run an entry by name: see EntryCall."""
        return self.entry(entry)(out=out, **inputs)

    def arrays(self, entry: str, /, **inputs: Array) -> dict[str, np.ndarray]:
        """Run an entry; all its outputs by name and as arrays, even a single one or a number."""
        call = self.entry(entry)
        found = call(out=None, **inputs)
        values = found if isinstance(found, Mapping) else {call.outputs[0].name: found}
        return {name: np.asarray(value) for name, value in values.items()}

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
        value = admit(f"write: {name!r}", symbol, array)
        with self._lock:
            status = self._model.write(symbol, value)
            if status:
                failure = self._model.failure(status)
                if failure.is_input:
                    raise value_error(f"write: {name!r}", symbol, value, failure.item)
                raise LazydiffError(f"write: {name!r}: {failure.text}")

    def state(self) -> dict[str, np.ndarray]:
        """Copies of every parameter and state by name; `write` puts one back."""
        with self._lock:
            return {name: self._copy(symbol) for name, symbol in self._state.items()}

    def reset(self) -> None:
        """Set parameters and state to the plan's first values."""
        with self._lock:
            self._model.reset()

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


class EntryCall:
    """One entry as a function of its inputs, given by name.

    An input is a C-contiguous array of the input's dtype and shape; it is only read, so it may be read-only. For a
    shape of () a Python or numpy scalar will do. One output is returned bare, several as a dict by name: a fresh array,
    or a Python number where the shape is (). With `out=` (an array; for several outputs a dict of them) outputs are
    written there and it is returned.

    Raises InputError for a missing or unknown name, a wrong dtype or shape, an array that is not contiguous, a
    read-only `out`, a label out of range, a value that must be finite and is not; then no parameter was touched.
    """

    __slots__ = ("_call", "_entry", "_fresh", "_lock", "_model", "_own", "_specs", "name")

    def __init__(self, model: Model, entry: EntryInfo, lock: threading.Lock) -> None:
        self._model, self._entry, self._lock, self.name = model, entry, lock, entry.name
        self._call = model.call(entry)
        self._specs = tuple((s.name, s.dtype.numpy, s.shape, s) for s in entry.inputs)
        # Scalars go to arrays of this call's own, whose pointers are set once; other outputs get a new array each time.
        self._own = [np.empty((), s.dtype.numpy) for s in entry.outputs]
        self._fresh = tuple((i, s.shape, s.dtype.numpy) for i, s in enumerate(entry.outputs) if s.shape)
        self._point(self._own)

    @property
    def inputs(self) -> tuple[SymbolInfo, ...]:
        """The inputs: names, shapes, dtypes."""
        return self._entry.inputs

    @property
    def outputs(self) -> tuple[SymbolInfo, ...]:
        """The outputs: names, shapes, dtypes."""
        return self._entry.outputs

    def __repr__(self) -> str:
        return f"<entry {self.name}({', '.join(f'{s.name}: {s.dtype} {s.shape}' for s in self.inputs)})>"

    def __call__(self, /, *, out: Out | None = None, **inputs: Array) -> Result:
        """Run the entry once; see the class."""
        arrays = self._admit(inputs)
        if out is not None:
            return self._into(out, arrays, 1)
        with self._lock:
            made = self._targets()
            status = self._call.run(arrays)
            if status:
                raise self._failed(status, arrays)
            return self._result(made)

    def repeat(self, times: int, /, *, out: Out | None = None, **inputs: Array) -> Result:
        """Run the entry `times` times on the same inputs in one C call; the last run's outputs."""
        if not 1 <= times < 2**32:
            raise InputError(f"{self.name}: can't run {times} times\n  try: a number from 1 to 2**32 - 1")
        arrays = self._admit(inputs)
        if out is not None:
            return self._into(out, arrays, times)
        with self._lock:
            made = self._targets()
            status = self._call.repeat(arrays, times)
            if status:
                raise self._failed(status, arrays)
            return self._result(made)

    def repeat_counted(self, times: int, counter: HeapCounter, /, **inputs: Array) -> int:
        """`repeat`; how many heap calls the process made while C ran (lazydiff/run/heap.py)."""
        arrays = self._admit(inputs)
        with self._lock:
            made = self._targets()  # alive until the call is over
            status, calls = self._call.repeat_counted(arrays, times, counter)
            del made
            if status:
                raise self._failed(status, arrays)
            return calls

    def _admit(self, inputs: Mapping[str, Array]) -> list[np.ndarray]:
        """The inputs in the plan's order. This is the hot path: what is as it should be costs four comparisons."""
        if len(inputs) != len(self._specs):
            raise names_error(self.name, [s.name for s in self.inputs], inputs)
        arrays: list[np.ndarray] = []
        for name, dtype, shape, symbol in self._specs:
            if name not in inputs:
                raise names_error(self.name, [s.name for s in self.inputs], inputs)
            value = inputs[name]
            if not (
                type(value) is np.ndarray and value.dtype is dtype and value.shape == shape and value.flags.c_contiguous
            ):
                value = admit(f"{self.name}: input {name!r}", symbol, value)
            arrays.append(value)
        return arrays

    def _point(self, arrays: Sequence[np.ndarray]) -> None:
        for index, array in enumerate(arrays):
            self._call.set_output(index, array)

    def _targets(self) -> list[np.ndarray]:
        made = self._own
        if self._fresh:
            made = made.copy()
            for index, shape, dtype in self._fresh:
                made[index] = array = np.empty(shape, dtype)
                self._call.set_output(index, array)
        return made

    def _into(self, out: Out, arrays: list[np.ndarray], times: int) -> Result:
        targets = out_arrays(self.name, self.outputs, out)
        with self._lock:
            try:
                self._point(targets)
                status = self._call.repeat(arrays, times)
            finally:
                self._point(self._own)
            if status:
                raise self._failed(status, arrays)
        return out

    def _result(self, made: list[np.ndarray]) -> Result:
        if len(made) == 1:
            return made[0] if made[0].ndim else made[0].item()
        return {s.name: a if a.ndim else a.item() for s, a in zip(self.outputs, made, strict=True)}

    def _failed(self, status: int, arrays: Sequence[np.ndarray]) -> LazydiffError:
        failure = self._model.failure(status)
        for symbol, array in zip(self.inputs, arrays, strict=True):
            if failure.is_input and failure.at == symbol.number:
                return value_error(f"{self.name}: input {symbol.name!r}", symbol, array, failure.item)
        return LazydiffError(f"{self.name}: {failure.text} (number {failure.at})")
