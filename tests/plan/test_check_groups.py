"""Groups of steps that run range by range and break a rule: the Python checker and the C checker refuse every one."""

import numpy as np
import pytest

import lazydiff as ld
from lazydiff.kernels.program import NO_TILE
from lazydiff.kernels.reduce import sum_rows
from lazydiff.plan.check import check
from lazydiff.plan.codec import encode
from lazydiff.plan.model import MAP, Step
from mutations import change, first, refused, with_attr, with_buffer, with_step
from small import pooled


@pytest.fixture(scope="module")
def plan():
    made = pooled()
    check(made)
    ld.Session(encode(made))
    return made


@pytest.fixture
def at(plan):
    """Where the group of a convolution, a map and a pooling begins."""
    return first(plan, lambda s: s.tile_rows and s.declared.name == "conv2d")


def test_rows_that_do_not_go_together(plan, at):
    conv, relu, index, gather = plan.entries[0].steps[at : at + 4]
    assert (conv.tile_rows, relu.tile_rows, index.tile_rows, gather.tile_rows) == (2, 64, 1, 0)
    refused(with_step(plan, at, change(conv, tile_rows=1)), "do not go together|no tile|go with the step before")
    refused(with_step(plan, at + 1, change(relu, tile_rows=32)), "go with the step before")
    refused(with_step(plan, at + 2, change(index, tile_rows=2)), "go with the step before")
    refused(with_step(plan, at + 2, change(index, tile_rows=0)), "needs")
    refused(with_step(plan, at + 3, change(gather, tile_rows=1)))


