"""Draws a plan's RAM: addresses up, steps to the right, one rectangle per value; as text and as SVG.

Regions of RAM stand one on top of the other, the first at the bottom.
"""

from __future__ import annotations

import re
from html import escape
from itertools import pairwise
from string import ascii_lowercase, ascii_uppercase, digits

from lazydiff.plan.lifetimes import EntryLives, Life, entry_lives, spans, union_bytes
from lazydiff.plan.model import Buffer, Kind, Plan
from lazydiff.plan.show import number, op_of, wrapped

_KEPT = "="  # parameters and state: there at every step, so one sign for all of them


def _signs(lives: EntryLives) -> dict[Life, str]:
    """A sign per value: digits for io, letters for work in the order of birth; used up, they start again."""
    pools = {Kind.PARAMS: _KEPT, Kind.STATE: _KEPT, Kind.IO: digits, Kind.WORK: ascii_lowercase + ascii_uppercase}
    used = dict.fromkeys(pools, 0)
    found: dict[Life, str] = {}
    given: dict[tuple[str, Buffer], str] = {}  # a value computed in two goes at one place keeps its sign
    for life in sorted(lives.lives, key=lambda life: (life.first, life.begin)):
        kind, key = life.buffer.kind, (life.name, life.buffer)
        if key not in given:
            given[key] = pools[kind][used[kind] % len(pools[kind])]
            used[kind] += 1
        found[life] = given[key]
    return found


def _bands(lives: EntryLives, signs: dict[Life, str], rows: int) -> list[tuple[int, int, str]]:
    """The arena cut where values begin and end: (first byte, byte after the last, a sign per step), from 0 upwards.

    Cuts less than half a row apart are joined up to a row; a step then shows who has most of the joined bytes.
    """
    edges = {edge for life in lives.lives for edge in (life.begin, life.end)}
    row = lives.top / rows
    floors = {use.begin for use in lives.regions}  # nothing is joined across them
    spans: list[tuple[int, int]] = []
    for begin, end in pairwise(sorted({lives.executor_bytes, lives.top} | floors | edges)):
        if (
            begin > lives.executor_bytes
            and begin not in floors
            and max(end - begin, spans[-1][1] - spans[-1][0]) < row / 2
            and end - spans[-1][0] <= row
        ):
            begin = spans.pop()[0]
        spans.append((begin, end))
    bands: list[tuple[int, int, str]] = []
    for begin, end in spans:
        most = [0] * max(1, len(lives.entry.steps))
        cells = ["#" if end <= lives.executor_bytes else "."] * len(most)
        for life in sorted(lives.lives, key=lambda life: life.first):
            shared = min(end, life.end) - max(begin, life.begin)
            for step in range(life.first, life.last + 1 if shared > 0 else 0):
                if shared >= most[step]:
                    most[step], cells[step] = shared, signs[life]
        text = "".join(cells)
        if bands and bands[-1][2] == text and begin not in floors:
            begin = bands.pop()[0]
        bands.append((begin, end, text))
    return bands


