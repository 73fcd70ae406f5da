"""What a test does where a compiler, emulator or interpreter is missing: skip, saying what to install, or fail."""

from __future__ import annotations

import os
import shutil

import pytest

# By target, the compiler for a Raspberry Pi and the emulator of its processor.
RASPBERRY_PIS = {"aarch64": ("aarch64-linux-gnu-gcc", "qemu-aarch64"), "armv7": ("arm-linux-gnueabihf-gcc", "qemu-arm")}

# Tools that come under several names.
_ALIASES = {"qemu-aarch64": ("qemu-aarch64-static", "qemu-aarch64"), "qemu-arm": ("qemu-arm-static", "qemu-arm")}


def require(tool: str) -> str:
    """The path of `tool`. Without it the test is skipped, or fails when LAZYDIFF_REQUIRE_ALL=1."""
    for name in _ALIASES.get(tool, (tool,)):
        if found := shutil.which(name):
            return found
    return missing(tool)


def missing(what: str) -> str:
    """Skip the test because `what` is not here, or fail when LAZYDIFF_REQUIRE_ALL=1. Never returns."""
    message = f"{what} is missing: run tools/toolchains.sh all"
    if os.environ.get("LAZYDIFF_REQUIRE_ALL") == "1":
        pytest.fail(message)
    pytest.skip(message)
