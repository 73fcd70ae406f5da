"""The only door to the compiled runtime: opens a plan in its blocks of RAM, with plain Python types outside.

`Model` is an opened plan. The cffi objects stay in this file and in call.py.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import weakref
from collections.abc import Mapping
from typing import Any

import numpy as np

from lazydiff.dtypes import BY_CODE
from lazydiff.errors import InputError, PlanError, ToolError
from lazydiff.plan.model import Check, Kind
from lazydiff.run.call import Call
from lazydiff.run.info import EntryInfo, Failure, SymbolInfo

_native: Any = None
_why = ""
try:
    _native = importlib.import_module("lazydiff.run._native")
except ImportError as error:  # without it plans can still be made, shown and exported
    _why = str(error)

RAM_ALIGN = 16
LEAST_WORK = 1 << 16  # multiply-adds of a step that is worth waking other threads for: tens of microseconds on a Pi
# Words of the plan that lzd.h's structs do not give (plan/SPEC.md).
_H_SYMBOLS, _H_STATE, _H_ENTRIES, _SYMBOL_WORDS, _S_CHECK = 10, 12, 14, 8, 5
_H_STRINGS, _H_REGION, _REGION_WORDS = 21, 29, 3


def extension() -> Any:
    """The compiled module. Raises ToolError, with the command that builds it, where it is missing."""
    if _native is None:
        raise ToolError(
            f"lazydiff.run: the C extension is missing ({_why})\n"
            "  try: pip install -e . in a checkout (needs a C compiler); else pip install --force-reinstall lazydiff"
        )
    return _native


def simd_names() -> list[str]:
    """The instruction sets with kernels in this build that this machine can run, the fastest first."""
    native = extension()
    found: list[str] = []
    while name := native.lib.lzd_simd_name(len(found)):
        found.append(native.ffi.string(name).decode())
    return found


class Model:
    """A plan opened in RAM: `blocks` has an array of exactly the bytes it takes in each region.

    Raises PlanError for bytes that break plan/SPEC.md.
    """

    def __init__(self, plan: bytes, where: str = "plan") -> None:
        native = extension()
        self._ffi, self._lib = native.ffi, native.lib
        # A copy: aligned, and nobody else's to change.
        self._plan = _aligned(max(len(plan), 8), RAM_ALIGN)
        self._plan[: len(plan)] = np.frombuffer(plan, np.uint8)
        source = self._ffi.from_buffer(self._plan)
        sizes = self._ffi.new("uint32_t[]", self._lib.LZD_MAX_REGIONS)
        count = self._lib.lzd_regions(source, len(plan), sizes)
        try:
            self.blocks = [_aligned(sizes[k], RAM_ALIGN) for k in range(count)]
        except MemoryError:
            self.blocks = []  # the plan is checked first, then the blocks are found missing
        self._kept = [self._ffi.from_buffer(block, require_writable=True) for block in self.blocks]
        given = [(at, block.nbytes) for at, block in zip(self._kept, self.blocks, strict=True)]
        slot = self._ffi.new("lzd_model **")
        blocks = self._ffi.new("lzd_block[]", given)
        status = self._lib.lzd_open_regions(slot, source, len(plan), blocks, len(given))
        if status != self._lib.LZD_OK:
            at = self._ffi.new("uint32_t *")
            again = self._lib.lzd_check(source, len(plan), at)
            place = f" (number {at[0]})" if again == status and at[0] else ""
            raise PlanError(
                f"{where}: {self._text(status)}{place}; nothing was loaded\n"
                f"  {len(plan)} bytes; this build reads formats {self._lib.LZD_FORMAT_VERSION} and "
                f"{self._lib.LZD_FORMAT_SEVERAL_REGIONS}, kernel table up to {self._lib.LZD_TABLE_VERSION}\n"
                "  try: copy the file again, or write it again with plan.save() of this version of lazydiff"
            )
        self._model = slot[0]
        self._choose_simd(os.environ.get("LZD_SIMD", ""))
        words = self._plan[: len(plan)].view("<u4")
        try:
            self.regions = (
                self._regions(words) if words[1] & 0xFFFF == self._lib.LZD_FORMAT_SEVERAL_REGIONS else ("ram",)
            )
            self.state = self._symbols(words, 0, int(words[_H_STATE]))
            self.entries = tuple(self._entry(words, number) for number in range(int(words[_H_ENTRIES])))
        except UnicodeDecodeError as error:  # names mean nothing to C, which checks only that they end
            raise PlanError(f"{where}: a name is not UTF-8 ({error}); nothing was loaded") from error

    def _choose_simd(self, name: str) -> None:
        """Run the kernels of another instruction set than the fastest, unless the name is empty."""
        if name and self._lib.lzd_set_simd(self._model, name.encode()) != self._lib.LZD_OK:
            raise ToolError(
                f"LZD_SIMD={name}: {self._text(self._lib.LZD_ERROR_SIMD)}\n  try: {', '.join(simd_names())}"
            )

    @property
    def simd(self) -> str:
        """The instruction set whose kernels run: a name of `simd_names()`."""
        return str(self._ffi.string(self._lib.lzd_simd(self._model)).decode())

    def use_maps(self, functions: Mapping[str, tuple[int, int]]) -> None:
        """Run maps by loaded functions from now on: by compute dtype, addresses as in run/compiled.py."""
        ffi, given = self._ffi, []
        for dtype in ("f32", "f64"):
            function, interpreter = functions.get(dtype, (0, 0))
            given += [ffi.cast("lzd_maps", function), ffi.cast("lzd_maps *", interpreter)]
        self._kernels = ffi.new("uint64_t[]", self._lib.lzd_kernels_bytes() // 8)  # for as long as the model
        self._lib.lzd_set_maps(self._model, self._kernels, *given)

    def start_threads(self, count: int) -> None:
        """Run large steps on so many threads from now on. Raises InputError for a count that can't be."""
        if not 1 <= count <= self._lib.LZD_MAX_THREADS:
            raise InputError(
                f"threads={count}\n  try: a number from 1 to {self._lib.LZD_MAX_THREADS}, such as os.cpu_count()"
            )
        if status := self._lib.lzd_threads_start(self._model, count, LEAST_WORK):
            raise ToolError(f"threads={count}: {self._text(status)}\n  try: fewer threads")
        if count > 1:
            _with_threads.add(self)

    def stop_threads(self) -> None:
        """End and join the threads beside the caller's."""
        self._lib.lzd_threads_stop(self._model)
        _with_threads.discard(self)

    def forget_threads(self) -> None:
        """In a child made by fork, which has none of its parent's threads."""
        self._lib.lzd_threads_forget(self._model)

    @property
    def threads(self) -> int:
        """How many threads run a large step, the caller's among them."""
        return int(self._lib.lzd_threads(self._model)) if hasattr(self, "_model") else 1

    def __del__(self) -> None:
        if getattr(self, "threads", 1) > 1:  # they use the RAM that is about to go
            self.stop_threads()

    def _text(self, status: int) -> str:
        return str(self._ffi.string(self._lib.lzd_status_text(status)).decode())

    def _regions(self, words: np.ndarray) -> tuple[str, ...]:
        strings = self._plan[int(words[_H_STRINGS]) :].tobytes()
        names = (int(words[_H_REGION + _REGION_WORDS * k]) for k in range(len(self.blocks)))
        return tuple(strings[at : strings.index(b"\0", at)].decode() for at in names)

    def _symbols(self, words: np.ndarray, first: int, count: int) -> tuple[SymbolInfo, ...]:
        out = []
        info = self._ffi.new("lzd_symbol *")
        for number in range(first, first + count):
            self._lib.lzd_describe(self._model, number, info)
            at = int(words[_H_SYMBOLS]) // 4 + number * _SYMBOL_WORDS + _S_CHECK
            check, low, high = (int(w) for w in words[at : at + 3].view("<i4"))
            shape = tuple(info.dims[axis] for axis in range(info.rank))
            name, dtype, kind = self._ffi.string(info.name).decode(), BY_CODE[info.dtype], Kind(info.kind)
            out.append(SymbolInfo(number, name, shape, dtype, info.bytes, kind, Check(check), low, high))
        return tuple(out)

    def _entry(self, words: np.ndarray, number: int) -> EntryInfo:
        info = self._ffi.new("lzd_entry *")
        self._lib.lzd_describe_entry(self._model, number, info)
        inputs = self._symbols(words, info.first_input, info.n_inputs)
        outputs = self._symbols(words, info.first_output, info.n_outputs)
        return EntryInfo(number, self._ffi.string(info.name).decode(), inputs, outputs)

    def failure(self, status: int) -> Failure:
        """What a status other than 0 means, right after the call that gave it."""
        inputs = (self._lib.LZD_ERROR_INPUT_RANGE, self._lib.LZD_ERROR_INPUT_FINITE)
        return Failure(self._text(status), status in inputs, self._model.error_at, self._model.error_item)

    def reset(self) -> None:
        """Set parameters and state to their first values."""
        self._lib.lzd_reset(self._model)

    def read(self, symbol: SymbolInfo, to: np.ndarray) -> int:
        """Copy a symbol's bytes into an array of its size; the status."""
        into = self._ffi.from_buffer(to, require_writable=True)
        return int(self._lib.lzd_read(self._model, symbol.number, into, to.nbytes))

    def write(self, symbol: SymbolInfo, source: np.ndarray) -> int:
        """Copy a contiguous array's bytes into a symbol; the status."""
        return int(self._lib.lzd_write(self._model, symbol.number, self._ffi.from_buffer(source), source.nbytes))

    def call(self, entry: EntryInfo) -> Call:
        """The prepared call of one entry."""
        return Call(self._ffi, self._lib, self._model, entry)


