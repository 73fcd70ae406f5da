"""The plan as an object: regions, buffers, symbols, entries and steps, as plan/SPEC.md defines them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

from lazydiff.dtypes import Dtype
from lazydiff.kernels import conv, index, linear, pool, program, random, reduce, scan, unpool  # noqa: F401 - the registry
from lazydiff.kernels.program import Program
from lazydiff.kernels.table import KERNELS, Kernel

if TYPE_CHECKING:
    from lazydiff.plan.report import Peak, Report, Swept

FORMAT_VERSION = 1
SEVERAL_REGIONS = 2  # the format version of plans whose regions of RAM have names
MAP = 1  # the number of the `map` kernel


class Region(IntEnum):
    """Where a buffer lies: in RAM, in the plan's constants (flash), or nowhere (reads as zeros).

    RAM is the first region of RAM, and the only one of most plans; RAM2 .. RAM4 are further ones (`Plan.regions`).
    """

    RAM = 0
    CONST = 1
    ZERO = 2
    RAM2 = 3
    RAM3 = 4
    RAM4 = 5

    @property
    def in_ram(self) -> bool:
        """True for every region of RAM."""
        return self not in (Region.CONST, Region.ZERO)

    @property
    def number(self) -> int:
        """A region of RAM's place in `Plan.regions`."""
        return RAM_REGIONS.index(self)


RAM_REGIONS = (Region.RAM, Region.RAM2, Region.RAM3, Region.RAM4)


def executor_bytes(regions: int) -> int:
    """Bytes of the first of so many regions that the runtime takes (`lzd_model`): 32, and 8 for each further one."""
    return 24 + 8 * regions


class Kind(IntEnum):
    """What a buffer is for."""

    CONST = 0
    PARAMS = 1
    STATE = 2
    WORK = 3
    IO = 4


@dataclass(frozen=True, slots=True)
class Buffer:
    """A place for one value. `offset` and `size_bytes` are in bytes; `label` is for people (not in the binary part)."""

    region: Region
    kind: Kind
    dtype: Dtype
    offset: int
    size_bytes: int
    label: str = ""

    @property
    def end(self) -> int:
        """The byte after the last one."""
        return self.offset + self.size_bytes

    def overlaps(self, other: Buffer) -> bool:
        """True if the two share a byte."""
        if self.offset >= other.offset + other.size_bytes or other.offset >= self.offset + self.size_bytes:
            return False
        return self.region == other.region != Region.ZERO


@dataclass(frozen=True, slots=True)
class RamRegion:
    """A block of RAM: `used_bytes` is what the plan takes of it, `size_bytes` what it may take."""

    name: str
    size_bytes: int
    used_bytes: int


class Check(IntEnum):
    """What a runtime checks of an input before it runs an entry."""

    NONE = 0
    RANGE = 1
    FINITE = 2


