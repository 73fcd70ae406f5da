"""Compiles a plan's maps with this machine's C compiler, once: the library is kept, by what it was made from.

Where it is kept: the folder LZD_CACHE, or `lazydiff` in the user's cache folder (XDG_CACHE_HOME, ~/.cache). It has to
be the user's own, since what lies there is run; where there is none, a library lasts as long as the process.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shlex
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lazydiff.dtypes import Dtype
from lazydiff.errors import ToolError
from lazydiff.kernels.sources import c_kernels_dir
from lazydiff.plan.model import Plan
from lazydiff.run.loops import loops_of

# As c_kernels/CMakeLists.txt has them: contraction would change bits, and the other two let loops become vectors.
_FLAGS = ("-std=gnu99", "-O3", "-w", "-shared", "-fPIC", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math")
_AVX2 = ("-mavx2", "-mfma")
_WIDE = ("-mavx512f", "-mavx512vl", "-mavx512bw", "-mavx512dq", "-mprefer-vector-width=512")
_SIMD_FLAGS = {"avx2": _AVX2, "avx512": (*_AVX2, *_WIDE)}


@dataclass(frozen=True, slots=True)
class CompiledMaps:
    """The addresses in a loaded library, by compute dtype: a map kernel, and where it looks for the interpreter's."""

    path: Path
    functions: dict[str, tuple[int, int]]


def compile_maps(plan: Plan, simd: str) -> CompiledMaps | None:
    """Loads the plan's maps as loops for an instruction set of `Session.simd`; None if it has no map for a loop.

    Raises ToolError where there is no C compiler ($CC, else cc, gcc or clang), or it fails.
    """
    texts = loops_of(plan)
    if not texts:
        return None
    flags = (*_FLAGS, *_SIMD_FLAGS.get(simd, ()))
    home = c_kernels_dir()
    name = f"maps-{_digest(texts, flags, home)}.so"
    folder = _cache()
    if folder and (folder / name).is_file():
        try:
            return _load(folder / name, texts)
        except ToolError:  # not what was written there: made again
            (folder / name).unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="lazydiff-") as work:
        made = _compile(texts, flags, home, Path(work))
        if folder is None:
            return _load(made, texts)  # once loaded, a library needs its file no more
        try:
            beside = folder / f"{name}.{os.getpid()}"
            shutil.copyfile(made, beside)
            beside.replace(folder / name)
        except OSError:  # a full disk is no reason not to run
            return _load(made, texts)
    return _load(folder / name, texts)


def _compiler() -> list[str]:
    """The command of the C compiler, its options with it if $CC has some."""
    given = shlex.split(os.environ.get("CC", ""))
    for command in [given] if given else [["cc"], ["gcc"], ["clang"]]:
        if found := shutil.which(command[0]):
            return [found, *command[1:]]
    raise ToolError(
        f"maps='compiled': no C compiler ({given[0] if given else 'cc, gcc or clang'}) is on the PATH\n"
        "  try: install one (apt install gcc), set CC, or maps='interpreted', which needs none and gives the same bits"
    )


def _digest(texts: dict[Dtype, str], flags: tuple[str, ...], home: Path) -> str:
    """Of all that a library is made from: the text, what it includes, the compiler and its options."""
    compiler = _compiler()
    about = os.stat(compiler[0])
    found = hashlib.sha256(repr((compiler, flags, about.st_size, about.st_mtime_ns)).encode())
    for path in sorted([*(home / "include").glob("*.h"), *(home / "src").glob("*.h")]):
        found.update(path.read_bytes())
    for text in texts.values():
        found.update(text.encode())
    return found.hexdigest()[:32]


def _cache() -> Path | None:
    """The folder where libraries are kept; None if nobody but the user may write there and there is no such."""
    given = os.environ.get("LZD_CACHE")
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = Path(given).absolute() if given else Path(home, "lazydiff")
    if not folder.is_absolute():  # a user without a home
        return None
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        about = folder.stat()
    except OSError:
        return None
    mine = about.st_uid == os.geteuid() and not about.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return folder if mine and os.access(folder, os.W_OK) else None


def _compile(texts: dict[Dtype, str], flags: tuple[str, ...], home: Path, work: Path) -> Path:
    """The library, in `work`."""
    for dtype, text in texts.items():
        (work / f"k_map_{dtype.name}.c").write_text(text, encoding="utf-8")
    sources, made = [f"k_map_{dtype.name}.c" for dtype in texts], work / "maps.so"
    include = [f"-I{home / folder}" for folder in ("include", "src")]
    command = [*_compiler(), *flags, *include, *sources, "-o", str(made), "-lm"]
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        said = "\n".join(done.stderr.strip().splitlines()[:8])
        raise ToolError(
            f"maps='compiled': {command[0]} ended with {done.returncode}\n{said}\n"
            "  try: another compiler (set CC), or maps='interpreted', which needs none and gives the same bits"
        )
    return made


def _load(path: Path, texts: dict[Dtype, str]) -> CompiledMaps:
    try:
        library = ctypes.CDLL(str(path))
        functions = {
            dtype.name: (
                ctypes.cast(library[f"lzd_compiled_{dtype.name}"], ctypes.c_void_p).value or 0,
                ctypes.addressof(ctypes.c_void_p.in_dll(library, f"lzd_interpreter_{dtype.name}")),
            )
            for dtype in texts
        }
    except (OSError, AttributeError, ValueError) as error:
        raise ToolError(f"maps='compiled': {error}\n  try: remove {path}") from error
    return CompiledMaps(path, functions)
