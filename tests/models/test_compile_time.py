"""Compiling stays fast: a real network in under a second, and a graph ten times longer in about ten times the time."""

import time
from collections.abc import Callable

import pytest

import lazydiff as ld
from bench.networks import resnet8, unrolled
from lazydiff.examples import maml, pinn
from lazydiff.plan.model import Kind


def _seconds(build: Callable[[], ld.Plan]) -> tuple[float, ld.Plan]:
    began = time.process_time()
    plan = build()
    return time.process_time() - began, plan


def test_resnet8_compiles_in_under_a_second():
    seconds, plan = _seconds(resnet8)
    parameters = sum(plan.elements(s) for s in plan.state if plan.buffers[s.buffer].kind == Kind.PARAMS)
    assert parameters == 77_706
    assert seconds < 1, f"trace to plan took {seconds:.2f} s"


@pytest.mark.parametrize("build", [maml.build, lambda: pinn.burgers(0.1).plan], ids=["maml", "pinn"])
def test_second_order_examples_compile_in_under_two_seconds(build):
    seconds, _ = _seconds(build)
    assert seconds < 2, f"trace to plan took {seconds:.2f} s"


@pytest.mark.parametrize(("steps", "train", "most"), [(3000, False, 4.0), (1000, True, 4.0)])
def test_a_long_graph_compiles_in_seconds(steps, train, most):
    """About a second each; the limit leaves room for a busy machine. Quadratic passes took 13 s for the second."""
    seconds, plan = _seconds(lambda: unrolled(steps, train))
    assert len(plan.entries[0].steps) >= (5 if train else 2) * steps
    assert seconds < most, f"trace to plan took {seconds:.2f} s"
