"""Judges the arrays a Session is given: the array to use, or an InputError that says what, where and what to try."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from lazydiff.errors import InputError
from lazydiff.plan.model import Check
from lazydiff.run.info import SymbolInfo


def admit(where: str, symbol: SymbolInfo, value: object) -> np.ndarray:
    """`value` as a C-contiguous array of the symbol's dtype and shape; an array is never copied. Raises InputError.

    `where` is the start of the message: `train: input 'x'`.
    """
    if not symbol.shape and isinstance(value, bool | int | float | np.generic):
        return _scalar(where, symbol, value)
    array = _matching(where, symbol, value)
    if not array.flags.c_contiguous:
        raise InputError(
            f"{where} is not C-contiguous: its strides are {array.strides}\n  try: np.ascontiguousarray(...)"
        )
    return array


def admit_along(where: str, symbol: SymbolInfo, value: object) -> tuple[np.ndarray, int]:
    """`value` as an array of the symbol's values for several runs, and for how many; 0: one value for all of them.

    The values lie along the first axis: a shape of (8, 64) for n runs is (n * 8, 64), one of () is (n,). Raises
    InputError.
    """
    first, rest = (symbol.shape[0], symbol.shape[1:]) if symbol.shape else (1, ())
    shape = value.shape if isinstance(value, np.ndarray) else symbol.shape
    if shape == symbol.shape:
        return admit(where, symbol, value), 0
    if not shape or shape[1:] != rest or shape[0] % first or not shape[0]:
        wanted = f"(n{f' * {first}' if first > 1 else ''},{','.join(f' {r}' for r in rest)})"
        tip = f"n times as long along the first axis: {wanted}"
        if len(shape) > 0 and shape[1:] == rest and shape[0] > first:
            tip = f"[: {shape[0] // first * first}], which leaves out what fills no batch of {first}"
        raise InputError(f"{where} has shape {shape}; one run takes {symbol.shape}\n  try: {tip}")
    whole = replace(symbol, shape=shape)
    return admit(where, whole, value), shape[0] // first


def admit_out(where: str, symbol: SymbolInfo, value: object) -> np.ndarray:
    """`value` as an array into which the symbol can be copied. Raises InputError."""
    array = _matching(where, symbol, value)
    fresh = f"np.empty({symbol.shape}, np.{symbol.dtype.numpy.name})"
    if not array.flags.c_contiguous:
        raise InputError(f"{where} is not C-contiguous: its strides are {array.strides}\n  try: {fresh}")
    if not array.flags.writeable:
        raise InputError(f"{where} is read-only, and results are to be written there\n  try: {fresh}")
    return array


def names_error(where: str, wanted: Collection[str], given: Collection[str]) -> InputError:
    """What is wrong with the names of an entry's inputs."""
    missing = [repr(n) for n in wanted if n not in given]
    unknown = [repr(n) for n in given if n not in wanted]
    parts = [f"missing {', '.join(missing)}"] * bool(missing) + [f"unknown {', '.join(unknown)}"] * bool(unknown)
    call = f"{where}({', '.join(f'{n}=...' for n in wanted)})"
    return InputError(f"{where}: inputs by name: {'; '.join(parts)}\n  try: {call}")


def list_names(what: str, names: Collection[str]) -> str:
    """`this plan's entries: train, infer`."""
    return f"this plan's {what}: {', '.join(names) or 'none'}"


def refused_element(symbol: SymbolInfo, value: np.ndarray) -> int | None:
    """The first element that the symbol's check refuses, as C finds it, or None."""
    if symbol.check is Check.RANGE:
        bad = (value < symbol.low) | (value > symbol.high)
    elif symbol.check is Check.FINITE:
        bad = ~np.isfinite(value)
    else:
        return None
    return int(np.argmax(bad)) if bad.any() else None


