"""Architecture search under a RAM price: DARTS (Liu et al. 2019) on the digits, priced by the planner.

    python -m lazydiff.examples.nas [--order first|second|both] [--price 0.5] [--json]

A cell has three edges (stem -> a, stem -> b, a -> b), each a softmax mixture of identity, conv3x3, conv1x1 and max-pool
3x3; its output is a + b. Weights are trained on one half of the images, architecture parameters on the other. First
order takes the validation gradient at the present weights; second order at the weights after one SGD step, and
differentiates through that step exactly. The price of a mixture is its expected RAM: all 64 cells are compiled, so each
term is the exact number of bytes that training that cell takes on a device.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache

import numpy as np

import lazydiff as ld
from lazydiff.examples.digits import Digits, load_digits

OPS = ("identity", "conv3x3", "conv1x1", "maxpool3x3")
EDGES = ("stem.a", "stem.b", "a.b")
CHANNELS, BATCH = 8, 16
STEPS, RETRAIN_STEPS = 400, 800
WEIGHT_RATE, ARCH_RATE = 0.05, 0.02
PRICE = 0.1  # nats of validation loss that the dearest cell costs more than the cheapest

Edge = Callable[[str, ld.Tensor], ld.Tensor]  # (edge's name, its input) -> its output
Cell = tuple[str, str, str]  # the op of each edge


def _he(name: str, *shape: int) -> ld.Tensor:
    rng = np.random.default_rng(sum(map(ord, name)))
    return ld.param(name, (rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[:-1]))).astype(np.float32))


def candidate(op: str, edge: str, x: ld.Tensor) -> ld.Tensor:
    """One operation on one edge: (n, h, w, c) -> the same shape."""
    if op == "identity":
        return x
    if op == "maxpool3x3":
        return ld.max_pool2d(x, 3, stride=1, padding=1)
    k = 3 if op == "conv3x3" else 1
    return ld.conv2d(ld.relu(x), _he(f"{edge}.{op}", k, k, CHANNELS, CHANNELS), padding=k // 2)


def network(x: ld.Tensor, edge: Edge) -> ld.Tensor:
    """Logits (n, 10) of images (n, 8, 8, 1): stem, the cell, global mean, dense."""
    stem = ld.conv2d(x, _he("stem", 3, 3, 1, CHANNELS), padding=1)
    a = edge(EDGES[0], stem)
    b = edge(EDGES[1], stem) + edge(EDGES[2], a)
    pooled = ld.relu(a + b).mean((1, 2))
    return pooled @ _he("dense.w", CHANNELS, 10) + ld.param("dense.b", np.zeros(10, np.float32))


def chosen(cell: Cell) -> Edge:
    """The edges of one cell."""
    by_name = dict(zip(EDGES, cell, strict=True))
    return lambda name, x: candidate(by_name[name], name, x)


def plan_of(cell: Cell) -> ld.Plan:
    """Training (momentum) and inference of one cell: what a device would get."""
    x, y = ld.input("x", (BATCH, 8, 8, 1)), ld.input("y", (BATCH,), ld.i32)
    logits = network(x, chosen(cell))
    step = ld.train_step(ld.cross_entropy(logits, y).mean(), ld.sgd(WEIGHT_RATE, momentum=0.9))
    return ld.compile(train=step, infer=ld.argmax(logits))


@cache
def ram_table() -> np.ndarray:
    """Bytes of RAM of each of the 64 cells, i32 (4, 4, 4) by the ops of the three edges: the planner's numbers."""
    found = [plan_of((a, b, c)).ram_bytes for a, b, c in itertools.product(OPS, repeat=3)]
    return np.array(found, np.int32).reshape(4, 4, 4)


def expected_price(shares: Sequence[ld.Tensor]) -> ld.Tensor:
    """Expected RAM under the three softmaxes, 0 for the cheapest cell and 1 for the dearest."""
    table = ram_table().astype(np.float32)
    scaled = (table - table.min()) / (table.max() - table.min())
    a, b, c = shares
    return (a[:, None, None] * b[:, None] * c * ld.constant(scaled)).sum()


def losses() -> tuple[ld.Tensor, ld.Tensor, list[ld.Tensor]]:
    """The mixture's loss on a training batch (x, y) and on a validation batch (xv, yv), and its three alphas."""
    alphas = {e: ld.param(f"alpha.{e}", np.zeros(len(OPS), np.float32)) for e in EDGES}
    shares = {e: ld.softmax(a) for e, a in alphas.items()}

    def mixture(name: str, h: ld.Tensor) -> ld.Tensor:
        parts = [shares[name][k] * candidate(op, name, h) for k, op in enumerate(OPS)]
        return sum(parts[1:], start=parts[0])

    def loss(images: str, labels: str) -> ld.Tensor:
        x, y = ld.input(images, (BATCH, 8, 8, 1)), ld.input(labels, (BATCH,), ld.i32)
        return ld.cross_entropy(network(x, mixture), y).mean()

    return loss("x", "y"), loss("xv", "yv"), list(alphas.values())


