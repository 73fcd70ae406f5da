"""The oracle: runs the same plan step by step with each kernel's numpy meaning, in the same bytes of one RAM block."""

from __future__ import annotations

import numpy as np

from lazydiff.errors import InputError
from lazydiff.kernels.program import run_program
from lazydiff.kernels.signature import extent_elements
from lazydiff.plan.model import MAP, Check, Entry, Plan, Region, Step, Symbol


class Reference:
    """A slow Session for tests and for readers: `run(entry, **inputs)` gives the outputs by name."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.blocks = [np.zeros(r.used_bytes, np.uint8) for r in plan.regions]
        self.ram = self.blocks[0]
        self._consts = np.frombuffer(plan.consts + b"\0", np.uint8)
        self.reset()

    def reset(self) -> None:
        """Set parameters and state to their first values."""
        for s in self.plan.state:
            b = self.plan.buffers[s.buffer]
            if b.region.in_ram:
                self._bytes(s.buffer)[:] = 0
                if s.init is not None:
                    self._bytes(s.buffer)[:] = np.frombuffer(self.plan.init, np.uint8)[s.init : s.init + b.size_bytes]

    def _bytes(self, buffer: int) -> np.ndarray:
        b = self.plan.buffers[buffer]
        if b.region == Region.ZERO:
            return np.zeros(b.size_bytes, np.uint8)
        return (self.blocks[b.region.number] if b.region.in_ram else self._consts)[b.offset : b.end]

    def array(self, buffer: int) -> np.ndarray:
        """The flat array that lies in a buffer (a view of its block of RAM)."""
        return self._bytes(buffer).view(self.plan.buffers[buffer].dtype.numpy)

    def read(self, name: str) -> np.ndarray:
        """A copy of a parameter or state."""
        symbol = next(s for s in self.plan.state if s.name == name)
        return self.array(symbol.buffer).reshape(symbol.shape).copy()

    def write(self, name: str, value: np.ndarray) -> None:
        """Set a parameter or state."""
        symbol = next(s for s in self.plan.state if s.name == name)
        self.array(symbol.buffer)[:] = np.asarray(value).reshape(-1)

    def run(self, entry_name: str, /, **inputs: object) -> dict[str, np.ndarray]:
        """Run an entry on inputs by name; its outputs by name."""
        entry = self.plan.entry(entry_name)
        self._take(entry, inputs)
        group: list[Step] = []
        for step in entry.steps:
            group.append(step)
            if not step.tile_rows:
                self._group(group)
                group = []
        return {s.name: self.array(s.buffer).reshape(s.shape).copy() for s in entry.outputs}

    def _take(self, entry: Entry, inputs: dict[str, object]) -> None:
        if set(inputs) != {s.name for s in entry.inputs}:
            raise InputError(f"entry {entry.name!r} takes {[s.name for s in entry.inputs]}, not {sorted(inputs)}")
        arrays = []
        for s in entry.inputs:
            array = np.asarray(inputs[s.name])
            _check(s, array)
            arrays.append((s, array))
        for s, array in arrays:
            self.array(s.buffer)[:] = array.reshape(-1)

    def _group(self, steps: list[Step]) -> None:
        rows = steps[0].rows
        for begin in range(0, rows, steps[0].tile_rows) if steps[0].tile_rows else [0]:
            end = min(rows, begin + steps[0].tile_rows) if steps[0].tile_rows else rows
            for step in steps:
                first, last = (at * step.rows // rows if rows else at for at in (begin, end))
                later = step is not steps[0] and step.kernel != MAP
                arrays = [self.array(b) for b in step.operands]
                self._step(step, _images(step, arrays, first, last) if later else arrays, first, last)

    def _step(self, step: Step, arrays: list[np.ndarray], begin: int, end: int) -> None:
        if step.kernel == MAP:
            program = step.program
            n_in, n_out = len(program.inputs), len(program.outputs)
            run_program(program, arrays[:n_in], arrays[n_in : n_in + n_out], step.dtype, begin, end)
        else:
            names = (o.name for o in step.declared.operands)
            step.declared.meaning(dict(zip(names, arrays, strict=True)), step.values, begin, end)


def _images(step: Step, arrays: list[np.ndarray], begin: int, end: int) -> list[np.ndarray]:
    """A step's operands for its rows begin .. end-1, each an image: a tile in its place among what must not be read."""
    found = []
    for array, operand in zip(arrays, step.declared.operands, strict=True):
        elements = extent_elements(operand.extent, step.values)
        row, whole = elements // step.rows, len(array) >= elements
        if operand.mode == "in" and not whole:
            array, tile = np.full(elements, 255 if array.dtype == np.uint8 else np.nan, array.dtype), array
            array[begin * row : end * row] = tile[: (end - begin) * row]
        found.append(array[begin * row :] if operand.mode == "out" and whole else array)
    return found


def _check(s: Symbol, array: np.ndarray) -> None:
    if array.shape != s.shape:
        raise InputError(f"input {s.name!r} has shape {array.shape}, the plan takes {s.shape}")
    if s.check == Check.RANGE and (array.min() < s.low or array.max() > s.high):
        raise InputError(f"input {s.name!r} has a value outside {s.low} .. {s.high}")
    if s.check == Check.FINITE and not np.isfinite(array).all():
        raise InputError(f"input {s.name!r} holds a NaN or an infinity")
