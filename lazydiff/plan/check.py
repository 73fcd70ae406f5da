"""Judges a plan by the rules of plan/SPEC.md, from the plan alone: it shares no code with the planner."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable
from itertools import pairwise

from lazydiff.dtypes import FLOATS, Dtype, bits, i32
from lazydiff.errors import PlanError
from lazydiff.kernels.opcodes import LOAD, OPCODES, STORE
from lazydiff.kernels.program import NO_TILE, MapInput, Program
from lazydiff.kernels.signature import extent_elements
from lazydiff.kernels.table import KERNELS, MAX_OPERANDS
from lazydiff.plan.check_groups import Group
from lazydiff.plan.model import MAP, RAM_REGIONS, Buffer, Check, Entry, Kind, Plan, Region, Step, Symbol

_LIMIT = 2**32
_MOST = 2**31  # bytes of a buffer, and elements of anything: kernels' indices have 32 bits


def check(plan: Plan) -> None:
    """Prove that a plan may be run. Raises PlanError naming the first rule that is broken, with entry and step."""
    if not plan.executor_bytes <= plan.ram_bytes < _LIMIT or plan.align not in (8, 16):
        raise PlanError(f"plan: {plan.ram_bytes} bytes of RAM aligned to {plan.align} can't be")
    _check_regions(plan)
    for number, buffer in enumerate(plan.buffers):
        _check_buffer(plan, number, buffer)
    for symbol in plan.state:
        _check_symbol(plan, symbol, "state")
        buffer = plan.buffers[symbol.buffer]
        if buffer.kind not in (Kind.PARAMS, Kind.STATE) or buffer.region == Region.ZERO:
            raise PlanError(f"plan: state {symbol.name!r} lies in a buffer of kind {buffer.kind.name}")
        if symbol.init is not None:
            inside = symbol.init % buffer.dtype.itemsize == 0 and symbol.init + buffer.size_bytes <= len(plan.init)
            if not inside or not buffer.region.in_ram:
                raise PlanError(f"plan: the first value of {symbol.name!r} lies outside the init section")
    _no_overlap(plan, [s for s in plan.state if plan.buffers[s.buffer].region.in_ram], "state")
    names = [e.name for e in plan.entries]
    if len(set(names)) != len(names):
        raise PlanError(f"plan: two entries of one name in {names}")
    for entry in plan.entries:
        _check_entry(plan, entry)


def _check_regions(plan: Plan) -> None:
    for r in plan.named:
        if not 0 <= r.used_bytes <= r.size_bytes < _LIMIT:
            raise PlanError(f"plan: region {r.name!r}: {r.used_bytes} of {r.size_bytes} bytes can't be")
    if len(plan.named) > len(RAM_REGIONS):
        raise PlanError(f"plan: {len(plan.named)} regions of RAM; at most {len(RAM_REGIONS)}")
    if plan.regions[0].used_bytes < plan.executor_bytes or sum(r.used_bytes for r in plan.regions) != plan.ram_bytes:
        raise PlanError(f"plan: the regions do not hold the executor, or are not {plan.ram_bytes} bytes together")


def _check_buffer(plan: Plan, number: int, b: Buffer) -> None:
    where = f"plan: buffer {number} ({b.label or b.kind.name.lower()})"
    if b.size_bytes <= 0 or b.size_bytes % b.dtype.itemsize or b.offset < 0 or b.offset % b.dtype.itemsize:
        raise PlanError(f"{where}: {b.size_bytes} bytes at {b.offset} are not whole, aligned {b.dtype} elements")
    if b.size_bytes > (_MOST // 8 if b.dtype is bits else _MOST):
        raise PlanError(f"{where}: {b.size_bytes} bytes; a buffer has at most 2**31, and 2**31 elements")
    if b.region.in_ram:
        if b.region.number >= len(plan.regions):
            raise PlanError(f"{where}: lies in region {b.region.number} of {len(plan.regions)}")
        low = plan.executor_bytes if b.region == Region.RAM else 0
        high = plan.regions[b.region.number].used_bytes
    else:
        low, high = 0, len(plan.consts) if b.region == Region.CONST else b.size_bytes
    if b.offset < low or b.end > high:
        raise PlanError(f"{where}: bytes {b.offset} .. {b.end} lie outside {b.region.name} ({low} .. {high})")


def _check_symbol(plan: Plan, s: Symbol, where: str) -> None:
    if not 0 <= s.buffer < len(plan.buffers):
        raise PlanError(f"plan: {where} {s.name!r} names buffer {s.buffer} of {len(plan.buffers)}")
    buffer = plan.buffers[s.buffer]
    if buffer.dtype is bits:
        raise PlanError(f"plan: {where} {s.name!r} is made of bits, which are for map alone")
    if math.prod(s.shape) * buffer.dtype.itemsize != buffer.size_bytes or len(s.shape) > 8:
        raise PlanError(f"plan: {where} {s.name!r} of shape {s.shape} is not its buffer's {buffer.size_bytes} bytes")
    if s.check == Check.RANGE and (buffer.dtype != i32 or s.low > s.high):
        raise PlanError(f"plan: {where} {s.name!r}: a range check {s.low} .. {s.high} needs an i32")
    if s.check == Check.FINITE and not buffer.dtype.is_float:
        raise PlanError(f"plan: {where} {s.name!r}: a finite check needs floats")


def _no_overlap(plan: Plan, symbols: Iterable[Symbol], what: str) -> None:
    buffers = [(plan.buffers[s.buffer], s.name) for s in symbols]
    placed = sorted((b.region, b.offset, b.end, name) for b, name in buffers)
    for (region, _, end, first), (other, start, _, second) in pairwise(placed):
        if region == other and start < end:
            raise PlanError(f"plan: {what} {first!r} and {second!r} share bytes {start} .. {end}")


def _check_entry(plan: Plan, entry: Entry) -> None:
    for symbol in (*entry.inputs, *entry.outputs):
        _check_symbol(plan, symbol, f"entry {entry.name!r}:")
    for symbol in entry.inputs:
        if not plan.buffers[symbol.buffer].region.in_ram or plan.buffers[symbol.buffer].kind != Kind.IO:
            raise PlanError(f"plan: entry {entry.name!r}: input {symbol.name!r} is not an io buffer in RAM")
    state = [s for s in plan.state if plan.buffers[s.buffer].region.in_ram]
    _no_overlap(plan, (*state, *entry.inputs), f"entry {entry.name!r}:")
    versions = _Versions(plan, entry)
    group: Group | None = None
    for index, step in enumerate(entry.steps):
        source = f" at {step.source}" if step.source else ""
        where = f"plan: entry {entry.name!r} step {index} ({step.label or step.kernel}{source})"
        following = entry.steps[index + 1] if index + 1 < len(entry.steps) else None
        if step.tile_rows and following is None:
            raise PlanError(f"{where}: a tiled step needs one behind it")
        if step.tile_rows and group is None:
            group = Group(plan.buffers, step)
        _check_step(plan, where, step, group)
        for b in step.reads:
            versions.read(b, where)
        for b in step.writes:
            versions.write(b, where)
        group = group if step.tile_rows else None
    versions.finish()


class _Versions:
    """Which buffers hold their value now: writing one makes every buffer that shares a byte with it forget its own.

    Those in RAM never overlap (rule 6 at the start, then by this very rule), so they are one list by place.
    """

    def __init__(self, plan: Plan, entry: Entry) -> None:
        self.plan, self.entry = plan, entry
        written = {s.buffer for s in (*plan.state, *entry.inputs)}
        self.made = set(written)
        self.live = written | {i for i, b in enumerate(plan.buffers) if b.region == Region.CONST}
        self.in_ram = sorted((b for b in written if plan.buffers[b].region.in_ram), key=self.begin)
        self.begins = [self.begin(b) for b in self.in_ram]

    def begin(self, buffer: int) -> int:
        """Where a buffer begins: its offset, with the regions of RAM a good way apart."""
        b = self.plan.buffers[buffer]
        return b.region * _LIMIT + b.offset

    def read(self, buffer: int, where: str) -> None:
        if buffer not in self.live:
            label = self.plan.buffers[buffer].label
            raise PlanError(f"{where}: reads buffer {buffer} ({label}), which was not written or is overwritten by now")

    def write(self, buffer: int, where: str) -> None:
        if buffer in self.made:
            raise PlanError(f"{where}: writes buffer {buffer} ({self.plan.buffers[buffer].label}) a second time")
        self.made.add(buffer)
        begin, size_bytes = self.begin(buffer), self.plan.buffers[buffer].size_bytes
        first, last = bisect_left(self.begins, begin), bisect_left(self.begins, begin + size_bytes)
        if first and self.plan.buffers[buffer].overlaps(self.plan.buffers[self.in_ram[first - 1]]):
            first -= 1
        self.live.difference_update(self.in_ram[first:last])
        self.live.add(buffer)
        self.in_ram[first:last], self.begins[first:last] = [buffer], [begin]

    def finish(self) -> None:
        where = f"plan: entry {self.entry.name!r} at its end"
        replaced = dict(self.entry.updates)
        owners = {s.buffer for s in self.plan.state}
        for old, new in self.entry.updates:
            if old not in owners or not 0 <= new < len(self.plan.buffers):
                raise PlanError(f"{where}: update of buffer {old}, which is no state")
            a, b = self.plan.buffers[old], self.plan.buffers[new]
            if (a.region, a.offset, a.size_bytes, a.dtype) != (b.region, b.offset, b.size_bytes, b.dtype):
                raise PlanError(f"{where}: the new value of buffer {old} lies elsewhere")
        for symbol in self.plan.state:
            self.read(replaced.get(symbol.buffer, symbol.buffer), where)
        for symbol in self.entry.outputs:
            if self.plan.buffers[symbol.buffer].region != Region.ZERO:
                self.read(symbol.buffer, where)


def _check_step(plan: Plan, where: str, step: Step, group: Group | None) -> None:
    kernel = KERNELS.get(step.kernel)
    if kernel is None or step.dtype not in FLOATS or not 0 < len(step.operands) <= MAX_OPERANDS:
        raise PlanError(f"{where}: kernel {step.kernel} in {step.dtype} on {len(step.operands)} operands can't be")
    for b in step.operands:
        if not 0 <= b < len(plan.buffers) or plan.buffers[b].region == Region.ZERO:
            raise PlanError(f"{where}: operand {b} is no buffer with bytes")
    if step.kernel == MAP:
        _check_map(plan, where, step, group)
    else:
        _check_kernel(plan, where, step, group)
    if group is not None:
        group.add(step, where)
    for b in step.writes:
        if not plan.buffers[b].region.in_ram:
            raise PlanError(f"{where}: writes constant buffer {b}")


def _check_kernel(plan: Plan, where: str, step: Step, group: Group | None) -> None:
    kernel = step.declared
    if len(step.operands) != len(kernel.operands) or len(step.attrs) != len(kernel.attrs):
        raise PlanError(
            f"{where}: {kernel.name} takes {len(kernel.operands)} operands and {len(kernel.attrs)} attributes"
        )
    for attr, value in zip(kernel.attrs, step.attrs, strict=True):
        if not attr.low <= value <= attr.high:
            raise PlanError(f"{where}: {kernel.name}'s {attr.name} = {value} is not in {attr.low} .. {attr.high}")
    if step.tile_rows > step.rows or step.tile_rows < 0:
        raise PlanError(f"{where}: a tile of {step.tile_rows} rows of {step.rows}")
    values = step.values
    for number, declared in zip(step.operands, kernel.operands, strict=True):
        elements = extent_elements(declared.extent, values)
        if elements > _MOST:
            raise PlanError(f"{where}: {declared.name} has {elements} elements, more than 2**31")
        if group is not None:
            elements = group.range_elements(step, number, elements, declared.mode)
        _check_extent(plan, where, number, declared.dtype or step.dtype, elements, declared.name)
    writes = step.writes
    for position, b in enumerate(step.operands):
        for other_position, other in enumerate(step.operands if b in writes else ()):
            if other_position != position and plan.buffers[b].overlaps(plan.buffers[other]):
                raise PlanError(f"{where}: writes buffer {b} over its operand {other}")


def _check_extent(plan: Plan, where: str, number: int, dtype: Dtype, elements: int, name: str) -> None:
    b = plan.buffers[number]
    if b.dtype != dtype or dtype.size_bytes(elements) > b.size_bytes:
        raise PlanError(
            f"{where}: {name} needs {elements} {dtype}, buffer {number} has {b.size_bytes} bytes of {b.dtype}"
        )


def _check_map(plan: Plan, where: str, step: Step, group: Group | None) -> None:
    try:
        program = step.program
    except (ValueError, KeyError, IndexError) as error:
        raise PlanError(f"{where}: not a map program: {error}") from error
    n_in, n_out = len(program.inputs), len(program.outputs)
    if not n_out or len(step.operands) != n_in + n_out + bool(program.n_temps):
        raise PlanError(f"{where}: map has {len(step.operands)} operands for {n_in} inputs and {n_out} outputs")
    if any(d < 1 for d in program.dims) or not step.tile_rows <= program.elements <= _MOST or program.block < 1:
        raise PlanError(f"{where}: map over {program.dims} in blocks of {program.block}, tiles of {step.tile_rows}")
    if program.tiles != bool(step.tile_rows):
        raise PlanError(f"{where}: a map of tiles, and no tile rows; or the other way round")
    if program.tile != NO_TILE:
        if group is None or step is group.first:
            raise PlanError(f"{where}: a tile input and a tiled step before it go together")
        if program.tile >= n_in:
            raise PlanError(f"{where}: the tile input is not what a step before it writes")
        if not _straight(program.inputs[program.tile], program.dims):
            raise PlanError(f"{where}: the tile input is not read as its rows lie")
    for number, (item, b) in enumerate(zip(program.inputs, step.operands[:n_in], strict=True)):
        if plan.buffers[b].dtype != item.dtype:
            raise PlanError(f"{where}: input {number} is {item.dtype}, its buffer {plan.buffers[b].dtype}")
        extents = [extent for _, extent in item.window] or program.dims
        if number != program.tile and 0 not in extents:  # an empty window reads nothing
            reach = [(d - 1) * s for d, s in zip(extents, item.strides, strict=True)]
            low, high = item.offset + sum(r for r in reach if r < 0), item.offset + sum(r for r in reach if r > 0)
            if low < 0 or item.dtype.size_bytes(high + 1) > plan.buffers[b].size_bytes:
                raise PlanError(f"{where}: input {number} reads elements {low} .. {high} of buffer {b}")
    for dtype, b in zip(program.outputs, step.operands[n_in : n_in + n_out], strict=True):
        _check_extent(plan, where, b, dtype, step.tile_rows or program.elements, "an output")
    if program.n_temps:
        _check_extent(plan, where, step.operands[-1], step.dtype, program.n_temps * program.block, "the scratch")
    _check_instructions(where, program, step.dtype)
    _check_in_place(plan, where, step, program)


def _straight(item: MapInput, dims: tuple[int, ...]) -> bool:
    """True if an input is read whole, from element 0 on; the stride of an extent of 1 does not matter."""
    if item.offset or item.window:
        return False
    step = 1
    for stride, extent in zip(reversed(item.strides), reversed(dims), strict=True):
        if extent != 1 and stride != step:
            return False
        step *= extent
    return True


def _in_its_place(item: MapInput, dims: tuple[int, ...], read: Buffer, written: Buffer) -> bool:
    """True if each element that is read lies at the very bytes of the output's element that is made of it."""
    if read.dtype != written.dtype or written.dtype is bits:
        return False
    step, first = 1, 0
    for stride, dim, (low, extent) in reversed(list(zip(item.strides, dims, item.window or _all(dims), strict=True))):
        if extent < 1 or (extent > 1 and stride != step):
            return False
        first += low * step
        step *= dim
    return read.offset + item.offset * item.dtype.itemsize == written.offset + first * item.dtype.itemsize


