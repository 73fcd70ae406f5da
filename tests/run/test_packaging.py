"""What an installed wheel has to find, and what the build promises."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from lazydiff.errors import ToolError
from lazydiff.kernels import sources

ROOT = Path(__file__).resolve().parents[2]


def test_the_c_sources_are_found_in_a_checkout():
    assert (sources.c_kernels_dir() / "src" / "lzd_run.c").is_file()


def test_the_c_sources_are_found_in_a_wheel_and_missed_when_gone(tmp_path, monkeypatch):
    module = tmp_path / "site-packages" / "lazydiff" / "kernels" / "sources.py"
    monkeypatch.setattr(sources, "__file__", str(module))
    with pytest.raises(ToolError, match="pip install"):
        sources.c_kernels_dir()
    header = module.parents[1] / "c_kernels" / "include" / "lzd.h"
    header.parent.mkdir(parents=True)
    header.touch()
    assert sources.c_kernels_dir() == module.parents[1].resolve() / "c_kernels"


def test_make_help_names_every_target():
    text = (ROOT / "Makefile").read_text()
    targets = re.search(r"^\.PHONY: (.*)$", text, re.M)[1].split()
    shown = subprocess.run(["make", "-C", ROOT, "--no-print-directory", "help"], capture_output=True, text=True).stdout
    assert [line.split()[1] for line in shown.splitlines()] == targets
