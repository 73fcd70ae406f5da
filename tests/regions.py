"""A plan of one block of RAM as a plan of two or three regions: cut where no buffer lies across."""

from dataclasses import replace

from lazydiff.plan.model import RAM_REGIONS, RamRegion, Region, executor_bytes

NAMES = ("dtcm", "sram", "psram", "sdram")


def cuts(plan):
    """Every address at which the plan can be cut."""
    ram = [b for b in plan.buffers if b.region == Region.RAM]
    edges = sorted({b.end for b in ram} - {max(b.end for b in ram)})
    return [at for at in edges if at % 8 == 0 and all(b.end <= at or b.offset >= at for b in ram)]


def cut(plan, *addresses):
    """The plan with a region of its own from each of these addresses on; the first grows by the executor's pointers."""
    more = executor_bytes(1 + len(addresses)) - executor_bytes(1)
    begins = (0, *addresses)
    ends = (*addresses, plan.ram_bytes)

    def moved(b):
        if b.region != Region.RAM:
            return b
        number = max(n for n, begin in enumerate(begins) if b.offset >= begin)
        return replace(b, region=RAM_REGIONS[number], offset=b.offset - begins[number] if number else b.offset + more)

    sizes = [end - begin for begin, end in zip(begins, ends, strict=True)]
    assert sizes[0] >= executor_bytes(1)
    sizes[0] += more
    named = tuple(
        RamRegion(name, size + 100 * n, size) for n, (name, size) in enumerate(zip(NAMES, sizes, strict=False))
    )
    return replace(plan, ram_bytes=plan.ram_bytes + more, buffers=tuple(map(moved, plan.buffers)), named=named)


def halves(plan, parts=2):
    """The plan cut into about equal parts."""
    found = cuts(plan)
    return cut(plan, *(found[len(found) * k // parts] for k in range(1, parts)))