def _all(dims: tuple[int, ...]) -> list[tuple[int, int]]:
    return [(0, dim) for dim in dims]


def _check_instructions(where: str, program: Program, dtype: Dtype) -> None:
    n_in, n_out = len(program.inputs), len(program.outputs)
    slots: list[Dtype] = [i.dtype for i in program.inputs] + list(program.outputs) + [dtype] * program.n_temps
    written = set(range(n_in))
    for number, i in enumerate(program.instructions):
        code = OPCODES.get(i.opcode)
        if code is None:
            raise PlanError(f"{where}: instruction {number}: no opcode {i.opcode}")
        if not n_in <= i.dst < len(slots) or any(a not in written for a in i.arguments):
            raise PlanError(
                f"{where}: instruction {number}: {code.name} reads a slot that nothing wrote, or writes an input"
            )
        if i.dst - n_in < n_out and i.dst in written:
            raise PlanError(f"{where}: instruction {number}: {code.name} writes an output a second time")
        if code is LOAD and i.a >= n_in:
            raise PlanError(f"{where}: instruction {number}: load takes an input")
        if code is STORE and i.dst >= n_in + n_out:
            raise PlanError(f"{where}: instruction {number}: store takes an output")
        crosses = code is LOAD or (code is STORE and slots[i.a] == slots[i.dst] != bits)  # it may read any dtype
        plain = () if crosses else i.arguments
        if any(slots[s] is not dtype for s in plain) or (code is not STORE and slots[i.dst] is not dtype):
            raise PlanError(f"{where}: instruction {number}: {code.name} on a slot that is not {dtype}")
        written.add(i.dst)
    if any(n_in + o not in written for o in range(n_out)):
        raise PlanError(f"{where}: an output is never written")


def _check_in_place(plan: Plan, where: str, step: Step, program: Program) -> None:
    n_in = len(program.inputs)
    operands = [plan.buffers[b] for b in step.operands]
    for position in range(n_in, len(operands)):
        b = operands[position]
        for other_position, other in enumerate(operands):
            if other_position == position or not b.overlaps(other):
                continue
            if other_position < n_in and position < n_in + len(program.outputs):
                item = program.inputs[other_position]
                same = (b.offset, b.size_bytes, b.dtype) == (other.offset, other.size_bytes, other.dtype)
                straight = same and _straight(item, program.dims)
                own = straight or (not program.tiles and _in_its_place(item, program.dims, other, b))
                first_write = min(k for k, i in enumerate(program.instructions) if i.dst == position)
                reads = [k for k, i in enumerate(program.instructions) if other_position in i.arguments]
                paired = (other_position == program.tile) == program.tiles
                if own and paired and max(reads, default=-1) <= first_write:
                    continue
            written, over = step.operands[position], step.operands[other_position]
            raise PlanError(f"{where}: writes buffer {written} over its operand {over}")
