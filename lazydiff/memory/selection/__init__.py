"""Graph nodes -> kernel calls."""