_with_threads: weakref.WeakSet[Model] = weakref.WeakSet()


def _after_fork() -> None:
    for model in list(_with_threads):
        model.forget_threads()
    _with_threads.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class HeapCounter:
    """The heap counter of this process, which must have been started with `library()` in LD_PRELOAD."""

    def __init__(self) -> None:
        path = self.library()
        if path is None:
            raise ToolError("heap counter: this build has none (it needs Linux with glibc)")
        self.address = ctypes.cast(ctypes.CDLL(path).lzd_heap_calls, ctypes.c_void_p).value or 0

    @staticmethod
    def library() -> str | None:
        """The shared library (csrc/heapcount.c), or None where there is none."""
        path = os.path.join(os.path.dirname(extension().__file__), "lzd_heapcount.so")
        return path if os.path.exists(path) else None

    def probe(self) -> int:
        """How many calls it counts for one malloc and one free made by the extension: 2 if it works."""
        native = extension()
        return int(native.lib.lzd_probe_heap(native.ffi.cast("uint64_t (*)(void)", self.address)))


def _aligned(size_bytes: int, align: int) -> np.ndarray:
    """`size_bytes` zero bytes that start at a multiple of `align`; exactly so many where the allocator aligns."""
    block = np.zeros(size_bytes, np.uint8)
    if block.ctypes.data % align == 0:
        return block
    block = np.zeros(size_bytes + align - 1, np.uint8)
    begin = -block.ctypes.data % align
    return block[begin : begin + size_bytes]