def value_error(where: str, symbol: SymbolInfo, value: np.ndarray, element: int, done: int = 0) -> InputError:
    """Why C refused an element of an input, after `done` runs of the same call."""
    index = tuple(int(i) for i in np.unravel_index(element, value.shape)) if value.shape else ()
    bad = value[index].item()
    at = f" at {list(index)}" if index else ""
    if symbol.check is Check.RANGE:
        count = int(((value < symbol.low) | (value > symbol.high)).sum())
        wanted, tip = f"must lie in {symbol.low} .. {symbol.high}", f"np.clip, or drop the {count} out of range"
    else:
        count = int((~np.isfinite(value)).sum())
        wanted, tip = "must be finite", f"np.nan_to_num, or drop the {count} that are not"
    touched = (
        f"runs 0 to {done - 1} are done, run {done} has touched no parameter" if done else "no parameter was touched"
    )
    return InputError(f"{where} holds {bad}{at}; every element {wanted}\n  {touched}\n  try: {tip}")


def _matching(where: str, symbol: SymbolInfo, value: object) -> np.ndarray:
    dtype = symbol.dtype.numpy
    if not isinstance(value, np.ndarray):
        raise InputError(
            f"{where} is a {type(value).__name__}, not a numpy array\n  try: np.asarray(..., np.{dtype.name})"
        )
    if value.dtype != dtype:
        if dtype.kind == "i" and value.dtype.kind == "f" and (nans := int(np.isnan(value).sum())):
            first = [int(i) for i in np.argwhere(np.isnan(value))[0]]
            raise InputError(
                f"{where} is {value.dtype} with {nans} NaN (the first at {first}), not {symbol.dtype} ({dtype.name})\n"
                "  try: drop those examples, then .astype(np." + dtype.name + ")"
            )
        raise InputError(
            f"{where} is {value.dtype}, not {symbol.dtype} ({dtype.name})\n  try: .astype(np.{dtype.name})"
        )
    if value.shape != symbol.shape:
        tip = f"give exactly {symbol.shape}: a plan's shapes are fixed; compile another plan for another batch"
        if value.size == math.prod(symbol.shape):
            tip = f".reshape({symbol.shape})"
        raise InputError(f"{where} has shape {value.shape}, not {symbol.shape}\n  try: {tip}")
    return value


def _scalar(where: str, symbol: SymbolInfo, value: bool | int | float | np.generic) -> np.ndarray:
    dtype = symbol.dtype.numpy
    kinds = {"f": "fiu", "i": "iu", "u": "iu", "b": "b"}[dtype.kind]
    given = np.asarray(value)
    if given.dtype.kind not in kinds:
        raise InputError(
            f"{where} is {value!r} ({given.dtype}), not {symbol.dtype}\n  try: {dtype.name} or an array of it"
        )
    if dtype.kind in "iu" and not np.iinfo(dtype).min <= int(value) <= np.iinfo(dtype).max:
        raise InputError(f"{where} is {value!r}, more than {symbol.dtype} holds\n  try: a smaller number")
    return np.asarray(value, dtype)


def out_arrays(entry: str, symbols: tuple[SymbolInfo, ...], out: object) -> list[np.ndarray]:
    """The arrays of an `out=` in the outputs' order; it is an array for one output, a dict for several."""
    if len(symbols) == 1 and not isinstance(out, Mapping):
        return [admit_out(f"{entry}: out=", symbols[0], out)]
    names = [s.name for s in symbols]
    if not isinstance(out, Mapping) or set(out) != set(names):
        given = list(out) if isinstance(out, Mapping) else f"a {type(out).__name__}"
        raise InputError(f"{entry}: out= is {given}\n  try: a dict of arrays named {', '.join(names)}")
    return [admit_out(f"{entry}: out={{{s.name!r}}}", s, out[s.name]) for s in symbols]


def out_along(entry: str, symbols: tuple[SymbolInfo, ...], out: object, times: int) -> list[np.ndarray]:
    """The arrays of an `out=` for so many runs: each output's shape with one more axis in front."""
    return out_arrays(entry, tuple(replace(s, shape=(times, *s.shape)) for s in symbols), out)
