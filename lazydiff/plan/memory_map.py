"""Draws a plan's RAM: addresses up, steps to the right, one rectangle per value; as text and as SVG."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from itertools import pairwise
from string import ascii_lowercase, ascii_uppercase, digits

from lazydiff.plan.lifetimes import EntryLives, Life, entry_lives
from lazydiff.plan.model import EXECUTOR_BYTES, Kind, Plan
from lazydiff.plan.show import number, op_of, wrapped


@dataclass(frozen=True, slots=True)
class _Band:
    """A range of addresses on which the same values lie at each step."""

    begin: int
    end: int
    rows: int


def _bands(lives: EntryLives, rows: int) -> list[_Band]:
    """Cut the arena at every border of a value; tall bands get more of the rows, each at least one."""
    borders = {0, EXECUTOR_BYTES, lives.arena_bytes}
    for life in lives.lives:
        borders |= {life.buffer.offset, life.buffer.end}
    cuts = sorted(borders)
    spans = pairwise(cuts)
    return [_Band(a, b, max(1, round((b - a) / lives.arena_bytes * rows))) for a, b in spans]


def letters(lives: EntryLives) -> dict[Life, str]:
    """A letter per value: capitals for parameters and state, digits for io, small letters for work.

    A parameter's new value has the parameter's letter. When the letters are used up they start again.
    """
    pools = {Kind.PARAMS: ascii_uppercase, Kind.STATE: ascii_uppercase, Kind.IO: digits, Kind.WORK: ascii_lowercase}
    free = dict.fromkeys(pools.values(), 0)
    given: dict[tuple[str, int], str] = {}
    for life in lives.lives:
        pool, key = pools[life.buffer.kind], (life.name, life.buffer.offset)
        if key not in given:
            given[key] = pool[free[pool] % len(pool)]
            free[pool] += 1
    return {life: given[life.name, life.buffer.offset] for life in lives.lives}


def memory_map(plan: Plan, entry: str, width: int = 100, rows: int = 20) -> str:
    """The entry's RAM as text: columns are steps, rows addresses (0 at the bottom), a letter is a value, `.` is free.

    Raises KeyError for an entry the plan does not have.
    """
    lives = entry_lives(plan, plan.entry(entry))
    letter, count = letters(lives), max(1, len(lives.entry.steps))
    columns = max(1, min(4, (width - 12) // count))
    peak = lives.peak_step
    lines = [f"{entry}: bytes up, steps 1 to {count} to the right; . is free, | marks the peak"]
    for band in reversed(_bands(lives, rows)):
        here = [life for life in lives.lives if life.buffer.offset < band.end and band.begin < life.buffer.end]
        cells = []
        for step in range(count):
            mine = [life for life in here if life.first <= step <= life.last]
            cells.append("#" if band.end <= EXECUTOR_BYTES else letter[mine[-1]] if mine else ".")
        text = "".join(
            ("|" if i == peak else "") + cell * columns + ("|" if i == peak else "") for i, cell in enumerate(cells)
        )
        for row in reversed(range(band.rows)):
            lines.append(f"{number(band.begin) if row == 0 else '':>9} {text}".rstrip())
    legend = [f"# executor {EXECUTOR_BYTES}"]
    for life in lives.lives:
        if not life.is_new:
            steps = "" if life.last - life.first + 1 == count else f" {life.first + 1}-{life.last + 1}"
            legend.append(f"{letter[life]} {life.name} {number(life.buffer.size_bytes)}{steps}")
    return "\n".join([*lines, *wrapped(" " * 10, legend, max(60, width))])


_FILL = {"executor": "#64748b", "params": "#3b6fb6", "state": "#7c5cbf", "io": "#d98a2b", "work": "#3f9b80"}
_TEXT = "#1e293b"
_SOFT = "#64748b"
_LEFT, _RIGHT, _TOP, _PLOT_HEIGHT = 74, 24, 58, 320
_BOTTOM_BARE, _BOTTOM_NAMED = 34, 124
_CHARACTER = 6.2  # the width of a label's character in pixels, roughly


def memory_map_svg(plan: Plan, width: int = 1120) -> str:
    """All entries as one SVG drawing, a panel each on a common scale; hover a rectangle for its value's facts."""
    panels: list[str] = []
    y = 44
    for entry in plan.entries:
        drawn, height = _panel(plan, entry_lives(plan, entry), y, width)
        panels += drawn
        y += height
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y}" viewBox="0 0 {width} {y}" '
            'font-family="system-ui, Segoe UI, Helvetica, Arial, sans-serif">',
            f'<rect width="{width}" height="{y}" fill="#ffffff"/>',
            *_legend(plan, width),
            *panels,
            "</svg>",
            "",
        ]
    )


