"""The `map` kernel: decodes an elementwise program into a tuple at load, and runs it block by block.

A small interpreter, one Python function per opcode (opcodes.py): `exec` of generated code would run faster, but needs
the compiler on the board, and its peak of RAM at load is several times that of the plan.
"""

from .errors import PlanError
from .opcodes import OPCODES, find
from .scalar import saturate

_BITS = (0, 32, 64, 32, 8, 8, 8, 1)  # of an element, by dtype


def store_i32(d, i, n, A, p, ps):
    for i in range(i, i + n):
        d[i] = saturate(A[p], -2147483648, 2147483647)
        p += ps


def store_u8(d, i, n, A, p, ps):
    for i in range(i, i + n):
        d[i] = saturate(A[p], 0, 255)
        p += ps


def store_i8(d, i, n, A, p, ps):
    for i in range(i, i + n):
        d[i] = saturate(A[p], -128, 127)
        p += ps


def store_bool(d, i, n, A, p, ps):
    for i in range(i, i + n):
        d[i] = 1 if A[p] != 0 else 0
        p += ps


def load_bits(d, i, n, A, p, ps):
    for i in range(i, i + n):
        d[i] = A[p >> 3] >> (p & 7) & 1
        p += ps


def store_bits(d, i, n, A, p, ps):
    for i in range(i, i + n):
        bit = 1 << (i & 7)
        d[i >> 3] = d[i >> 3] & ~bit | (bit if A[p] != 0 else 0)
        p += ps


_NOTHING = (0.0,)  # what an input is outside its window
_MOVE = OPCODES[3][1]
_STORE = (None, _MOVE, _MOVE, store_i32, store_u8, store_i8, store_bool, store_bits)


def _need(truth, where, what):
    if not truth:
        raise PlanError("%s: map: %s" % (where, what))


