"""Plans small enough to count by hand."""

from lazydiff.dtypes import f32
from lazydiff.kernels.opcodes import BY_NAME
from lazydiff.kernels.program import NO_TILE, Instruction, MapInput, Program
from lazydiff.plan.model import MAP, Buffer, Entry, Kind, Plan, Region, Step, Symbol


def ram(kind, offset, elements, label=""):
    return Buffer(Region.RAM, kind, f32, offset, 4 * elements, label)


def multiply(elements, inputs, out, tile=NO_TILE, label="", source=""):
    """A map step that multiplies its inputs (all read contiguously)."""
    views = tuple(MapInput(f32, 0, (1,)) for _ in inputs)
    first, second, last = 0, len(inputs) - 1, len(inputs)
    body = (Instruction(BY_NAME["multiply"].number, last, first, second),)
    words = Program((elements,), views, (f32,), 0, 16, tile, body).words()
    return Step(MAP, f32, (*inputs, out), words, 0, label, source)


W, X, H, H2, LOSS, W_NEW = range(6)


def tiny():
    """w *= (x * w)^2, loss = sum((x * w)^2): the square lies in place of the product, the new w in place of w."""
    buffers = (
        ram(Kind.PARAMS, 32, 4),
        ram(Kind.IO, 48, 4),
        ram(Kind.WORK, 64, 4, "product"),
        ram(Kind.WORK, 64, 4, "square"),
        ram(Kind.IO, 80, 1),
        ram(Kind.PARAMS, 32, 4),
    )
    steps = (
        multiply(4, (X, W), H, label="x * w", source="tiny.py:3"),
        multiply(4, (H,), H2, label="square", source="tiny.py:4"),
        Step(2, f32, (H2, LOSS), (1, 4, 1), 0, "sum", "tiny.py:5"),
        multiply(4, (W, H2), W_NEW, label="update", source="tiny.py:6"),
    )
    x, loss = Symbol("x", X, (4,)), Symbol("loss", LOSS, ())
    train = Entry("train", (x,), (loss,), steps, ((W, W_NEW),))
    infer = Entry("infer", (x,), (Symbol("infer", H, (4,)),), steps[:1])
    return Plan(88, 8, buffers, (Symbol("w", W, (4,), 0),), (train, infer), b"", bytes(16))
