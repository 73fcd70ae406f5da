"""What both checkers say of a plan, and the bits that it computes."""

import numpy as np

import lazydiff as ld
from lazydiff.plan.check import check
from lazydiff.plan.codec import encode
from lazydiff.plan.model import Check
from lazydiff.run.native import extension


def verdict(plan):
    """True if both checkers accept, False if both refuse; they must agree."""
    blob = encode(plan)
    native = extension()
    data = native.ffi.new("uint64_t[]", len(blob) // 8)
    native.ffi.memmove(data, blob, len(blob))
    in_c = native.lib.lzd_check(data, len(blob), native.ffi.NULL) == 0
    try:
        check(plan)
        why = ""
    except ld.PlanError as error:
        why = str(error)
    assert in_c == (not why), f"the checkers disagree: C {'accepts' if in_c else 'refuses'}, Python: {why}"
    return in_c


def results(plan):
    """The bits that every entry leaves, run once each with RAM full of NaNs (so that what is not written shows)."""
    session, rng = ld.Session(plan), np.random.default_rng(7)
    blocks = session._model.blocks
    free = [np.ones(len(block), bool) for block in blocks]
    free[0][: plan.executor_bytes] = False
    for s in plan.state:
        b = plan.buffers[s.buffer]
        if b.region.in_ram:
            free[b.region.number][b.offset : b.end] = False
    for block, here in zip(blocks, free, strict=True):
        block[here] = 0xFF
    found = []
    for entry in plan.entries:
        inputs = {}
        for s in entry.inputs:
            dtype = plan.buffers[s.buffer].dtype.numpy
            low, high = (s.low, s.high) if s.check == Check.RANGE else (0, 1)
            values = rng.integers(low, high + 1, s.shape) if dtype != np.float32 else rng.normal(size=s.shape)
            inputs[s.name] = values.astype(dtype)
        found += [a.tobytes() for a in session.arrays(entry.name, **inputs).values()]
    return found + [session.read(s.name).tobytes() for s in plan.state]
