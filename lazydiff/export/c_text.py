"""Writes numbers as C: a plan's words section by section, arrays in shortest round-trip form. Same input, same text."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from lazydiff.dtypes import Dtype
from lazydiff.errors import ExportError

# The header's words that tell where each section begins (plan/SPEC.md), in the order of the file.
_SECTIONS = {
    8: "buffers", 10: "symbols", 13: "entries", 15: "updates", 17: "dims",
    19: "steps", 21: "strings", 23: "consts", 25: "init",
}  # fmt: skip
_HEADER_WORDS = 28


def hex_words(data: bytes) -> Iterator[str]:
    """The bytes as little-endian 32-bit C constants, the last one padded with zeros."""
    padded = data + bytes(-len(data) % 4)
    for (word,) in struct.iter_unpack("<I", padded):
        yield f"0x{word:08x}u"


def lines(items: Iterable[str], per_line: int, indent: str = "    ") -> str:
    """Comma-separated items, so many on a line; each line ends with a comma."""
    items = list(items)
    rows = (items[i : i + per_line] for i in range(0, len(items), per_line))
    return "".join(indent + ", ".join(row) + ",\n" for row in rows)


def plan_words(encoded: bytes) -> str:
    """A plan's bytes as the inside of a C array of words, a comment before each section."""
    header = struct.unpack_from(f"<{_HEADER_WORDS}I", encoded)
    starts = [(0, "header")] + [(header[w], text) for w, text in _SECTIONS.items() if header[w + 1]]
    ends = [start for start, _ in starts[1:]] + [len(encoded)]
    text = ""
    for (start, name), end in zip(starts, ends, strict=True):
        text += f"    /* {name} */\n" + lines(hex_words(encoded[start:end]), 8)
    return text


def array_items(array: np.ndarray, dtype: Dtype) -> Sequence[str]:
    """The elements of an array as C constants of that dtype. Raises ExportError for a NaN or an infinity."""
    flat = np.ascontiguousarray(array, dtype.numpy).reshape(-1)
    if dtype.is_float and not np.isfinite(flat).all():
        raise ExportError("a self-test's inputs must be finite: C99 has no constant for NaN and infinity")
    if not dtype.is_float:
        return [str(int(v)) for v in flat]
    suffix = "f" if dtype.name == "f32" else ""
    return [str(v) + suffix for v in flat]  # numpy writes the shortest digits that read back as the same float
