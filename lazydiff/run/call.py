"""What one entry's C call needs, made once. With native.py the only file that touches cffi objects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from lazydiff.run.info import EntryInfo


class Call:
    """One entry's C call with its pointers.

    Arrays must be C-contiguous, of the symbols' dtypes and shapes, and alive until the call returns; one thread at a
    time.
    """

    __slots__ = ("_call", "_entry", "_ffi", "_from_buffer", "_inputs", "_kept", "_lib", "_model", "_outputs")

    def __init__(self, ffi: Any, lib: Any, model: Any, entry: EntryInfo) -> None:
        self._ffi, self._lib, self._model, self._entry = ffi, lib, model, entry.number
        self._call, self._from_buffer = lib.lzd_call, ffi.from_buffer
        self._inputs, self._outputs = (ffi.new("void *[]", max(len(s), 1)) for s in (entry.inputs, entry.outputs))

    def set_output(self, index: int, array: np.ndarray) -> None:
        """Where an output goes from now on. The array must be writeable."""
        self._outputs[index] = self._from_buffer(array, require_writable=True)

    def run(self, inputs: Sequence[np.ndarray]) -> int:
        """Copy the inputs in, run the entry, copy the outputs out; the status."""
        pointers, from_buffer = self._inputs, self._from_buffer
        index = 0
        for array in inputs:
            pointers[index] = from_buffer(array)
            index += 1  # noqa: SIM113 - this is the hot path, and enumerate costs more
        return self._call(self._model, self._entry, pointers, self._outputs)  # type: ignore[no-any-return]

    def repeat(self, inputs: Sequence[np.ndarray], times: int) -> int:
        """`run` in a C loop, `times` times or until one fails; the status."""
        for index, array in enumerate(inputs):
            self._inputs[index] = self._from_buffer(array)
        return int(self._lib.lzd_repeat(self._model, self._entry, self._inputs, self._outputs, times))

    def fixed(self, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> Callable[[], int]:
        """`run` on these arrays for good, as a function that returns the status. It keeps the arrays alive."""
        self._kept = (
            [self._from_buffer(a) for a in inputs],
            [self._from_buffer(a, require_writable=True) for a in outputs],
        )
        self._inputs[0 : len(inputs)], self._outputs[0 : len(outputs)] = self._kept
        return partial(self._call, self._model, self._entry, self._inputs, self._outputs)

    def along(
        self, inputs: Sequence[np.ndarray], input_bytes: Sequence[int], outputs: Sequence[np.ndarray], times: int
    ) -> tuple[int, int]:
        """`run` in a C loop along arrays that hold the values of `times` runs one after the other: (status, runs done).

        `input_bytes`: how far each input moves on from run to run. `outputs` have `times` as their first extent.
        """
        kept = [self._from_buffer(a) for a in inputs], [self._from_buffer(a, require_writable=True) for a in outputs]
        pointers = [self._ffi.new("void *[]", p) for p in kept]
        steps = [self._ffi.new("size_t[]", b) for b in (input_bytes, [a.nbytes // times for a in outputs])]
        done = self._ffi.new("uint32_t *")
        sides = (pointers[0], steps[0], len(inputs), pointers[1], steps[1], len(outputs))
        status = self._lib.lzd_call_along(self._model, self._entry, *sides, times, done)
        return int(status), int(done[0])

    def repeat_counted(self, inputs: Sequence[np.ndarray], times: int, count_address: int) -> tuple[int, int]:
        """`repeat`, and how far the counter at an address (HeapCounter) moved meanwhile: (status, heap calls)."""
        for index, array in enumerate(inputs):
            self._inputs[index] = self._from_buffer(array)
        calls = self._ffi.new("uint64_t *")
        count = self._ffi.cast("uint64_t (*)(void)", count_address)
        status = self._lib.lzd_repeat_counted(
            self._model, self._entry, self._inputs, self._outputs, times, count, calls
        )
        return int(status), int(calls[0])
