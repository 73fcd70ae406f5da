"""Solves Burgers' and Poisson's equation with a network that is trained to satisfy them (Raissi et al., 2019).

    python -m lazydiff.examples.pinn [--all] [--nu 0.1] [--dtype f32|f64] [--points 1000] [--iterations 700] [--json]

The derivatives inside the loss come from `ld.derivative` (Taylor coefficients, forward), the gradient of the loss from
`ld.grad` (reverse); both are one graph, planned into one buffer. Adam goes first, then SciPy's L-BFGS-B, which sees
the plan's entry `value_and_grad` as one function of one flat vector.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import textwrap
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

import lazydiff as ld
from lazydiff.dtypes import Dtype
from lazydiff.graph.walk import topological
from lazydiff.terminal import progress

POINTS, BORDER_POINTS, POISSON_POINTS = 1000, 200, 400
BORDER_WEIGHT = 10.0
ADAM_STEPS, LEARNING_RATE, ITERATIONS = 300, 5e-3, 700
GRID_X, GRID_ROWS = 201, 101

# ------------------------------------------------------------------------------------------------ networks and plans


class Mlp:
    """A network of coordinates: `depth` layers of `width` tanh units, then a linear one.

    All its parameters are one flat vector, as an optimizer likes it; weights and biases are views of slices.
    """

    def __init__(self, coordinates: int, width: int, depth: int, dtype: Dtype, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        sizes = [coordinates] + [width] * depth + [1]
        pairs = list(pairwise(sizes))
        glorot = [rng.standard_normal((a, b)) * np.sqrt(2 / (a + b)) for a, b in pairs]  # Glorot and Bengio 2010
        values = [*glorot, *(np.zeros(b) for _, b in pairs)]
        self.parameters = ld.param("parameters", np.concatenate([v.ravel() for v in values]), dtype)
        ends = np.cumsum([v.size for v in values])
        parts = [self.parameters[int(e) - v.size : int(e)].reshape(v.shape) for v, e in zip(values, ends, strict=True)]
        self.weights, self.biases = parts[: len(pairs)], parts[len(pairs) :]

    def __call__(self, *coordinates: ld.Tensor) -> ld.Tensor:
        """The value (n, 1) at n points, from each coordinate (n, 1); row i depends on row i only."""
        h = self.biases[0]
        for n, x in enumerate(coordinates):  # not one (n, 2) product: ld.derivative is asked about each by itself
            h = h + x * self.weights[0][n : n + 1]
        for w, b in zip(self.weights[1:], self.biases[1:], strict=True):
            h = ld.tanh(h) @ w + b
        return h


@dataclass(frozen=True, slots=True)
class Problem:
    """A compiled problem: entries `adam` (one step), `value_and_grad` and `solution` (on the grid's rows)."""

    plan: ld.Plan
    inputs: dict[str, np.ndarray]
    nodes: int  # of the graph of the loss and its gradient
    compile_seconds: float  # from the first line of the trace to the plan


def _problem(began: float, net: Mlp, loss: ld.Tensor, solution: ld.Tensor, inputs: Mapping[str, np.ndarray]) -> Problem:
    value_and_grad = {"loss": loss, "gradient": ld.grad(loss, net.parameters)}
    step = ld.train_step(loss, ld.adam(LEARNING_RATE))
    plan = ld.compile(adam=step, value_and_grad=value_and_grad, solution=solution)
    seconds = time.process_time() - began
    columns = {name: np.ascontiguousarray(a.reshape(-1, 1), loss.dtype.numpy) for name, a in inputs.items()}
    return Problem(plan, columns, len(topological(value_and_grad.values())), seconds)


def burgers_residual(net: Callable[..., ld.Tensor], x: ld.Tensor, t: ld.Tensor, nu: float) -> ld.Tensor:
    """u_t + u u_x - nu u_xx at each point: zero for a solution."""
    u = net(x, t)
    return ld.derivative(u, t) + u * ld.derivative(u, x) - nu * ld.derivative(u, x, order=2)


def burgers(nu: float, points: int = POINTS, dtype: Dtype = ld.f64, seed: int = 0) -> Problem:
    """u_t + u u_x = nu u_xx for x in -1 .. 1, t in 0 .. 1; u(x, 0) = -sin(pi x), u(-1, t) = u(1, t) = 0."""
    began = time.process_time()
    net = Mlp(2, 20, 4, dtype, seed)
    x, t = (ld.input(n, (points, 1), dtype) for n in "xt")
    at = [ld.input(f"border_{n}", (BORDER_POINTS, 1), dtype) for n in "xtu"]
    loss = ld.square(burgers_residual(net, x, t, nu)).mean() + BORDER_WEIGHT * ld.mse(net(at[0], at[1]), at[2])
    solution = net(*(ld.input(n, (GRID_X, 1), dtype) for n in "xt"))
    rng = np.random.default_rng(seed)
    across, along = ((rng.permutation(points) + rng.random(points)) / points for _ in range(2))  # a Latin hypercube
    across = 2 * across - 1
    half = BORDER_POINTS // 2
    start, side = np.linspace(-1, 1, half), np.repeat([-1.0, 1.0], half // 2)
    inputs = {
        "x": 0.3 * across + 0.7 * across**3,  # three times as dense near 0, where the front gets steep
        "t": along,
        "border_x": np.concatenate([start, side]),
        "border_t": np.concatenate([np.zeros(half), np.tile(np.linspace(0, 1, half // 2), 2)]),
        "border_u": np.concatenate([-np.sin(np.pi * start), np.zeros(half)]),
    }
    return _problem(began, net, loss, solution, inputs)


def poisson(points: int = POISSON_POINTS, dtype: Dtype = ld.f64, seed: int = 0) -> Problem:
    """u_xx + u_yy = f on the square -1 .. 1, u = 0 on its border; f = -2 pi^2 u for u = sin(pi x) sin(pi y).

    The factor (1 - x^2) (1 - y^2) keeps the border, so the loss is the residual alone.
    """
    began = time.process_time()
    net = Mlp(2, 20, 2, dtype, seed)

    def u(x: ld.Tensor, y: ld.Tensor) -> ld.Tensor:
        return (1 - x * x) * (1 - y * y) * net(x, y)

    x, y, f = (ld.input(n, (points, 1), dtype) for n in "xyf")
    inside = u(x, y)
    loss = ld.mse(ld.derivative(inside, x, order=2) + ld.derivative(inside, y, order=2), f)
    solution = u(*(ld.input(n, (GRID_X, 1), dtype) for n in "xy"))
    rng = np.random.default_rng(seed)
    at = {n: 2 * (rng.permutation(points) + rng.random(points)) / points - 1 for n in "xy"}
    right = -2 * np.pi**2 * np.sin(np.pi * at["x"]) * np.sin(np.pi * at["y"])
    return _problem(began, net, loss, solution, {**at, "f": right})


# ------------------------------------------------------------------------------------------------ known solutions


def cole_hopf(x: np.ndarray, t: np.ndarray, nu: float, nodes: int = 100) -> np.ndarray:
    """Burgers' exact solution, to about 1e-12: u = -2 nu (log phi)_x, where phi solves the heat equation (Hopf 1950).

    u(x, t) = -E[sin(pi y) g(y)] / E[g(y)], g(y) = exp(-cos(pi y) / (2 pi nu)), over y normal with mean x and variance
    2 nu t: two integrals of the form that Gauss-Hermite quadrature takes.
    """
    z, weight = np.polynomial.hermite.hermgauss(nodes)
    y = np.pi * (x[..., None] - 2 * np.sqrt(nu * t)[..., None] * z)
    g = weight * np.exp((-1 - np.cos(y)) / (2 * np.pi * nu))  # the -1 cancels; without it small nu would overflow
    return np.asarray(-(np.sin(y) * g).sum(-1) / g.sum(-1))


def sines(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Poisson's exact solution."""
    return np.asarray(np.sin(np.pi * x) * np.sin(np.pi * y))


# ------------------------------------------------------------------------------------------------ training


def adam(session: ld.Session, problem: Problem, tick: Callable[[float], None]) -> None:
    """The first steps, ten in one C call: Adam finds the valley that L-BFGS then descends quickly."""
    for _ in range(0, ADAM_STEPS, 10):
        loss = session.repeat("adam", 10, **problem.inputs)
        assert isinstance(loss, float)
        tick(loss)


def lbfgs(session: ld.Session, problem: Problem, iterations: int, tick: Callable[[float], None]) -> tuple[float, int]:
    """SciPy's L-BFGS-B from the session's parameters on; the last loss, and how often the entry ran."""
    minimize = _scipy_minimize()
    start = session.read("parameters")

    def objective(vector: np.ndarray) -> tuple[float, np.ndarray]:
        session.write("parameters", vector.astype(start.dtype))
        found = session.arrays("value_and_grad", **problem.inputs)
        return float(found["loss"]), found["gradient"].astype(np.float64)

    def each(intermediate_result: Mapping[str, float]) -> None:
        tick(intermediate_result["fun"])

    options = {"maxiter": iterations, "maxfun": 2 * iterations, "maxcor": 50, "ftol": 0.0, "gtol": 1e-9}
    found = minimize(objective, start.astype(np.float64), jac=True, method="L-BFGS-B", options=options, callback=each)
    session.write("parameters", found.x.astype(start.dtype))
    return float(found.fun), int(found.nfev)


def _scipy_minimize() -> Callable[..., Any]:
    # Its vectors have a thousand numbers: threads would only wait for each other.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        from scipy.optimize import minimize
    except ImportError:
        raise SystemExit("this example needs SciPy: pip install 'lazydiff[examples]'") from None
    found: Callable[..., Any] = minimize
    return found


def relative_error(session: ld.Session, exact: Callable[[np.ndarray, np.ndarray], np.ndarray], names: str) -> float:
    """L2 norm of (network - exact) over that of exact, on a grid: x in -1 .. 1, the other coordinate in its range."""
    x = np.linspace(-1, 1, GRID_X)
    rows = np.linspace(0 if names == "xt" else -1, 1, GRID_ROWS)
    dtype = session.entry("solution").outputs[0].dtype.numpy
    off = size = 0.0
    for row in rows:
        at = dict(zip(names, (x, np.full_like(x, row)), strict=True))
        found = session.arrays("solution", **{n: a[:, None].astype(dtype) for n, a in at.items()})["solution"][:, 0]
        wanted = exact(x, at[names[1]])
        off, size = off + ((found - wanted) ** 2).sum(), size + (wanted**2).sum()
    return float(np.sqrt(off / size))


def solve(
    title: str,
    problem: Problem,
    exact: Callable[[np.ndarray, np.ndarray], np.ndarray],
    iterations: int,
    say: Callable[[str], None],
    show_bar: bool,
) -> dict[str, object]:
    """Train, and compare with the exact solution; the figures."""
    session, names = ld.Session(problem.plan), "".join(s.name for s in problem.plan.entry("solution").inputs)
    say(f"{title}\n  {problem.nodes} nodes in the loss and its gradient; planned in {problem.compile_seconds:.2f} s")
    say(textwrap.indent("\n\n".join(str(problem.plan).split("\n\n")[:2]), "    "))
    began = time.process_time()
    with progress("Adam", ADAM_STEPS // 10, show_bar) as tick:
        adam(session, problem, tick)
    before = relative_error(session, exact, names)
    with progress("L-BFGS", iterations, show_bar) as tick:
        loss, evaluations = lbfgs(session, problem, iterations, tick)
    seconds, error = time.process_time() - began, relative_error(session, exact, names)
    say(f"  relative L2 error after {ADAM_STEPS} steps of Adam {before:.1e},")
    say(f"  after L-BFGS {error:.1e} (loss {loss:.1e}, {evaluations} evaluations; {seconds:.1f} s of CPU)\n")
    return {
        "error": error,
        "error_after_adam": before,
        "loss": loss,
        "evaluations": evaluations,
        "nodes": problem.nodes,
        "compile_seconds": problem.compile_seconds,
        "train_seconds": seconds,
        "ram_bytes": problem.plan.ram_bytes,
    }


def run(options: argparse.Namespace, say: Callable[[str], None], show_bar: bool) -> dict[str, object]:
    """Every problem asked for; the figures of `--json`."""
    dtype = {"f32": ld.f32, "f64": ld.f64}[options.dtype]
    figures: dict[str, object] = {}
    for ratio, times in ({options.nu: 1} | ({0.01: 4} if options.all else {})).items():  # a steep front takes longer
        nu = ratio / np.pi
        title = f"Burgers, nu = {ratio:g}/pi, {options.points} points, {options.dtype}"
        problem = burgers(nu, options.points, dtype)
        exact = partial(cole_hopf, nu=nu)
        figures[f"burgers_{ratio:g}"] = solve(title, problem, exact, times * options.iterations, say, show_bar)
    title = f"Poisson on a square, {POISSON_POINTS} points, {options.dtype}"
    figures["poisson"] = solve(title, poisson(dtype=dtype), sines, options.iterations, say, show_bar)
    return figures


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m lazydiff.examples.pinn", description=__doc__)
    parser.add_argument("--nu", type=float, default=0.1, help="viscosity in units of 1/pi (default: 0.1)")
    parser.add_argument("--all", action="store_true", help="nu = 0.01/pi too, whose front is ten times as steep")
    parser.add_argument("--dtype", choices=["f32", "f64"], default="f64", help="of all arithmetic (default: f64)")
    parser.add_argument("--points", type=int, default=POINTS, help=f"inside the domain (default: {POINTS})")
    parser.add_argument("--iterations", type=int, default=ITERATIONS, help=f"of L-BFGS (default: {ITERATIONS})")
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object, and nothing else")
    options = parser.parse_args()
    figures = run(options, (lambda text: None) if options.json else print, sys.stdout.isatty() and not options.json)
    if options.json:
        print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
