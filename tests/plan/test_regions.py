"""Plans of several regions of RAM: the same bits as in one block, and every buffer judged in its own region."""

import struct
from itertools import combinations

import numpy as np
import pytest

import lazydiff as ld
from bits import results, verdict
from lazydiff.examples import digits
from lazydiff.plan.check import check
from lazydiff.plan.codec import HEADER_WORDS, checksum, decode, encode
from lazydiff.plan.model import RAM_REGIONS, Region, executor_bytes
from lazydiff.run.native import extension
from lazydiff.run.reference import Reference
from mutations import change, refused, with_buffer
from regions import halves
from small import classifier, convolution, lookups

PLANS = {f.__name__: f for f in (classifier, convolution, lookups)} | {"digits": lambda: digits.build(2, None)}


def planned(whole):
    """The same entries for two regions, the first of which holds about a third."""
    return whole.report.again({"dtcm": whole.ram_bytes // 24 * 8 + executor_bytes(2), "sram": whole.ram_bytes})


@pytest.fixture(scope="module", params=PLANS.values(), ids=PLANS)
def whole(request):
    return request.param()


@pytest.fixture(scope="module", params=[2, 3, "planned"])
def plan(request, whole):
    made = planned(whole) if request.param == "planned" else halves(whole, request.param)
    check(made)
    return made


def test_several_regions_give_the_bits_of_one_block(whole, plan):
    assert results(plan) == results(whole)


def test_the_oracle_runs_it_in_blocks_of_its_own(whole, plan):
    one, several = Reference(whole), Reference(plan)
    rng = np.random.default_rng(0)
    for entry in plan.entries:
        inputs = {}
        for s in entry.inputs:
            dtype = plan.buffers[s.buffer].dtype.numpy
            inputs[s.name] = (rng.normal(size=s.shape) if dtype == np.float32 else np.zeros(s.shape)).astype(dtype)
        wanted, found = (r.run(entry.name, **inputs) for r in (one, several))
        assert all(np.array_equal(wanted[k], found[k]) for k in wanted)
    assert [b.nbytes for b in several.blocks] == [r.used_bytes for r in plan.regions]


def test_it_survives_its_file_and_one_block_keeps_format_1(whole, plan):
    assert decode(encode(plan)) == plan
    assert decode(encode(whole)).regions[0].used_bytes == whole.ram_bytes
    assert struct.unpack_from("<H", encode(plan), 4) == (2,)
    assert struct.unpack_from("<H", encode(whole), 4) == (1,)
    session = ld.Session(encode(plan))
    assert session.regions == {r.name: r.used_bytes for r in plan.regions}
    assert [b.nbytes for b in session._model.blocks] == [r.used_bytes for r in plan.regions]
    assert ld.Session(encode(whole)).regions == {"ram": whole.ram_bytes}
    assert session.ram_bytes == plan.ram_bytes


def test_every_buffer_moved_to_another_region(plan):
    """Refused by both checkers, or moved into bytes that were free: then the bits are the same."""
    sound, caught = results(plan), 0
    for number, b in enumerate(plan.buffers):
        for region in RAM_REGIONS if b.region.in_ram else ():
            moved = with_buffer(plan, number, region=region)
            if region == b.region:
                continue
            if region.number >= len(plan.regions):
                refused(moved, "lies in region")
            elif verdict(moved):
                assert results(moved) == sound, f"buffer {number} in {region.name} is accepted and changes a result"
                continue
            caught += 1
    assert caught > len(plan.buffers) / 2


def test_a_buffer_past_the_end_of_its_region(plan):
    """Though the bytes behind it are another region's, and though one region is as long as the offset wants."""
    for number, b in enumerate(plan.buffers):
        if b.region.in_ram:
            used = plan.regions[b.region.number].used_bytes
            refused(with_buffer(plan, number, offset=used - b.size_bytes + b.dtype.itemsize), "lie outside")
    first = next(n for n, b in enumerate(plan.buffers) if b.region == Region.RAM)
    refused(with_buffer(plan, first, offset=0), "lie outside")  # the executor's


def test_equal_offsets_in_two_regions_are_no_overlap():
    plan = halves(classifier(), 3)
    check(plan)
    state = [plan.buffers[s.buffer] for s in (*plan.state, *plan.entries[0].inputs)]
    ram = [b for b in state if b.region.in_ram]
    apart = [(a, b) for a, b in combinations(ram, 2) if a.region != b.region]
    assert apart
    assert any(a.offset < b.end and b.offset < a.end for a, b in apart)
    assert not any(a.overlaps(b) for a, b in apart)


def test_an_update_in_another_region(plan):
    for entry in plan.entries:
        for _, new in entry.updates:
            here = plan.buffers[new].region
            for region in RAM_REGIONS[: len(plan.regions)]:
                if region != here:
                    refused(with_buffer(plan, new, region=region))


def with_regions(plan, **changes):
    named = [change(r, **{k: v[n] for k, v in changes.items() if n in v}) for n, r in enumerate(plan.named)]
    return change(plan, named=tuple(named))


def test_a_table_of_regions_that_can_not_be(plan):
    used = [r.used_bytes for r in plan.regions]
    refused(with_regions(plan, used_bytes={0: used[0] - 8}), "bytes together")
    refused(with_regions(plan, used_bytes={1: used[1] + 8}, size_bytes={1: used[1] + 8}), "bytes together")
    refused(with_regions(plan, size_bytes={1: used[1] - 1}), "can't be")
    shifted = {0: executor_bytes(2) - 8, 1: used[1] + used[0] - executor_bytes(2) + 8}
    refused(with_regions(plan, used_bytes=shifted, size_bytes={1: plan.ram_bytes}), "do not hold the executor")
    refused(change(plan, ram_bytes=plan.ram_bytes + 8), "bytes together")


@pytest.mark.parametrize("count", [0, 1, 5, 0xFFFFFFFF])
def test_a_count_of_regions_that_is_not_so(plan, count):
    broken = bytearray(encode(plan))
    struct.pack_into("<I", broken, 4 * HEADER_WORDS, count)
    struct.pack_into("<I", broken, 16, checksum(broken))
    for load in (ld.load, ld.Session):
        with pytest.raises(ld.PlanError):
            load(bytes(broken))


def test_a_region_without_a_name_in_the_file(plan):
    broken = bytearray(encode(plan))
    struct.pack_into("<I", broken, 4 * (HEADER_WORDS + 1), len(broken))
    struct.pack_into("<I", broken, 16, checksum(broken))
    for load in (ld.load, ld.Session):
        with pytest.raises(ld.PlanError):
            load(bytes(broken))


def test_nothing_but_the_blocks_is_written():
    """Each block lies between bytes that keep their pattern, and the blocks have exactly the bytes the plan says."""
    plan = halves(classifier(), 3)
    session = ld.Session(plan)
    native = extension()
    data = native.ffi.new("uint64_t[]", len(encode(plan)) // 8)
    native.ffi.memmove(data, encode(plan), len(encode(plan)))
    room = [np.full(r.used_bytes + 4096, 0xA5, np.uint8) for r in plan.regions]
    begins = [2048 + -(r.ctypes.data + 2048) % 16 for r in room]
    given = [
        (native.ffi.cast("void *", r.ctypes.data + at), each.used_bytes)
        for r, at, each in zip(room, begins, plan.regions, strict=True)
    ]
    model = native.ffi.new("lzd_model **")

    def opened(blocks):
        return native.lib.lzd_open_regions(
            model, data, len(encode(plan)), native.ffi.new("lzd_block[]", blocks), len(blocks)
        )

    words = {n: native.ffi.string(native.lib.lzd_status_text(n)).decode() for n in range(1, 20)}
    short = [given[0], given[1], (given[2][0], given[2][1] - 1)]
    assert "smaller than the plan needs, or missing" in words[opened(short)]
    assert "or missing" in words[opened(given[:2])]
    assert "or missing" in words[opened([*given, given[0]])]
    assert "or missing" in words[opened([given[0], (native.ffi.NULL, given[1][1]), given[2]])]
    assert "multiple of 16" in words[opened([given[0], (given[1][0] + 8, given[1][1]), given[2]])]
    assert all((r == 0xA5).all() for r in room)  # a refusal touches nothing
    assert opened(given) == 0
    entry = session._model.entries[0]
    x, y = np.ones((4, 4), np.float32), np.array([0, 1, 2, 0], np.int32)
    loss = np.zeros((), np.float32)
    call = native.ffi.new("void *[]", [native.ffi.from_buffer(a) for a in (x, y)])
    out = native.ffi.new("void *[]", [native.ffi.from_buffer(loss)])
    assert native.lib.lzd_call(model[0], entry.number, call, out) == 0
    assert loss == session.train(x=x, y=y)
    for block, at, region in zip(room, begins, plan.regions, strict=True):
        assert (block[:at] == 0xA5).all()
        assert (block[at + region.used_bytes :] == 0xA5).all()
        assert (block[at : at + region.used_bytes] != 0xA5).any()
