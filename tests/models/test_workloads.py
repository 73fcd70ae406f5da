"""The workloads w1 to w9 train as they do in torch."""

import numpy as np
import pytest

from tools.bench.workloads.definitions import ALL
from tools.bench.workloads.lazy import losses
from tools.bench.workloads.losses import TORCH


@pytest.mark.parametrize("name", ALL)
def test_losses_are_those_of_torch(name):
    workload = ALL[name]
    np.testing.assert_allclose(losses(workload, len(TORCH[name])), TORCH[name], rtol=workload.tolerance)
