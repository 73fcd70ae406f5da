"""One entry of an opened plan as a Python function: arrays by name in, one C call, values out."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

import numpy as np

from lazydiff.errors import InputError, LazydiffError
from lazydiff.run.arrays import admit, names_error, out_arrays, value_error
from lazydiff.run.native import EntryInfo, HeapCounter, Model, SymbolInfo

Scalar = float | int | bool
Value = Scalar | np.ndarray
Result = Value | Mapping[str, Value]
Array = np.ndarray | Scalar
Out = np.ndarray | Mapping[str, np.ndarray]


class EntryCall:
    """One entry as a function of its inputs, given by name.

    An input is a C-contiguous array of the input's dtype and shape; it is only read, so it may be read-only. For a
    shape of () a Python or numpy scalar will do. One output is returned bare, several as a dict by name: a fresh array,
    or a Python number where the shape is (). With `out=` (an array; for several outputs a dict of them) outputs are
    written there and it is returned.

    Raises InputError for a missing or unknown name, a wrong dtype or shape, an array that is not contiguous, a
    read-only `out`, a label out of range, a value that must be finite and is not; then no parameter was touched.
    """

    __slots__ = ("_call", "_entry", "_fresh", "_lock", "_model", "_own", "_specs", "name", "runs")

    def __init__(self, model: Model, entry: EntryInfo, lock: threading.RLock) -> None:
        self._model, self._entry, self._lock, self.name = model, entry, lock, entry.name
        self.runs = 0  # how often C was called: whoever depends on a state this entry writes compares it
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
            self.runs += 1
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
            self.runs += 1
            status = self._call.repeat(arrays, times)
            if status:
                raise self._failed(status, arrays)
            return self._result(made)

    def repeat_counted(self, times: int, counter: HeapCounter, /, **inputs: Array) -> int:
        """`repeat`; how many heap calls the process made while C ran (lazydiff/run/heap.py)."""
        arrays = self._admit(inputs)
        with self._lock:
            made = self._targets()  # alive until the call is over
            self.runs += 1
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
            self.runs += 1
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
