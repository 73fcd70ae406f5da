"""Fine-tunes a digit recogniser on the device: train, mount the sensor on its side, recover, all in 64 KiB of RAM.

    python -m lazydiff.examples.digits [--json] [--out build/demo]

Data: the UCI handwritten digits (data/digits.txt). The last quarter of the images, by other writers, is held out.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources

import numpy as np

import lazydiff as ld
from lazydiff.plan.lifetimes import entry_lives
from lazydiff.plan.memory_map import memory_map, memory_map_svg
from lazydiff.run.heap import count_allocations
from lazydiff.terminal import progress

RAM = "64 KiB"
BATCH = 8
EPOCHS, FINE_EPOCHS, FINE_IMAGES = 15, 20, 300
LEARNING_RATE, FINE_LEARNING_RATE, DECAY = 0.05, 0.02, 0.9985
COUNTED_STEPS = 1000


@dataclass(frozen=True, slots=True)
class Digits:
    """Images f32 (n, 8, 8, 1) in 0 .. 1 and labels i32 (n,), split by writer order."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


def load_digits() -> Digits:
    """The 1,797 digits: the first 1,347 to train on, the last 450 held out."""
    with resources.files("lazydiff.examples").joinpath("data/digits.npz").open("rb") as file:
        archive = np.load(file)
        images = (archive["images"].astype(np.float32) / 16)[..., None]
        labels = archive["labels"].astype(np.int32)
    held_out = len(images) // 4 + 1
    return Digits(images[:-held_out], labels[:-held_out], images[-held_out:], labels[-held_out:])


def network(x: ld.Tensor, seed: int = 0) -> ld.Tensor:
    """conv3x3-8, ReLU, conv3x3-16 stride 2, ReLU, dense 10: logits (batch, 10) of images (batch, 8, 8, 1)."""
    rng = np.random.default_rng(seed)

    def he(*shape: int) -> np.ndarray:  # He et al. 2015: variance 2 / fan-in
        return np.asarray(rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[:-1])), np.float32)

    def zeros(n: int) -> np.ndarray:
        return np.zeros(n, np.float32)

    h = ld.relu(ld.conv2d(x, ld.param("conv1.w", he(3, 3, 1, 8)), padding=1) + ld.param("conv1.b", zeros(8)))
    h = ld.relu(ld.conv2d(h, ld.param("conv2.w", he(3, 3, 8, 16)), 2, 1) + ld.param("conv2.b", zeros(16)))
    return h.reshape(x.shape[0], -1) @ ld.param("dense.w", he(256, 10)) + ld.param("dense.b", zeros(10))


def build(batch: int = BATCH, ram: str | int | None = RAM) -> ld.Plan:
    """The plan: `train` (x, y -> loss) with momentum and a learning rate that decays, `infer` (x -> digit)."""
    x, y = ld.input("x", (batch, 8, 8, 1)), ld.input("y", (batch,), ld.i32)
    logits = network(x)
    loss = ld.cross_entropy(logits, y).mean()
    rate = ld.state("learning_rate", np.float32(LEARNING_RATE))
    step = ld.train_step(loss, ld.sgd(rate, momentum=0.9), updates=[(rate, rate * DECAY)])
    return ld.compile(train=step, infer=ld.argmax(logits), ram=ram)


def on_its_side(images: np.ndarray) -> np.ndarray:
    """The images as a sensor sees them that was mounted on its side: rotated by 90 degrees."""
    return np.ascontiguousarray(np.rot90(images, 1, (1, 2)))


def upside_down(images: np.ndarray) -> np.ndarray:
    """The images rotated by 180 degrees."""
    return np.ascontiguousarray(images[:, ::-1, ::-1])


def fit(
    session: ld.Session,
    images: np.ndarray,
    labels: np.ndarray,
    epochs: int,
    seed: int,
    tick: Callable[[float], None] = lambda loss: None,
) -> list[float]:
    """Train for some epochs in shuffled batches (a last short batch is left out); the loss of every step."""
    rng = np.random.default_rng(seed)
    losses = []
    for _ in range(epochs):
        order = rng.permutation(len(images))
        for first in range(0, len(images) - BATCH + 1, BATCH):
            chosen = order[first : first + BATCH]
            loss = session.train(x=images[chosen], y=labels[chosen])
            assert isinstance(loss, float)
            losses.append(loss)
            tick(losses[-1])
    return losses


