"""tools/bench/training.py: whoever computes another loss gets no figure, and a peer that is missing is named."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from tools.bench import training
from tools.bench.peers import ours
from tools.bench.roofline import Roofline
from tools.bench.workloads.counting import counted
from tools.bench.workloads.definitions import ALL

WORKLOAD = ALL["w1_mlp_b1"]


class Peer(ours.Called):
    name, how = "torch", "a test's"
    off = 0.0

    def losses(self, n: int) -> list[float]:
        return [x * (1 + self.off) for x in super().losses(n)]


@pytest.fixture
def peer(monkeypatch):
    """`pytorch` is lazydiff itself under another name, its losses off by a factor."""
    monkeypatch.setattr(training, "BLOCK_SECONDS", 1e-4)
    monkeypatch.setattr(training, "ROUNDS", 1)
    made = ours.ways(WORKLOAD)[0]().session, [{"batch0": b[0], "batch1": b[1]} for b in WORKLOAD.init()[2]]
    kind = type("Peer", (Peer,), {})
    monkeypatch.setitem(sys.modules, "tools.bench.peers.pytorch", SimpleNamespace(ways=lambda w: [lambda: kind(*made)]))
    return kind


def test_a_peer_that_computes_the_same_losses_is_timed(peer):
    found = training.raced(WORKLOAD, ["pytorch"], Roofline({4: 1e9}, {1 << 20: 1e9}))
    ours_too = {f"lazydiff{maps}{where}" for maps in ("", ours.COMPILED) for where in ("", ", in C")}
    assert set(found.seconds) == {*ours_too, "torch"}
    for maps in ("", ours.COMPILED):
        assert found.ratio("torch", maps) == found.seconds[f"lazydiff{maps}"] / found.seconds["torch"]
        assert found.to_best(maps) == found.ratio("torch", maps)
    least = max(counted(WORKLOAD).multiply_adds, counted(WORKLOAD).moved) / 1e9
    assert found.of_roofline == least / found.seconds["lazydiff, in C"]
    assert training.line(found).count("|") == training.HEAD.splitlines()[0].count("|")


def test_a_peer_that_computes_other_losses_stops_the_benchmark(peer):
    peer.off = 2 * WORKLOAD.tolerance
    with pytest.raises(SystemExit, match=r"w1_mlp_b1: torch computes .* not the same step"):
        training.raced(WORKLOAD, ["pytorch"], None)


def test_a_peer_that_is_not_installed_is_named(peer, monkeypatch):
    monkeypatch.setitem(sys.modules, "tools.bench.peers.jax_", None)
    found = training.raced(WORKLOAD, ["jax_"], None)
    assert "not installed" in found.missing["JAX"]
    assert "| - |" in training.line(found)
    assert training.notes([found]) == [f"JAX: {found.missing['JAX']} (all)"]


def test_multiply_adds_of_a_step_are_counted_forward_and_backward():
    assert counted(WORKLOAD).multiply_adds == 2 * 64 * 32 + 3 * 32 * 10  # the input needs no gradient
    filters = 28 * 28 * 25 * 6, 10 * 10 * 25 * 6 * 16
    dense = 400 * 120 + 120 * 84 + 84 * 10
    assert counted(ALL["w2_lenet_b32"]).multiply_adds == 32 * (2 * filters[0] + 3 * filters[1] + 3 * dense)
    last = counted(ALL["w6_vww_last_b1"])
    full = counted(ALL["w6_vww_full_b1"])
    assert 2 * last.multiply_adds < full.multiply_adds < 3 * last.multiply_adds
    assert np.isclose(last.held, last.state, rtol=0.01)
