"""Turns the step words of one entry into (function, arguments, rows), each checked before it is kept."""

from . import kernels, map
from .check import Replay
from .plan import ITEMSIZE, need
from .table import KERNELS, RANGES, VARIANTS, extents

_MAP = 1
_NO_TILE = 0xFFFFFFFF


def steps(plan, entry, places, dtype):
    """The runnable steps of an entry. places: (array, index) of each buffer. Raises PlanError."""
    record = plan.entries[entry][0]
    at, end = record[1], record[1] + record[3]
    replay = Replay(plan, entry)
    made = []
    number = 0
    tiled = None  # a step that waits for the map that runs with it
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
        if head & 0xFFFF == _MAP:
            need(tile_rows == 0, where, "a tiled map")
            step = _map(plan, replay, operands, attrs, compute, places, tiled, where)
        else:
            need(tiled is None, where, "a tile must be followed by a map")
            step = _kernel(plan, replay, head & 0xFFFF, operands, attrs, compute, places, tile_rows, where)
            if tile_rows:
                tiled = step
                continue
        tiled = None
        made.append(step)
    need(tiled is None, entry, "ends inside a tile")
    need(number == record[2], entry, "does not have as many steps as it says")
    replay.end()
    return made


def _integers(plan, number, operands, attrs):
    """True if no input and no output of a step is a float: it may then compute in any, its temporaries being objects."""
    if number != _MAP:
        return number in KERNELS and "0" not in KERNELS[number][0]  # a digit is a dtype, 0 the step's
    given = operands[: attrs[0] + attrs[1]] if len(attrs) > 1 else ()
    return all([plan.buffers[k][2] > 2 for k in given])


def _kernel(plan, replay, number, operands, attrs, dtype, places, tile_rows, where):
    need(number in KERNELS, where, "kernel %d is not in this port" % number)
    modes, ranges = KERNELS[number]
    need(len(operands) * 2 == len(modes) and len(attrs) == len(ranges), where, "wrong number of operands or attributes")
    for value, letter in zip(attrs, ranges):
        low, high = RANGES[letter]
        need(low <= value <= high, where, "attribute %d is out of range" % value)
    sizes, rows = extents(number, attrs)
    need(tile_rows == 0 or tile_rows <= rows, where, "a tile of more rows than there are")
    row = sizes[-1] // rows if rows else 0  # the output is the last operand
    reads, writes = [], []
    args = []
    for k, size in zip(operands, sizes):
        place = 2 * (len(reads) + len(writes))
        mode, code = modes[place], int(modes[place + 1])
        region, _, kind, _, bytes_there = plan.buffers[k]
        need(kind == (code or dtype), where, "buffer %d has the wrong dtype" % k)
        if mode != "i" and tile_rows:
            size = tile_rows * row
        need(size * ITEMSIZE[kind] <= bytes_there, where, "buffer %d is too small" % k)
        need(region != 2, where, "buffer %d has no bytes" % k)
        (reads if mode == "i" else writes).append(k)
        args.extend(places[k])
    replay.step(where, reads, writes)
    if number in VARIANTS:  # the same bits with scratch, its last operand, which brings nothing here
        number = VARIANTS[number]
        rows = extents(number, attrs)[1]
        args = args[:-2]
    args.extend(attrs)
    if number in kernels.KERNELS:
        function = kernels.KERNELS[number]
    elif number >= 40:
        from . import random  # each of these only where a plan needs it

        function = random.kernel(number, dtype, args)
    elif number == 6 or number >= 30:
        from . import index

        function = index.KERNELS[number]
    elif number > 22:
        from . import pool

        function = pool.KERNELS[number]
    else:
        from . import conv

        function = conv.KERNELS[number]
        args.append([0.0] * conv.row_length(number, attrs))
    if tile_rows:
        return function, tuple(args), tile_rows, rows, row, operands
    return function, tuple(args), rows


def _map(plan, replay, operands, attrs, dtype, places, tiled, where):
    buffers = [plan.buffers[k] for k in operands]
    args, count, strided = map.decode(attrs, buffers, dtype, [places[k] for k in operands], where)
    n_in, tile = attrs[0], attrs[5]
    reads, writes = list(operands[:n_in]), operands[n_in:]
    need((tile == _NO_TILE) == (tiled is None), where, "a tile input without a tile, or a tile without one")
    replay.step(where, reads, writes, map.may_share(args[0], operands, n_in, attrs[1], strided))
    if tiled is None:
        return map.run, args, count
    function, first_args, tile_rows, rows, row, first = tiled
    need(operands[tile] == first[-1], where, "its tile is not the output of the step before")
    need(count == rows * row, where, "does not have the elements of the step before")
    for k in range(n_in):
        need(k == tile or not plan.overlap(operands[k], first[-1]), where, "reads the tile as a whole")
    for w in writes:
        for k in first:
            need(not plan.overlap(w, k), where, "writes over an operand of the step before")
    return _run_tiled, (function, first_args, tile_rows, row, args), rows


def _run_tiled(args, begin, end):
    function, first_args, tile_rows, row, map_args = args
    run = map.run
    while begin < end:
        stop = begin + tile_rows
        if stop > end:
            stop = end
        function(first_args, begin, stop)
        run(map_args, begin * row, stop * row)
        begin = stop
