"""Calls -> the order they run in: the lowest peak that is found."""
