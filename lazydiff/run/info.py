"""What an opened plan says of itself: its symbols, its entries, and why a call did not do its work."""

from __future__ import annotations

from dataclasses import dataclass

from lazydiff.dtypes import Dtype
from lazydiff.plan.model import Check, Kind


@dataclass(frozen=True, slots=True)
class SymbolInfo:
    """A parameter, state, input or output. `check`, `low` and `high` are those of plan/SPEC.md."""

    number: int
    name: str
    shape: tuple[int, ...]
    dtype: Dtype
    size_bytes: int
    kind: Kind
    check: Check
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class EntryInfo:
    """One entry, its inputs and outputs in the plan's order."""

    number: int
    name: str
    inputs: tuple[SymbolInfo, ...]
    outputs: tuple[SymbolInfo, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a C call did not do its work. `at` and `item` are lzd_model's error_at and error_item."""

    text: str
    is_input: bool
    at: int
    item: int
