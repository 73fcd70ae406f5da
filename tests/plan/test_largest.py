"""A buffer has at most 2**31 bytes, anything at most 2**31 elements: both checkers take those and refuse one more."""

import dataclasses

import pytest

from lazydiff.dtypes import f32, u8
from lazydiff.kernels.opcodes import LOAD, STORE
from lazydiff.kernels.program import NO_TILE, Instruction, MapInput, Program
from lazydiff.plan.check import check
from lazydiff.plan.codec import encode
from lazydiff.plan.model import MAP, Buffer, Entry, Kind, Plan, Region, Step, Symbol
from lazydiff.run import native
from mutations import refused

SUM = 2


def of_one_step(step, x, out):
    """A plan whose one step reads x, a dtype and its bytes, and writes out, elements of f32."""
    first = Buffer(Region.RAM, Kind.IO, x[0], 64, x[1])
    second = Buffer(Region.RAM, Kind.IO, f32, -(-first.end // 16) * 16, 4 * out)
    inputs = (Symbol("x", 0, (x[1] // x[0].itemsize,)),)
    entry = Entry("f", inputs, (Symbol("y", 1, (out,)),), (step,), ())
    return Plan(second.end + -second.end % 16, 16, (first, second), (), (entry,), b"", b"")


def summed(elements):
    return of_one_step(Step(SUM, f32, (0, 1), (1, elements, 1)), (f32, 4 * elements), 1)


def picked(bytes_there):
    """The last byte of many, as a number."""
    program = Program(
        (1,), (MapInput(u8, bytes_there - 1, (1,)),), (f32,), 0, 8, NO_TILE, (Instruction(LOAD.number, 1, 0),)
    )
    return of_one_step(Step(MAP, f32, (0, 1), program.words()), (u8, bytes_there), 1)


def c_status(plan):
    """What lzd_check says: 0 is good."""
    both, blob = native.extension(), encode(plan)
    words = both.ffi.new("uint64_t[]", len(blob) // 8)
    both.ffi.buffer(words)[:] = blob
    return both.lib.lzd_check(words, len(blob), both.ffi.NULL)


@pytest.mark.parametrize(("make", "most"), [(summed, 2**29), (picked, 2**31)])
def test_a_buffer_of_two_to_the_31_bytes_goes_and_a_larger_one_does_not(make, most):
    check(make(most))
    assert c_status(make(most)) == 0
    refused(make(most + 1), "at most 2..31")


def test_a_map_has_at_most_two_to_the_31_elements():
    for elements in (2**31, 2**31 + 1):
        program = Program(
            (elements,), (MapInput(u8, 0, (0,)),), (u8,), 0, 8, NO_TILE, (Instruction(STORE.number, 1, 0),)
        )
        plan = of_one_step(Step(MAP, f32, (0, 1), program.words()), (u8, 1), 1)
        out = dataclasses.replace(plan.buffers[1], dtype=u8, size_bytes=2**31)
        plan = dataclasses.replace(plan, buffers=(plan.buffers[0], out), ram_bytes=2**31 + 80)
        entry = dataclasses.replace(plan.entries[0], outputs=(Symbol("y", 1, (2**31,)),))
        plan = dataclasses.replace(plan, entries=(entry,))
        if elements == 2**31:
            check(plan)
            assert c_status(plan) == 0
        else:
            refused(plan, "map over")
