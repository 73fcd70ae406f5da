"""The loops around every opcode are vector code in the library's AVX2 build: two to ten times the speed of scalars."""

import re
import subprocess

import pytest

from lazydiff.kernels.opcodes import LOAD, OPCODES, STORE
from native import ROOT
from tools_needed import require

SCALAR = {"fmod"}  # a loop of its own for each element


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_every_opcode_is_vector_code(dtype, tmp_path):
    machine = subprocess.run([require("gcc"), "-dumpmachine"], check=True, capture_output=True, text=True).stdout
    if not machine.startswith("x86_64"):
        pytest.skip("AVX2 is of x86-64")
    cmake = (ROOT / "c_kernels" / "CMakeLists.txt").read_text()
    flags = re.search(r"set\(LZD_FLAGS (.*)\)", cmake).group(1).split()
    isa = re.search(r"add_kernels\(avx2 (.*)\)", cmake).group(1).split()
    source = str(ROOT / "c_kernels" / "src" / f"k_ops_{dtype}.c")
    command = ["gcc", "-std=c99", "-O3", *flags, *isa, f"-I{ROOT}/c_kernels/include", "-S", source, "-o", "-"]
    assembly = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    bodies = dict(re.findall(rf"^lzd_op_(\w+)_{dtype}:\n(.*?)^\t\.size", assembly, re.MULTILINE | re.DOTALL))
    scalar = {o.name for o in OPCODES.values() if o not in (LOAD, STORE) and "%ymm" not in bodies[o.name]}
    assert scalar == SCALAR
