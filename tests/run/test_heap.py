"""The heap counter counts, and a plan's steps make it count nothing."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from lazydiff.errors import ToolError
from lazydiff.run.heap import count_allocations
from lazydiff.run.native import HeapCounter
from small_plan import small_plan

INPUTS = {"x": np.ones((2, 3), np.float32), "y": np.zeros(2, np.int32)}
linux = pytest.mark.skipif(HeapCounter.library() is None, reason="the heap counter needs Linux with glibc")


@linux
def test_a_thousand_steps_make_no_heap_call():
    assert count_allocations(small_plan(), "train", INPUTS, steps=1000) == 0


@linux
def test_a_counter_that_is_not_preloaded_is_found_out():
    assert HeapCounter().probe() == 0


@linux
def test_the_counter_refuses_to_say_zero_when_it_does_not_count(monkeypatch):
    monkeypatch.setattr("lazydiff.run.heap.HeapCounter.library", staticmethod(lambda: sys.executable))
    with pytest.raises(ToolError, match="not in LD_PRELOAD"):
        count_allocations(small_plan(), "train", INPUTS, steps=1)


def test_elsewhere_the_error_says_where_it_works(monkeypatch):
    monkeypatch.setattr(HeapCounter, "library", staticmethod(lambda: None))
    with pytest.raises(ToolError, match="Linux with glibc"):
        count_allocations(small_plan(), "train", INPUTS)
