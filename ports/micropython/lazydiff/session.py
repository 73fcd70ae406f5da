"""Runs the entries of a plan: everything is decoded and allocated when the Session is made, nothing but floats after."""

import gc
from array import array

from .decode import steps
from .errors import InputError
from .inputs import copy_in, verify
from .plan import ITEMSIZE, NONE, Plan, need

_TYPECODES = " fdiBbBB"  # by dtype
_WORK = 3


def _zeros(dtype, count):
    """An array of zeros, without the bytes object that array(code, bytes(n)) would need beside it."""
    if ITEMSIZE[dtype] == 1:
        return array(_TYPECODES[dtype], bytes(count))
    made = array(_TYPECODES[dtype], range(count))
    zero = 0.0 if dtype < 3 else 0
    for k in range(count):
        made[k] = zero
    return made


class Session:
    """Parameters, state and work space of one plan, and a callable per entry: `s.train(x=..., y=...)`.

    source: a Plan, the path of a .lzp file or its bytes. Raises PlanError on a plan that breaks a rule, or that mixes
    f32 and f64 for anything but the temporaries of integers. A call returns the entry's output: a number for shape (), else an array that the next call of the same
    entry overwrites; with several outputs, a dict of them. It raises InputError before anything runs.
    """

    def __init__(self, source):
        # What is kept should not lie scattered among what is not, so that a small heap has a hole for the next buffer.
        threshold = gc.threshold() if hasattr(gc, "threshold") else None
        if threshold is not None:
            gc.threshold(2048)
        try:
            plan = source if isinstance(source, Plan) else Plan(source)
            gc.collect()
            self._open(plan)
        finally:
            if threshold is not None:
                gc.threshold(threshold)

    def _open(self, plan):
        self.ram_bytes = plan.ram_bytes
        # A step on integers alone may have temporaries of the other float dtype; they are objects in a list (decode.py).
        floats = {b[2] for b in plan.buffers if b[2] < 3 and b[0] != 2 and (b[1] != _WORK or b[0] == 1)}
        need(len(floats) < 2, "plan", "f32 and f64 in one plan: this port keeps one array of floats")
        floats = floats or {b[2] for b in plan.buffers if b[2] < 3}
        dtype = min(floats) if floats else 1
        places = _places(plan, dtype)
        plan.read_records()
        self._state = {}
        at, _ = plan.sections["init"]
        for name, buffer, shape, init, _, _, _ in plan.state:
            data, first = places[buffer]
            region, _, kind, _, size = plan.buffers[buffer]
            count = size // ITEMSIZE[kind]
            self._state[name] = data, first, count, shape, kind, region
            if init != NONE:
                plan.read_array(at + init, data, first, count, _TYPECODES[kind])
        self.entries = plan.names
        self._entries = {}
        for name in self.entries:
            self._entries[name] = entry = Entry(name, plan, places, dtype)
            if not hasattr(self, name) and not name.startswith("_"):  # one called `read` is reached through run()
                setattr(self, name, entry)

    def run(self, entry, **inputs):
        """Run an entry by name."""
        if entry not in self._entries:
            raise InputError("no entry %r; there are %s" % (entry, ", ".join(self.entries)))
        return self._entries[entry](**inputs)

    def read(self, name):
        """A copy of a parameter or state: an array, row-major; a number for shape ()."""
        data, first, count, shape, dtype, _ = self._find(name)
        if not shape:
            return data[first]
        out = _zeros(dtype, count)
        for k in range(count):
            out[k] = data[first + k]
        return out

    def write(self, name, value):
        """Replace a parameter or state by a flat array or nested lists. Raises InputError; then nothing has changed."""
        data, first, count, shape, dtype, region = self._find(name)
        if region == 1:
            raise InputError("write: %r is frozen: it lies in the plan's constants" % name)
        new = _zeros(dtype, count)
        copy_in("write", (name, new, 0, count, shape, memoryview(new), dtype, 0, 0, 0), value)
        for k in range(count):
            data[first + k] = new[k]

    def _find(self, name):
        if name not in self._state:
            raise InputError("no parameter %r; there are %s" % (name, ", ".join(sorted(self._state))))
        return self._state[name]


def _places(plan, floats):
    """(array, index) of each buffer. One array holds all floats of a region of RAM, one each overlapping group of the others.

    Floats of another dtype than `floats` have no place. A dtype may have an array of its own because no step reads a buffer through another one of another dtype (rule 5).
    """
    places = [None] * len(plan.buffers)
    order = [k for k, b in enumerate(plan.buffers) if plan.in_ram(k) and (b[2] > 2 or b[2] == floats)]
    order.sort(key=lambda k: (plan.buffers[k][2], plan.buffers[k][0], plan.buffers[k][3]))
    group, end, kind, block = [], 0, 0, 0
    for k in order + [-1]:
        region, _, dtype, offset, size = plan.buffers[k] if k >= 0 else (0, 0, 0, 0, 0)
        if group and (dtype != kind or region != block or (offset >= end and dtype > 2)):
            item = ITEMSIZE[kind]
            first = plan.buffers[group[0]][3]
            data = _zeros(kind, (end - first) // item)
            for j in group:
                places[j] = data, (plan.buffers[j][3] - first) // item
            group = []
        end = max(end, offset + size) if group else offset + size
        kind, block = dtype, region
        group.append(k)
    at, _ = plan.sections["consts"]
    made = {}
    for k, buffer in enumerate(plan.buffers):
        region, _, dtype, offset, size = buffer
        if region == 1 and buffer not in made:
            made[buffer] = data, _ = _zeros(dtype, size // ITEMSIZE[dtype]), 0
            plan.read_array(at + offset, data, 0, len(data), _TYPECODES[dtype])
        if region == 1:
            places[k] = made[buffer]
    return places


class Entry:
    """One entry, decoded: call it with the inputs by name."""

    def __init__(self, name, plan, places, dtype):
        self.name = name
        _, inputs, outputs, _ = plan.entries[name]
        self._inputs = []
        for symbol, buffer, shape, _, check, low, high in inputs:
            data, first = places[buffer]
            kind = plan.buffers[buffer][2]
            count = plan.buffers[buffer][4] // ITEMSIZE[kind]
            view = memoryview(data)[first : first + count]
            self._inputs.append((symbol, data, first, count, shape, view, kind, check, low, high))
        self._steps = tuple(steps(plan, name, places, dtype))
        self._outputs = []
        self._results = {}
        for symbol, buffer, shape, _, _, _, _ in outputs:
            region, _, kind, _, size = plan.buffers[buffer]
            out = _zeros(kind, size // ITEMSIZE[kind])
            data, first = places[buffer] or (out, 0)
            view = memoryview(data)[first : first + len(out)]
            self._outputs.append((symbol, shape, data, first, out, memoryview(out), view))
            self._results[symbol] = out

    def __call__(self, **values):
        inputs = self._inputs
        for item in inputs:
            if item[0] not in values:
                raise InputError("%s: input `%s` is missing" % (self.name, item[0]))
            copy_in(self.name, item, values[item[0]])
        if len(values) != len(inputs):
            names = [item[0] for item in inputs]
            unknown = [v for v in values if v not in names]
            raise InputError("%s: no input `%s`; it takes %s" % (self.name, unknown[0], ", ".join(names)))
        for item in inputs:
            verify(self.name, item)
        for function, args, rows in self._steps:
            function(args, 0, rows)
        result = None
        for name, shape, data, first, out, whole, view in self._outputs:
            result = out
            if shape:
                whole[:] = view
            else:
                result = data[first]
            self._results[name] = result
        return result if len(self._outputs) == 1 else self._results
