"""Faster kernels where there is room for their scratch: the same bits sooner, and never a byte more than planned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lazydiff.kernels.signature import extent_elements
from lazydiff.kernels.table import KERNELS, Kernel
from lazydiff.memory.buffers import Lifetimes, lifetimes
from lazydiff.memory.calls import Call, EntryCalls, Unit, Value
from lazydiff.memory.facts import work
from lazydiff.memory.placement.place import alive_bytes
from lazydiff.plan.model import Kind

_VARIANTS: dict[int, Kernel] = {k.variant_of: k for k in KERNELS.values() if k.variant_of}


def faster(
    entry: EntryCalls, lives: Lifetimes, room_bytes: int, unit_bytes: int, fits: Callable[[Lifetimes], bool]
) -> tuple[EntryCalls, Lifetimes]:
    """The entry with a faster variant at each step where its scratch fits `room_bytes` beside who is alive there.

    Where it does not fit any more with all of them, the half that saves most work is tried, and so on.
    """
    alive = alive_bytes(lives.intervals, lives.steps)
    found = []
    for at, unit in enumerate(lives.order):
        call = _variant(unit)
        if call is not None:
            scratch = -(-call.writes[-1].size_bytes // unit_bytes) * unit_bytes
            if alive[at] + scratch <= room_bytes:
                found.append((work(unit.calls[0]) - work(call), at, call))
    found.sort(key=lambda item: (-item[0], item[1]))
    while found:
        calls = {at: [call] for _, at, call in found}
        order = [Unit(calls.get(at, unit.calls)) for at, unit in enumerate(lives.order)]
        new = dict(zip(map(id, lives.order), order, strict=True))
        for old, unit in zip(lives.order, order, strict=True):
            unit.after = {new[id(u)] for u in old.after}
        wide = lifetimes(entry, order, unit_bytes)
        if fits(wide):
            return replace(entry, units=order), wide
        found = found[: len(found) // 2]
    return entry, lives


def _variant(unit: Unit) -> Call | None:
    """The unit's call by the faster kernel; None if there is none, or if it would not be faster."""
    call = unit.calls[0]
    kernel = _VARIANTS.get(call.kernel)
    if kernel is None or len(unit.calls) > 1:
        return None
    attrs = dict(zip((a.name for a in kernel.attrs), call.attrs, strict=True))
    scratch = Value(call.dtype, extent_elements(kernel.operands[-1].extent, attrs), Kind.WORK, "scratch")
    new = replace(call, kernel=kernel.number, writes=[*call.writes, scratch])
    return new if attrs[kernel.multiple[0]] % kernel.multiple[1] == 0 and work(new) < work(call) else None
