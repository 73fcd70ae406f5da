"""The errors that lazydiff raises on purpose: the same names as on the desktop."""


class LazydiffError(Exception):
    """The parent of the others."""


class PlanError(LazydiffError):
    """Plan bytes that break a rule of plan/SPEC.md, or that this port can't run; nothing was loaded."""


class InputError(LazydiffError):
    """An array, a name or a label that an entry does not take; no parameter was touched."""
