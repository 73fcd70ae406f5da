"""The element types: one row each gives bytes, C name, numpy dtype and the number used in plans (for ever)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Dtype:
    """One element type. `itemsize` is in bytes and is also its alignment; that of `bits` is of eight elements.

    There is one object for each: copies and pickles are that one, so types are compared by identity.
    """

    name: str
    code: int
    itemsize: int
    c_name: str
    is_float: bool

    def size_bytes(self, elements: int) -> int:
        """How many bytes so many elements take."""
        return -(-elements // 8) if self is bits else elements * self.itemsize

    @property
    def numpy(self) -> np.dtype:
        """The numpy dtype, always little-endian in plans; of `bits` that of its bytes."""
        return _NUMPY[self.code]

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple[object, ...]:
        return _by_code, (self.code,)


f32 = Dtype("f32", 1, 4, "float", True)
f64 = Dtype("f64", 2, 8, "double", True)
i32 = Dtype("i32", 3, 4, "int32_t", False)
u8 = Dtype("u8", 4, 1, "uint8_t", False)
i8 = Dtype("i8", 5, 1, "int8_t", False)
bool_ = Dtype("bool", 6, 1, "uint8_t", False)
bits = Dtype("bits", 7, 1, "uint8_t", False)  # of a plan alone: bools, element i in bit i mod 8 of byte i div 8

ALL: tuple[Dtype, ...] = (f32, f64, i32, u8, i8, bool_)  # what a user may ask for
FLOATS: tuple[Dtype, ...] = (f32, f64)
BY_CODE: dict[int, Dtype] = {d.code: d for d in (*ALL, bits)}
BY_NAME: dict[str, Dtype] = {d.name: d for d in BY_CODE.values()}
_NUMPY: dict[int, np.dtype] = {
    1: np.dtype("<f4"), 2: np.dtype("<f8"), 3: np.dtype("<i4"),
    4: np.dtype("u1"), 5: np.dtype("i1"), 6: np.dtype("?"),
    7: np.dtype("u1"),
}  # fmt: skip


def _by_code(code: int) -> Dtype:
    return BY_CODE[code]


def from_numpy(dtype: np.dtype) -> Dtype | None:
    """The Dtype of a numpy dtype, or None where lazydiff has none."""
    for candidate in ALL:
        if candidate.numpy == dtype:
            return candidate
    return None
