"""Leaves (inputs, parameters, state, constants) and markers that cost nothing, such as stop_gradient."""

from __future__ import annotations

import numpy as np

from lazydiff.dtypes import BY_NAME, Dtype, f32, from_numpy, i32
from lazydiff.errors import DtypeError, GraphError, ShapeError
from lazydiff.graph.node import FUNCTIONS, OPS, Op, Tensor, apply, declare, make, user_line

declare(Op("const", "leaf", lambda xs, a: ((), f32)))
for _leaf in ("input", "param", "state", "placeholder", "missing_derivative"):
    declare(Op(_leaf, "leaf", lambda xs, a: (tuple(a["shape"]), BY_NAME[str(a["dtype"])])))  # type: ignore[arg-type]
declare(Op("stop_gradient", "constant", lambda xs, a: (xs[0].shape, xs[0].dtype), view=True))
# What compile() computes is y; what differentiates it is the user's rule (passes/custom.py), or nothing may.
declare(Op("custom", "custom", lambda xs, a: (xs[0].shape, xs[0].dtype), view=True))
declare(Op("no_derivative", "opaque", lambda xs, a: (xs[0].shape, xs[0].dtype), view=True))
declare(
    Op(
        "expect",
        "linear",
        lambda xs, a: (xs[0].shape, xs[0].dtype),
        transpose=lambda ct, which, xs, a: ct,
        view=True,
    )
)
# Hints to the planner's recomputation: x itself, as a value of its own (memory/recompute).
for _hint in ("keep", "recompute"):
    declare(
        Op(
            _hint,
            "linear",
            lambda xs, a: (xs[0].shape, xs[0].dtype),
            transpose=lambda ct, which, xs, a: ct,
            view=True,
        )
    )
# x, computed once the tokens are: so micro-batches (passes/split_batch.py) run one after the other, and do not fuse.
declare(Op("after", "constant", lambda xs, a: (xs[0].shape, xs[0].dtype), view=True))


def checked_shape(shape: object, least: int = 1) -> tuple[int, ...]:
    """A shape as a tuple of ints from `least`, or ShapeError. What is in a plan has elements: inputs, parameters."""
    if (
        isinstance(shape, tuple)
        and len(shape) <= 8
        and {*map(type, shape)} <= {int}
        and min(shape, default=least) >= least
    ):
        return shape  # as most are
    items = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)  # type: ignore[arg-type]
    if any(isinstance(s, bool) or not isinstance(s, (int, np.integer)) or s < least for s in items) or len(items) > 8:
        raise ShapeError(f"{user_line()}: a shape is up to 8 integers from {least}, not {shape!r}")
    return tuple(int(s) for s in items)


def checked_name(name: object) -> str:
    """The name, or GraphError: a string that UTF-8 can write, without NUL, not empty."""
    if not isinstance(name, str) or not name or any(c == "\0" or "\ud800" <= c <= "\udfff" for c in name):
        raise GraphError(f"{user_line()}: a name is a string that UTF-8 can write, not empty, not {name!r}")
    return name


def input(name: str, shape: tuple[int, ...] | int, dtype: Dtype = f32) -> Tensor:  # noqa: A001 - the field's word
    """An array that the caller gives at each run. `shape` is fixed; a 0-d input is a number."""
    if name in ("out", "changed"):
        raise GraphError(f"{user_line()}: an input can't be named {name!r}: a Session's calls take {name}=")
    if not isinstance(dtype, Dtype):
        raise DtypeError(
            f"{user_line()}: input {name!r}: dtype must be one of ld.f32 f64 i32 u8 i8 bool_, not {dtype!r}"
        )
    return make(OPS["input"], (), {"name": checked_name(name), "shape": checked_shape(shape), "dtype": dtype.name})


def _stored(op: str, name: str, value: object, dtype: Dtype | None) -> Tensor:
    array = np.array(value, dtype=None if dtype is None else dtype.numpy, order="C")
    typed = isinstance(value, (np.ndarray, np.generic)) and array.dtype.kind not in "iu"
    if dtype is None and not typed:
        array = array.astype(np.float32)
    found = from_numpy(array.dtype)
    if found is None or not (found.is_float or (op == "state" and dtype == found == i32)):
        kinds = "float32, float64 or, with dtype=ld.i32, int32" if op == "state" else "float32 or float64"
        raise DtypeError(f"{user_line()}: {op} {name!r} must be {kinds}, not {array.dtype}")
    shape = checked_shape(array.shape)
    array.flags.writeable = False
    return make(OPS[op], (), {"name": checked_name(name), "shape": shape, "dtype": found.name}, array)


def param(name: str, value: object, dtype: Dtype | None = None) -> Tensor:
    """A parameter with its first value (float32 or float64 array; lists and ints become float32)."""
    return _stored("param", name, value, dtype)


def state(name: str, value: object, dtype: Dtype | None = None) -> Tensor:
    """A value that lives from run to run and is not trained, such as a momentum or, with dtype=ld.i32, a counter.

    Floats keep their dtype; lists and ints become float32 unless `dtype` is given.
    """
    return _stored("state", name, value, dtype)


def stop_gradient(x: Tensor) -> Tensor:
    """x, with a derivative of zero."""
    return apply("stop_gradient", x)


def no_derivative(x: Tensor, why: str = "ld.no_derivative forbids it") -> Tensor:
    """x; a derivative through it is refused when it is compiled, with the user's line and `why`."""
    return apply("no_derivative", x, why=why)


def placeholder(name: str, shape: tuple[int, ...], dtype: Dtype) -> Tensor:
    """A leaf unlike any other, for a variable that a transform makes and takes away again."""
    return make(OPS["placeholder"], (), {"name": name, "shape": shape, "dtype": dtype.name, "of": object()})


def expect(x: Tensor, low: int | None = None, high: int | None = None) -> Tensor:
    """x, an input: every run first checks that each element is in low .. high (i32) or finite (float): InputError."""
    if x.dtype.is_float:
        return apply("expect", x, finite=True)
    if low is None or high is None or low > high:
        raise GraphError(f"{user_line()}: expect of an integer input takes low <= high, not {low!r}, {high!r}")
    return apply("expect", x, low=int(low), high=int(high))


def keep(x: Tensor) -> Tensor:
    """x, with the hint that recomputation shall not drop it: it stays in memory while anything still reads it.

    Bits and derivatives are those of x. It becomes a value of its own: what makes it does not fuse with what reads it.
    """
    return apply("keep", x)


def recompute(x: Tensor) -> Tensor:
    """x, with the hint that it may be dropped and made again wherever that lowers the peak, with a budget or without.

    Under a budget it is dropped before others. Bits and derivatives are those of x; it becomes a value of its own.
    `compile(recompute="none")` takes no such hint.
    """
    return apply("recompute", x)


def after(x: Tensor, *tokens: Tensor) -> Tensor:
    """x as a view; what reads it runs only when the tokens have been computed."""
    return apply("after", x, *tokens)


FUNCTIONS.update(stop_gradient=stop_gradient, expect=expect, keep=keep, recompute=recompute)
