"""Budgets in bytes, what misses them and what would help; what each stage of the planner saved."""
