"""Builds cases.c with the kernels for one machine after another, and runs it: each build's hashes by case."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cases import every_case
from lazydiff.dtypes import FLOATS, f32
from native import FLAGS, ROOT
from tools_needed import require

HERE, PORT = Path(__file__).parent, ROOT / "ports/qemu_cortex_m"
SMALL = ("-DLZD_SMALL=1", "-DLZD_FAST_STRIDES=0")
AVX2 = ("-mavx2", "-mfma")
AVX512 = (*AVX2, "-mavx512f", "-mavx512vl", "-mavx512bw", "-mavx512dq")
NO_TRAPS = "-fno-trapping-math"  # as in c_kernels/CMakeLists.txt
SANITIZED = ("-O0", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-DWITH_ASAN", NO_TRAPS)
HOST = ("-D_GNU_SOURCE",)
CORTEX = ("-mthumb", "-O2", "-ffreestanding", f"-I{PORT}")
HARD = ("-mfloat-abi=hard", *CORTEX)


@dataclass(frozen=True)
class Build:
    """One way to compile the kernels, and what runs the program: "" for this machine, a QEMU, or the board of one."""

    compiler: str
    flags: tuple[str, ...]
    runner: str = ""
    dtypes: tuple = FLOATS
    needs: str = ""  # what /proc/cpuinfo has to list

    @property
    def board(self):
        """The board of a microcontroller, or ""."""
        return self.runner if self.runner.startswith("an") else ""


BUILDS = {
    "scalar -O0": Build("gcc", ("-O0", *HOST)),
    "scalar": Build("gcc", ("-O2", NO_TRAPS, "-fno-tree-vectorize", "-fno-tree-slp-vectorize", *HOST)),
    "small": Build("gcc", ("-O2", *SMALL, *HOST)),
    "small, soft floats": Build("gcc", ("-O2", *SMALL, "-DLZD_SOFT_F32=1", "-DLZD_SOFT_F64=1", *HOST)),
    "avx2": Build("gcc", ("-O2", NO_TRAPS, *AVX2, *HOST), needs="avx2"),
    "avx512": Build("gcc", ("-O2", NO_TRAPS, *AVX512, *HOST), needs="avx512dq"),
    "avx512 clang": Build("clang", ("-O2", NO_TRAPS, "-fno-unroll-loops", *AVX512, *HOST), needs="avx512dq"),
    "scalar sanitized": Build("clang", (*SANITIZED, *HOST)),
    "small sanitized": Build("clang", (*SANITIZED, *SMALL, *HOST)),
    "avx2 sanitized": Build("clang", (*SANITIZED, *AVX2, *HOST), needs="avx2"),
    "avx512 sanitized": Build("clang", (*SANITIZED, *AVX512, *HOST), needs="avx512dq"),
    "NEON": Build("aarch64-linux-gnu-gcc", ("-O2", NO_TRAPS, "-march=armv8-a", "-static", *HOST), "qemu-aarch64"),
    "ARMv7": Build(
        "arm-linux-gnueabihf-gcc",
        ("-O3", NO_TRAPS, "-march=armv7-a", "-mfpu=neon-vfpv4", "-mfloat-abi=hard", "-static", *HOST),
        "qemu-arm",
    ),
    "Cortex-M0+": Build("arm-none-eabi-gcc", ("-mcpu=cortex-m0plus", "-mfloat-abi=soft", *CORTEX), "an385", (f32,)),
    "Cortex-M4F": Build("arm-none-eabi-gcc", ("-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", *HARD), "an386"),
    "Cortex-M7": Build("arm-none-eabi-gcc", ("-mcpu=cortex-m7", "-mfpu=fpv5-d16", *HARD), "an500"),
}


def runs_here(build):
    """Has this machine the instructions?"""
    return build.needs in Path("/proc/cpuinfo").read_text()


def write_table(path, dtypes):
    """The header that cases.c includes."""
    cases = every_case(dtypes)
    sizes = [[dtype.size_bytes(elements) for dtype, _, elements in case.operands] for case in cases]
    words = [word for case in cases for word in case.table()]
    limits = {
        "N_WORDS": len(words),
        "MOST_OPERANDS": max(map(len, sizes)),
        "LARGEST": max(map(max, sizes)),
        "TOTAL": max(sum(size + 2 * 64 + 8 for size in each) + 64 for each in sizes),
    }
    names = ", ".join(f"{name} = {value}" for name, value in limits.items())
    path.write_text(f"enum {{ {names} }};\nstatic const uint32_t cases[] = {{{','.join(f'{w}u' for w in words)}}};\n")


def compile_all(folder, build, sources):
    """Objects of some sources, as many at a time as there are cores."""
    compiler = require(build.compiler)

    def one(source):
        target = folder / f"{source.stem}.o"
        command = [compiler, *FLAGS, *build.flags, f"-I{folder}", f"-I{ROOT}/c_kernels/src", "-c", source]
        done = subprocess.run([*command, "-o", target], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return target

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(one, sources))


def link(folder, build, objects):
    """The program of these objects."""
    options = ["-lm"]
    if build.board:
        scripts = (PORT / "boards/roomy.ld", PORT / "sections.ld", PORT / "noalloc.ld")
        options = ["-nostdlib", "-Wl,--gc-sections", "-Wl,--defsym=STACK_SIZE=4096", "-Wl,--no-warn-rwx-segments"]
        options += [word for script in scripts for word in ("-T", script)] + ["-lm", "-lc", "-lgcc"]
    command = [require(build.compiler), *build.flags, *objects, *options, "-o", folder / "cases"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "cases"


def program(folder, build):
    """The program that runs the cases."""
    write_table(folder / "cases_table.h", build.dtypes)
    sources = [*sorted((ROOT / "c_kernels/src").glob("k_*.c")), ROOT / "c_kernels/src/lzd_table.c", HERE / "cases.c"]
    sources += [PORT / "startup.c", PORT / "semihost.c"] if build.board else []
    return link(folder, build, compile_all(folder, build, sources))


def run(target, build):
    """What the program prints, and how it ended."""
    command = [target]
    if build.board:
        semihosting = "enable=on,target=native,chardev=text"
        command = [require("qemu-system-arm"), "-M", f"mps2-{build.board}", "-display", "none", "-monitor", "none"]
        command += [
            "-serial",
            "none",
            "-chardev",
            "stdio,id=text",
            "-semihosting-config",
            semihosting,
            "-kernel",
            target,
        ]
    elif build.runner:
        command = [require(build.runner), target]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def hashes(done):
    """By case: the hashes for normal, subnormal and special numbers."""
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith(" ")]
    return {int(number, 16): tuple(found) for number, *found in lines}