def test_a_kernel_whose_rows_are_not_images(plan, at):
    """Rows of one image see rows of it that are not in the tile."""
    index = plan.entries[0].steps[at + 2]
    n, h, w, c, oh, *rest = index.attrs
    assert oh == 1
    attrs = (n // 4, 4 * h, w, c, 4, *rest)
    refused(with_step(plan, at + 2, change(index, attrs=attrs)), "a row an image")
    refused(with_attr(plan, at + 2, 0, n // 2), "do not go together|go with the step before|not its rows")


def test_a_map_of_tiles_that_is_none(plan, at):
    relu = plan.entries[0].steps[at + 1]
    program = relu.program
    assert program.tiles
    refused(with_step(plan, at + 1, change(relu, attrs=change(program, tiles=False).words())), "a map of tiles")
    refused(
        with_step(plan, at + 1, change(relu, attrs=change(program, tile=NO_TILE).words())),
        "go together|whole|reads elements",
    )
    alone = first(plan, lambda s: s.kernel == MAP and not s.tile_rows and s.program.tile == NO_TILE)
    step = plan.entries[0].steps[alone]
    refused(with_step(plan, alone, change(step, attrs=change(step.program, tiles=True).words())), "a map of tiles")
    words = list(relu.attrs)
    words[5] |= 512
    refused(with_step(plan, at + 1, change(relu, attrs=tuple(words))))


def test_a_tile_read_as_a_whole(plan, at):
    """The index as an input of the map: by then it holds only the rows so far."""
    conv, relu, _, gather = plan.entries[0].steps[at : at + 4]
    bias = next(k for k, b in enumerate(relu.reads) if k != relu.program.tile)
    operands = list(relu.operands)
    operands[bias] = conv.operands[-1]
    refused(with_step(plan, at + 1, change(relu, operands=tuple(operands))), "twice|over its operand")
    later = first(plan, lambda s: s.declared.name == "conv2d" and s is not conv)
    step = plan.entries[0].steps[later]
    refused(with_step(plan, later, change(step, operands=(gather.operands[0], *step.operands[1:]))), "needs")


def test_a_step_that_writes_over_what_an_earlier_one_reads_again(plan, at):
    conv, relu, index, gather = plan.entries[0].steps[at : at + 4]
    for written, again in (
        (gather.operands[-1], conv.operands[0]),  # over the image that the next rows are made of
        (index.operands[-1], conv.operands[1]),
        (relu.operands[-1], conv.operands[-1]),  # scratch over the tile
        (gather.operands[-1], relu.operands[-2]),  # what is whole over a tile
    ):
        place = plan.buffers[again]
        bad = with_buffer(plan, written, region=place.region, offset=place.offset)
        refused(bad, "over operand|outside|not written|over its operand|updates|lies elsewhere")


def test_what_the_last_step_writes_is_not_what_the_first_one_reads_for_the_next_rows():
    """Nobody reads the image after the group, so only the group itself forbids it."""
    x = ld.input("x", (2, 8, 8, 4))
    plan = ld.compile(infer=ld.max_pool2d(ld.relu(ld.conv2d(x, np.ones((1, 1, 4, 4), np.float32))), 2))
    image = plan.buffers[plan.entries[0].inputs[0].buffer]
    out = plan.entries[0].outputs[0].buffer
    refused(with_buffer(plan, out, offset=image.offset), "over operand")


def test_a_tile_that_is_larger_than_it_says(plan, at):
    """Whether a buffer is a tile is said by its size, so one that could hold everything is none."""
    conv, relu = plan.entries[0].steps[at : at + 2]
    tile, made = conv.operands[-1], relu.operands[-2]
    size = plan.buffers[tile].size_bytes // 2 * conv.rows
    room = change(plan, ram_bytes=plan.ram_bytes + 2 * size)
    refused(with_buffer(room, tile, size_bytes=size, offset=plan.ram_bytes), "holds everything|over its operand")
    refused(with_buffer(room, made, size_bytes=size, offset=plan.ram_bytes), "holds everything")
    refused(with_buffer(plan, tile, size_bytes=plan.buffers[tile].size_bytes // 2), "needs")
    refused(with_buffer(plan, made, size_bytes=plan.buffers[made].size_bytes // 2), "needs|over its operand")


@pytest.fixture(scope="module")
def summed():
    """A group that adds up rows, behind it a product that reads the sum."""
    v = ld.square(ld.input("x", (40, 1)) * ld.input("y", (1, 8)))
    made = ld.compile(f=ld.matmul(v.sum(0).reshape(1, 8), np.ones((8, 1), np.float32)))
    check(made)
    ld.Session(encode(made))
    assert [s.declared.name for s in made.entries[0].steps[:2]] == ["map", "sum_rows"]
    return made


def test_sums_of_rows_are_whole_and_read_by_nobody_before_all_are_added(summed):
    tile, total = summed.entries[0].steps[:2]
    entry = summed.entries[0]
    refused(with_buffer(summed, total.operands[1], size_bytes=28), "needs")
    refused(with_attr(summed, 1, 1, 9))
    refused(with_attr(summed, 1, 0, 20))
    refused(with_step(summed, 1, change(total, tile_rows=1)))
    place = summed.buffers[tile.operands[1]]
    refused(
        with_buffer(summed, total.operands[1], region=place.region, offset=place.offset), "over operand|its operand"
    )
    # the same rows added up twice, the second time of the first sums
    again = change(total, operands=(total.operands[1], total.operands[0]))
    bad = change(entry, steps=(tile, change(total, tile_rows=tile.tile_rows // 8), again, *entry.steps[2:]))
    refused(change(summed, entries=(bad,)))


def test_nothing_begins_with_sums_of_rows():
    made = ld.compile(f=ld.square(ld.input("x", (40, 8)).sum(0)))
    total = made.entries[0].steps[0]
    refused(with_step(made, 0, change(total, kernel=sum_rows.number, attrs=(40, 8), tile_rows=8)), "begins none")
    check(with_step(made, 0, change(total, kernel=sum_rows.number, attrs=(40, 8))))


def test_a_partial_sum_is_no_tile(summed):
    """Eight rows of eight columns, so that the sum could be taken for a row an image of one number."""
    made = ld.compile(f=ld.square(ld.input("x", (8, 1)) * ld.input("y", (1, 9))).sum(0))
    tile, total = made.entries[0].steps
    reads = Step(2, tile.dtype, (total.operands[1], made.entries[0].outputs[0].buffer), (9, 1, 1))
    steps = (tile, change(total, tile_rows=tile.tile_rows // 9), reads)
    refused(change(made, entries=(change(made.entries[0], steps=steps),)))
