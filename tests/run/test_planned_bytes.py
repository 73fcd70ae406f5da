"""The bytes that a plan prints are the bytes that its steps touch; nothing beside the arena is read or written."""

import ctypes
import mmap
import sys

import numpy as np
import pytest

import lazydiff as ld
from bench.networks import resnet8
from lazydiff.examples import digits, maml, pinn
from lazydiff.plan.lifetimes import entry_lives
from lazydiff.plan.model import MAP, Check, Region
from lazydiff.run import native
from small import classifier, convolution, lookups

PLANS = {
    "classifier": classifier,
    "convolution": convolution,
    "lookups": lookups,
    "digits": digits.build,
    "resnet8": resnet8,
    "maml": maml.build,
    "pinn": lambda: pinn.burgers(0.1).plan,
}


@pytest.fixture(scope="module", params=PLANS.values(), ids=PLANS)
def plan(request):
    return request.param()


def inputs_of(plan, entry):
    """Values for an entry's inputs, the same every time."""
    rng = np.random.default_rng(3)
    found = {}
    for s in entry.inputs:
        dtype = plan.buffers[s.buffer].dtype.numpy
        low, high = (s.low, s.high) if s.check == Check.RANGE else (0, 1)
        whole = np.dtype(dtype).kind != "f"
        found[s.name] = (rng.integers(low, high + 1, s.shape) if whole else rng.normal(size=s.shape)).astype(dtype)
    return found


def ranges(plan, buffers):
    """Which bytes of RAM these buffers are, as a mask."""
    mask = np.zeros(plan.ram_bytes, bool)
    for number in buffers:
        b = plan.buffers[number]
        if b.region == Region.RAM:
            mask[b.offset : b.end] = True
    return mask


def test_a_step_touches_the_planned_bytes_and_no_others(plan):
    """RAM is filled with a pattern, then with another; what is not the pattern afterwards was touched."""
    session = ld.Session(plan)
    ram = session._model.blocks[0]
    state = ranges(plan, [s.buffer for s in plan.state])
    executor = np.arange(plan.ram_bytes) < plan.executor_bytes
    reached = 0
    for entry in plan.entries:
        touched = np.zeros(plan.ram_bytes, bool)
        for pattern in (0x55, 0xA3):
            session.reset()
            ram[~state & ~executor] = pattern
            before = ram.copy()
            session.run(entry.name, **inputs_of(plan, entry))
            touched |= ram != before
        written = {b for step in entry.steps for b in step.writes}
        planned = ranges(plan, written | {s.buffer for s in entry.inputs})
        outside = np.flatnonzero(touched & ~planned & ~executor)
        assert not outside.size, f"{entry.name} changed {outside.size} bytes that no step of it writes: {outside[:9]}"
        scratch = ranges(plan, [s.operands[-1] for s in entry.steps if s.kernel == MAP and s.program.n_temps])
        idle = np.flatnonzero(
            planned & ~touched & ~state & ~scratch
        )  # a state may be left as it was, a block end early
        assert not idle.size, f"{entry.name}: {idle.size} planned bytes are never written: {idle[:9]}"
        top = int(np.flatnonzero(planned | state | executor).max()) + 1
        assert top <= entry_lives(plan, entry).arena_bytes < top + plan.align
        reached = max(reached, top)
    assert reached <= plan.ram_bytes < reached + 8


@pytest.mark.skipif(sys.platform != "linux", reason="mprotect through ctypes")
@pytest.mark.parametrize("side", ["before", "behind"])
def test_nothing_beside_the_arena_is_read_or_written(plan, side, monkeypatch):
    """The plan and the arena lie against pages that can't be touched: one byte too far ends the process."""
    plain = ld.Session(plan)
    kept = []

    def guarded(size_bytes, align):
        page = mmap.PAGESIZE
        room = -(-size_bytes // page) * page
        block = mmap.mmap(-1, room + 2 * page)
        kept.append(block)
        at = ctypes.addressof(ctypes.c_char.from_buffer(block))
        libc = ctypes.CDLL(None, use_errno=True)
        for edge in (at, at + page + room):
            assert libc.mprotect(ctypes.c_void_p(edge), ctypes.c_size_t(page), 0) == 0, "mprotect"
        gap = (room - size_bytes) // align * align if side == "behind" else 0
        return np.frombuffer(block, np.uint8, size_bytes, page + gap)

    monkeypatch.setattr(native, "_aligned", guarded)
    session = ld.Session(plan)
    assert len(kept) == 2
    for entry in plan.entries:
        values = inputs_of(plan, entry)
        wanted, found = (s.arrays(entry.name, **values) for s in (plain, session))
        assert {k: v.tobytes() for k, v in wanted.items()} == {k: v.tobytes() for k, v in found.items()}
    for name in plain.state():
        assert plain.read(name).tobytes() == session.read(name).tobytes()
