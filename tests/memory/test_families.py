"""Placement of our own training steps meets the contention bound, whatever the rules their lifetimes come from."""

import pytest

from lazydiff.memory.placement.place import place
from tools.bench.planner import families
from tools.bench.planner.instances import checked_height

QUICK = ("perceptron", "LeNet", "autoencoder", "DS-CNN", "ResNet-8", "attention")


@pytest.mark.parametrize("rule", families.RULES)
@pytest.mark.parametrize("name", QUICK)
def test_a_training_step_is_placed_at_its_bound(name, rule):
    intervals, steps = families.lifetimes(families.FAMILIES[name](), rule)
    placed = place(intervals, steps)
    assert placed.verdict == "bound met"
    assert checked_height(intervals, placed.offsets) == placed.bound > 0


def test_the_rules_take_fewer_and_fewer_bytes():
    bounds = [place(*families.lifetimes(families.FAMILIES["ResNet-8"](), rule)).bound for rule in families.RULES]
    assert bounds == sorted(bounds, reverse=True)
    assert len(set(bounds)) == 3
