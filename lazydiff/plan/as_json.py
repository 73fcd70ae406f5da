"""Turns a Plan into JSON text and back, for people and other tools."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

from lazydiff.dtypes import BY_NAME
from lazydiff.errors import PlanError
from lazydiff.kernels.table import KERNELS, TABLE_VERSION
from lazydiff.plan.lifetimes import entry_lives
from lazydiff.plan.model import (
    FORMAT_VERSION,
    SEVERAL_REGIONS,
    Buffer,
    Check,
    Entry,
    Kind,
    Plan,
    RamRegion,
    Region,
    Step,
    Symbol,
)
from lazydiff.plan.show import regions_of, report


def to_json(plan: Plan) -> str:
    """The plan as JSON text, for people and other tools; `from_json` reads it back to an equal Plan.

    Its key "memory" has what follows from the rest: the numbers of the memory table (plan/show.py `report`), and for
    each entry the bytes in use at each step and every value's place and life. `from_json` does not read it.
    """

    def symbols(group: Sequence[Symbol]) -> list[dict[str, object]]:
        return [
            {"name": s.name, "buffer": s.buffer, "shape": list(s.shape), "init": s.init}
            | {"check": s.check.name, "low": s.low, "high": s.high}
            for s in group
        ]

    def step(s: Step) -> dict[str, object]:
        head = {"kernel": s.declared.name, "dtype": s.dtype.name, "operands": list(s.operands)}
        return head | {"attrs": list(s.attrs), "tile_rows": s.tile_rows, "label": s.label, "source": s.source}

    document = {
        "format": plan.format,
        "table": TABLE_VERSION,
        "ram_bytes": plan.ram_bytes,
        "align": plan.align,
        **({"regions": regions_of(plan)} if plan.named else {}),
        "buffers": [
            {"region": b.region.name, "kind": b.kind.name, "dtype": b.dtype.name}
            | {"offset": b.offset, "size_bytes": b.size_bytes, "label": b.label}
            for b in plan.buffers
        ],
        "state": symbols(plan.state),
        "entries": [
            {"name": e.name, "inputs": symbols(e.inputs), "outputs": symbols(e.outputs)}
            | {"steps": [step(s) for s in e.steps], "updates": [list(u) for u in e.updates]}
            for e in plan.entries
        ],
        "consts": base64.b64encode(plan.consts).decode(),
        "init": base64.b64encode(plan.init).decode(),
        "memory": report(plan) | {"lives": {e.name: _lives(plan, e) for e in plan.entries}},
    }
    return json.dumps(document, indent=1)


def _lives(plan: Plan, entry: Entry) -> dict[str, object]:
    lives = entry_lives(plan, entry)
    values = [
        {"name": v.name, "kind": v.buffer.kind.name.lower(), "offset": v.buffer.offset, "bytes": v.buffer.size_bytes}
        | ({"region": lives.region(v)} if plan.named else {})
        | {"first_step": v.first, "last_step": v.last}
        for v in lives.lives
    ]
    return {"live_bytes": list(lives.live_bytes), "values": values}


def from_json(text: str) -> Plan:
    """The Plan in `to_json`'s text. Raises PlanError."""
    numbers = {k.name: k.number for k in KERNELS.values()}

    def symbols(group: list[dict[str, object]]) -> tuple[Symbol, ...]:
        return tuple(
            Symbol(s["name"], s["buffer"], tuple(s["shape"]), s["init"], Check[s["check"]], s["low"], s["high"])  # type: ignore
            for s in group
        )

    def step(s: dict) -> Step:  # type: ignore[type-arg]
        operands, attrs = tuple(s["operands"]), tuple(s["attrs"])
        return Step(numbers[s["kernel"]], BY_NAME[s["dtype"]], operands, attrs, s["tile_rows"], s["label"], s["source"])

    try:
        d = json.loads(text)
        if d["format"] not in (FORMAT_VERSION, SEVERAL_REGIONS) or d["table"] > TABLE_VERSION:
            raise PlanError(f"plan: JSON of format {d['format']}, kernel table {d['table']}: not this lazydiff's")
        buffers = tuple(
            Buffer(Region[b["region"]], Kind[b["kind"]], BY_NAME[b["dtype"]], b["offset"], b["size_bytes"], b["label"])
            for b in d["buffers"]
        )
        entries = tuple(
            Entry(
                e["name"],
                symbols(e["inputs"]),
                symbols(e["outputs"]),
                tuple(step(s) for s in e["steps"]),
                tuple((old, new) for old, new in e["updates"]),
            )
            for e in d["entries"]
        )
        blobs = base64.b64decode(d["consts"]), base64.b64decode(d["init"])
        named = tuple(RamRegion(r["name"], r["size_bytes"], r["used_bytes"]) for r in d.get("regions", ()))
        return Plan(d["ram_bytes"], d["align"], buffers, symbols(d["state"]), entries, *blobs, named)
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise PlanError(f"plan: the JSON is not a plan: {error!r}") from error
