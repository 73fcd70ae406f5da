"""Which dtype arithmetic on integers has, and which operands are all integers.

A `map` computes in floats. Of i32 that is f64, which holds every sum, and every product that i32 can hold; of u8 and i8
it is f32. So integer arithmetic is exact, and what is out of the dtype's range saturates at its ends (NumPy wraps).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lazydiff.dtypes import Dtype, bool_, i32
from lazydiff.errors import DtypeError
from lazydiff.graph.node import Operand, Tensor, constant, user_line

# The elementwise ops that integers have, beside comparisons and `where`.
ARITHMETIC = frozenset({"add", "subtract", "multiply", "maximum", "minimum", "neg", "abs", "sign", "square"})


def promoted(dtypes: Sequence[Dtype]) -> Dtype | None:
    """NumPy's common dtype of integers and bools (u8 with i8 is i32, as there is no i16); None unless there is one."""
    kinds = {d for d in dtypes if d != bool_}
    if not kinds or any(d.is_float for d in kinds):
        return None
    return kinds.pop() if len(kinds) == 1 else i32


def as_integers(operands: Sequence[Operand]) -> list[Tensor] | None:
    """The operands as tensors if all are integers or bools and one is an integer tensor, else None.

    Python integers take the dtype of the others: DtypeError for one that it can't hold.
    """
    if not any(isinstance(o, Tensor) and not o.dtype.is_float and o.dtype is not bool_ for o in operands):
        return None
    if not all(isinstance(o, (Tensor, int, np.bool_)) or np.asarray(o).dtype.kind in "iub" for o in operands):
        return None
    typed = [o if isinstance(o, (Tensor, int)) else constant(o) for o in operands]
    dtype = promoted([t.dtype for t in typed if isinstance(t, Tensor)])
    if dtype is None:
        return None
    info = np.iinfo(dtype.numpy)
    for o in typed:
        if not isinstance(o, Tensor) and not info.min <= o <= info.max:
            raise DtypeError(f"{user_line()}: {o} does not fit {dtype}, which the tensors beside it have")
    return [t if isinstance(t, Tensor) else constant(int(t), dtype) for t in typed]
