"""Finds the C runtime's own sources, of which exported folders and compiled maps are made."""

from __future__ import annotations

from pathlib import Path

from lazydiff.errors import ToolError


def c_kernels_dir() -> Path:
    """The folder that holds `include/` and `src/`: the checkout's c_kernels, or its copy in an installed wheel.

    Raises ToolError if neither is there.
    """
    package = Path(__file__).resolve().parent.parent
    for folder in (package.parent / "c_kernels", package / "c_kernels"):
        if (folder / "include" / "lzd.h").is_file():
            return folder
    raise ToolError(
        f"lazydiff: the C sources are not beside {package}\n"
        "  try: pip install --force-reinstall lazydiff, or pip install -e . in a whole checkout"
    )
