"""Moves as views: each turns one View into another that reads the same bytes in another order, or zeros around them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from lazydiff.memory.calls import View

Pair = tuple[int, int]
Options = Mapping[str, object]


def windows(view: View) -> list[Pair]:
    """(low, extent) of every dimension; all of it where the view has no window."""
    return list(view.window) or [(0, extent) for extent in view.shape]


def _with(view: View, shape: Sequence[int], strides: Sequence[int], offset: int, window: Sequence[Pair]) -> View:
    """The view with its window left out if that is everything."""
    whole = all(pair == (0, extent) for pair, extent in zip(window, shape, strict=True))
    return View(view.value, tuple(shape), tuple(strides), offset, () if whole else tuple(window))


def transpose(view: View, options: Options) -> View | None:
    """Dimensions in another order."""
    axes = [int(a) for a in options["axes"]]  # type: ignore[attr-defined]
    shape, strides, window = ([row[a] for a in axes] for row in (view.shape, view.strides, windows(view)))
    return _with(view, shape, strides, view.offset, window)  # type: ignore[arg-type]


def broadcast_to(view: View, options: Options) -> View | None:
    """Extents of 1 and new dimensions in front are repeated: a stride of 0."""
    shape: tuple[int, ...] = tuple(options["shape"])  # type: ignore[arg-type]
    lead = len(shape) - len(view.shape)
    strides = [0] * lead + [0 if e == 1 else s for e, s in zip(view.shape, view.strides, strict=True)]
    window = [(0, e) for e in shape[:lead]]
    for old, new, pair in zip(view.shape, shape[lead:], windows(view), strict=True):
        window.append((0, new) if old == 1 else pair)
    return _with(view, shape, strides, view.offset, window)


def flip(view: View, options: Options) -> View | None:
    """Some dimensions backwards: their strides change sign, the first element inside is what was the last."""
    strides, window, offset = list(view.strides), windows(view), view.offset
    for axis in options["axes"]:  # type: ignore[attr-defined]
        low, extent = window[axis]
        offset += (extent - 1) * strides[axis]
        strides[axis] = -strides[axis]
        window[axis] = view.shape[axis] - low - extent, extent
    return _with(view, view.shape, strides, offset, window)


def slices(view: View, options: Options) -> View | None:
    """starts[d] + i * steps[d] for i < sizes[d]; None where all of that lies in zeros."""
    shape, strides, window, offset = [], [], [], view.offset
    starts, sizes, steps = (options[name] for name in ("starts", "sizes", "steps"))
    for (low, extent), stride, start, size, step in zip(windows(view), view.strides, starts, sizes, steps, strict=True):  # type: ignore[call-overload]
        first = max(0, -(-(low - start) // step))  # the first i at or after low, and the first at or after the end
        last = min(size, -(-(low + extent - start) // step))
        if last <= first:
            return None
        offset += (start + first * step - low) * stride
        shape.append(size)
        strides.append(stride * step)
        window.append((first, last - first))
    return _with(view, shape, strides, offset, window)


def pad(view: View, options: Options) -> View | None:
    """Zeros before and behind: a window on what is there."""
    lows, highs = options["low"], options["high"]
    shape = [a + e + b for a, e, b in zip(lows, view.shape, highs, strict=True)]  # type: ignore[call-overload]
    window = [(a + low, extent) for a, (low, extent) in zip(lows, windows(view), strict=True)]  # type: ignore[call-overload]
    return _with(view, shape, view.strides, view.offset, window)


def diagonal(view: View, options: Options) -> View | None:
    """x[..., i, i] of the last two dimensions, which are equal; None where all of that lies in zeros."""
    *lead, (a, a_extent), (b, b_extent) = windows(view)
    low, high = max(a, b), min(a + a_extent, b + b_extent)
    if high <= low:
        return None
    *strides, row, column = view.strides
    offset = view.offset + (low - a) * row + (low - b) * column
    return _with(view, view.shape[:-1], [*strides, row + column], offset, [*lead, (low, high - low)])


def reshape(view: View, options: Options) -> View | None:
    """The view in another shape where strides can say that; None where it takes a copy.

    Both shapes are cut into the shortest runs of dimensions with equal products. A run of one dimension each keeps its
    stride and window; any other needs its dimensions to lie one inside the other, all of them inside the window.
    """
    old = [d for d, e in enumerate(view.shape) if e != 1]
    shape: tuple[int, ...] = tuple(options["shape"])  # type: ignore[arg-type]
    new = [d for d, e in enumerate(shape) if e != 1]
    strides, window = [0] * len(shape), [(0, e) for e in shape]
    pairs = windows(view)
    i = j = 0
    while i < len(old):
        first, run = i, [new[j]]
        have, want = view.shape[old[i]], shape[new[j]]
        i, j = i + 1, j + 1
        while have != want:
            if have < want:
                have, i = have * view.shape[old[i]], i + 1
            else:
                want, j = want * shape[new[j]], j + 1
                run.append(new[j - 1])
        group = old[first:i]
        stride = view.strides[group[-1]]
        if len(group) == len(run) == 1:
            window[run[0]] = pairs[group[0]]
        elif any(pairs[d] != (0, view.shape[d]) for d in group):
            return None
        step = stride
        for d in reversed(group):
            if view.strides[d] != step:
                return None
            step *= view.shape[d]
        for d in reversed(run):
            strides[d] = stride
            stride *= shape[d]
    return _with(view, shape, strides, view.offset, window)


MOVES: dict[str, Callable[[View, Options], View | None]] = {
    "transpose": transpose,
    "broadcast_to": broadcast_to,
    "flip": flip,
    "slice": slices,
    "pad": pad,
    "diagonal": diagonal,
    "reshape": reshape,
}


def collapse(
    shape: tuple[int, ...], strides: Sequence[tuple[int, ...]], windows: Sequence[tuple[Pair, ...]]
) -> tuple[tuple[int, ...], list[tuple[int, ...]], list[tuple[Pair, ...]]]:
    """Fewest dimensions that give the same element order: extents of 1 go, neighbours that run on are joined.

    The inner of two joined dimensions must lie wholly inside each window; the outer one's window grows by its extent.
    """
    if not any(windows):
        return *_joined(shape, strides), [()] * len(strides)
    dims: list[int] = []
    rows: list[list[int]] = [[] for _ in strides]
    frames: list[list[Pair]] = [[] for _ in strides]
    for axis, extent in enumerate(shape):
        if extent == 1:
            continue
        whole = all(not w or w[axis] == (0, extent) for w in windows)
        if dims and whole and all(r[-1] == s[axis] * extent for r, s in zip(rows, strides, strict=True)):
            dims[-1] *= extent
            for r, f, s in zip(rows, frames, strides, strict=True):
                r[-1] = s[axis]
                f[-1] = f[-1][0] * extent, f[-1][1] * extent
        else:
            dims.append(extent)
            for r, f, s, w in zip(rows, frames, strides, windows, strict=True):
                r.append(s[axis])
                f.append(w[axis] if w else (0, extent))
    return tuple(dims), [tuple(r) for r in rows], [tuple(f) if w else () for f, w in zip(frames, windows, strict=True)]


def _joined(
    shape: tuple[int, ...], strides: Sequence[tuple[int, ...]]
) -> tuple[tuple[int, ...], list[tuple[int, ...]]]:
    """collapse where nothing has a window."""
    dims: list[int] = []
    rows: list[list[int]] = []  # by dimension: the strides of all views
    for axis, extent in enumerate(shape):
        if extent == 1:
            continue
        here = [s[axis] for s in strides]
        if dims and rows[-1] == [s * extent for s in here]:
            dims[-1] *= extent
            rows[-1] = here
        else:
            dims.append(extent)
            rows.append(here)
    return tuple(dims), list(zip(*rows, strict=True)) if rows else [()] * len(strides)
