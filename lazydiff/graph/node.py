"""The graph: immutable, hash-consed nodes, and the registry of operations that rules and operators build them with."""

from __future__ import annotations

import contextlib
import math
import os
import sys
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np

from lazydiff.dtypes import Dtype, bool_, f32, from_numpy, i32
from lazydiff.errors import DtypeError, GraphError

Scalar: TypeAlias = int | float | bool
Operand: TypeAlias = "Tensor | Scalar | np.ndarray"
Attrs = tuple[tuple[str, object], ...]
Partial: TypeAlias = Callable[..., "Tensor"]
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_EXAMPLES = os.path.join(_PACKAGE, "examples")
_source: ContextVar[str | None] = ContextVar("lazydiff_source", default=None)


@dataclass(frozen=True, slots=True)
class Op:
    """One operation, declared once (lazydiff/ops).

    `infer(inputs, attrs)` gives (shape, dtype) or raises. Of the two derivative rules an op has at most one:
    `partials` has for each input of an elementwise op a function (y, *xs) -> d y / d x (a bool node means a mask; None
    in its place: no derivative), called only for inputs that are differentiated; `transpose(ct, which, xs, attrs)`
    gives the cotangent of input `which` of an op that is linear in each of its inputs. An op with `reduces` multiplies
    by its partials and then applies that linear op. An op without a rule is piecewise constant: its derivative is
    structurally zero. `view` ops cost no bytes. An op with an `expansion` has no kernel: once derivatives are
    taken by its own rule, compile() computes expansion(*xs) in its place.

    What computes the op is an `opcode` of the `map` kernel, or some of the kernels that `kernels` names; these say
    which ports have it (`ports_of` in lazydiff/ops/ports.py).
    """

    name: str
    kind: str  # leaf | elementwise | linear | constant | custom (a user's rule) | opaque (derivatives refused)
    infer: Callable[[Sequence[Tensor], dict[str, object]], tuple[tuple[int, ...], Dtype]]
    partials: tuple[Partial | None, ...] = ()
    transpose: Callable[[Tensor, int, Sequence[Tensor], dict[str, object]], Tensor | None] | None = None
    reduces: str | None = None
    opcode: str | None = None
    view: bool = False
    expansion: Callable[..., Tensor] | None = None
    kernels: tuple[str, ...] = ()


OPS: dict[str, Op] = {}


def declare(op: Op) -> Op:
    """Put an operation into the registry. Raises ValueError when the name is taken."""
    if op.name in OPS:
        raise ValueError(f"op {op.name!r} is declared twice")
    OPS[op.name] = op
    return op


