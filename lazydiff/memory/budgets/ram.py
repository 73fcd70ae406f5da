"""`ram=` as what a plan may take: bytes, a board, or several regions by name, the fastest first."""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass

from lazydiff.errors import GraphError
from lazydiff.memory.budgets.boards import BOARDS, REGIONS
from lazydiff.plan.model import RAM_REGIONS, Plan, RamRegion, executor_bytes
from lazydiff.plan.report import Asked

LIMIT = 2**32  # a plan's offsets have 32 bits
_UNITS = {"": 1, "b": 1} | {
    prefix + unit: base**power
    for power, prefix in enumerate("kmgt", 1)
    for unit, base in (("b", 1000), ("ib", 1024), ("", 1024))
}


@dataclass(frozen=True, slots=True)
class Ram:
    """The bytes that a plan may have in each region, fastest first. `names` is () for one block without a name.

    `limited` is False where nobody set a budget; the size is then what a plan's offsets reach.
    """

    sizes: tuple[int, ...]
    names: tuple[str, ...] = ()
    limited: bool = True

    @property
    def total(self) -> int:
        """The bytes of all regions."""
        return sum(self.sizes)

    @property
    def executor_bytes(self) -> int:
        """The runtime's bytes, at the start of the first region."""
        return executor_bytes(len(self.sizes))

    @property
    def by_name(self) -> dict[str, int]:
        """Bytes by region; empty for one block without a name."""
        return dict(zip(self.names, self.sizes, strict=True)) if self.names else {}

    def rooms(self) -> list[int]:
        """Bytes by region for what the plan places, a multiple of 8: without the executor's."""
        first, *rest = (size // 8 * 8 for size in self.sizes)
        return [first - self.executor_bytes, *rest]

    def missing(self, plan: Plan) -> int:
        """By how many bytes a plan exceeds its regions; 0 or less if it fits."""
        used = [r.used_bytes for r in plan.regions]
        return max(u - size for u, size in zip(used, self.sizes, strict=True))

    def named(self, used: list[int]) -> tuple[RamRegion, ...]:
        """The plan's regions, of which so many bytes are used; () for one block without a name."""
        return tuple(RamRegion(*each) for each in zip(self.names, self.sizes, used, strict=True)) if self.names else ()


def parse_ram(ram: Asked) -> Ram:
    """What a user wrote. Raises GraphError: see parse_bytes; also for regions that can't be, all of them in one error.

    A mapping has one to four regions, name -> bytes, the preferred one first. "teensy41:dtcm+ocram" is a board's
    regions, in the order of preference.
    """
    if isinstance(ram, str) and ":" in ram:
        ram = _board_regions(ram)
    if not isinstance(ram, Mapping):
        size = parse_bytes(ram)
        return Ram((LIMIT - 1 if size is None else size,), limited=size is not None)
    problems: list[str] = []
    sizes: dict[str, int | None] = {}
    if not 1 <= len(ram) <= len(RAM_REGIONS):
        problems.append(f"{len(ram)} regions; a plan has 1 to {len(RAM_REGIONS)}")
    for name, given in ram.items():
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
            problems.append(f"{name!r} is no region's name: letters, digits and _, a letter first")
            continue
        if name.lower() in (known.lower() for known in sizes):
            problems.append(f"two regions are named {name!r}, but for upper and lower case")
        if given is None or isinstance(given, Mapping):
            problems.append(f"region {name!r} has no size, but {given!r}")
            continue
        try:
            sizes[name] = parse_bytes(given)
        except GraphError as error:
            problems.append(f"region {name!r}: {error}")
    found = [size or 0 for size in sizes.values()]
    executor = executor_bytes(len(found))
    if not problems and found[0] < executor:
        problems.append(f"region {next(iter(sizes))!r} is the first and holds the executor's {executor} bytes")
    if not problems and sum(found) >= LIMIT:
        problems.append("4 GiB or more together; a plan has less")
    if problems:
        raise GraphError(f"ram={dict(ram)!r}:\n  " + "\n  ".join(problems))
    return Ram(tuple(found), tuple(sizes))


def _board_regions(ram: str) -> dict[str, int]:
    board, _, regions = ram.partition(":")
    board = board.strip().lower().replace("-", "_")
    if board not in REGIONS:
        raise GraphError(f"ram={ram!r}: boards with known regions: {', '.join(sorted(REGIONS))}; {_nearest(board)}")
    names = [name.strip().lower() for name in regions.split("+")]
    unknown = [name for name in names if name not in REGIONS[board]]
    if unknown or len(set(names)) < len(names):
        known = REGIONS[board]
        raise GraphError(f"ram={ram!r}: {board} has {', '.join(known)}, each once: {board}:{'+'.join(known)}")
    return {name: REGIONS[board][name] for name in names}


def parse_bytes(ram: int | str | None) -> int | None:
    """Bytes from 65536, "64 KiB" (1024 each), "64 kB" (1000 each), in any case, or a board's name such as "pico".

    "64 K" is 64 KiB. None is no budget. Raises GraphError for anything else: below one byte, 4 GiB or more, no number,
    an unknown unit or board (it names the nearest boards).
    """
    if ram is None:
        return None
    size: object = ram
    if isinstance(ram, str):
        found = re.fullmatch(r"\s*([+-]?\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", ram)
        name = ram.strip().lower().replace("-", "_")
        if name in BOARDS:
            return BOARDS[name]
        if not found or found[2].lower() not in _UNITS:
            raise GraphError(f"ram={ram!r} is no size and no board; {_nearest(name)}")
        from fractions import Fraction  # brings decimal arithmetic, so not before it is needed

        size = int(Fraction(found[1]) * _UNITS[found[2].lower()])
    try:
        if isinstance(size, bool):
            raise TypeError
        size_bytes = operator.index(size)  # type: ignore[arg-type]
    except TypeError:
        raise GraphError(f'ram={ram!r} is no whole number of bytes; write 65536 or "64 KiB"') from None
    if size_bytes < 1:
        raise GraphError(f"ram={ram!r}: a budget is at least 1 byte; ram=None is a plan without one")
    if size_bytes >= LIMIT:
        raise GraphError(f"ram={ram!r}: a plan has less than 4 GiB (its offsets have 32 bits); ram=None: no budget")
    return size_bytes


def _nearest(name: str) -> str:
    import difflib  # for this error only

    near = difflib.get_close_matches(name, sorted(BOARDS), n=3, cutoff=0.5)
    sizes = 'write bytes as a number, "64 KiB" (1024 each) or "64 kB" (1000 each)'
    if near and re.search("[a-z]", name):
        return f"did you mean {' or '.join(repr(n) for n in near)}? Else {sizes}"
    return f"{sizes}, or a board: {', '.join(sorted(BOARDS))}"
