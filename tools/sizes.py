"""Says how many bytes of flash and RAM each part of a Cortex-M image takes, from the linker's own map.

python tools/sizes.py                       the digits example on a Cortex-M4F
python tools/sizes.py --board an500 FOLDER  an exported folder on a Cortex-M7
python tools/sizes.py --map app.map         a map that is there already
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PORT = ROOT / "ports/qemu_cortex_m"
# An input section in a GNU ld map: name, address, bytes, object; a long name stands on a line of its own.
_SECTION = re.compile(r"^ (\.[\w.$-]+)\s+0x[0-9a-f]+\s+0x([0-9a-f]+)\s+(\S.*)$", re.MULTILINE)
_FLASH = (".text", ".rodata", ".vectors", ".ARM")


@dataclass(slots=True)
class Sizes:
    """Bytes that one object brings into the image."""

    flash: int = 0
    ram: int = 0


def by_object(map_text: str) -> dict[str, Sizes]:
    """Bytes by object file (for a member of an archive, `libc.a(memcpy.o)`), only of what the linker kept."""
    kept = map_text.partition("Linker script and memory map")[2]
    found: dict[str, Sizes] = defaultdict(Sizes)
    for section, size, path in _SECTION.findall(kept):
        item = found[Path(path).name if "(" not in path else path.rpartition("/")[2]]
        if section.startswith(_FLASH):
            item.flash += int(size, 16)
        elif section.startswith((".data", ".bss")):
            item.ram += int(size, 16)
    return {name: item for name, item in found.items() if item.flash or item.ram}


def group_of(name: str) -> str:
    """library: the runtime, its kernels, what it takes of the toolchain; harness: the test program; plan: the rest."""
    if name.startswith(("lzd_", "k_")) or "(" in name:
        return "library"
    return "harness" if name in ("startup.o", "semihost.o", "train_main.o", "selftest_data.o", "extra.o") else "plan"


def library_text(map_text: str) -> int:
    """Bytes of flash for code and constants of the library, the toolchain's helpers included."""
    return sum(s.flash for name, s in by_object(map_text).items() if group_of(name) == "library")


def table(map_text: str) -> str:
    """One line an object, the largest first, and a sum for each group."""
    rows, text = by_object(map_text), ""
    for group in ("library", "plan", "harness"):
        members = {n: s for n, s in rows.items() if group_of(n) == group}
        text += f"{group:34}{sum(s.flash for s in members.values()):>9}{sum(s.ram for s in members.values()):>9}\n"
        for name, item in sorted(members.items(), key=lambda pair: (-pair[1].flash, pair[0])):
            text += f"    {name:30}{item.flash:>9}{item.ram:>9}\n"
    return f"{'':34}{'flash':>9}{'RAM':>9}\n{text}"


def _demo_folder() -> Path:
    """Export the digits example and say where."""
    import lazydiff as ld
    from lazydiff.examples import digits

    folder = ROOT / "build/sizes"
    ld.export_c(digits.build(), folder, name="digits")
    return folder


def build(folder: Path, board: str) -> Path:
    """Link an exported folder for a board; the linker's map."""
    subprocess.run(["make", "-s", "-C", PORT, f"EXPORT={folder}", f"BOARD={board}"], check=True)
    return folder / "build" / board / "app.map"


def demo_library_text() -> int:
    """Bytes of flash that the library takes on a Cortex-M4F with the kernels of the digits example."""
    return library_text(build(_demo_folder(), "an386").read_text())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="written by ld.export_c; default: the digits example")
    parser.add_argument("--board", default="an386", help="an386 (Cortex-M4F) or an500 (Cortex-M7)")
    parser.add_argument("--map", type=Path, help="read this map and build nothing")
    asked = parser.parse_args()
    path = asked.map
    if path is None:
        path = build((asked.folder or _demo_folder()).resolve(), asked.board)
        print((path.parent / "memory.txt").read_text())
    print(table(path.read_text()), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
