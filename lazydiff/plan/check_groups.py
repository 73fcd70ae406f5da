"""Judges a group of steps that run together, range of rows after range of rows (plan/SPEC.md, tiles).

Shares no code with the planner. The steps themselves are judged by check.py, which asks here how many elements an
operand has to hold, and whether what the group makes and reads goes together.
"""

from __future__ import annotations

from collections.abc import Sequence

from lazydiff.dtypes import bits
from lazydiff.errors import PlanError
from lazydiff.kernels.program import NO_TILE
from lazydiff.kernels.signature import extent_elements
from lazydiff.plan.model import MAP, Buffer, Step

PARTIAL = -1  # elements that are made of what is added up: nobody in the group may read it


class Group:
    """The steps of a group so far, the first of them with its tile rows; `buffers` are the plan's."""

    def __init__(self, buffers: Sequence[Buffer], first: Step) -> None:
        self.buffers, self.first, self.steps = buffers, first, list[Step]()
        self._made: dict[int, int] = {}  # by buffer that a step of the group writes: all elements of that output

    def tiled(self, number: int, elements: int) -> bool:
        """True if a buffer holds only the rows of one range of an operand of so many elements."""
        once = self.first.tile_rows >= self.first.rows
        return once or self.buffers[number].dtype.size_bytes(elements) > self.buffers[number].size_bytes

    def range_elements(self, step: Step, number: int, elements: int, mode: str) -> int:
        """How many of an operand's elements its buffer has to hold."""
        if mode in ("scratch", "add") or not self.tiled(number, elements):
            return elements
        if step is self.first:
            return elements // step.rows * step.tile_rows if mode == "out" else elements
        return elements * self.first.tile_rows // self.first.rows

    def add(self, step: Step, where: str) -> None:
        """Judge the next step of the group. Raises PlanError."""
        if step is not self.first:
            self._rows(step, where)
        if step.kernel == MAP:
            self._map(step, where)
        else:
            self._kernel(step, where)
        for number in step.writes:
            for earlier in self.steps:
                for other in earlier.operands:
                    if self.buffers[number].overlaps(self.buffers[other]) and not (
                        self._is_tile(number) and self._is_tile(other)
                    ):
                        raise PlanError(
                            f"{where}: writes buffer {number} over operand {other} of a tiled step before it"
                        )
        self.steps.append(step)

    def _is_tile(self, number: int) -> bool:
        return self._made.get(number, PARTIAL) != PARTIAL and self.tiled(number, self._made[number])

    def _rows(self, step: Step, where: str) -> None:
        rows, tile, mine = self.first.rows, self.first.tile_rows, step.rows
        if mine and mine % rows == 0:
            each = tile * (mine // rows)
        elif mine and rows % mine == 0 and (tile % (rows // mine) == 0 or tile >= rows):
            each = min(mine, tile // (rows // mine))
        else:
            raise PlanError(f"{where}: {mine} rows in ranges of {tile} of {rows}: they do not go together")
        if step.tile_rows not in (0, each):
            raise PlanError(f"{where}: a tile of {step.tile_rows} rows, where {each} go with the step before")

    def _map(self, step: Step, where: str) -> None:
        program = step.program
        inputs = step.operands[: len(program.inputs)]
        if step is not self.first and program.tile == NO_TILE:
            raise PlanError(f"{where}: a tile input and a tiled step before it go together")
        for position, number in enumerate(inputs):
            if position == program.tile:
                if self._made.get(number) != program.elements or not self.tiled(number, program.elements):
                    raise PlanError(f"{where}: the tile input is not what a step before it writes")
            elif number in self._made:
                raise PlanError(f"{where}: the tile is read twice, or as a whole")
        for dtype, number in zip(program.outputs, step.operands[len(inputs) :], strict=False):
            if program.tiles and (dtype is bits or not self.tiled(number, program.elements)):
                raise PlanError(f"{where}: output {number} is no tile: it is made of bits, or holds everything")
            self._made[number] = program.elements

    def _kernel(self, step: Step, where: str) -> None:
        declared = step.declared
        later = step is not self.first
        if later and (not declared.images or step.rows != step.attrs[0]):
            raise PlanError(f"{where}: {declared.name} behind a tiled step needs a row an image")
        for number, operand in zip(step.operands, declared.operands, strict=True):
            elements = extent_elements(operand.extent, step.values)
            part = operand.mode == "in" and (number in self._made or self._small(number, elements))
            if part and not (later and self._made.get(number) == elements):
                raise PlanError(f"{where}: reads buffer {number}, which is not its rows of what a step before makes")
            if operand.mode == "out":
                if not later and not self.tiled(number, elements):
                    raise PlanError(f"{where}: output {number} of a tiled step holds everything")
                self._made[number] = elements
            elif operand.mode == "add":
                if not later:
                    raise PlanError(f"{where}: {declared.name} adds up rows of tiles, and begins none")
                self._made[number] = PARTIAL

    def _small(self, number: int, elements: int) -> bool:
        return self.buffers[number].dtype.size_bytes(elements) > self.buffers[number].size_bytes