def accuracy(session: ld.Session, images: np.ndarray, labels: np.ndarray) -> float:
    """The share of images recognised; the last batch is filled up with blank ones."""
    right = 0
    for first in range(0, len(images), BATCH):
        some = images[first : first + BATCH]
        padded = np.zeros((BATCH, *images.shape[1:]), np.float32)
        padded[: len(some)] = some
        found = np.asarray(session.infer(x=padded))[: len(some)]
        right += int((found == labels[first : first + BATCH]).sum())
    return right / len(images)


def run(folder: str, say: Callable[[str], None], show_bar: bool) -> dict[str, object]:
    """The whole demo; the figures of `--json`."""
    os.makedirs(folder, exist_ok=True)
    data, plan = load_digits(), build()
    say(f"A convolutional network for 8x8 digits, batch {BATCH}, SGD with momentum, planned into ram={RAM!r}:\n")
    say(str(plan) + "\n")
    say("RAM while one training step runs:\n")
    say(memory_map(plan, "train") + "\n")

    session = ld.Session(plan)
    steps = EPOCHS * (len(data.train_images) // BATCH)
    began = time.perf_counter()
    with progress("training from scratch", steps, show_bar) as tick:
        losses = fit(session, data.train_images, data.train_labels, EPOCHS, 1, tick)
    per_second = steps / (time.perf_counter() - began)
    upright = accuracy(session, data.test_images, data.test_labels)
    say(
        f"Trained {steps} steps from scratch, {per_second:,.0f} steps per second, "
        f"loss {losses[0]:.2f} -> {losses[-1]:.3f}."
    )
    say(f"  held-out accuracy                              {upright:6.1%}")

    path = os.path.join(folder, "digits.lzp")
    plan.save(path)
    device = ld.Session(ld.load(path))  # as a device would: the plan from its file, the trained parameters put in
    for name, value in session.state().items():
        device.write(name, np.zeros_like(value) if name.endswith(".momentum") else value)
    device.write("learning_rate", FINE_LEARNING_RATE)
    turned = on_its_side(data.test_images)
    flipped = accuracy(device, turned, data.test_labels)
    down = accuracy(device, upside_down(data.test_images), data.test_labels)
    say(f"  upside down (half of the digits look the same) {down:6.1%}")
    say(f"  the sensor is mounted on its side              {flipped:6.1%}")
    chosen = np.arange(FINE_IMAGES) * len(data.train_images) // FINE_IMAGES  # some of every writer's
    with progress("fine-tuning on the device", FINE_EPOCHS * (FINE_IMAGES // BATCH), show_bar) as tick:
        fit(device, on_its_side(data.train_images[chosen]), data.train_labels[chosen], FINE_EPOCHS, 3, tick)
    recovered = accuracy(device, turned, data.test_labels)
    say(f"  fine-tuned on {FINE_IMAGES} such images                   {recovered:6.1%}")

    sample = {"x": data.train_images[:BATCH], "y": data.train_labels[:BATCH]}
    allocations = count_allocations(plan, "train", sample, COUNTED_STEPS)
    say(f"\nHeap allocations in {COUNTED_STEPS:,} training steps: {allocations}")

    with open(os.path.join(folder, "memory.svg"), "w", encoding="utf-8") as file:
        file.write(memory_map_svg(plan))
    firmware = os.path.join(folder, "firmware")
    batches = [
        {"x": data.train_images[i : i + BATCH], "y": data.train_labels[i : i + BATCH]}
        for i in range(0, 3 * BATCH, BATCH)
    ]
    ld.export_c(plan, firmware, name="digits", inputs=batches)
    say("\nWritten, and what to do next with each:")
    say(f"  {path}   the plan: ld.Session({path!r}) on a Pi, or copy it to a board with MicroPython")
    say(f"  {firmware}/   C99 without malloc: make -C {firmware} test, then add its files to your firmware")
    say(f"  {os.path.join(folder, 'memory.svg')}   the memory map: open it in a browser")
    bounds = {e.name: entry_lives(plan, e) for e in plan.entries}
    return {
        "accuracy": upright,
        "accuracy_flipped": flipped,
        "accuracy_upside_down": down,
        "accuracy_recovered": recovered,
        "ram_bytes": plan.ram_bytes,
        "lower_bound_bytes": max(b.lower_bound_bytes for b in bounds.values()),
        "arena_over_bound": {name: b.arena_over_bound for name, b in bounds.items()},
        "allocations": allocations,
        "steps_per_second": per_second,
        "losses_hex": [loss.hex() for loss in losses[:20]],
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m lazydiff.examples.digits", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object, and nothing else")
    parser.add_argument("--out", default="build/demo", help="where to write (default: build/demo)")
    options = parser.parse_args()
    figures = run(options.out, (lambda text: None) if options.json else print, sys.stdout.isatty() and not options.json)
    if options.json:
        print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
