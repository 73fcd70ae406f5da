"""The C kernels as functions on numpy arrays, from a shared library that a test builds."""

import ctypes
import subprocess
from pathlib import Path

import numpy as np

from tools_needed import require

ROOT = Path(__file__).resolve().parents[2]
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wdouble-promotion", "-Wmissing-prototypes"]
FLAGS = ["-std=c99", *WARNINGS, "-Werror", "-ffp-contract=off", "-fno-math-errno", f"-I{ROOT}/c_kernels/include"]
GUARD = 64  # bytes beside each array, so that a kernel that leaves its array is seen


def build(folder, compiler, *options):
    """The runtime as a shared library, every warning an error."""
    path = folder / f"{compiler}{len(list(folder.iterdir()))}.so"
    sources = sorted(map(str, (ROOT / "c_kernels/src").glob("*.c")))
    command = [require(compiler), *FLAGS, *options, "-shared", "-fPIC", *sources, "-lm", "-o", str(path)]
    subprocess.run(command, check=True)
    return ctypes.CDLL(str(path))


def guarded(array):
    """A copy with GUARD bytes of 0xFF (NaN) on both sides, and those bytes with it: (whole, copy)."""
    whole = np.full(2 * GUARD + array.nbytes, 0xFF, np.uint8)
    inside = whole[GUARD : GUARD + array.nbytes].view(array.dtype)
    inside[:] = array
    return whole, inside


def call(lib, kernel, dtype, arrays, words, begin, end):
    """Run one kernel; `arrays` are its operands in order, changed in place."""
    copies = [guarded(a) for a in arrays]
    pointers = (ctypes.c_void_p * len(arrays))(*(inside.ctypes.data for _, inside in copies))
    attrs = (ctypes.c_uint32 * len(words))(*words)
    function = getattr(lib, kernel.c_symbol(dtype))
    function(pointers, attrs, ctypes.c_uint32(begin), ctypes.c_uint32(end))
    for array, (whole, inside) in zip(arrays, copies, strict=True):
        assert (whole[:GUARD] == 0xFF).all(), f"{kernel.name} wrote before an operand"
        assert (whole[GUARD + array.nbytes :] == 0xFF).all(), f"{kernel.name} wrote behind an operand"
        array[:] = inside


def tree(lane):
    """How every contract adds up its eight lanes."""
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]))
