"""Training steps w1 to w9 that libraries are compared on, by name."""

from tools.bench.workloads import networks, second_order  # noqa: F401 - they fill ALL
from tools.bench.workloads.workload import ALL, Workload

__all__ = ["ALL", "Workload"]
