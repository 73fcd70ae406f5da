"""Turns a cdef.h into the C of an extension module (cffi's API mode); files of tools/generate.py."""

from __future__ import annotations

import contextlib
import io
import tempfile
from pathlib import Path

from cffi import FFI

ROOT = Path(__file__).resolve().parent.parent


def native_source(folder: str, module: str, header: str) -> str:
    """The text of lazydiff/<folder>/csrc/native.c. It depends on cffi's version, which the dev extra pins."""
    ffi = FFI()
    ffi.cdef((ROOT / "lazydiff" / folder / "cdef.h").read_text())
    ffi.set_source(f"lazydiff.{folder}.{module}", f'#include "{header}"\n')
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "native.c"
        with contextlib.redirect_stdout(io.StringIO()):  # it says what it writes
            ffi.emit_c_code(str(path))
        return path.read_text()
