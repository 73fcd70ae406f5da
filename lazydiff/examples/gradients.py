"""A tour of derivatives: the seed's formula, Rosenbrock's Hessian, Speelpenning's product, each in several ways.

python -m lazydiff.examples.gradients
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import lazydiff as ld
from lazydiff.graph.walk import topological

Values = dict[str, np.ndarray]


def differences(f: Callable[..., float], values: Values, name: str, eps: float = 1e-6) -> np.ndarray:
    """d f / d name by central differences, an element at a time."""
    found = np.zeros_like(values[name])
    for at in np.ndindex(found.shape):
        shift = np.zeros_like(found)
        shift[at] = eps
        ends = [f(**(values | {name: values[name] + sign * shift})) for sign in (1, -1)]
        found[at] = (ends[0] - ends[1]) / (2 * eps)
    return found


def seed_formula() -> dict[str, float]:
    """((a * b) + (a / b))**2 of two numbers: the formula of the engine that lazydiff reimagines, each way."""
    a, b, c = (ld.input(n, (), ld.f64) for n in "abc")
    y = (a * b + a / b) ** 2
    plan = ld.compile(
        f={
            "y": y * 1,
            "a": ld.grad(y, a),
            "b": ld.grad(y, b),
            "forward": ld.jvp(y, [a, b], [1.0, 0.0]),
            "absent": ld.grad(y, c),
            "curvature": ld.grad(ld.grad(y, a), b),
        }
    )
    return {k: float(v) for k, v in ld.Session(plan).arrays("f", a=3.0, b=2.0).items()}


def rosenbrock(n: int) -> tuple[ld.Tensor, ld.Tensor]:
    """The variable and the function sum of 100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2."""
    x = ld.input("x", (n,), ld.f64)
    return x, (100 * ld.square(x[1:] - ld.square(x[:-1])) + ld.square(1 - x[:-1])).sum()


def rosenbrock_hessian(n: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """The Hessian at a fixed point: as a matrix, and its products with the unit vectors (hvp), row by row."""
    x, f = rosenbrock(n)
    at = np.linspace(-1.2, 1.0, n)
    v = ld.input("v", (n,), ld.f64)
    session = ld.Session(ld.compile(matrix=ld.hessian(f, x), product=ld.hvp(f, x, v)))
    rows = [session.product(x=at, v=row) for row in np.eye(n)]
    return np.asarray(session.matrix(x=at)), np.asarray(rows)


def speelpenning(n: int = 16) -> dict[str, float]:
    """x1 x2 .. xn: one reverse pass gives all n derivatives, forward mode needs n, and the graphs show it."""
    x = ld.input("x", (n,), ld.f64)
    y = ld.prod(x)
    at = np.random.default_rng(0).uniform(0.5, 1.5, n)
    zero = at * (np.arange(n) != 2)  # a rule that divided the product by x would give NaN here
    reverse, forward = ld.grad(y, x), ld.jacobian(y, x, "forward")
    session = ld.Session(ld.compile(value=y, both={"reverse": reverse, "forward": forward}))
    found = session.arrays("both", x=at)
    exact, at_zero = (np.array([np.prod(np.delete(v, i)) for i in range(n)]) for v in (at, zero))
    numeric = differences(lambda x: float(session.arrays("value", x=x)["value"]), {"x": at}, "x")
    return {
        "reverse_error": float(abs(found["reverse"] - exact).max()),
        "forward_error": float(abs(found["forward"] - exact).max()),
        "zero_error": float(abs(session.arrays("both", x=zero)["reverse"] - at_zero).max()),
        "differences_error": float(abs(numeric - exact).max()),
        "value_nodes": len(topological([y])),
        "reverse_nodes": len(topological([reverse])),
        "forward_nodes": len(topological([forward])),
    }


def main() -> None:
    """Print the tour."""
    found = seed_formula()
    print("((a*b) + (a/b))^2 at a = 3, b = 2")
    print(f"  value {found['y']}, d/da {found['a']} (forward mode: {found['forward']}), d/db {found['b']}")
    print(f"  d2/da db {found['curvature']}; d/dc of a variable that is not there: {found['absent']}, no node, no byte")
    matrix, rows = rosenbrock_hessian()
    print("Rosenbrock's Hessian (tridiagonal) at", np.linspace(-1.2, 1.0, len(matrix)).round(2))
    print(np.array2string(matrix, precision=1, suppress_small=True))
    print(f"  from {len(rows)} Hessian-vector products: differs by {abs(matrix - rows).max():.1e}")
    s = speelpenning()
    print("Speelpenning's product of 16 numbers")
    print(f"  errors: reverse {s['reverse_error']:.1e}, forward {s['forward_error']:.1e}", end="")
    print(f", differences {s['differences_error']:.1e}; reverse where one number is 0: {s['zero_error']:.1e}")
    print(f"  nodes: value {s['value_nodes']}, + reverse {s['reverse_nodes']}, + forward {s['forward_nodes']}")


if __name__ == "__main__":
    main()
