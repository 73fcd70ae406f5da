"""tools/bench/steps.py: steps timed alone are those of the plan, and it counts their multiply-adds."""

import numpy as np
import pytest

import lazydiff as ld
from tools.bench import steps
from tools.bench.workloads import lazy
from tools.bench.workloads.definitions import ALL


@pytest.mark.parametrize("name", ["w1_mlp_b1", "w2_lenet_b1"])
def test_steps_run_one_by_one_are_the_whole_step(name: str) -> None:
    workload = ALL[name]
    plan = lazy.compiled(workload)
    batch = {f"batch{k}": a for k, a in enumerate(workload.init()[2][0])}
    narrow, whole = steps.Narrow(plan, 0, batch), ld.Session(plan)
    narrow.begin()
    for begin, end in steps.groups(narrow.entry.steps):
        narrow.narrow(begin, end)
        narrow.run(1)
    whole.run("train", **batch)
    first = ld.Session(plan).state()
    for name, value in narrow.session.state().items():
        assert np.array_equal(value, whole.read(name)), name
        assert not np.array_equal(value, first[name]), f"{name} did not move"


def test_a_steps_multiply_adds_are_those_of_its_product() -> None:
    plan = lazy.compiled(ALL["w1_mlp_b1"])
    counted = sum(steps.multiply_adds(s) for s in plan.entries[0].steps)
    assert counted == 2 * 64 * 32 + 3 * 32 * 10