class Tensor:
    """A lazy array: what will be computed, not a value. Two equal expressions are one object; compare with `is`.

    `shape` is a tuple of positive integers, `dtype` a lazydiff dtype, `source` the `file:line` where it was written.
    """

    __slots__ = ("__weakref__", "attrs", "data", "dtype", "inputs", "op", "options", "shape", "source")
    __array_priority__ = 1000  # numpy hands `array * tensor` to us
    __array_ufunc__ = None

    op: Op
    inputs: tuple[Tensor, ...]
    attrs: Attrs
    options: Mapping[str, object]  # the attributes by name
    shape: tuple[int, ...]
    dtype: Dtype
    data: np.ndarray | None
    source: str

    @property
    def name(self) -> str:
        """The name of an input, parameter or state; "" for anything else."""
        return str(self.options.get("name", ""))

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def T(self) -> Tensor:  # noqa: N802 - numpy's name
        """The axes in reverse order."""
        return call("transpose", self)

    def numpy(self, /, *, params: Mapping[str, object] | None = None, **inputs: object) -> np.ndarray:
        """The value now, for a notebook: `t.numpy(x=..., y=...)` with an array, list or number for each input.

        Compiled the first time and kept for equal graphs; parameters and state have their first values, or those of
        `params` by name. A fresh array of this shape and dtype. Raises InputError for a missing, unknown or unfit
        array, GraphError for a graph that can't be compiled. A Session is what a loop wants.
        """
        return call("numpy", self, inputs, params or {})  # type: ignore[return-value]

    def __array__(self, *args: object, **options: object) -> np.ndarray:
        raise GraphError(
            f"{user_line()}: {self!r} has no value yet, so numpy can't read it; tensor.numpy(x=...) computes one"
        )

    def __repr__(self) -> str:
        return f"<{self.op.name}{' ' + self.name if self.name else ''} {self.dtype}{list(self.shape)} at {self.source}>"

    def __bool__(self) -> bool:
        raise GraphError(f"{self!r} has no value yet, so it can't decide an `if`; use ld.where")

    def __len__(self) -> int:
        if not self.shape:
            raise GraphError("len() of a tensor without dimensions")
        return self.shape[0]

    def __getitem__(self, key: object) -> Tensor:
        return call("getitem", self, key)

    def __iter__(self) -> Iterator[Tensor]:
        return iter([self[i] for i in range(len(self))])

    def __add__(self, other: Operand) -> Tensor:
        return call("add", self, other)

    def __radd__(self, other: Operand) -> Tensor:
        return call("add", other, self)

    def __sub__(self, other: Operand) -> Tensor:
        return call("subtract", self, other)

    def __rsub__(self, other: Operand) -> Tensor:
        return call("subtract", other, self)

    def __mul__(self, other: Operand) -> Tensor:
        return call("multiply", self, other)

    def __rmul__(self, other: Operand) -> Tensor:
        return call("multiply", other, self)

    def __truediv__(self, other: Operand) -> Tensor:
        return call("divide", self, other)

    def __rtruediv__(self, other: Operand) -> Tensor:
        return call("divide", other, self)

    def __pow__(self, other: Operand) -> Tensor:
        return call("power", self, other)

    def __rpow__(self, other: Operand) -> Tensor:
        return call("power", other, self)

    def __matmul__(self, other: Operand) -> Tensor:
        return call("matmul", self, other)

    def __rmatmul__(self, other: Operand) -> Tensor:
        return call("matmul", other, self)

    def __neg__(self) -> Tensor:
        return call("neg", self)

    def __abs__(self) -> Tensor:
        return call("abs", self)

    def __lt__(self, other: Operand) -> Tensor:  # type: ignore[misc]
        return call("less", self, other)

    def __le__(self, other: Operand) -> Tensor:  # type: ignore[misc]
        return call("less_equal", self, other)

    def __gt__(self, other: Operand) -> Tensor:  # type: ignore[misc]
        return call("less", other, self)

    def __ge__(self, other: Operand) -> Tensor:  # type: ignore[misc]
        return call("less_equal", other, self)

    def sum(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
        """Sum over axes; see ld.sum."""
        return call("sum", self, axis=axis, keepdims=keepdims)

    def mean(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
        """Mean over axes; see ld.mean."""
        return call("mean", self, axis=axis, keepdims=keepdims)

    def max(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
        """Greatest element over axes; see ld.max."""
        return call("max", self, axis=axis, keepdims=keepdims)

    def reshape(self, *shape: int | tuple[int, ...]) -> Tensor:
        """The same elements in another shape; one extent may be -1."""
        flat = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
        return call("reshape", self, flat)


# Functions that operators and methods reach by name: lazydiff/ops puts them here, so that floors stay in order.
FUNCTIONS: dict[str, Callable[..., Tensor]] = {}


def call(name: str, *args: object, **options: object) -> Tensor:
    """Call a public array function by name."""
    return FUNCTIONS[name](*args, **options)


_interned: weakref.WeakValueDictionary[object, Tensor] = weakref.WeakValueDictionary()


def make(
    op: Op, inputs: Sequence[Tensor], attrs: Mapping[str, object] | None = None, data: np.ndarray | None = None
) -> Tensor:
    """The node of this op, inputs and attributes: the existing one if there is one."""
    items = tuple(sorted(attrs.items())) if attrs else ()
    value = None if data is None else (data.tobytes(), data.shape, data.dtype.str)
    key = (op.name, tuple(map(id, inputs)), items, value)
    found = _interned.get(key)
    if found is not None:
        return found
    options = dict(items)
    if op.name == "const" and data is not None:
        shape, dtype = data.shape, _known(data.dtype)
    else:
        shape, dtype = op.infer(inputs, options)
        if 0 in shape and op.kind != "leaf":  # nothing to compute, to store or to differentiate
            return make(OPS["const"], (), {}, np.zeros(shape, dtype.numpy))
    return _interned_as(key, op, tuple(inputs), items, options, shape, dtype, data)


def _interned_as(
    key: object,
    op: Op,
    inputs: tuple[Tensor, ...],
    attrs: Attrs,
    options: Mapping[str, object],
    shape: tuple[int, ...],
    dtype: Dtype,
    data: np.ndarray | None,
) -> Tensor:
    node = _interned[key] = Tensor()
    node.op, node.inputs, node.attrs, node.options = op, inputs, attrs, options
    node.shape, node.dtype, node.data = shape, dtype, data
    node.source = _source.get() or user_line()
    return node


def same(node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
    """The node on these inputs; itself if they are its own."""
    if inputs == node.inputs:
        return node
    for new, old in zip(inputs, node.inputs, strict=True):
        if new.shape != old.shape or new.dtype is not old.dtype:
            return make(node.op, inputs, node.options)
    key = (node.op.name, tuple(map(id, inputs)), node.attrs, None)  # as in make; nothing is to be inferred
    found = _interned.get(key)
    if found is not None:
        return found
    return _interned_as(key, node.op, inputs, node.attrs, node.options, node.shape, node.dtype, None)


def _known(dtype: np.dtype[np.generic]) -> Dtype:
    found = from_numpy(dtype)
    if found is None:
        raise DtypeError(f"{user_line()}: numpy dtype {dtype}; lazydiff has f32 f64 i32 u8 i8 bool")
    return found


def apply(name: str, *inputs: Tensor, **attrs: object) -> Tensor:
    """The node of a registered op."""
    return make(OPS[name], inputs, attrs)


def user_line() -> str:
    """`file:line` of the nearest frame outside lazydiff (its examples count as the user's)."""
    frame = sys._getframe(1)
    while frame.f_back is not None and not _user_file(frame.f_code.co_filename):
        frame = frame.f_back
    return f"{_user_file(frame.f_code.co_filename) or os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"


@lru_cache(4096)  # asked for each frame between a new node and the line that wanted it
def _user_file(path: str) -> str:
    """The file's name; "" if it is one of lazydiff's own."""
    own = path.startswith(_PACKAGE) and not path.startswith(_EXAMPLES)
    return "" if own else os.path.basename(path)


@contextlib.contextmanager
def source_of(node: Tensor) -> Iterator[None]:
    """Nodes made inside count as written where `node` was (derivatives point at the forward op's line)."""
    with sources() as write_as:
        write_as(node)
        yield


@contextlib.contextmanager
def sources() -> Iterator[Callable[[Tensor], None]]:
    """Gives a function after whose call nodes made inside count as written where its argument was."""
    token = _source.set(_source.get())

    def write_as(node: Tensor) -> None:
        _source.set(node.source)

    try:
        yield write_as
    finally:
        _source.reset(token)


def constant(value: Operand, like: Dtype | None = None) -> Tensor:
    """A constant node. Python numbers take the dtype `like` (f32 without one); arrays keep theirs (f64 stays f64)."""
    if isinstance(value, Tensor):
        return value
    if isinstance(value, (bool, int, float)) and not isinstance(value, np.generic):
        if isinstance(value, bool):
            dtype = bool_
        elif like is not None and (like.is_float or isinstance(value, int)):
            dtype = like
        else:
            dtype = i32 if like is i32 and isinstance(value, int) else f32
        array = np.asarray(value, dtype.numpy)
    else:
        array = np.array(value, order="C")
        if array.dtype == np.int64:
            array = array.astype(np.int32) if np.array_equal(array.astype(np.int32), array) else array
    _known(array.dtype)
    array.flags.writeable = False
    return make(OPS["const"], (), {}, array)