def weights_of(loss: ld.Tensor) -> list[ld.Tensor]:
    """The parameters that are not the architecture's."""
    return [w for w in ld.parameters(loss) if not w.name.startswith("alpha.")]


def search_cost(order: str, price: float) -> tuple[ld.Tensor, list[ld.Tensor]]:
    """What the architecture minimises, and its parameters."""
    train, valid, alphas = losses()
    if order == "second":
        weights = weights_of(train)
        moved = [w - WEIGHT_RATE * g for w, g in zip(weights, ld.grad(train, weights), strict=True)]
        valid = ld.substitute(valid, weights, moved)
    return valid + price * expected_price([ld.softmax(a) for a in alphas]), alphas


def search_plan(order: str, price: float) -> ld.Plan:
    """Entries `weights` (x, y: train the mixture's weights) and `cell` (x, y, xv, yv: train the architecture)."""
    train = losses()[0]
    cost, alphas = search_cost(order, price)
    return ld.compile(
        weights=ld.train_step(train, ld.sgd(WEIGHT_RATE, momentum=0.9), trainable=[w.name for w in weights_of(train)]),
        cell=ld.train_step(cost, ld.adam(ARCH_RATE, b1=0.5), trainable=[a.name for a in alphas]),
    )


@dataclass(frozen=True, slots=True)
class Found:
    """What a search came to. Bytes are the planner's; accuracy is of the retrained cell on held-out images."""

    cell: Cell
    cell_ram_bytes: int
    search_ram_bytes: int
    accuracy: float
    seconds: float


def batches(data: Digits, half: int | None, seed: int) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
    """A source of random batches from one half of the training images (None: all of them)."""
    rng = np.random.default_rng(seed)
    rows = np.arange(len(data.train_images)) if half is None else np.arange(half, len(data.train_images), 2)

    def take() -> tuple[np.ndarray, np.ndarray]:
        some = rng.choice(rows, BATCH, replace=False)
        return data.train_images[some], data.train_labels[some]

    return take


def search(plan: ld.Plan, second_order: bool, steps: int = STEPS) -> Cell:
    """Alternate weight and architecture steps; the op with the greatest share on each edge."""
    session, data = ld.Session(plan), load_digits()
    train, valid = batches(data, 0, 0), batches(data, 1, 1)
    for _ in range(steps):
        x, y = train()
        xv, yv = valid()
        session.cell(xv=xv, yv=yv, **({"x": x, "y": y} if second_order else {}))
        session.weights(x=x, y=y)
    a, b, c = (OPS[int(np.argmax(session.read(f"alpha.{e}")))] for e in EDGES)
    return a, b, c


def retrain(cell: Cell, steps: int = RETRAIN_STEPS) -> float:
    """Train a cell from its first weights on all training images; its accuracy on the held-out ones."""
    session, data = ld.Session(plan_of(cell)), load_digits()
    take = batches(data, None, 2)
    for _ in range(steps):
        x, y = take()
        session.train(x=x, y=y)
    right = count = 0
    for first in range(0, len(data.test_images) - BATCH + 1, BATCH):
        found = session.infer(x=data.test_images[first : first + BATCH])
        right += int((np.asarray(found) == data.test_labels[first : first + BATCH]).sum())
        count += BATCH
    return right / count


def run(order: str, price: float = PRICE) -> Found:
    """Search, choose, retrain."""
    started = time.perf_counter()
    plan = search_plan(order, price)
    cell = search(plan, order == "second")
    bytes_of = int(ram_table()[tuple(OPS.index(op) for op in cell)])
    return Found(cell, bytes_of, plan.ram_bytes, retrain(cell), round(time.perf_counter() - started, 1))


def main(argv: Sequence[str] | None = None) -> None:
    """Search by either order, with and without the price, and print what came out."""
    parser = argparse.ArgumentParser(description="DARTS on the digits, priced by the planner")
    parser.add_argument("--order", choices=("first", "second", "both"), default="both")
    parser.add_argument("--price", type=float, default=PRICE, help="nats for the range of RAM (0: RAM is free)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args(argv)
    orders = ("first", "second") if options.order == "both" else (options.order,)
    found = {order: run(order, options.price) for order in orders}
    table = ram_table()
    if options.json:
        print(
            json.dumps(
                {k: asdict(v) for k, v in found.items()} | {"cheapest": int(table.min()), "dearest": int(table.max())}
            )
        )
        return
    print(f"64 cells take {table.min():,} to {table.max():,} bytes of RAM to train")
    for order, f in found.items():
        print(f"{order} order ({f.search_ram_bytes:,} bytes to search, {f.seconds} s): {', '.join(f.cell)}")
        print(f"  {f.cell_ram_bytes:,} bytes, {f.accuracy:.1%} of held-out digits after retraining")


if __name__ == "__main__":
    main()