@dataclass(frozen=True, slots=True)
class Symbol:
    """A named buffer with a shape. `init` is the first value's offset in `Plan.init`, or None for zeros."""

    name: str
    buffer: int
    shape: tuple[int, ...]
    init: int | None = None
    check: Check = Check.NONE
    low: int = 0
    high: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One kernel call. `attrs` are the plan's words, `source` the user's `file:line`, `label` the op it came from."""

    kernel: int
    dtype: Dtype
    operands: tuple[int, ...]
    attrs: tuple[int, ...]
    tile_rows: int = 0
    label: str = ""
    source: str = ""

    @property
    def declared(self) -> Kernel:
        """The kernel's declaration."""
        return KERNELS[self.kernel]

    @property
    def values(self) -> dict[str, int]:
        """The attributes by name (not for `map`)."""
        return dict(zip((a.name for a in self.declared.attrs), self.attrs, strict=True))

    @property
    def program(self) -> Program:
        """The elementwise program of a `map` step."""
        return Program.from_words(self.attrs)

    @property
    def rows(self) -> int:
        """How many rows the kernel's output has (a `map`: elements; a kernel without rows: 0)."""
        if self.kernel == MAP:
            return self.program.elements
        return self.declared.row_count(self.attrs)

    @property
    def reads(self) -> tuple[int, ...]:
        """The buffers this step reads."""
        if self.kernel == MAP:
            return self.operands[: self.attrs[0]]  # a program's first word is how many inputs it has
        return tuple(b for b, o in zip(self.operands, self.declared.operands, strict=True) if not o.writes)

    @property
    def writes(self) -> tuple[int, ...]:
        """The buffers this step changes, scratch included."""
        return self.operands[len(self.reads) :]


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing a plan can do. `updates` pairs (state buffer, the buffer at the same place with its new value)."""

    name: str
    inputs: tuple[Symbol, ...]
    outputs: tuple[Symbol, ...]
    steps: tuple[Step, ...]
    updates: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """The product: what every runtime executes. `ram_bytes` is all its RAM, the executor's bytes included.

    `named` are its regions of RAM, fastest first, or () for one block without a name (`regions` gives that one too).
    `report` is what compile() knows beyond that; None for a plan that was read from a file.
    """

    ram_bytes: int
    align: int
    buffers: tuple[Buffer, ...]
    state: tuple[Symbol, ...]
    entries: tuple[Entry, ...]
    consts: bytes
    init: bytes
    named: tuple[RamRegion, ...] = ()
    report: Report | None = field(default=None, compare=False, repr=False)

    @property
    def regions(self) -> tuple[RamRegion, ...]:
        """The blocks of RAM that the plan runs in, in the order of Region: their bytes sum up to `ram_bytes`."""
        return self.named or (RamRegion("ram", self.ram_bytes, self.ram_bytes),)

    @property
    def executor_bytes(self) -> int:
        """The bytes at the start of the first region that belong to the runtime."""
        return executor_bytes(len(self.regions))

    @property
    def format(self) -> int:
        """The format version of the plan's file."""
        return SEVERAL_REGIONS if self.named else FORMAT_VERSION

    @property
    def lower_bound(self) -> int:
        """Bytes that the largest entry needs at its peak step: no placement of these steps can be smaller."""
        from lazydiff.plan.report import lower_bound

        return lower_bound(self)

    @property
    def peak(self) -> Peak:
        """When the most bytes are in use, by which step and line, and who is alive then."""
        from lazydiff.plan.report import peak

        return peak(self)

    def sweep(self, budgets: Sequence[int | str]) -> list[Swept]:
        """RAM against extra work: the same entries compiled for each budget (bytes, "64 KiB", "pico").

        Raises PlanError for a plan that was read from a file, which has no graph; GraphError for what is no budget.
        """
        from lazydiff.plan.report import sweep

        return sweep(self, budgets)

    def __reduce__(self) -> tuple[Callable[[bytes], Plan], tuple[bytes]]:
        """Pickled as the bytes of its file; so a copy has no report."""
        from lazydiff.plan.codec import decode

        return decode, (self.to_bytes(),)

    def entry(self, name: str) -> Entry:
        """The entry of that name; KeyError names the ones there are."""
        for candidate in self.entries:
            if candidate.name == name:
                return candidate
        raise KeyError(f"no entry {name!r}; this plan has {', '.join(e.name for e in self.entries)}")

    def elements(self, symbol: Symbol) -> int:
        """How many elements a symbol has."""
        return math.prod(symbol.shape)

    def __str__(self) -> str:
        """The memory table (plan/show.py)."""
        from lazydiff.plan.show import table

        return table(self)

    def to_bytes(self) -> bytes:
        """The `.lzp` file's bytes (plan/SPEC.md)."""
        from lazydiff.plan.codec import encode

        return encode(self)

    def save(self, path: str) -> None:
        """Write the `.lzp` file."""
        with open(path, "wb") as file:
            file.write(self.to_bytes())
