"""What one element of a map is in C: how it comes into a register, goes out of it, and is called there."""

from __future__ import annotations

from lazydiff.dtypes import Dtype, bits, bool_, f32, f64, i8, i32, u8

_LIMITS = {i32: "INT32_MIN, INT32_MAX", u8: "0, 255", i8: "-128, 127"}


def cast(value: str, source: Dtype) -> str:
    """A load: an element of any dtype as a T."""
    return f"{value} ? (T)1 : (T)0" if source in (bits, bool_) else f"(T){value}"


def stored(value: str, target: Dtype) -> str:
    """A store: a T as an element of any dtype."""
    if target in (f32, f64):
        return f"({target.c_name}){value}"
    if target in (bits, bool_):
        return f"{value} != (T)0"
    return f"{'' if target is i32 else f'({target.c_name})'}truncated({value}, {_LIMITS[target]})"


def c_type(dtype: Dtype) -> str:
    """The C type of an element while it is in a register."""
    return "bool" if dtype is bits else dtype.c_name
