"""Turns a plan into what a person reads first: the memory table, and the same numbers as a dict."""

from __future__ import annotations

from lazydiff.plan.codec import encode
from lazydiff.plan.lifetimes import EntryLives, RegionUse, entry_lives
from lazydiff.plan.model import Entry, Kind, Plan, Step, Symbol
from lazydiff.plan.report import Report, extra_percent
from lazydiff.plan.segments import kept_states

KINDS = ("executor", "params", "state", "io", "work")
_SHOWN_AT_PEAK = 12
_HEAD = 26  # columns before the first entry's
_HEADER_TOTAL, _HEADER_DEBUG = 3, 27  # words of the .lzp header (plan/SPEC.md)


def number(value: int) -> str:
    """12345 -> "12 345"."""
    return f"{value:,}".replace(",", " ")


def flash_bytes(plan: Plan) -> int:
    """The bytes a device needs of the `.lzp` file: all of it but the debug section."""
    words = memoryview(encode(plan)).cast("B")
    at = {word: int.from_bytes(words[4 * word : 4 * word + 4], "little") for word in (_HEADER_TOTAL, _HEADER_DEBUG)}
    return at[_HEADER_DEBUG] or at[_HEADER_TOTAL]


def by_kind(lives: EntryLives) -> dict[str, int]:
    """Bytes in RAM at the entry's peak, by kind; they sum to the contention lower bound (before rounding)."""
    found = dict.fromkeys(KINDS, 0)
    found["executor"] = lives.executor_bytes
    for life, owned in lives.alive(lives.peak_step):
        found[life.buffer.kind.name.lower()] += owned
    return found


def op_of(step: Step) -> str:
    """The op a step came from, as the user wrote it, else its kernel's name."""
    return step.label or step.declared.name


def _io(plan: Plan, symbols: tuple[Symbol, ...]) -> list[dict[str, object]]:
    return [
        {"name": s.name, "dtype": plan.buffers[s.buffer].dtype.name, "shape": list(s.shape),
         "bytes": plan.buffers[s.buffer].size_bytes}
        for s in symbols
    ]  # fmt: skip


def _entry_report(plan: Plan, entry: Entry) -> dict[str, object]:
    lives = entry_lives(plan, entry)
    peak = entry.steps[lives.peak_step] if entry.steps else None
    return {
        "steps": len(entry.steps),
        "peak_step": lives.peak_step,
        "peak_op": op_of(peak) if peak else "",
        "peak_source": peak.source if peak else "",
        "lower_bound_bytes": lives.lower_bound_bytes,
        "arena_bytes": lives.arena_bytes,
        "arena_over_bound": lives.arena_over_bound,
        "at_peak": by_kind(lives),
        "alive": [
            {"name": life.name, "kind": life.buffer.kind.name.lower(), "bytes": owned}
            | ({"region": lives.region(life)} if plan.named else {})
            for life, owned in lives.alive(lives.peak_step)
        ],
        "inputs": _io(plan, entry.inputs),
        "outputs": _io(plan, entry.outputs),
    } | ({"regions": {r.region.name: _use(r) for r in lives.regions}} if plan.named else {})


def _use(use: RegionUse) -> dict[str, int]:
    return {"arena_bytes": use.arena_bytes, "peak_bytes": use.peak_bytes}


def report(plan: Plan) -> dict[str, object]:
    """The numbers of `table` as one JSON-able dict; sizes in bytes, steps counted from 0.

    Regions of RAM stand in it where they have names.
    """
    lives = [entry_lives(plan, entry) for entry in plan.entries]
    return {
        "ram_bytes": plan.ram_bytes,
        "lower_bound_bytes": max((each.lower_bound_bytes for each in lives), default=plan.executor_bytes),
        "flash_bytes": flash_bytes(plan),
        "const_bytes": len(plan.consts),
        "init_bytes": len(plan.init),
        "entries": {entry.name: _entry_report(plan, entry) for entry in plan.entries},
    } | ({"regions": regions_of(plan)} if plan.named else {})


def regions_of(plan: Plan) -> list[dict[str, str | int]]:
    """The plan's regions of RAM: name, the bytes that it may take there, and those that it does."""
    return [{"name": r.name, "size_bytes": r.size_bytes, "used_bytes": r.used_bytes} for r in plan.regions]


