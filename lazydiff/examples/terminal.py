"""What the examples show on a terminal while they compute."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def progress(what: str, total: int, show: bool) -> Iterator[Callable[[float], None]]:
    """A bar on a terminal (with rich, from the extra `examples`), moved by calls with the loss; nothing elsewhere."""
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
