"""fma and sqrt by integers, for cores without the instruction: exactly those of this machine (glibc rounds once)."""

import subprocess

import pytest

from native import FLAGS, ROOT
from tools_needed import require


@pytest.mark.parametrize("width", [32, 64])
def test_they_are_rounded_once(width, tmp_path):
    flags = ["-O2", "-D_GNU_SOURCE", "-DLZD_SOFT_F32=1", "-DLZD_SOFT_F64=1", f"-DWIDTH={width}"]
    command = [require("gcc"), *FLAGS, *flags, f"-I{ROOT}/c_kernels/src"]
    subprocess.run([*command, ROOT / "tests/kernels/soft.c", "-o", tmp_path / "soft", "-lm"], check=True)
    done = subprocess.run([tmp_path / "soft"], capture_output=True, text=True, check=True)
    assert done.stdout == "0 wrong\n"
