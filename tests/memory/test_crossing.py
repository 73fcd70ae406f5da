"""Of an entry's forms, those that surely take more bytes than another one are not made."""

import pytest

import lazydiff as ld
from bench.workloads import lazy
from bench.workloads.definitions import ALL
from lazydiff.candidates import lowest_candidate, prepare
from lazydiff.entries import forms, grown, written
from lazydiff.graph.walk import topological
from lazydiff.memory.budgets.ram import parse_ram
from lazydiff.memory.lower import Store
from lazydiff.memory.version import Version
from lazydiff.passes.crossing import crossing_bytes
from tests.memory.test_random_networks import Network

WORKLOADS = ("w2_lenet_b1", "w3_ae_b1", "w4_dscnn_b1", "w5_resnet8_b32", "w6_vww_last_b1", "w7_pinn_f32", "w8_maml")
STEPS = {name: lambda name=name: lazy.step(ALL[name]) for name in WORKLOADS}
STEPS |= {f"network-{seed}": lambda seed=seed: Network(seed).step for seed in range(24)}


@pytest.mark.parametrize("name", STEPS)
def test_what_crosses_the_last_product_is_alive_there_in_every_version(name):
    step = STEPS[name]()
    some = []
    for roots in forms(step):
        store = Store({id(leaf) for leaf, _ in step.updates})
        first = Version(written(store, name, step, roots), 4, True)
        least = min(v.least for v in grown([first], 1))
        some.append(crossing_bytes(roots))
        assert some[-1] <= least
    parts = any(n.op.name == "pad" for n in topological(step.roots))  # may share bytes with the whole
    assert any(some) != parts


@pytest.mark.parametrize("name", ["w4_dscnn_b1", "w5_resnet8_b1", "w8_maml"])
def test_the_plan_is_that_of_all_versions(name):
    steps, ram = {"train": lazy.step(ALL[name])}, parse_ram(None)
    all_, few = (prepare(steps, ram, True, every) for every in (True, False))
    assert lowest_candidate(few).plan.to_bytes() == lowest_candidate(all_).plan.to_bytes()
    assert (len(few.entries[0]) < len(all_.entries[0])) == (name != "w8_maml")


def test_values_that_may_be_made_again_are_not_counted():
    x, w = ld.input("x", (64, 64)), ld.param("w", [[0.5] * 64] * 64)
    h = ld.tanh(x @ w)

    def bytes_with(again):
        loss = ld.sum(ld.square(h @ w + again))
        return crossing_bytes(forms(ld.train_step(loss, ld.sgd(0.1)))[0])

    assert bytes_with(h) == 64 * 64 * 4
    assert bytes_with(ld.recompute(h)) == 0
