"""The planner's C (memory/csrc), as cffi gives it."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import accumulate, chain
from typing import Any

import numpy as np
import numpy.typing as npt

from lazydiff.errors import ToolError


@cache
def extension() -> Any:
    """The compiled module. Raises ToolError, with the command that builds it, where it is missing."""
    try:
        return importlib.import_module("lazydiff.memory._native")
    except ImportError as error:
        raise ToolError(
            f"lazydiff.memory: the C extension is missing ({error})\n"
            "  try: pip install -e . in a checkout (needs a C compiler); else pip install --force-reinstall lazydiff"
        ) from error


def flat(lists: Iterable[Sequence[Any]]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Lists of integers, or of tuples of them, for C: where each begins, and the last ends; all their numbers."""
    every = list(lists)
    numbers = np.array(list(chain.from_iterable(every)), np.int32).reshape(-1)
    return np.array(list(accumulate(map(len, every), initial=0)), np.int32), numbers


def pointer(ctype: str, array: npt.NDArray[Any]) -> Any:
    """A C pointer to the array's data, which it keeps alive."""
    return extension().ffi.from_buffer(f"{ctype}[]", array)
