"""Turns lazydiff/run/cdef.h into the C of the extension module (cffi's API mode); a file of tools/generate.py."""

from __future__ import annotations

import contextlib
import io
import tempfile
from pathlib import Path

from cffi import FFI

ROOT = Path(__file__).resolve().parent.parent


def native_source() -> str:
    """The text of lazydiff/run/csrc/native.c. It depends on cffi's version, which the dev extra pins."""
    ffi = FFI()
    ffi.cdef((ROOT / "lazydiff/run/cdef.h").read_text())
    ffi.set_source("lazydiff.run._native", '#include "lzd_python.h"\n')
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "native.c"
        with contextlib.redirect_stdout(io.StringIO()):  # it says what it writes
            ffi.emit_c_code(str(path))
        return path.read_text()