def memory_map(plan: Plan, entry: str, width: int = 100, rows: int = 20) -> str:
    """The entry's RAM as text: steps to the right, bytes up (0 below), a sign per value, `.` free.

    A row stands for the same number of bytes everywhere but in ranges smaller than a row. Raises KeyError for an entry
    that the plan does not have.
    """
    lives = entry_lives(plan, plan.entry(entry))
    signs, count = _signs(lives), max(1, len(lives.entry.steps))
    columns = max(1, min(4, (width - 12) // count))
    peak = lives.peak_step
    lines = [f"{entry}: steps 1 to {count} to the right, bytes up; . free, peak between the bars"]
    bands = _bands(lives, signs, rows)
    names = {use.begin: use.region.name for use in lives.regions if use.arena_bytes} if plan.named else {}
    base = 0
    for begin, end, cells in reversed(bands):
        parts = ["".join(c * columns for c in part) for part in (cells[:peak], cells[peak], cells[peak + 1 :])]
        text = "|".join(parts)
        height = max(1, round((end - begin) / lives.top * rows))
        base = max(use.begin for use in lives.regions if use.begin <= begin)
        lines += [f"{'':>9} {text}"] * (height - 1) + [f"{number(begin - base):>9} {text}"]
        lines += [f"{'':>9} {names[begin]:-<{len(text)}}"] if begin in names else []
    return "\n".join(
        [*lines, *wrapped(" " * 10, _explained(lives, signs, {c for *_, b in bands for c in b}), max(60, width))]
    )


def _explained(lives: EntryLives, signs: dict[Life, str], drawn: set[str]) -> list[str]:
    """The legend's words: a word per sign drawn, then how many values were too small to draw."""
    kept = union_bytes((x.begin, x.end) for x in signs if signs[x] == _KEPT)
    words = [f"# executor {lives.executor_bytes}", *([f"{_KEPT} params and state {number(kept)}"] if kept else [])]
    small: dict[tuple[str, int], int] = {}
    for life in sorted(signs, key=lambda life: (life.buffer.kind != Kind.IO, life.first, life.begin)):
        word = f"{signs[life]} {life.name} {number(life.buffer.size_bytes)}"
        if signs[life] not in drawn:
            small[life.name, life.begin] = life.buffer.size_bytes
        elif signs[life] != _KEPT and word not in words:
            words.append(word)
    if small:
        words.append(f"and {len(small)} too small to draw, at most {number(max(small.values()))}")
    return words


_FILL = {"executor": "#64748b", "params": "#3b6fb6", "state": "#7c5cbf", "io": "#d98a2b", "work": "#3f9b80"}
_TEXT = "#1e293b"
_SOFT = "#64748b"
_LEFT, _RIGHT, _TOP, _PLOT_HEIGHT = 74, 24, 58, 320
_BOTTOM_BARE, _BOTTOM_NAMED = 34, 124
_CHARACTER = 6.2  # the width of a label's character in pixels, roughly
_STEP_CHARACTERS = 22  # of a step's name, which stands aslant in _BOTTOM_NAMED pixels


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
    return f'<text x="{_px(x)}" y="{_px(y)}" font-size="{size:g}" fill="{fill}"{more}>{_xml(text)}</text>'


def _xml(text: str) -> str:
    """Escaped; a character that XML does not have, such as most controls, becomes U+FFFD."""
    return escape(re.sub("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text))


def _cut(name: str, characters: int) -> str:
    return name if len(name) <= characters else name[: characters - 1] + "\u2026"


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
    for byte, label, stroke in _lines(plan, lives):
        y = y_of(byte)
        out.append(f'<line x1="{_LEFT}" y1="{_px(y)}" x2="{_px(x_of(count))}" y2="{_px(y)}" stroke="{stroke}"/>')
        out.append(_text(_LEFT - 8, y + 4, label, 11, _SOFT, ' text-anchor="end"'))
    executor = lives.executor_bytes
    out += _box((x_of(0), x_of(count)), (y_of(executor), floor), "executor", "", f"executor: {executor} B")
    for life, (begin, end) in zip(lives.lives, spans(lives), strict=True):
        place = life.buffer
        facts = f"{life.name}: {number(place.size_bytes)} B {place.dtype.name}, {place.kind.name.lower()}"
        facts += f"\nbytes {number(place.offset)} to {number(place.end - 1)}"
        facts += f" of {lives.region(life)}" if plan.named else ""
        facts += f", steps {life.first + 1} to {life.last + 1}"
        sides = (x_of(begin / 2), x_of(end / 2)), (y_of(life.end), y_of(life.begin))
        out += _box(*sides, place.kind.name.lower(), "" if life.is_new else life.name, facts)
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
            out.append(_text(middle, floor + 18, _cut(f"{index + 1} {op_of(step)}", _STEP_CHARACTERS), 10, fill, turn))
        elif index % max(1, count // 20) == 0:
            out.append(_text(middle, floor + 18, str(index + 1), 10, fill, ' text-anchor="middle"'))
    return out, _TOP + _PLOT_HEIGHT + (_BOTTOM_NAMED if named else _BOTTOM_BARE)


def _lines(plan: Plan, lives: EntryLives) -> list[tuple[int, str, str]]:
    """The lines across a panel: address, label, colour; at round numbers, or where a region with a name begins."""
    if plan.named:
        return [(use.begin, _cut(use.region.name, 10), _SOFT) for use in lives.regions if use.region.used_bytes]
    ticks = _ticks(plan.ram_bytes)
    return [(b, f"{b // 1024} KiB" if b and b % 1024 == 0 else f"{b} B", "#dde3ea") for b in ticks]


def _ticks(ram_bytes: int) -> range:
    """Round byte numbers for the axis, at most nine."""
    step = 16
    while ram_bytes // step > 8:
        step *= 2
    return range(0, ram_bytes + 1, step)


def _box(x: tuple[float, float], y: tuple[float, float], kind: str, name: str, facts: str) -> list[str]:
    """A rectangle with a hover title, and its name inside where it fits."""
    wide, high = x[1] - x[0], y[1] - y[0]
    out = [
        f'<rect x="{_px(x[0])}" y="{_px(y[0])}" width="{_px(wide)}" height="{_px(max(high, 0.8))}" '
        f'fill="{_FILL[kind]}" '
        f'stroke="#ffffff" stroke-width="{0.8 if high > 3 else 0.2}"><title>{_xml(facts)}</title></rect>'
    ]
    room = int((wide - 8) / _CHARACTER)
    if high >= 12 and room >= min(4, len(name)) and name:
        more = ' pointer-events="none"'
        out.append(_text(x[0] + 4, (y[0] + y[1]) / 2 + 3.5, _cut(name, room), 10.5, "#ffffff", more))
    return out
