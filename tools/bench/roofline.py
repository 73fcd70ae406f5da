"""The least time of a step on one core of this machine: what roofline.c measures, against what a step must do."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

LEVELS = (24 << 10, 512 << 10, 16 << 20, 128 << 20)  # bytes of the two arrays: well within L1, L2, L3; memory
BLOCK_SECONDS, BLOCKS = 0.02, 7


@dataclass(frozen=True)
class Roofline:
    """One core: multiply-adds a second by bytes of a number, and bytes a second by the bytes that they are of."""

    multiply_adds: dict[int, float]
    bandwidth: dict[int, float]

    def seconds(self, multiply_adds: float, itemsize: int, held_bytes: float, moved_bytes: float) -> float:
        """Of a step whose data takes `held_bytes`, at the bandwidth of the fastest level that holds it."""
        level = next((b for limit, b in self.bandwidth.items() if held_bytes <= limit), min(self.bandwidth.values()))
        return max(multiply_adds / self.multiply_adds[itemsize], moved_bytes / level)


def _fastest(work: Callable[[int], float]) -> float:
    """The best rate of blocks; work(times) does so much and says how much it was."""
    times, found = 1, []
    while len(found) < BLOCKS:
        began = time.process_time()
        done = work(times)
        took = time.process_time() - began
        if took < BLOCK_SECONDS:
            times *= 2
        else:
            found.append(done / took)
    return max(found)


def measured() -> Roofline | None:
    """None where there is no C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "roofline.so"
        source = Path(__file__).with_name("roofline.c")
        command = [compiler, "-O3", "-march=native", "-ffp-contract=fast", "-shared", "-fPIC", source, "-o", path]
        subprocess.run([*map(str, command)], check=True)
        library = ctypes.CDLL(str(path))
    for function in (library.peak_f32, library.peak_f64, library.stream):
        function.restype = ctypes.c_double
    block = np.zeros(LEVELS[-1] // 4 + 2048, np.float32)  # written, so that every page is there
    block[:] = 1
    first = block.ctypes.data + -block.ctypes.data % 64

    def stream(level: int) -> Callable[[int], float]:
        x, y = (ctypes.c_void_p(first + at) for at in (0, level // 2 + 1024))
        half = ctypes.c_size_t(level // 2)
        return lambda times: float(library.stream(x, y, half, ctypes.c_int64(times)))

    peaks = {}
    for size, function in ((4, library.peak_f32), (8, library.peak_f64)):
        peaks[size] = _fastest(lambda times, f=function: float(f(ctypes.c_int64(1000 * times), ctypes.c_void_p(first))))
    return Roofline(peaks, {level: _fastest(stream(level)) for level in LEVELS})
