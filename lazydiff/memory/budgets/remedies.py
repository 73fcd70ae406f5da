"""What would make a plan smaller, and by how many bytes: worked out from the plan itself."""

from __future__ import annotations

from lazydiff.plan.lifetimes import EntryLives
from lazydiff.plan.model import Kind, Plan

Remedy = tuple[str, int]  # what to do, bytes it saves


def remedies(plan: Plan, lives: EntryLives, missing: int) -> list[Remedy]:
    """Remedies for the entry that needs the most, each with the bytes that it alone would save.

    State and frozen parameters are counted to the byte. A smaller batch is counted at the present peak: if
    another step is then the highest, it saves less.
    """
    return [*_batch(plan, lives, missing), *_optimizer(plan), *_freezing(plan, lives, missing)]


def _slots(plan: Plan) -> dict[str, list[int]]:
    """By parameter in RAM: the buffers of the optimizer's state for it, which bear its name and its shape."""
    found: dict[str, list[int]] = {}
    shapes = {}
    for s in plan.state:
        b = plan.buffers[s.buffer]
        if b.kind == Kind.PARAMS and b.region.in_ram:
            found[s.name], shapes[s.name] = [], s.shape
    for s in plan.state:
        owner = s.name.rpartition(".")[0]
        b = plan.buffers[s.buffer]
        if b.kind == Kind.STATE and b.region.in_ram and shapes.get(owner) == s.shape:
            found[owner].append(s.buffer)
    return found


def _optimizer(plan: Plan) -> list[Remedy]:
    slots = [b for owned in _slots(plan).values() for b in owned]
    return [("an optimizer without state (sgd without momentum)", sum(plan.buffers[b].size_bytes for b in slots))]


def _freezing(plan: Plan, lives: EntryLives, missing: int) -> list[Remedy]:
    """The fewest parameters, largest first, that would go to flash with what the optimizer keeps for them."""
    number = {s.name: s.buffer for s in plan.state}
    renewed = {old for old, _ in lives.entry.updates}
    saves = {
        name: sum(plan.buffers[b].size_bytes for b in (number[name], *owned))
        for name, owned in _slots(plan).items()
        if number[name] in renewed
    }
    chosen: list[str] = []
    for name in sorted(saves, key=lambda n: (-saves[n], n)):
        if sum(saves[n] for n in chosen) >= missing or len(chosen) == len(saves) - 1:
            break
        chosen.append(name)
    if not chosen:
        return []
    named = ", ".join(chosen[:4]) + (f" and {len(chosen) - 4} more" if len(chosen) > 4 else "")
    return [(f"freezing {named} (trainable=[...])", sum(saves[n] for n in chosen))]


def _batch(plan: Plan, lives: EntryLives, missing: int) -> list[Remedy]:
    """A smaller batch: what is alive at the peak, follows from a batched input and has whole bytes for each sample."""
    inputs = [s for s in lives.entry.inputs if s.shape]
    if not inputs:
        return []
    batch = max(inputs, key=lambda s: plan.buffers[s.buffer].size_bytes).shape[0]
    if batch < 2:
        return []
    from_batch = {s.buffer for s in inputs if s.shape[0] == batch}
    for step in lives.entry.steps:
        if from_batch.intersection(step.reads):
            from_batch.update(step.writes)
    places = {
        (b.region, b.offset, b.size_bytes)
        for b in (plan.buffers[n] for n in from_batch)
        if b.kind in (Kind.WORK, Kind.IO)
    }
    kept = {plan.buffers[s.buffer].size_bytes for s in plan.state}  # a gradient has its parameter's size
    each = sum(
        owned // batch
        for life, owned in lives.alive(lives.peak_step)
        if (life.buffer.region, life.buffer.offset, life.buffer.size_bytes) in places
        and life.buffer.size_bytes not in kept
        and life.buffer.size_bytes % batch == 0
    )
    fewer = min(batch - 1, -(-missing // max(1, each)))
    return [(f"a batch of {batch - fewer} instead of {batch}", each * fewer)]
