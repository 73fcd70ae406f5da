"""Turns the step words of one entry into (function, arguments, rows), each checked before it is kept."""

from . import kernels, map
from .check import Replay
from .plan import ITEMSIZE, need
from .table import IMAGES, KERNELS, RANGES, extents

_MAP = 1


def steps(plan, entry, places, dtype):
    """The runnable steps of an entry. places: (array, index) of each buffer. Raises PlanError."""
    record = plan.entries[entry][0]
    at, end = record[1], record[1] + record[3]
    replay = Replay(plan, entry)
    made = []
    number = 0
    group = None  # the steps that run together, range after range of their rows
    while at < end:
        where = "%s, step %d" % (entry, number)
        number += 1
        need(at + 3 <= end, where, "ends outside the entry")
        head, counts, tile_rows = plan.words("steps", at, 1, 3)
        n_operands, n_attrs = counts & 0xFFFF, counts >> 16
        at += 3
        need(n_operands <= 32 and at + n_operands + n_attrs <= end, where, "ends outside the entry")
        operands = plan.words("steps", at, 1, n_operands)
        attrs = plan.words("steps", at + n_operands, 1, n_attrs)
        at += n_operands + n_attrs
        for k in operands:
            need(k < len(plan.buffers), where, "has no buffer %d" % k)
        compute = head >> 16
        if not _integers(plan, head & 0xFFFF, operands, attrs):
            for k in operands:
                kind = plan.buffers[k][2]
                need(kind > 2 or kind == dtype, where, "buffer %d has another float dtype than the plan's others" % k)
            need(compute == dtype, where, "does not compute in the dtype of the plan's floats")
        need(0 < compute < 3, where, "computes in no float")
        make = _map if head & 0xFFFF == _MAP else _kernel
        step, group = make(plan, replay, head & 0xFFFF, operands, attrs, compute, places, tile_rows, group, where)
        if not tile_rows:
            made.append(group.ready() if group else step)
            group = None
    need(group is None, entry, "ends inside a tile")
    need(number == record[2], entry, "does not have as many steps as it says")
    replay.end()
    return made


def _integers(plan, number, operands, attrs):
    """True if no input and no output of a step is a float: it may then compute in any, its temporaries being objects."""
    if number != _MAP:
        return number in KERNELS and "0" not in KERNELS[number][0]  # a digit is a dtype, 0 the step's
    given = operands[: attrs[0] + attrs[1]] if len(attrs) > 1 else ()
    return all([plan.buffers[k][2] > 2 for k in given])


def _group(plan, group, tile_rows, rows):
    if group is None and tile_rows:
        from .group import Group  # only where a plan needs it

        group = Group(plan, tile_rows, rows)
    return group


def _kernel(plan, replay, number, operands, attrs, dtype, places, tile_rows, group, where):
    need(number in KERNELS, where, "kernel %d is not in this port" % number)
    modes, ranges = KERNELS[number]
    need(len(operands) * 2 == len(modes) and len(attrs) == len(ranges), where, "wrong number of operands or attributes")
    for value, letter in zip(attrs, ranges):
        low, high = RANGES[letter]
        need(low <= value <= high, where, "attribute %d is out of range" % value)
    sizes, rows = extents(number, attrs)
    need(tile_rows == 0 or tile_rows <= rows, where, "a tile of more rows than there are")
    group = _group(plan, group, tile_rows, rows)
    reads, writes = [], []
    args = []
    for k, size in zip(operands, sizes):
        place = 2 * (len(reads) + len(writes))
        mode, code = modes[place], int(modes[place + 1])
        region, _, kind, _, bytes_there = plan.buffers[k]
        need(kind == (code or dtype), where, "buffer %d has the wrong dtype" % k)
        need(size <= 1 << 31, where, "more than 2**31 elements")
        if group:
            size = group.need_elements(k, size, mode)
        need(size * ITEMSIZE[kind] <= bytes_there, where, "buffer %d is too small" % k)
        need(region != 2, where, "buffer %d has no bytes" % k)
        (reads if mode == "i" else writes).append(k)
        args.extend(places[k])
    replay.step(where, reads, writes)
    args.extend(attrs)
    if number in kernels.KERNELS:
        function = kernels.KERNELS[number]
    elif number >= 40:
        from . import random  # each of these only where a plan needs it

        function = random.kernel(number, dtype, args)
    elif number == 6 or number >= 30:
        from . import index

        function = index.KERNELS[number]
    elif number in (27, 28):
        from . import unpool

        function = unpool.KERNELS[number]
        args = unpool.prepare(number, args)
    elif number > 22:
        from . import pool

        function = pool.KERNELS[number]
    else:
        from . import conv

        function = conv.KERNELS[number]
        args.append([0.0] * conv.row_length(number, attrs))
    if number in IMAGES:
        args.append([0] * len(operands))
    step = function, tuple(args), rows
    if group:
        group.add(where, step, tile_rows, number, operands, attrs, sizes, [modes[2 * k] for k in range(len(sizes))])
    return step, group


def _map(plan, replay, number, operands, attrs, dtype, places, tile_rows, group, where):
    buffers = [plan.buffers[k] for k in operands]
    args, count, lying = map.decode(attrs, buffers, dtype, [places[k] for k in operands], tile_rows, where)
    n_in, n_out = attrs[:2]
    replay.step(where, list(operands[:n_in]), operands[n_in:], map.may_share(args[0], operands, n_in, n_out, lying))
    group = _group(plan, group, tile_rows, count)
    step = map.run, args, count
    if group:
        modes = "i" * n_in + "o" * n_out + "s" * (len(operands) - n_in - n_out)
        group.add(where, step, tile_rows, number, operands, attrs, [count] * len(operands), modes)
    else:
        need(attrs[5] == 0xFFFFFFFF, where, "a tile input without a tile")
    return step, group
