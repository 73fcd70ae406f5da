"""lazydiff for MicroPython: load a compiled plan (.lzp), train and infer in plain bytecode.

    import lazydiff as ld
    s = ld.Session("m.lzp")
    loss = s.train(x=samples, y=labels)
"""

from .errors import InputError, LazydiffError, PlanError
from .plan import Plan, load
from .session import Session

__version__ = "0.1.0"
