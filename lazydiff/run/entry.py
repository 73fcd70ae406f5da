"""One entry of an opened plan as a Python function: arrays by name in, one C call, values out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from lazydiff.errors import InputError, LazydiffError
from lazydiff.run.arrays import admit, admit_along, names_error, out_along, out_arrays, value_error
from lazydiff.run.info import EntryInfo, SymbolInfo
from lazydiff.run.native import HeapCounter, Model

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

    __slots__ = (
        "_acquire",
        "_call",
        "_entry",
        "_fresh",
        "_item",
        "_lock",
        "_model",
        "_own",
        "_release",
        "_specs",
        "name",
        "runs",
    )

    def __init__(self, model: Model, entry: EntryInfo, lock: threading.RLock) -> None:
        self._model, self._entry, self._lock, self.name = model, entry, lock, entry.name
        self._acquire, self._release = lock.acquire, lock.release  # a third of what `with` costs
        self.runs = 0  # how often C was called: whoever depends on a state this entry writes compares it
        self._call = model.call(entry)
        self._specs = tuple((s.name, s.dtype.numpy, s.shape, s) for s in entry.inputs)
        # Scalars go to arrays of this call's own, whose pointers are set once; other outputs get a new array each time.
        self._own = [np.empty((), s.dtype.numpy) for s in entry.outputs]
        self._fresh = tuple((i, s.shape, s.dtype.numpy) for i, s in enumerate(entry.outputs) if s.shape)
        self._point(self._own)
        self._item = self._own[0].item if len(self._own) == 1 and not self._fresh else None

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
        self._acquire()
        try:
            made = self._targets() if self._fresh else self._own
            self.runs += 1
            status = self._call.run(arrays)
            if status:
                raise self._failed(status, arrays)
            return self._result(made) if self._item is None else self._item()
        finally:
            self._release()

    def bind(self, /, *, out: Out | None = None, **inputs: Array) -> Bound:
        """The entry with its arrays for good: `step = s.train.bind(x=x, y=y)`, then `x[...] = batch; step()`.

        Inputs and `out` are those of a call. They are judged once, so a call costs little beside C. Raises InputError.
        """
        arrays = self._admit(inputs)
        outputs = [np.empty(s.shape, s.dtype.numpy) for s in self.outputs]
        return Bound(self, arrays, outputs if out is None else out_arrays(self.name, self.outputs, out), out)

    def many(self, /, *, out: Out | None = None, **inputs: Array) -> Result:
        """Run once for each batch of larger arrays, in one C call; the outputs of all runs, stacked.

        An input is n times as long as its shape along the first axis (for a shape of (): n numbers), n the same for
        all; or it has its own shape, and every run takes it as it is. An output of shape s becomes one of (n, *s),
        which `out=` may give. Raises InputError as a call does; where a run refuses a value, the error says how many
        have run.
        """
        if inputs.keys() != {s.name for s in self.inputs}:
            raise names_error(self.name, [s.name for s in self.inputs], inputs)
        admitted = [admit_along(f"{self.name}: input {s.name!r}", s, inputs[s.name]) for s in self.inputs]
        counts = {s.name: count for s, (_, count) in zip(self.inputs, admitted, strict=True) if count}
        if len(set(counts.values())) > 1:
            told = ", ".join(f"{name} {count}" for name, count in counts.items())
            raise InputError(f"{self.name}: inputs for different numbers of runs: {told}\n  try: as many for each")
        times = next(iter(counts.values()), 1)
        arrays = [a.reshape(-1 if count else 1, *s.shape) for s, (a, count) in zip(self.inputs, admitted, strict=True)]
        made = [np.empty((times, *s.shape), s.dtype.numpy) for s in self.outputs]
        outputs = made if out is None else out_along(self.name, self.outputs, out, times)
        with self._lock:
            self.runs += 1
            steps = [s.size_bytes if s.name in counts else 0 for s in self.inputs]
            status, done = self._call.along(arrays, steps, outputs, times)
            if status:
                raise self._failed(status, [a[min(done, len(a) - 1)] for a in arrays], done)
        if out is not None:
            return out
        return made[0] if len(made) == 1 else {s.name: a for s, a in zip(self.outputs, made, strict=True)}

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
            status, calls = self._call.repeat_counted(arrays, times, counter.address)
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
            value = inputs.get(name)
            if value is None and name not in inputs:
                raise names_error(self.name, [s.name for s in self.inputs], inputs)
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
        made = self._own.copy()
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

    def _failed(self, status: int, arrays: Sequence[np.ndarray], done: int = 0) -> LazydiffError:
        """Why C refused the run of these arrays, before which `done` runs of the same call have run."""
        failure = self._model.failure(status)
        for symbol, array in zip(self.inputs, arrays, strict=True):
            if failure.is_input and failure.at == symbol.number:
                return value_error(f"{self.name}: input {symbol.name!r}", symbol, array, failure.item, done)
        return LazydiffError(f"{self.name}: {failure.text} (number {failure.at})")


class Bound:
    """An entry bound to its arrays: called without arguments it runs once on what they hold at that moment.

    Every call returns the same arrays, written anew: `out`, or those that `bind` made. An output of shape () is
    returned as a Python number unless `out` was given. All arrays live as long as this object. Raises InputError for a
    label out of range or a value that must be finite and is not; then no parameter was touched.
    """

    __slots__ = ("_acquire", "_arrays", "_entry", "_release", "_result", "_run")

    def __init__(self, entry: EntryCall, inputs: list[np.ndarray], outputs: list[np.ndarray], out: Out | None) -> None:
        self._entry, self._arrays = entry, inputs
        self._acquire, self._release = entry._acquire, entry._release
        self._run: Callable[[], int] = entry._model.call(entry._entry).fixed(inputs, outputs)
        self._result: Callable[[], Result] = lambda: entry._result(outputs)
        if out is not None:
            self._result = lambda: out
        elif len(outputs) == 1 and not outputs[0].shape:
            self._result = outputs[0].item

    def __call__(self) -> Result:
        """Run the entry once; see the class."""
        self._acquire()
        try:
            self._entry.runs += 1
            status = self._run()
            if status:
                raise self._entry._failed(status, self._arrays)
            return self._result()
        finally:
            self._release()

    def __repr__(self) -> str:
        return f"<{self._entry!r} bound to arrays>"
