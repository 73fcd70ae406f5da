"""check_grads: a user's derivatives against differences, in random directions, on the very plan that a device runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from lazydiff.dtypes import Dtype, f64, from_numpy, i32
from lazydiff.errors import GradientError, GraphError
from lazydiff.frontend.transforms import grad, jvp
from lazydiff.graph.node import Operand, Tensor, constant, user_line
from lazydiff.graph.walk import topological
from lazydiff.ops import leaves
from lazydiff.ops.reductions import sum as total
from lazydiff.passes.retype import retype
from lazydiff.passes.substitute import freed, substitute
from lazydiff.pipeline import compile as compile_plan
from lazydiff.plan.model import Plan
from lazydiff.run.session import Session

Arrays = dict[str, np.ndarray]
_SHORT = {"fwd": "forward", "rev": "reverse"}
# What a plan's arithmetic may lose, relative to the greatest value; the differences lose far less.
_TOLERANCE = {"f64": 1e-7, "f32": 1e-3}


def check_grads(
    f: Tensor | Callable[..., Tensor],
    args: Sequence[Operand] | Mapping[str, Operand],
    order: int = 2,
    modes: Sequence[str] = ("fwd", "rev"),
    *,
    dtype: Dtype = f64,
    ram: int | str | None = None,
    tolerance: float | None = None,
    eps: float = 1e-3,
    seed: int = 0,
) -> None:
    """Compare derivatives up to `order`, in each mode, with central differences along random directions.

    `f` is a function of tensors and `args` its arguments, or `f` is a graph and `args` its inputs by name (its
    parameters are varied too, around their first values). Integer arguments are kept. The derivatives are computed by a
    compiled plan in `dtype` that must fit into `ram`, by the C kernels, exactly as a device computes them; the
    differences (step `eps`, fourth order) are always taken in f64. `tolerance` is relative (1e-7 in f64, 1e-3 in f32).
    Raises GradientError with order, mode and both numbers; BudgetError if the plan does not fit.
    """
    wrong = [m for m in modes if m not in _SHORT]
    if wrong or not modes or order < 1:
        raise GraphError(
            f'{user_line()}: check_grads: modes are "fwd" and "rev", order is from 1; not {modes}, {order}'
        )
    rng = np.random.default_rng(seed)
    y, values = _graph(f, args)
    free = [leaf for leaf in topological([y]) if leaf.op.kind == "leaf" and leaf.name in values and leaf.dtype.is_float]
    if not free:
        raise GraphError(f"{user_line()}: check_grads: nothing to differentiate: no float input or parameter")
    scalar = total(y * constant(rng.normal(size=y.shape)))
    directions = [{x.name: _unit(rng, x.shape) for x in free} for _ in range(order)]
    towers = {m: _tower(scalar, free, directions, m) for m in modes}
    names = [f"{m}{n}" for m in modes for n in range(order + 1)]
    graphs = [t for m in modes for t in towers[m]]
    exact = compile_plan(f=dict(zip(names, graphs, strict=True)))
    tested = compile_plan(ram=ram, f=dict(zip(names, retype(graphs, dtype), strict=True)))
    found = _run(Session(tested), tested, values)
    session = Session(exact)
    allowed = _TOLERANCE[dtype.name] if tolerance is None else tolerance
    for n in range(order):
        near = {h: _run(session, exact, _moved(values, directions[n], h * eps)) for h in (-2, -1, 1, 2)}
        for m in modes:
            at = {h: float(r[f"{m}{n}"]) for h, r in near.items()}
            wanted = (8 * (at[1] - at[-1]) - (at[2] - at[-2])) / (12 * eps)
            got = float(found[f"{m}{n + 1}"])
            scale = max(1.0, abs(wanted), *(abs(v) for v in at.values()))
            if not abs(got - wanted) <= allowed * scale:
                raise GradientError(
                    f"{user_line()}: derivative of order {n + 1}, {_SHORT[m]} mode, of {y!r}\n"
                    f"  the {dtype} plan gives {got:.9g}, differences {wanted:.9g} (allowed {allowed * scale:.1e})\n"
                    "  try: a point away from kinks; your custom_derivative rules; eps= or tolerance= for a steep f"
                )


def _graph(f: Tensor | Callable[..., Tensor], args: object) -> tuple[Tensor, Arrays]:
    """The graph in f64, all its leaves made inputs, and their values by name."""
    if isinstance(f, Tensor):
        if not isinstance(args, Mapping):
            raise GraphError(f"{user_line()}: check_grads of a graph takes its inputs as a dict by name")
        y, given = f, {str(k): np.asarray(v) for k, v in args.items()}
    else:
        arrays = [np.asarray(a) for a in args]  # type: ignore[attr-defined]
        given = {f"x{n}": a for n, a in enumerate(arrays)}
        y = f(*(leaves.input(n, a.shape, f64 if a.dtype.kind == "f" else _integer(a)) for n, a in given.items()))
    if not isinstance(y, Tensor) or not y.dtype.is_float:
        raise GraphError(f"{user_line()}: check_grads takes a graph of floats, not {y!r}")
    stored = [n for n in topological([y]) if n.op.name in ("param", "state")]
    inputs = [freed(n) for n in stored]
    first = {i.name: n.data for n, i in zip(stored, inputs, strict=True) if n.data is not None}
    values = {n: a.astype(np.float64) if a.dtype.kind == "f" else a for n, a in (first | given).items()}
    return retype(substitute([y], stored, inputs), f64)[0], values


def _integer(array: np.ndarray) -> Dtype:
    return from_numpy(array.dtype) or i32


def _unit(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    v = rng.normal(size=shape)
    return np.asarray(v / max(1e-30, float(np.sqrt((v * v).sum()))))


def _tower(scalar: Tensor, free: list[Tensor], directions: list[Arrays], mode: str) -> list[Tensor]:
    """[f, its derivative along the first direction, the derivative of that along the second, ..]."""
    made = [scalar]
    for d in directions:
        along = [constant(d[x.name]) for x in free]
        if mode == "fwd":
            made.append(jvp(made[-1], free, along))
        else:
            pairs = zip(grad(made[-1], free), along, strict=True)
            made.append(sum((total(g * v) for g, v in pairs), start=constant(np.float64(0))))
    return made


def _moved(values: Arrays, direction: Arrays, h: float) -> Arrays:
    return {n: v + h * direction[n] if n in direction else v for n, v in values.items()}


def _run(session: Session, plan: Plan, values: Arrays) -> Arrays:
    kinds = {s.name: plan.buffers[s.buffer].dtype.numpy for s in plan.entry("f").inputs}
    return session.arrays("f", **{n: values[n].astype(k) for n, k in kinds.items()})