def decode(words, buffers, dtype, places, tile_rows, where):
    """The run-time tuple of one `map` step, its elements, and how each input may lie under an output. Raises PlanError.

    The last is, for each input, None or (bytes from the output's start on, whether both must be of one size).

    tile_rows: how many elements each output holds; 0: all of them. words: the attributes; buffers: (region, kind, dtype, offset, bytes) of each operand; places: an array and the
    index of its first element, for each operand.
    """
    _need(len(words) >= 7, where, "no program")
    n_in, n_out, n_temp, n_code, block, tile, rank = words[:7]
    n_windows, rank = rank >> 8, rank & 255
    slots = n_in + n_out + n_temp
    _need(rank <= 8 and 0 < slots <= 255 and n_out and block, where, "counts out of range")
    _need(n_windows <= n_in * rank, where, "counts out of range")
    at = 7 + rank + n_in * (2 + rank)
    _need(len(words) == at + n_windows * 2 * rank + n_out + 2 * n_code, where, "the words do not fit the counts")
    _need(len(buffers) == n_in + n_out + (n_temp > 0), where, "operands do not fit the counts")
    tiles = tile >> 8 == 1
    _need(tiles == (tile_rows > 0) and (tiles or tile < 256 or tile == 0xFFFFFFFF), where, "tiles without tile rows")
    tile = tile & 255
    _need(tile == 255 or tile < n_in, where, "no such tile")
    dims = words[7 : 7 + rank]
    count = 1
    for dim in dims:
        _need(0 < dim < 0x80000000, where, "a dimension is out of range")
        count *= dim
    _need(count <= 1 << 31, where, "more than 2**31 elements")
    _need(tile_rows <= count, where, "a tile of more elements than there are")
    windows = [None]
    for _ in range(n_windows):
        windows.append(tuple([(words[at + 2 * d], words[at + 2 * d + 1]) for d in range(rank)]))
        for dim, pair in zip(dims, windows[-1]):  # noqa: B905
            _need(pair[0] + pair[1] <= dim, where, "a window leaves its dimension")
        at += 2 * rank
    at = 7 + rank
    strides = []
    bases = []
    lying = []
    windowed = []
    for k in range(n_in):
        got, offset = words[at : at + 2]
        own = [s - 0x100000000 if s & 0x80000000 else s for s in words[at + 2 : at + 2 + rank]]
        rows = _row_major(dims)
        if k == tile:  # its bytes are the rows being computed, the concern of the step before
            own, offset = list(rows), 0
        number, got = got >> 8, got & 255
        _need(number <= n_windows, where, "input %d has no such window" % k)
        window = windows[number]
        _need(k != tile or not window, where, "the tile has a window")
        low = high = offset
        for dim, stride in zip([e for _, e in window] if window else dims, own):
            if stride < 0:
                low += (dim - 1) * stride
            else:
                high += (dim - 1) * stride
        region, _, kind, _, size = buffers[k]
        _need(region != 2 and got == kind, where, "input %d has another dtype" % k)
        inside = low >= 0 and (high + 1) * _BITS[kind] <= size * 8
        empty = window and 0 in [e for _, e in window]
        _need(k == tile or inside or empty, where, "input %d ends outside its buffer" % k)
        if (k == tile) != tiles:
            lying.append(None)
        elif tiles or kind == 7:
            lying.append(None if offset or own != rows or window else (0, True))
        else:
            lying.append(_place(window or [(0, dim) for dim in dims], own, rows, offset, _BITS[kind] // 8))
        if window:
            windowed.append((k, places[k][0], own[-1], window))
            for pair, stride in zip(window, own):
                offset -= pair[0] * stride
        bases.append(places[k][1] * (8 if kind == 7 else 1) + offset)
        strides.append(own)
        at += 2 + rank
    at += n_windows * 2 * rank
    for k in range(n_in, n_in + n_out):
        region, _, kind, _, size = buffers[k]
        _need(region not in (1, 2), where, "output %d is not in RAM" % (k - n_in))
        _need(words[at] == kind, where, "output %d has another dtype" % (k - n_in))
        _need((tile_rows or count) * _BITS[kind] <= size * 8, where, "output %d ends outside its buffer" % (k - n_in))
        bases.append(places[k][1] * (8 if kind == 7 else 1))
        at += 1
    arrays = [place[0] for place in places[: n_in + n_out]]
    if n_temp:
        region, _, kind, _, size = buffers[-1]
        _need(region not in (1, 2) and kind == dtype, where, "the temporaries have another dtype")
        _need(n_temp * block * _BITS[dtype] <= size * 8, where, "the temporaries end outside their buffer")
        array, first = places[-1] or ([0] * (n_temp * block), 0)
        for k in range(n_temp):
            arrays.append(array)
            bases.append(first + k * block)
    kinds = [b[2] for b in buffers[: n_in + n_out]] + [dtype] * n_temp
    code = _code(words[at:], n_in, n_out, kinds, dtype, where)
    if windowed:
        outer, inner = tuple(dims[:-1]), dims[-1]
    else:
        outer, inner, strides = _collapse(dims, strides)
    steps = [own[-1] for own in strides] + [1] * (n_out + n_temp)
    views = tuple([(k, bases[k], own[-1], tuple(own[:-1])) for k, own in enumerate(strides) if k != tile])
    if tile < n_in:
        steps[tile] = 1
    limit = block if n_temp else count
    ports = n_in, n_in + n_out, tile, tiles
    windowed = tuple(windowed)
    return (code, arrays, list(bases), steps, bases, views, windowed, outer, inner, ports, limit), count, lying


def _code(words, n_in, n_out, kinds, dtype, where):
    """Instructions as (arity, function, dst, a, b, c), each argument checked: read after written, in its dtype."""
    written = [k < n_in for k in range(len(kinds))]
    code = []
    for k in range(0, len(words), 2):
        w, c = words[k : k + 2]
        number, dst, a, b = w & 255, w >> 8 & 255, w >> 16 & 255, w >> 24
        what = "instruction %d" % (k // 2)
        if number == 2:
            _need(n_in <= dst < n_in + n_out, where, what + " stores to no output")
            arity, function = 1, _STORE[kinds[dst]]
        elif number == 1:
            _need(a < n_in, where, what + " loads no input")
            arity, function = 1, load_bits if kinds[a] == 7 else _MOVE
        else:
            arity, function = find(number)
            _need(arity, where, what + " has opcode %d, which this port does not have" % number)
        for arg in (a, b, c)[:arity]:
            _need(arg < len(kinds) and written[arg], where, what + " reads what is not written")
            same = number == 2 and kinds[arg] == kinds[dst] != 7
            _need(number == 1 or same or kinds[arg] == dtype, where, what + " reads another dtype")
        _need(n_in <= dst < len(kinds), where, what + " writes no output or temporary")
        _need(number == 2 or kinds[dst] == dtype, where, what + " writes another dtype")
        written[dst] = True
        code.append((arity, function, dst, a, b, c))
    _need(all(written[: n_in + n_out]), where, "an output is not written")
    return tuple(code)


def _place(window, own, rows, offset, item):
    """How an input may lie under an output: where each element read is at the bytes of the one that is made of it."""
    first = -offset
    for (low, extent), stride, row in zip(window, own, rows):  # noqa: B905
        if not extent or (extent > 1 and stride != row):
            return None
        first += low * row
    return first * item, False


def may_share(code, operands, n_in, n_out, lying):
    """(input, output) -> how they may share bytes: not if the input is read after the output is written."""
    pairs = {}
    for out in range(n_in, n_in + n_out):
        first = min([k for k, i in enumerate(code) if i[2] == out])
        for k in range(n_in):
            late = [1 for arity, _, _, a, b, c in code[first + 1 :] if k in (a, b, c)[:arity]]
            if lying[k] and not late:
                pairs[operands[k], operands[out]] = lying[k]
    return pairs


def _row_major(dims):
    step = 1
    strides = []
    for dim in reversed(dims):
        strides.insert(0, step)
        step *= dim
    return strides


def _collapse(dims, strides):
    """Join neighbouring axes where every input allows it: the outer dims, the inner length, the strides left."""
    dims = list(dims) or [1]
    strides = [own or [0] for own in strides]
    axis = len(dims) - 2
    while axis >= 0:
        if all(own[axis] == own[axis + 1] * dims[axis + 1] or dims[axis] == 1 for own in strides):
            dim = dims.pop(axis)
            dims[axis] *= dim
            for own in strides:
                own.pop(axis)
        elif dims[axis + 1] == 1:
            dims.pop(axis + 1)
            for own in strides:
                own.pop(axis + 1)
        axis -= 1
    return tuple(dims[:-1]), dims[-1], strides


def _inside(window, outer, row, column):
    """True if the block from this column of this row on lies in the window: (low, extent) of each dimension."""
    axis = len(outer)
    at = column
    while True:
        low, extent = window[axis]
        if not low <= at < low + extent:
            return False
        if not axis:
            return True
        axis -= 1
        at = row % outer[axis]
        row //= outer[axis]


def run(args, begin, end):
    """Compute elements begin..end-1 of every output."""
    code, A, P, S, bases, views, windowed, outer, inner, ports, limit = args
    n_in, n_io, tile, tiles = ports
    at = begin
    first = begin if tiles else 0  # the element that an output's first one is
    while at < end:
        row = at // inner
        column = at - row * inner
        n = inner - column
        if n > limit:
            n = limit
        if n > end - at:
            n = end - at
        for _, _, _, window in windowed:  # a block lies inside every window or outside
            low, extent = window[-1]
            if column < low:
                n = min(n, low - column)
            elif column < low + extent:
                n = min(n, low + extent - column)
        for k, base, stride, strides in views:
            base += column * stride
            left = row
            axis = len(outer)
            while axis:
                axis -= 1
                dim = outer[axis]
                base += left % dim * strides[axis]
                left //= dim
            P[k] = base
        for k, data, stride, window in windowed:
            if _inside(window, outer, row, column):
                A[k] = data
                S[k] = stride
            else:
                A[k] = _NOTHING
                P[k] = S[k] = 0
        if tile < n_in:
            P[tile] = bases[tile] + at - begin
        for k in range(n_in, n_io):
            P[k] = bases[k] + at - first
        for arity, function, d, a, b, c in code:
            if arity == 1:
                function(A[d], P[d], n, A[a], P[a], S[a])
            elif arity == 2:
                function(A[d], P[d], n, A[a], P[a], S[a], A[b], P[b], S[b])
            else:
                function(A[d], P[d], n, A[a], P[a], S[a], A[b], P[b], S[b], A[c], P[c], S[c])
        at += n
