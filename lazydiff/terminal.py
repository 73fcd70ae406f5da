"""What a terminal shows beyond plain text: a bar while something computes, a memory map in colours.

Both need rich, from the extra `examples`; without it there is no bar, and text is plain.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from string import ascii_letters, digits

_STYLES = {"#": "dim", ".": "dim", "=": "blue", "|": "bold red"}
_STYLES |= dict.fromkeys(digits, "yellow") | dict.fromkeys(ascii_letters, "green")


@contextlib.contextmanager
def progress(what: str, total: int, show: bool) -> Iterator[Callable[[float], None]]:
    """A bar on a terminal, moved by calls with the loss; nothing elsewhere."""
    if not show:
        yield lambda loss: None
        return
    try:
        from rich.progress import Progress
    except ImportError:
        yield lambda loss: None
        return
    with Progress(transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda loss: bar.update(task, advance=1, description=f"{what}, loss {loss:.3g}")


def say(text: str, colours: bool | None = None) -> None:
    """Print a text; the memory maps in it (plan/memory_map.py) in a colour per kind if this is a terminal.

    `colours` overrides what the terminal says of itself. The characters are the same either way.
    """
    if colours is None:
        colours = sys.stdout.isatty()
    try:
        from rich.console import Console
        from rich.text import Text
    except ImportError:
        colours = False
    if not colours:
        print(text)
        return
    painted = Text()
    for line in text.splitlines(keepends=True):
        head, cells = line[:10], line[10:]
        if cells.count("|") >= 2 and " " not in cells.strip():
            painted.append(head)
            for c in cells:
                painted.append(c, _STYLES.get(c, ""))
        else:
            painted.append(line)
    Console(force_terminal=True, highlight=False, soft_wrap=True).print(painted)
