"""Turns a Plan into `.lzp` bytes and back, as plan/SPEC.md writes them."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from lazydiff.dtypes import BY_CODE
from lazydiff.errors import PlanError
from lazydiff.kernels.table import KERNELS, TABLE_VERSION
from lazydiff.plan.model import (
    FORMAT_VERSION,
    RAM_REGIONS,
    SEVERAL_REGIONS,
    Buffer,
    Check,
    Entry,
    Kind,
    Plan,
    RamRegion,
    Region,
    Step,
    Symbol,
)

MAGIC = 0x1A505A4C
BYTE_ORDER = 0x01020304
NONE = 0xFFFFFFFF
HEADER_WORDS = 28
REGION_WORDS = 3


# ------------------------------------------------------------------------------------------------ writing


class _Strings:
    """The pool of names: each once, in order of first use."""

    def __init__(self) -> None:
        self.data = bytearray()
        self._at: dict[str, int] = {}

    def add(self, text: str) -> int:
        if text not in self._at:
            self._at[text] = len(self.data)
            self.data += text.encode() + b"\0"
        return self._at[text]


def _pad(data: bytes) -> bytes:
    return data + bytes(-len(data) % 8)


def _words(values: Sequence[int]) -> bytes:
    return struct.pack(f"<{len(values)}I", *(v & 0xFFFFFFFF for v in values))


def _step_words(step: Step) -> list[int]:
    head = [step.kernel | step.dtype.code << 16, len(step.operands) | len(step.attrs) << 16, step.tile_rows]
    return [*head, *step.operands, *step.attrs]


def checksum(data: bytes | bytearray) -> int:
    """The CRC-32 of a plan file: of all its bytes but the four that hold it."""
    return zlib.crc32(data[20:], zlib.crc32(data[:16]))


def encode(plan: Plan, *, debug: bool = True) -> bytes:
    """The `.lzp` bytes. `debug=False` leaves out labels and source lines (for flash)."""
    strings, dims = _Strings(), list[int]()
    regions = [w for r in plan.named for w in (strings.add(r.name), r.size_bytes, r.used_bytes)]
    symbols, entries, updates, steps = list[int](), list[int](), list[int](), list[int]()

    def add_symbol(symbol: Symbol) -> None:
        init = NONE if symbol.init is None else symbol.init
        first = len(dims)
        dims.extend(symbol.shape)
        symbols.extend([strings.add(symbol.name), symbol.buffer, len(symbol.shape), first, init])
        symbols.extend([int(symbol.check), symbol.low, symbol.high])

    for symbol in plan.state:
        add_symbol(symbol)
    for entry in plan.entries:
        code = [word for step in entry.steps for word in _step_words(step)]
        record = [strings.add(entry.name), len(steps), len(entry.steps), len(code)]
        for group in (entry.inputs, entry.outputs):
            record += [len(symbols) // 8, len(group)]
            for symbol in group:
                add_symbol(symbol)
        record += [len(updates) // 2, len(entry.updates)]
        updates.extend(b for pair in entry.updates for b in pair)
        steps.extend(code)
        entries.extend(record)
    buffers = [w for b in plan.buffers for w in (b.region | b.kind << 8 | b.dtype.code << 16, b.offset, b.size_bytes)]

    body = b""
    header = [
        MAGIC,
        plan.format | TABLE_VERSION << 16,
        BYTE_ORDER,
        0,
        0,
        plan.ram_bytes,
        plan.align,
        plan.executor_bytes,
    ]
    sections = [
        (_words(buffers), len(plan.buffers)),
        (_words(symbols), len(symbols) // 8),
        (_words(entries), len(plan.entries)),
        (_words(updates), len(updates) // 2),
        (_words(dims), len(dims)),
        (_words(steps), len(steps)),
        (bytes(strings.data) or b"\0", max(1, len(strings.data))),
        (plan.consts, len(plan.consts)),
        (plan.init, len(plan.init)),
    ]
    table = _pad(_words([len(plan.named), *regions])) if plan.named else b""
    start = HEADER_WORDS * 4 + len(table)
    for index, (data, count) in enumerate(sections):
        header += [start + len(body), count]
        if index == 1:
            header.append(len(plan.state))
        body += _pad(data)
    if debug:
        text = json.dumps(_debug(plan), separators=(",", ":"), ensure_ascii=False).encode()
        header.append(start + len(body))
        body += _pad(_words([len(text)]) + text)
    else:
        header.append(0)
    header[3] = start + len(body)
    blob = bytearray(_words(header) + table + body)
    struct.pack_into("<I", blob, 16, checksum(blob))
    return bytes(blob)


def _debug(plan: Plan) -> dict[str, object]:
    steps = [[[s.label, s.source] for s in entry.steps] for entry in plan.entries]
    return {"buffers": [b.label for b in plan.buffers], "steps": steps}


# ------------------------------------------------------------------------------------------------ reading


@dataclass(frozen=True, slots=True)
class _Reader:
    """Bounds-checked access to the words of a plan."""

    data: bytes
    words: tuple[int, ...]

    def section(self, offset: int, count: int, unit: int, what: str) -> int:
        """The word index of a section, after checking that it lies inside the file."""
        if offset % 8 or offset < HEADER_WORDS * 4 or offset + count * unit > len(self.data):
            raise PlanError(f"plan: the {what} section ({count} at byte {offset}) is not inside the file")
        return offset // 4

    def take(self, first: int, index: int, width: int, count: int, what: str) -> tuple[int, ...]:
        """Record `index` of `count` records of `width` words."""
        if index >= count:
            raise PlanError(f"plan: {what} {index} of {count} does not exist")
        return self.words[first + index * width : first + (index + 1) * width]


def decode(data: bytes) -> Plan:
    """The Plan in `.lzp` bytes. Raises PlanError that says what is wrong; does not run plan/check.py (`load` does)."""
    data = bytes(data)
    if len(data) < HEADER_WORDS * 4:
        raise PlanError(
            f"plan: {len(data)} bytes are too few for a header of {HEADER_WORDS * 4}; the file is truncated"
        )
    h = struct.unpack_from(f"<{HEADER_WORDS}I", data)
    if h[0] != MAGIC:
        swapped = h[0] == int.from_bytes(MAGIC.to_bytes(4, "little"), "big")
        raise PlanError("plan: foreign byte order" if swapped else f"plan: not a lazydiff plan (magic {h[0]:#010x})")
    if h[2] != BYTE_ORDER:
        raise PlanError(f"plan: foreign byte order ({h[2]:#010x}); export it again for little-endian machines")
    if h[1] & 0xFFFF not in (FORMAT_VERSION, SEVERAL_REGIONS) or not 0 < h[1] >> 16 <= TABLE_VERSION:
        raise PlanError(
            f"plan: format {h[1] & 0xFFFF}, kernel table {h[1] >> 16}; this lazydiff reads formats {FORMAT_VERSION} "
            f"and {SEVERAL_REGIONS}, tables up to {TABLE_VERSION}: compile the plan again or update lazydiff"
        )
    if h[3] != len(data) or len(data) % 8:
        raise PlanError(f"plan: the header says {h[3]} bytes, the file has {len(data)}: truncated or padded")
    if checksum(data) != h[4]:
        raise PlanError("plan: the CRC does not match: the file has changed since it was written")
    if h[6] not in (8, 16):
        raise PlanError(f"plan: alignment {h[6]}: not known to format {FORMAT_VERSION}")
    try:
        return _decode(_Reader(data, struct.unpack(f"<{len(data) // 4}I", data)), h)
    except (ValueError, KeyError, IndexError, UnicodeDecodeError) as error:
        raise PlanError(f"plan: a record is out of range: {error}") from error


def _decode(r: _Reader, h: tuple[int, ...]) -> Plan:
    names = ("buffers", "symbols", "entries", "updates", "dims", "steps", "strings", "consts", "init")
    places = [(h[8], h[9]), (h[10], h[11]), (h[13], h[14]), *((h[i], h[i + 1]) for i in range(15, 27, 2))]
    units = (12, 32, 40, 8, 4, 4, 1, 1, 1)
    first: dict[str, int] = {}
    count: dict[str, int] = {}
    regions = _region_words(r, h)
    end = (HEADER_WORDS + bool(regions) + len(regions)) * 4
    for name, (offset, number), unit in zip(names, places, units, strict=True):
        first[name], count[name] = r.section(offset, number, unit, name), number
        if offset < end:
            raise PlanError(f"plan: the {name} section overlaps the one before it")
        end = offset + number * unit
    if h[12] > count["symbols"]:
        raise PlanError("plan: more state symbols than symbols")
    strings = r.data[first["strings"] * 4 :][: count["strings"]]
    if not strings.endswith(b"\0"):
        raise PlanError("plan: the strings section does not end with a zero byte")
    debug = _read_debug(r.data, h[27])

    def text(at: int) -> str:
        return strings[at : strings.index(b"\0", at)].decode()

    def symbol(index: int) -> Symbol:
        w = r.take(first["symbols"], index, 8, count["symbols"], "symbol")
        if w[3] + w[2] > count["dims"]:
            raise PlanError(f"plan: symbol {index}'s shape lies outside the dims section")
        at = first["dims"] + w[3]
        shape = r.words[at : at + w[2]]
        low, high = (v - (v >> 31 << 32) for v in w[6:8])
        return Symbol(text(w[0]), w[1], shape, None if w[4] == NONE else w[4], Check(w[5]), low, high)

    def steps(start: int, number: int, length: int, labels: list[list[str]]) -> tuple[Step, ...]:
        if start + length > count["steps"]:
            raise PlanError("plan: an entry's steps lie outside the steps section")
        words = r.words[first["steps"] + start :][:length]
        out, at = [], 0
        for index in range(number):
            kernel, dtype = words[at] & 0xFFFF, words[at] >> 16
            if kernel not in KERNELS:
                raise PlanError(f"plan: step {index} uses kernel {kernel}, which this lazydiff does not have")
            n_operands, n_attrs = words[at + 1] & 0xFFFF, words[at + 1] >> 16
            operands = words[at + 3 : at + 3 + n_operands]
            attrs = words[at + 3 + n_operands : at + 3 + n_operands + n_attrs]
            label, source = labels[index] if index < len(labels) else ("", "")
            out.append(Step(kernel, BY_CODE[dtype], operands, attrs, words[at + 2], label, source))
            at += 3 + n_operands + n_attrs
        if at != length:
            raise PlanError("plan: an entry's steps are not as long as it says")
        return tuple(out)

    buffers = []
    for i in range(count["buffers"]):
        w0, offset, size = r.take(first["buffers"], i, 3, count["buffers"], "buffer")
        label = debug["buffers"][i] if i < len(debug["buffers"]) else ""
        buffers.append(Buffer(Region(w0 & 255), Kind(w0 >> 8 & 255), BY_CODE[w0 >> 16], offset, size, label))
    entries = []
    for i in range(count["entries"]):
        w = r.take(first["entries"], i, 10, count["entries"], "entry")
        if w[8] + w[9] > count["updates"] or max(w[5], w[7]) > count["symbols"]:
            raise PlanError(f"plan: entry {i} lists more than there is")
        pairs = r.words[first["updates"] + 2 * w[8] :][: 2 * w[9]]
        labels = debug["steps"][i] if i < len(debug["steps"]) else []
        entries.append(
            Entry(
                text(w[0]),
                tuple(symbol(w[4] + k) for k in range(w[5])),
                tuple(symbol(w[6] + k) for k in range(w[7])),
                steps(w[1], w[2], w[3], labels),
                tuple(zip(pairs[::2], pairs[1::2], strict=True)),
            )
        )
    consts = r.data[first["consts"] * 4 :][: count["consts"]]
    init = r.data[first["init"] * 4 :][: count["init"]]
    named = tuple(RamRegion(text(regions[i]), *regions[i + 1 : i + 3]) for i in range(0, len(regions), REGION_WORDS))
    state = tuple(symbol(i) for i in range(h[12]))
    plan = Plan(h[5], h[6], tuple(buffers), state, tuple(entries), consts, init, named)
    if h[7] != plan.executor_bytes:
        raise PlanError(
            f"plan: {h[7]} bytes for the executor of {len(plan.regions)} regions, not {plan.executor_bytes}: "
            "another lazydiff made it; compile the plan again"
        )
    return plan


def _region_words(r: _Reader, h: tuple[int, ...]) -> tuple[int, ...]:
    """The records of the region table behind the header of format 2; none in format 1."""
    if h[1] & 0xFFFF == FORMAT_VERSION:
        return ()
    count = r.words[HEADER_WORDS]
    if not 1 <= count <= len(RAM_REGIONS):
        raise PlanError(f"plan: {count} regions of RAM; there are 1 to {len(RAM_REGIONS)}")
    return r.words[HEADER_WORDS + 1 :][: REGION_WORDS * count]


def _read_debug(data: bytes, offset: int) -> dict[str, list]:  # type: ignore[type-arg]
    """Labels and source lines; they are for people, so a broken section counts as an empty one."""
    empty: dict[str, list] = {"buffers": [], "steps": []}  # type: ignore[type-arg]
    if not 0 < offset <= len(data) - 4:
        return empty
    (length,) = struct.unpack_from("<I", data, offset)
    try:
        read = json.loads(data[offset + 4 : offset + 4 + length])
        labels = [str(b) for b in read["buffers"]]
        steps = [[[str(label), str(source)] for label, source in entry] for entry in read["steps"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        return empty
    return {"buffers": labels, "steps": steps}