def table(plan: Plan) -> str:
    """The memory table: totals, bytes by kind at each entry's peak, who is alive there, and the named buffers.

    A plan fresh from compile() has a report too: what each stage of the planner saved, and which updates wait.
    """
    lives = [entry_lives(plan, entry) for entry in plan.entries]
    flash = flash_bytes(plan)
    code = flash - len(plan.consts) - len(plan.init)
    widths = [max(12, len(entry.name) + 2) for entry in plan.entries]
    most = max((len(r.name) for r in plan.named), default=0)
    lines = [
        f"RAM   {number(plan.ram_bytes):>9} B   everything that changes, in {_blocks(plan)} for {_names(plan.entries)}",
        *(f"  {r.name:<{most}} {number(r.used_bytes):>9} of {number(r.size_bytes)} B" for r in plan.named),
        f"flash {number(flash):>9} B   steps and tables {number(code)}, constants {number(len(plan.consts))}, "
        f"first values {number(len(plan.init))}",
        "",
        _row("bytes at the peak", [entry.name for entry in plan.entries], widths),
    ]
    kinds = [by_kind(each) for each in lives]
    for kind in KINDS:
        lines.append(_row(f"  {kind}", [number(k[kind]) for k in kinds], widths))
    for n, r in enumerate(plan.named):
        lines.append(_row(f"  in {r.name}", [number(each.regions[n].peak_bytes) for each in lives], widths))
    lines += [
        _row("lower bound", [number(each.lower_bound_bytes) for each in lives], widths),
        _row("arena", [number(each.arena_bytes) for each in lives], widths),
        _row("arena / lower bound", [f"{each.arena_over_bound:.3f}" for each in lives], widths),
    ]
    if plan.report and plan.entries:
        lines += ["", *_saved(plan.report, [entry.name for entry in plan.entries], widths)]
    for each in lives:
        lines += ["", *_peak(each, bool(plan.named))]
    if plan.report and plan.report.waits:
        lines += ["", *_waiting(plan.report)]
    named = [f"{s.name} {_shape(plan, s)}" for s in plan.state if plan.buffers[s.buffer].kind == Kind.PARAMS]
    if named:
        lines += ["", *wrapped("params   ", named)]
    kept = kept_states(plan)
    for name in dict.fromkeys(kept.values()):
        lines += wrapped(
            f"kept for {name}  ", [f"{s.name} {_shape(plan, s)}" for s in plan.state if kept.get(s.name) == name]
        )
    for entry in plan.entries:
        words = [f"{s.name} {_shape(plan, s)}" for s in entry.inputs]
        words += [f"-> {s.name} {_shape(plan, s)}" for s in entry.outputs]
        lines += wrapped(f"{entry.name:<8} ", words)
    return "\n".join(lines)


def _saved(report: Report, names: list[str], widths: list[int]) -> list[str]:
    saved, work = report.savings(), report.work()
    lines = [_row("bytes saved at the peak by", names, widths)]
    for stage in dict.fromkeys(stage for by in saved.values() for stage in by):
        lines.append(_row(f"  {stage}", [number(saved[n][stage]) for n in names], widths))
    return [*lines, _row("extra work", [f"{extra_percent(work[n]):.1f} %" for n in names], widths)]


def _waiting(report: Report) -> list[str]:
    lines = []
    for entry, waits in report.waits.items():
        lines.append(f"{entry}: updates that wait for more than their own gradient")
        for why in dict.fromkeys(why for _, why in waits):
            lines += [f"  {why}:", *wrapped("    ", [name for name, other in waits if other == why])]
    return lines


def _names(entries: tuple[Entry, ...]) -> str:
    names = [entry.name for entry in entries]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _blocks(plan: Plan) -> str:
    return f"{len(plan.named)} regions" if len(plan.named) > 1 else "one block"


def _row(head: str, cells: list[str], widths: list[int]) -> str:
    return f"{head:<{_HEAD}}" + "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))


def _shape(plan: Plan, symbol: Symbol) -> str:
    dtype = plan.buffers[symbol.buffer].dtype.name
    return f"{dtype}[{','.join(map(str, symbol.shape))}]"


def wrapped(head: str, words: list[str], width: int = 112) -> list[str]:
    """The words after a head, separated by two spaces, broken at `width` columns."""
    lines, line = [], head
    for word in words:
        if len(line) > len(head) and len(line) + len(word) > width:
            lines.append(line.rstrip())
            line = " " * len(head)
        line += word + "  "
    return [*lines, line.rstrip()]


def _peak(lives: EntryLives, by_region: bool) -> list[str]:
    steps = lives.entry.steps
    if not steps:
        return [f"{lives.entry.name}: no steps"]
    step = steps[lives.peak_step]
    where = f" ({step.source})" if step.source else ""
    head = f"{lives.entry.name}: peak at step {lives.peak_step + 1} of {len(steps)}, {op_of(step)}{where}"
    alive = [(life, owned) for life, owned in lives.alive(lives.peak_step) if owned]
    first = alive[:_SHOWN_AT_PEAK]
    shown = [f"{v.name} {number(n)}{f' in {lives.region(v)}' if by_region else ''}" for v, n in first]
    if rest := alive[_SHOWN_AT_PEAK:]:
        shown.append(f"and {len(rest)} more {number(sum(owned for _, owned in rest))}")
    return [head, *wrapped("  alive  ", shown)]