def _px(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _text(x: float, y: float, text: str, size: float = 11, fill: str = _TEXT, more: str = "") -> str:
    return f'<text x="{_px(x)}" y="{_px(y)}" font-size="{size:g}" fill="{fill}"{more}>{escape(text)}</text>'


def _legend(plan: Plan, width: int) -> list[str]:
    out = [_text(16, 27, f"RAM {number(plan.ram_bytes)} B", 15, more=' font-weight="600"')]
    x = width - _RIGHT - sum(34 + len(kind) * 7 for kind in _FILL)
    for kind, fill in _FILL.items():
        out.append(f'<rect x="{x}" y="17" width="11" height="11" rx="2" fill="{fill}"/>')
        out.append(_text(x + 16, 27, kind, 12, _SOFT))
        x += 34 + len(kind) * 7
    return out


def _panel(plan: Plan, lives: EntryLives, top: int, width: int) -> tuple[list[str], int]:
    """One entry's drawing and its height in pixels."""
    steps = lives.entry.steps
    count = max(1, len(steps))
    wide = (width - _LEFT - _RIGHT) / count
    named = wide >= 13
    y0, floor = top + _TOP, top + _TOP + _PLOT_HEIGHT
    per_byte = _PLOT_HEIGHT / plan.ram_bytes

    def x_of(step: float) -> float:
        return _LEFT + step * wide

    def y_of(byte: float) -> float:
        return floor - byte * per_byte

    peak = steps[lives.peak_step] if steps else None
    where = f", peak at step {lives.peak_step + 1}: {op_of(peak)}" if peak else ""
    where += f" ({peak.source})" if peak and peak.source else ""
    ratio = f"lower bound {number(lives.lower_bound_bytes)} B, arena {number(lives.arena_bytes)} B"
    out = [
        _text(16, top + 22, lives.entry.name, 14, more=' font-weight="600"'),
        _text(_LEFT, top + 22, f"{len(steps)} steps{where}", 12, _SOFT),
        _text(_LEFT, top + 40, f"{ratio}, arena / lower bound {lives.arena_over_bound:.3f}", 12, _SOFT),
        f'<rect x="{_LEFT}" y="{y0}" width="{_px(count * wide)}" height="{_PLOT_HEIGHT}" fill="#f5f7fa"/>',
    ]
    for byte in _ticks(plan.ram_bytes):
        y = y_of(byte)
        out.append(f'<line x1="{_LEFT}" y1="{_px(y)}" x2="{_px(x_of(count))}" y2="{_px(y)}" stroke="#dde3ea"/>')
        label = f"{byte // 1024} KiB" if byte % 1024 == 0 else f"{byte} B"
        out.append(_text(_LEFT - 8, y + 4, label, 11, _SOFT, ' text-anchor="end"'))
    out += _box((x_of(0), x_of(count)), (y_of(EXECUTOR_BYTES), floor), "executor", "", f"executor: {EXECUTOR_BYTES} B")
    for life in lives.lives:
        begin, end = _span(life, lives)
        place = life.buffer
        facts = f"{life.name}: {number(place.size_bytes)} B {place.dtype.name}, {place.kind.name.lower()}"
        facts += f"\nbytes {number(place.offset)} to {number(place.end - 1)}, steps {life.first + 1} to {life.last + 1}"
        spans = (x_of(begin), x_of(end)), (y_of(place.end), y_of(place.offset))
        out += _box(*spans, place.kind.name.lower(), "" if life.is_new else life.name, facts)
    if peak:
        x = x_of(lives.peak_step)
        out.append(
            f'<rect x="{_px(x)}" y="{y0 - 6}" width="{_px(wide)}" height="{_PLOT_HEIGHT + 12}" fill="none" '
            'stroke="#c2334d" stroke-width="1.5" rx="2"/>'
        )
    for index, step in enumerate(steps):
        middle = x_of(index + 0.5)
        fill = "#c2334d" if index == lives.peak_step else _SOFT
        if named:
            turn = f' text-anchor="end" transform="rotate(-50 {_px(middle)} {floor + 18})"'
            out.append(_text(middle, floor + 18, f"{op_of(step)} {index + 1}", 10, fill, turn))
        elif index % max(1, count // 20) == 0:
            out.append(_text(middle, floor + 18, str(index + 1), 10, fill, ' text-anchor="middle"'))
    return out, _TOP + _PLOT_HEIGHT + (_BOTTOM_NAMED if named else _BOTTOM_BARE)


def _ticks(ram_bytes: int) -> range:
    """Round byte numbers for the axis, at most nine."""
    step = 16
    while ram_bytes // step > 8:
        step *= 2
    return range(0, ram_bytes + 1, step)


def _span(life: Life, lives: EntryLives) -> tuple[float, float]:
    """Where a value begins and ends, in steps; two values that share bytes in one step get half of it each."""
    begin, end = float(life.first), life.last + 1.0
    for other in lives.lives:
        if other is life or not other.buffer.overlaps(life.buffer):
            continue
        if other.last == life.first and (other.first < life.first or life.is_new):
            begin = life.first + 0.5
        if other.first == life.last and (life.first < other.first or other.is_new):
            end = life.last + 0.5
    return begin, end


def _box(x: tuple[float, float], y: tuple[float, float], kind: str, name: str, facts: str) -> list[str]:
    """A rectangle with a hover title, and its name inside where it fits."""
    wide, high = x[1] - x[0], y[1] - y[0]
    out = [
        f'<rect x="{_px(x[0])}" y="{_px(y[0])}" width="{_px(wide)}" height="{_px(max(high, 0.8))}" '
        f'fill="{_FILL[kind]}" '
        f'stroke="#ffffff" stroke-width="{0.8 if high > 3 else 0.2}"><title>{escape(facts)}</title></rect>'
    ]
    room = int((wide - 8) / _CHARACTER)
    if high >= 12 and room >= min(4, len(name)) and name:
        short = name if len(name) <= room else name[: room - 1] + "\u2026"
        more = ' pointer-events="none"'
        out.append(_text(x[0] + 4, (y[0] + y[1]) / 2 + 3.5, short, 10.5, "#ffffff", more))
    return out
