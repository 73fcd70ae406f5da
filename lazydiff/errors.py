"""Every error lazydiff raises: what and where, how much, what to try."""

from collections.abc import Mapping


class LazydiffError(Exception):
    """The parent of every error that lazydiff raises on purpose."""


class ShapeError(LazydiffError):
    """Shapes that do not go together; the message names both and the user's line."""


class DtypeError(LazydiffError):
    """A dtype that an operation, a kernel or an input does not take."""


class GraphError(LazydiffError):
    """A graph that can't be compiled: unknown names, missing derivatives, two parameters of one name."""


class BudgetError(LazydiffError):
    """The plan needs more bytes than `ram=` allows.

    Attributes: `needed_bytes`, `budget_bytes`, `lower_bound_bytes` (no order-preserving placement can go below it), of
    all regions together; `needed_regions`, bytes by region of the least plan found, where `ram=` named regions.
    """

    def __init__(
        self,
        message: str,
        needed_bytes: int,
        budget_bytes: int,
        lower_bound_bytes: int,
        needed_regions: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(message)
        self.needed_bytes = needed_bytes
        self.budget_bytes = budget_bytes
        self.lower_bound_bytes = lower_bound_bytes
        self.needed_regions = dict(needed_regions or {})


class PlanError(LazydiffError):
    """Plan bytes or a plan object that break a rule of plan/SPEC.md; nothing was loaded."""


class ExportError(LazydiffError):
    """A plan that can't be written as C under the names asked for; nothing was written."""


class GradientError(LazydiffError):
    """A derivative that differences contradict (ld.check_grads): order, mode and both numbers."""


class InputError(LazydiffError):
    """An array, a name or a label that an entry does not take; no parameter was touched."""


class ToolError(LazydiffError):
    """Something outside lazydiff is missing: a compiler, a package, a built extension."""
