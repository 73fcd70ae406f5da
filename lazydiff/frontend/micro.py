"""A training step -> the same step in micro-batches (passes/split_batch.py)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lazydiff.frontend.training import Step
from lazydiff.passes.split_batch import Batch, split_batch


class Splitter:
    """Splits one step into any number of micro-batches; `samples` is the batch.

    `inputs` are the inputs with a sample in each row; without it, those whose first extent is the one that most inputs
    have. Raises GraphError where samples meet, with the reason and the user's line.
    """

    def __init__(self, step: Step, inputs: Sequence[str] | None = None) -> None:
        self._step = step
        self._batch = Batch([*step.outputs.values(), *(value for _, value in step.updates)], inputs)
        self.samples = self._batch.samples

    @property
    def counts(self) -> list[int]:
        """The numbers of micro-batches of equal size, fewest first, from 2."""
        return [k for k in range(2, self.samples + 1) if self.samples % k == 0]

    def split(self, parts: int) -> Step:
        """The step in so many micro-batches. Raises GraphError for less than 1 or more than there are samples."""
        roots, count = split_batch(self._batch, parts), len(self._step.outputs)
        outputs = dict(zip(self._step.outputs, roots[:count], strict=True))
        pairs = zip((leaf for leaf, _ in self._step.updates), roots[count:], strict=True)
        return replace(self._step, outputs=outputs, updates=tuple(pairs), micro_batches=None)
